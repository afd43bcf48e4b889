"""Shows that the code's graph equals the formula: with symbols, with 50 digits."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import FrameType
from typing import Any

from lossgen.verify.evidence.arrays import Unsupported
from lossgen.verify.evidence.element import Element, Undecided
from lossgen.verify.evidence.field import Symbols
from lossgen.verify.evidence.interpret import run_graph
from lossgen.verify.evidence.long import ROUNDED, expected, flat, inputs, residual
from lossgen.verify.evidence.trace import NotTraced, Trace, trace
from lossgen.verify.point import Point
from lossgen.verify.sampling import Sizes, resized, usual_sizes
from lossgen.verify.session import Session
from lossgen.verify.truth import Undefined, mp

SECONDS = 3.0  # of this process: a busy machine must not change the answer
SAMPLES = 3
LENGTHS = (1, 2, 3)  # of the axes that may be of any length; the last where others show nothing
EQUAL = mp.mpf(10) ** -45  # what 120 digits leave where some cancel


@dataclass(frozen=True)
class Evidence:
    """How it was shown, in sentences; the first says of what kind it is."""

    text: tuple[str, ...]


@dataclass
class _Found:
    """What was shown so far.

    Attributes:
        digits: how far the graph was from the formula, at each point.
        value, gradient: the branches on which each equals the formula with symbols, and the sizes.
        why: what symbols could not do.
    """

    digits: list[Any] = field(default_factory=list)
    value: set[tuple[bool, ...]] = field(default_factory=set)
    gradient: set[tuple[bool, ...]] = field(default_factory=set)
    symbols: int = 0
    sizes: str = ""
    why: str = ""


def gather(session: Session) -> Evidence:
    """Trace the code at a few small points, and hold each graph against the formula."""
    found = _Found()
    deadline = time.process_time() + min(SECONDS, session.deadline - time.monotonic())
    for long in LENGTHS:
        if long == LENGTHS[-1] and found.digits:
            break
        for k in range(SAMPLES):
            if time.process_time() > deadline or (found.why and found.digits[2:]):
                break
            problem = _ask(session, long, k, found, deadline)
            if problem:
                return Evidence((f"in numbers: {problem}",))
    return Evidence(tuple(_told(found)))


def _ask(session: Session, long: int, k: int, found: _Found, deadline: float) -> str:
    """Hold one graph against the formula; the text says why that cannot be done."""
    point = _small(session, long, k)
    try:
        graph = trace(session, point, session.question.main)
        found.digits.append(residual(session, point, graph, session.question.main))
        if not found.why:
            _exactly(session, point, graph, found, deadline)
    except NotTraced as failure:
        return f"the code cannot be traced ({failure})"
    except Unsupported as failure:
        return f"{failure} is not known here"
    except (Undefined, ZeroDivisionError):
        return ""
    except Exception as failure:
        return f"its graph cannot be followed ({str(failure)[:80]})"
    return ""


def _told(found: _Found) -> Iterator[str]:
    if not found.digits:
        yield "in numbers: the formula has no value at the small points tried"
        return
    worst = max(found.digits)
    if found.value:
        what = "value and gradient equal" if found.gradient else "the value equals"
        branches = found.gradient or found.value
        many = f"{len(branches)} branch{'es' if len(branches) > 1 else ''}"
        where = "" if branches == {()} else f", on the {many} that the samples lie on"
        yield (
            f"exactly: {what} the formula as expressions in {found.symbols} symbols, "
            f"{found.sizes}{where}"
        )
    if worst <= EQUAL:
        yield f"to 50 digits: the code's graph in long arithmetic, at {len(found.digits)} points"
    elif worst <= ROUNDED:
        yield (
            f"to {_digits(worst)} digits in long arithmetic: constants in the code are rounded "
            "to double precision"
        )
    else:
        yield (
            f"in numbers only: in long arithmetic the code's graph differs by {mp.nstr(worst, 2)} "
            "of the largest number, as a small constant such as an epsilon does"
        )
    if found.why:
        yield f"not further with symbols: {found.why}"


def _digits(worst: Any) -> int:
    return int(-mp.log10(worst))


def _small(session: Session, long: int, k: int) -> Point:
    """A small point with options that double precision computes with exactly."""
    question = session.question
    point = resized(question, _tiny(usual_sizes(question.spec), long), question.seed + 11 + k)
    options = dict(point.options)
    pool = {True: iter((0.25, 0.5, 0.125, 0.75)), False: iter((2.0, 3.0, 1.5, 4.0, 0.5))}
    for p in question.spec.parameters:
        if p.name in question.variable and p.role.kind == "real" and not p.role.choices:
            small = p.role.upper is not None or (p.default is not None and abs(p.default) < 1)
            value = next(pool[small], None)
            if value is not None and p.role.admits(value):
                options[p.name] = value
    return replace(point, options=options)


def _tiny(sizes: Sizes, long: int) -> Sizes:
    """As few elements as show anything: two of a class or a feature, ``long`` of all else."""
    return {
        axis: s if axis.isdigit() else (2,) if axis in "cd" else (long,)
        for axis, s in sizes.items()
    }


def _sizes(session: Session, point: Point) -> str:
    first = session.question.spec.tensors[0]
    return f"{first.name} {list(point.tensors[first.name].shape)}"


def _exactly(session: Session, point: Point, graph: Trace, found: _Found, deadline: float) -> None:
    """Hold the graph against the formula with symbols; ``found.why`` says what they cannot do."""
    floats = sum(point.tensors[k].size for k in graph.tensors if k in point.floats)
    algebra = Symbols(deadline, 2 * floats + 10)
    try:
        with _interrupted(deadline - time.process_time()):
            arrays = inputs(point, graph, algebra.symbol)
            made = iter([x for a in arrays for x in a.flatten() if isinstance(x, Element)])
            got = run_graph(graph.module, arrays, algebra)
            count = len(got[0].flatten())
            main = session.question.main
            want = expected(session, point, graph, main, algebra, lambda value: next(made))
            pairs = list(zip(flat(got), want, strict=True))
            if not _all_zero(algebra, pairs[:count]):
                found.why = "a difference of the two values could not be brought to 0"
                return
            found.value.add(tuple(algebra.branches))
            found.symbols, found.sizes = floats, _sizes(session, point)
            if not _all_zero(algebra, pairs[count:]):
                found.why = "a difference of the two gradients could not be brought to 0"
                return
            found.gradient.add(tuple(algebra.branches))
    except Undecided as failure:
        found.why = str(failure)


def _all_zero(algebra: Symbols, pairs: Sequence[tuple[Any, Any]]) -> bool:
    return all(algebra.is_zero(algebra.mpf(a) - b) for a, b in pairs)


_TICK = 0.02  # seconds


@contextmanager
def _interrupted(seconds: float) -> Iterator[None]:
    """End what takes too long, where a process can be told so."""
    usable = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    if not usable or seconds <= 0:
        yield
        return

    def stop(_: int, frame: FrameType | None) -> None:
        # Not in a callback of torch's, which would swallow it: then at the next tick.
        name = str(frame.f_globals.get("__name__", "")) if frame is not None else ""
        if name.partition(".")[0] in ("lossgen", "sympy", "mpmath"):
            raise Undecided("no time left")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds, _TICK)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
