"""Points on a kink of a formula and one ulp to either side, found by bisection.

In: a ``Case`` with ordinary elements. Out: cases in which one element puts both sides of a
comparison, a maximum, a bound or an absolute value as near to each other as the format can.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

import sympy as sp
from mpmath import mp

from lossgen import nodes
from lossgen.accuracy.cases import Case, Filled
from lossgen.accuracy.context import Elements, Environment
from lossgen.accuracy.exact import Evaluator
from lossgen.accuracy.formats import Format
from lossgen.accuracy.points import beside, extremes
from lossgen.accuracy.tape import MorePrecision, Tape
from lossgen.nodes import free_letters
from lossgen.spec import LossSpec
from lossgen.subscripts import kind

Sides = tuple[sp.Expr, sp.Expr]
_TRIES = 4


def sides(spec: LossSpec) -> list[Sides]:
    """What the formula compares, element by element."""
    found: dict[Sides, None] = {}
    for node in nodes.walk(spec.item):
        if isinstance(node, nodes.Compare):
            if "real" in (kind(node.left, spec), kind(node.right, spec)):
                found.setdefault((node.left, node.right))
        elif isinstance(node, nodes.Max):
            found.setdefault((node.args[0], node.args[1]))
        elif isinstance(node, nodes.Abs):
            found.setdefault((node.arg, sp.S.Zero))
        elif isinstance(node, nodes.Clip):
            found.setdefault((node.args[0], node.args[1]))
            found.setdefault((node.args[0], node.args[2]))
    return [pair for pair in found if not nodes.is_static(sp.Tuple(*pair))]


def on_kinks(case: Case, form: Format, random_: random.Random) -> Iterator[Case]:
    """The case moved onto each kink in turn, and one ulp to either side."""
    moving = [
        name
        for name, filled in case.tensors.items()
        if filled.flat
        and case.spec.tensor(name).role.kind == "real"
        and case.spec.tensor(name).role.name not in ("Binary", "Sign")
    ]
    for pair in sides(case.spec):
        for _ in range(_TRIES if moving else 0):
            name = random_.choice(moving)
            index = random_.randrange(len(case.tensors[name].flat))
            here = _somewhere(case, pair, random_)
            crossing = _crossing(case, pair, here, name, index, form)
            if crossing is None:
                continue
            for step in (0, 1, -1):
                number = beside(crossing, case.spec.tensor(name).role, form, step)
                moved = _with(case, name, index, number)
                if _in_domain(moved, name):
                    label = f"kink{f' {step:+d} ulp' if step else ''}"
                    yield replace(moved, labels=(label,))
            break


def _somewhere(case: Case, pair: Sides, random_: random.Random) -> Environment:
    letters = sorted(free_letters(sp.Tuple(*pair)), key=str)
    spans = {x: case.sizes[case.spec.axes[x].name] for x in letters}
    return {x: random_.randrange(max(1, span - 1)) for x, span in spans.items()}


def _with(case: Case, name: str, index: int, number: float) -> Case:
    filled = case.tensors[name]
    flat = (*filled.flat[:index], number, *filled.flat[index + 1 :])
    return replace(case, tensors={**case.tensors, name: Filled(flat, filled.shape)})


def _in_domain(case: Case, name: str) -> bool:
    """Whether the corners of boxes are still in order."""
    if case.spec.tensor(name).role.name != "Boxes":
        return True
    flat = case.tensors[name].flat
    return all(flat[k] < flat[k + 2] and flat[k + 1] < flat[k + 3] for k in range(0, len(flat), 4))


def _crossing(
    case: Case, pair: Sides, here: Environment, name: str, index: int, form: Format
) -> float | None:
    """The element at which the sides change places, or just before it."""

    def sign(number: float) -> int:
        return _sign(_with(case, name, index, number), pair, here, form)

    ends = extremes(case.spec.tensor(name).role, form)
    signs = [sign(x) for x in ends]
    for low, high, a, b in zip(ends, ends[1:], signs, signs[1:], strict=False):
        if a == 0:
            return low
        if a != b and 2 not in (a, b):
            first, last = form.ordinal(low), form.ordinal(high)
            while last - first > 1:
                middle = (first + last) // 2
                if sign(form.number(middle)) == a:
                    first = middle
                else:
                    last = middle
            return form.number(last)
    return None


def _sign(case: Case, pair: Sides, here: Environment, form: Format) -> int:
    tape = Tape(form)
    elements = {}
    for name, filled in case.tensors.items():
        real = case.spec.tensor(name).role.kind == "real"
        flat = [tape.constant(x) for x in filled.flat] if real else list(filled.flat)
        elements[name] = Elements(flat, filled.shape)
    with mp.workprec(400):
        ev = Evaluator(case.spec, tape, elements, case.setting.options, case.sizes)
        try:
            return ev.decide(ev.number(pair[0], here), ev.number(pair[1], here))
        except (MorePrecision, KeyError, IndexError):
            return 2  # cannot be told here; the search goes on elsewhere
