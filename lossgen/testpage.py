"""What the generated test of a loss says.

In: a ``LossSpec``.  Out: a ``TestPage`` of strings and tuples, and the test's source.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lossgen.oracle import Formula, formula
from lossgen.render import filled
from lossgen.scalartext import WORDS
from lossgen.spec import LossSpec
from lossgen.static import resolutions
from lossgen.subscripts import result_letters
from lossgen.symmetry import alike, moves, separable
from lossgen.testcases import CaseRow, cases
from lossgen.testrefusals import (
    counted,
    inside,
    labels_of_rows,
    leading,
    outside,
    refused_numbers,
    rigid,
    takes_number,
)
from lossgen.testsamples import emptied, fewest, indexed_axis, marker, samples
from lossgen.testsignatures import constructor, plain_names, signature
from lossgen.testtexts import case_text, result_shape_text, sample_text

DIGITS, WORKING_DIGITS = 50, 150
_SYMPY = (
    "atan",
    "cos",
    "erf",
    "exp",
    "log",
    "sin",
    "tanh",
)


# Cases that behaviour is tried with; the last is that of another formula, where there is one.
_BOTH = ("BASE", "FULL", "FLOATING")


@dataclass(frozen=True, slots=True)
class FormulaPart:
    """One formula of the loss, as the template lays it out."""

    name: str
    arguments: tuple[str, ...]
    summary: str
    body: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """The samples of one formula's tensors: a name, and name and text of each."""

    name: str
    samples: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class TestPage:
    """All that the template of a test sees."""

    title: str
    digits: int
    working_digits: int
    module: str
    function: str
    functional: str
    class_name: str
    sympy_words: str
    formulas: tuple[FormulaPart, ...]
    renamed: str
    words: dict[str, bool]
    has_absent: bool
    has_lengths: bool
    has_scores: bool
    tables: tuple[Table, ...]
    defaults: str
    cases: tuple[tuple[str, str], ...]
    reductions: str
    default_reduction: str
    base_case: str
    full_case: str
    floating_case: str
    both: str
    both_ids: str
    result_shape: str
    constructor: str
    plain_signature: str
    functional_signature: str
    class_signature: str
    batch_in_result: bool
    separate: bool
    meeting: bool
    stands_still: bool
    crowd: str
    emptied: str
    crowd_name: str
    crowd_cut: bool
    crowd_turned: str
    unbatched: bool
    ragged: str
    batched_divisor: bool
    discrete: bool
    wrong_for_discrete: str
    refused: str
    label_only: str
    outside: str
    inside: str
    float_only: str
    countable: str
    rigid_base: str
    rigid_full: str
    number_tensor: str
    number_refused: str
    first: str
    least_rank: int
    labels: str
    label_shape: str
    ignored: str
    ignoring: str
    class_axis: str
    fewest: int
    on_gpu: bool


def test_source(
    spec: LossSpec,
    templates: Sequence[Path] = (),  # noqa: PT028
    *,
    on_gpu: bool = False,  # noqa: PT028
) -> str:
    """The source of the test that proves a loss, not yet formatted.

    Args:
        on_gpu: whether there are kernels that run on a GPU only.
    """
    page = test_page(spec, on_gpu=on_gpu)
    said = {name: getattr(page, name) for name in page.__slots__}
    return filled("test.py.jinja", templates, **said)


def test_page(spec: LossSpec, *, on_gpu: bool) -> TestPage:
    """Decide all that the test says."""
    specs = [spec] if spec.floating is None else [spec, spec.floating]
    names = ["formula", "probabilities_formula"][: len(specs)]
    formulas = [formula(s, name) for s, name in zip(specs, names, strict=True)]
    words = frozenset().union(*(f.words for f in formulas))
    rows = [
        (name, s, cases(s, "" if k == 0 else "probabilities, "))
        for k, (name, s) in enumerate(zip(names, specs, strict=True))
    ]
    first = rows[0][2]
    manners = frozenset(r.manner for _, _, found in rows for r in found)
    full = next((r.name for r in first if r.name == "all options"), _last_calm(first))
    return TestPage(
        title=f"Proves {spec.name}.py: {spec.summary[:1].lower()}{spec.summary[1:]}",
        digits=DIGITS,
        working_digits=WORKING_DIGITS,
        module=spec.name,
        function=spec.function_name,
        functional=spec.functional_name,
        class_name=spec.class_name,
        sympy_words=", ".join(w for w in _SYMPY if w in words),
        formulas=tuple(_part(f, s) for f, s in zip(formulas, specs, strict=True)),
        renamed=next((repr(f.renamed) for f in formulas if f.renamed), ""),
        words=_flags(words),
        has_absent=any("Absent" in line for f in formulas for line in f.body),
        has_lengths="long" in manners,
        has_scores="confident" in manners,
        tables=tuple(
            Table(_table_name(k), tuple((r.name, sample_text(r, manners)) for r in samples(s)))
            for k, s in enumerate(specs)
        ),
        defaults=repr({p.name: p.default for s in specs for p in s.parameters}),
        cases=tuple(
            (row.name, case_text(row, name, _table_name(k)))
            for k, (name, _, found) in enumerate(rows)
            for row in found
        ),
        reductions=repr(("none", "mean", "sum", *(name for name, _ in spec.divisors))),
        default_reduction=spec.default_reduction,
        base_case=first[0].name,
        full_case=full,
        floating_case=_last_calm(rows[1][2]) if len(rows) > 1 else "",
        both=", ".join(_BOTH[: 1 + len(rows)]),
        both_ids=", ".join(f'"{name.lower()}"' for name in _BOTH[: 1 + len(rows)]),
        result_shape=result_shape_text(spec),
        constructor=repr(constructor(spec)),
        plain_signature=signature(spec, plain_names(spec)),
        functional_signature=signature(spec, spec.signature),
        class_signature=signature(spec, spec.class_signature),
        on_gpu=on_gpu,
        **_behaviour(spec),
    )


def _behaviour(spec: LossSpec) -> dict[str, Any]:
    """What the tests of behaviour and of refusals need to know."""
    first, counts = leading(spec), counted(spec)
    real = [t for t in spec.tensors if t.role.kind == "real"]
    ragged = next((a.name for t in spec.tensors for a in t.axes if a.name in "se"), "")
    labels = labels_of_rows(spec)
    ignored = next((t for t in spec.tensors if t.role.kind == "integer" and marker(spec, t)), None)
    free_rank = (first.ragged is not None) + spec.unbatched
    batch = next(t for t in spec.tensors if t.axes).axes[0]
    batched = any(spec.axes[x] == batch for x in result_letters(spec))
    separate = separable(spec, batch)
    axes = {axis.name for t in spec.tensors for axis in t.axes}
    same = alike(spec).get(str(batch.name))
    turns = batched and batch.name == "n" and same is not None and not (same.named or same.holders)
    crowd = ("c" if "c" in axes else "") if separate else "n" * turns
    along = [k for k, x in enumerate(result_letters(spec)) if spec.axes[x] == batch]
    return {
        "batch_in_result": batched,
        "separate": separate,
        "stands_still": any(not moves(x) for x in resolutions(spec.item)),
        "meeting": batched and not separate,
        "crowd": crowd,
        "emptied": emptied(spec),
        "crowd_name": "classes" if separate else "rows",
        "crowd_cut": any(
            axis.name == "s" != batch.name and separable(spec, axis)
            for axis in (spec.axes[x] for x in result_letters(spec)[-1:])
        ),
        "crowd_turned": ", ".join(map(str, along)),
        "unbatched": spec.unbatched,
        "ragged": ragged,
        "batched_divisor": ragged == "e" and bool(spec.divisors),
        "discrete": any(t.role.kind == "integer" for t in spec.tensors),
        "wrong_for_discrete": "x + 1j" if spec.floating is not None else "x.double()",
        "refused": repr(spec.refused),
        "label_only": repr(tuple(_label_only(spec))),
        "outside": repr([pair for p in spec.parameters for pair in outside(p)]),
        "inside": repr([pair for p in spec.parameters for pair in inside(p)]),
        "float_only": repr(tuple(t.name for t in real if t.name not in counts)),
        "countable": repr(tuple(t.name for t in real if t.name in counts)),
        "rigid_base": repr(tuple(rigid(spec, optional=False))),
        "rigid_full": repr(tuple(rigid(spec, optional=True))),
        "number_tensor": next((t.name for t in spec.tensors if takes_number(t)), ""),
        "number_refused": repr(
            [value for t in spec.tensors if takes_number(t) for value in refused_numbers(t)]
        ),
        "first": first.name,
        "least_rank": 0 if ragged == "e" or labels else len(first.axes) - free_rank,
        "labels": labels.name if labels else "",
        "label_shape": repr((1,) * len(labels.axes)) if labels else "",
        "ignored": ignored.name if ignored else "",
        "ignoring": marker(spec, ignored) if ignored else "",
        "class_axis": indexed_axis(spec, ignored) if ignored else "",
        "fewest": fewest(spec),
    }


def _last_calm(rows: Sequence[CaseRow]) -> str:
    return [row.name for row in rows if row.manner == "plain" and not row.shapes][-1]


def _label_only(spec: LossSpec) -> Iterator[str]:
    """The options that have no meaning where the target is floating point."""
    if spec.floating is not None:
        known = {p.name for p in spec.floating.parameters}
        yield from (p.name for p in spec.parameters if p.name not in known)


def _part(stated: Formula, spec: LossSpec) -> FormulaPart:
    return FormulaPart(stated.name, stated.arguments, spec.summary, stated.body)


def _flags(words: frozenset[str]) -> dict[str, bool]:
    """Which helper functions the test needs."""
    settled = bool(words & {"larger", "smaller", "largest", "smallest", "clip"})
    return {word: word in words for word in WORDS} | {"settled": settled}


def _table_name(place: int) -> str:
    return ("SAMPLES", "PROBABILITIES_SAMPLES")[place]
