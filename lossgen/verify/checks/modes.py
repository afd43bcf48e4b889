"""The same input otherwise: without gradients, in eval mode, after other calls, twice backward.

A loss is a function of its inputs. What is called besides, in which mode, and which of its tensors
ask for a gradient, changes nothing of its value, nor of a gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from lossgen.verify.caller import CallFailed
from lossgen.verify.calling import call_lines
from lossgen.verify.checks.itself import differs
from lossgen.verify.point import Point
from lossgen.verify.sampling import first_points, resized, usual_sizes
from lossgen.verify.session import Session
from lossgen.verify.target import raised
from lossgen.verify.verdict import Check, number

NAME = "modes and calls"
_FIXED = ("Weight", "Binary", "Sign")


def modes(session: Session) -> Check:
    """Each way of calling in turn, at an ordinary point."""
    point = _bare(session, next(first_points(session.question)))
    check = Check(NAME, "skipped")
    for probe in (Ungraded(), Unasked(), Evaluated(), After(), Again(), Alone()):
        check = session.probed(NAME, [point], probe, "no_grad, eval, after other calls, twice back")
        if check.status == "fails":
            break
    return check


def _bare(session: Session, point: Point) -> Point:
    """The point without what a constructor takes: one instance is called several times."""
    spec, taken = session.question.spec, session.question.matching.taken
    left = {t.name for t in spec.tensors if t.optional and t.name in taken}
    gone = {name for name in left if taken[name].stage == "init"}
    return replace(point, tensors={k: x for k, x in point.tensors.items() if k not in gone})


@dataclass(frozen=True)
class _Otherwise:
    """A call that must give what the usual one gives; ``words`` follow "another value"."""

    words = ""

    def __call__(self, session: Session, point: Point) -> str:
        usual = _value(session, point, session.caller.leaves(point))
        try:
            other = self.other(session, point)
        except CallFailed as failure:
            return f"raises {failure}{self.words}"
        if other is None:
            return ""
        here, there = _flat(usual), _flat(other)
        place = differs(there, here)
        if place is None:
            return ""
        if len(here) != len(there):
            return f"gives another shape{self.words}"
        shown = f"{number(there[place])}, else {number(here[place])}"
        return f"gives another value{self.words}: {shown}"

    def other(self, session: Session, point: Point) -> Tensor | None:
        """The result of the other call; None where there is no such call."""
        raise NotImplementedError

    def proof(self, session: Session, point: Point) -> tuple[str, ...]:
        lines = call_lines(session.caller, point, session.question.main, "float64")
        return (*lines, *self.again(session, point, lines), *_SAME) if lines else ()

    def again(self, session: Session, point: Point, lines: Sequence[str]) -> Iterator[str]:
        """Lines that call once more and name the result ``again``."""
        raise NotImplementedError


_SAME = ("torch.testing.assert_close(again.detach(), result.detach(), rtol=1e-4, atol=1e-6)",)


class Ungraded(_Otherwise):
    """Under ``torch.no_grad``."""

    words = " under torch.no_grad()"

    def other(self, session: Session, point: Point) -> Tensor:
        with torch.no_grad():
            return _value(session, point, session.caller.leaves(point))

    def again(self, session: Session, point: Point, lines: Sequence[str]) -> Iterator[str]:
        yield "with torch.no_grad():"
        yield from (f"    {line}" for line in _once_more(lines))


class Unasked(_Otherwise):
    """With inputs that ask for no gradient."""

    words = " for inputs that need no gradient"

    def other(self, session: Session, point: Point) -> Tensor:
        return _value(session, point, session.caller.leaves(point, grad=False))

    def again(self, session: Session, point: Point, lines: Sequence[str]) -> Iterator[str]:
        for name in session.caller.leaves(point):
            yield f"{name} = {name}.detach()"
        yield from _once_more(lines)


class Evaluated(_Otherwise):
    """A module in evaluation."""

    words = " in eval mode"

    def other(self, session: Session, point: Point) -> Tensor | None:
        seen: list[tuple[nn.Module, bool]] = []

        def prepare(made: Any) -> None:
            if isinstance(made, nn.Module):
                seen.append((made, made.training))
                made.eval()

        try:
            result = _value(session, point, session.caller.leaves(point), prepare)
        finally:
            for module, training in seen:
                module.train(training)
        return result if seen else None

    def again(self, session: Session, point: Point, lines: Sequence[str]) -> Iterator[str]:
        yield f"{'made' if session.question.target.kind == 'class' else 'code'}.eval()"
        yield from _once_more(lines)


class After(_Otherwise):
    """After a call with another size of batch."""

    words = " after a call with another batch size"

    def other(self, session: Session, point: Point) -> Tensor | None:
        before = _larger(session, point)
        if before is None:
            return None
        function = session.caller.function(point, session.question.main)
        leaves = session.caller.leaves(before)
        try:
            session.caller.result(before, leaves, session.question.main, function=function)
        except CallFailed:
            return None
        leaves = session.caller.leaves(point)
        return session.caller.result(point, leaves, session.question.main, function=function)

    def proof(self, session: Session, point: Point) -> tuple[str, ...]:
        before = _larger(session, point)
        calls = [
            call_lines(session.caller, x, session.question.main, "float64")
            for x in (point, before)
            if x is not None
        ]
        if len(calls) < 2 or not all(calls):
            return ()
        here, there = calls
        made = [line for line in here if line.startswith("made = ")]
        rest = [line for line in there if not line.startswith("made = ")]
        inputs = [line for line in here if not line.startswith(("made = ", "result = "))]
        return (*here, "whole = result.detach()", *made, *rest, *inputs, *_once_more(here), *_WHOLE)


_WHOLE = ("torch.testing.assert_close(again.detach(), whole, rtol=1e-4, atol=1e-6)",)


def _larger(session: Session, point: Point) -> Point | None:
    """A point with the same options and tensors of another batch size."""
    question = session.question
    lead = str(question.spec.tensors[0].axes[0].name)
    usual = usual_sizes(question.spec)
    if lead in question.pinned or lead.isdigit():
        return None
    first = usual[lead]
    other = resized(question, {**usual, lead: (first[0] + 3, *first[1:])}, question.seed + 83)
    tensors = {k: x for k, x in other.tensors.items() if k in point.tensors}
    if tensors.keys() != point.tensors.keys():
        return None
    return Point(tensors, point.options, point.label)


@dataclass(frozen=True)
class _Backward:
    """A gradient that must be what it usually is."""

    def __call__(self, session: Session, point: Point) -> str:
        for name, usual, other, words in self.pairs(session, point):
            here, there = _flat(usual), _flat(other)
            place = differs(there, here)
            if place is not None:
                shown = f"{number(there[place])}, else {number(here[place])}"
                return f"gives another gradient of {name}{words}: {shown}"
        return ""

    def pairs(self, session: Session, point: Point) -> Iterator[tuple[str, Tensor, Tensor, str]]:
        """Name of a tensor, its usual gradient, the other one, words."""
        raise NotImplementedError

    def proof(self, session: Session, point: Point) -> tuple[str, ...]:
        return ()


class Again(_Backward):
    """The second of two backwards of one result."""

    def pairs(self, session: Session, point: Point) -> Iterator[tuple[str, Tensor, Tensor, str]]:
        leaves = session.caller.leaves(point)
        result = _value(session, point, leaves)
        asked = {k: x for k, x in leaves.items() if x.requires_grad}
        try:
            once = _gradients(result, asked, keep=True)
            once = {k: g.clone() for k, g in once.items()}
            twice = _gradients(result, asked)
        except CallFailed:
            return  # code may let go of what it kept
        for name, gradient in once.items():
            yield name, gradient, twice[name], " when it is asked for a second time"

    def proof(self, session: Session, point: Point) -> tuple[str, ...]:
        lines = call_lines(session.caller, point, session.question.main, "float64")
        names = [k for k, x in session.caller.leaves(point).items() if x.requires_grad]
        asked = f"[{', '.join(names)}]"
        call = f"torch.autograd.grad(result.sum(), {asked}, retain_graph=True)"
        made = [f"once = [g.clone() for g in {call}]", f"twice = {call}"]
        same = ["for a, b in zip(once, twice):", "    torch.testing.assert_close(b, a)"]
        return (*lines, *made, *same) if lines else ()


class Alone(_Backward):
    """The gradient of one tensor, labels among them, where no other asks for one."""

    def pairs(self, session: Session, point: Point) -> Iterator[tuple[str, Tensor, Tensor, str]]:
        spec = session.question.spec
        leaves = session.caller.leaves(point, grad=False)
        asked = {
            k: x.requires_grad_()
            for k, x in leaves.items()
            if x.is_floating_point() and spec.tensor(k).role.name not in _FIXED
        }
        if len(asked) < 2:
            return
        try:
            usual = _gradients(_value(session, point, leaves), asked)
        except CallFailed:
            return  # labels need have no gradient
        for name in asked:
            alone = session.caller.leaves(point, grad=False)
            one = {name: alone[name].requires_grad_()}
            result = _value(session, point, alone)
            if result.requires_grad:
                other = _gradients(result, one)[name]
                yield name, usual[name], other, " where no other input needs one"


def _value(
    session: Session,
    point: Point,
    leaves: Mapping[str, Tensor],
    prepare: Callable[[Any], None] | None = None,
) -> Tensor:
    main = session.question.main
    function = session.caller.function(point, main, prepare)
    return session.caller.result(point, leaves, main, function=function)


def _gradients(
    result: Tensor, asked: Mapping[str, Tensor], *, keep: bool = False
) -> dict[str, Tensor]:
    try:
        found = torch.autograd.grad(
            result.sum(),
            list(asked.values()),
            retain_graph=keep,
            allow_unused=True,
            materialize_grads=True,
        )
    except RuntimeError as error:
        raise CallFailed(raised(error), "backward") from error
    return dict(zip(asked, found, strict=True))


def _flat(x: Tensor) -> list[float]:
    numbers: list[float] = x.detach().double().flatten().tolist()
    return numbers


def _once_more(lines: Sequence[str]) -> list[str]:
    """The lines of a call, its result named ``again``."""
    return [line.replace("result", "again") for line in lines if line.startswith("result = ")]
