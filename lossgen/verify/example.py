"""A witness as a counter-example to read: input, what is expected and why, what came back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from lossgen.nodes import Let, walk
from lossgen.subscripts import kind
from lossgen.verify.caller import Caller, CallFailed
from lossgen.verify.calling import call_lines
from lossgen.verify.session import Session, Witness
from lossgen.verify.truth import Exact, evaluate, mp
from lossgen.verify.truth.tape import value
from lossgen.verify.verdict import CounterExample, number
from lossgen.verify.words import in_order, in_words, named

_LINES, _WIDE, _MOST = 12, 200, 10_000


def counterexample(session: Session, witness: Witness) -> CounterExample:
    """The witness, with everything a person needs to check it by hand."""
    difference, point = witness.difference, witness.point
    dtype = witness.dtype if isinstance(witness.dtype, torch.dtype) else None
    small = point.count <= _MOST
    tensors = {
        k: x.tolist() if small else f"{list(x.shape)}, each {number(float(x.flat[0]))}"
        for k, x in point.tensors.items()
    }
    example = CounterExample(
        tensors=tensors,
        options=dict(point.options),
        reduction=witness.reduction,
        dtype=difference.dtype,
        what=difference.what,
        got=(difference.got,),
        want=(difference.want,),
        count=point.count,
        proof=_proof(session, witness),
        call=call_lines(
            session.caller, point, witness.reduction, difference.dtype if dtype else "float64"
        ),
    )
    if (
        difference.kind in ("behaviour", "refusal")
        or difference.what == "shape"
        or dtype is None
        or not small
    ):
        return example
    exact = evaluate(session.question.spec, point)
    got, want = _numbers(session.caller, exact, witness, dtype)
    lines = tuple(derivation(session, exact, witness.reduction))
    return replace(example, got=got, want=want, derivation=lines)


def _proof(session: Session, witness: Witness) -> tuple[str, ...]:
    """What a probe writes down where a call alone shows nothing."""
    written = getattr(witness.probe, "proof", None)
    return written(session, witness.point) if written is not None else ()


def _numbers(
    caller: Caller, exact: Exact, witness: Witness, dtype: torch.dtype
) -> tuple[tuple[float | str, ...], tuple[float, ...]]:
    what, reduction = witness.difference.what, witness.reduction
    shown: tuple[float | str, ...]
    try:
        outcome = caller.run(witness.point, reduction, dtype)
    except CallFailed as failure:
        shown = (str(failure),)
        return shown, tuple(float(x) for x in exact.value(reduction))
    if what == "value":
        return outcome.value, tuple(float(x) for x in exact.value(reduction))
    name = what.partition(" of ")[2]
    weights = caller.weights(len(outcome.value))
    want = exact.gradient(reduction, weights).get(name, [])
    gradient = outcome.gradients.get(name)
    shown = ("no gradient",) if gradient is None else gradient
    return shown, tuple(float(x) for x in want)


def derivation(session: Session, exact: Exact, reduction: str) -> list[str]:
    """The formula's named parts at this point, one line each, then the items and the reduction."""
    spec = session.question.spec
    lines: list[str] = []
    parts = dict.fromkeys(x for x in walk(spec.item) if isinstance(x, Let))
    for let in sorted(parts, key=lambda x: sum(isinstance(y, Let) for y in walk(x.body))):
        numbers = _values(exact, let)
        if numbers and kind(let.body, spec) != "boolean" and len(lines) < _LINES:
            head = named(let.name, map(str, in_order(let)))
            lines.append(f"{head} = {in_words(let.body)} = {_listed(numbers)}")
    lines = [x for x in dict.fromkeys(lines) if len(x) < _WIDE]
    items = [exact.interpreter.real(value(x)) for x in exact.items]
    lines.append(f"loss = {in_words(spec.item)} = {_listed(items)}")
    if reduction != "none":
        lines.append(f"{reduction} = {number(float(exact.value(reduction)[0]))}")
    return lines


def _values(exact: Exact, let: Let) -> list[Any]:
    """What a named part came to, at every position where the formula asked for it."""
    found: dict[tuple[int, ...], Any] = {}
    order = [let.params.index(x) for x in in_order(let)]
    for key, result in exact.interpreter.known.items():
        if isinstance(key, tuple) and key[0] == let.body and len(key) == 1 + len(let.params):
            places = key[1:]
            if all(isinstance(p, tuple) for p in places):
                found[tuple(places[k][1] for k in order)] = value(result)
    numbers = [found[k] for k in sorted(found)]
    return [x for x in numbers if isinstance(x, (int, float, mp.mpf)) and not isinstance(x, bool)]


def _listed(numbers: list[Any]) -> str:
    shown = [number(float(x)) for x in numbers[:6]] + (["…"] if len(numbers) > 6 else [])
    return shown[0] if len(numbers) == 1 else f"[{', '.join(shown)}]"
