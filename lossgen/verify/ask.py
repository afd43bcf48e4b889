"""From a question to a report: checks, and where one fails a small counter-example and its cause.

In: a ``Question``. Out: a ``Report``. Wrong numbers end the checks at once, for more of them say
nothing new; so does the time limit, and what it left out is listed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch

from lossgen.errors import LossgenError, suggest
from lossgen.verify.assumed import assumptions, given
from lossgen.verify.caller import Caller, CallFailed
from lossgen.verify.checks import CHECKS
from lossgen.verify.diagnose import diagnose
from lossgen.verify.evidence import Evidence, agrees, gather, persists
from lossgen.verify.example import counterexample
from lossgen.verify.fitting import accepted
from lossgen.verify.question import Question
from lossgen.verify.sampling import first_points
from lossgen.verify.session import Session, Witness, worst
from lossgen.verify.shrink import shrink
from lossgen.verify.target import raised
from lossgen.verify.verdict import Check, Report, Verdict, number
from lossgen.verify.watch import narrowed

_NO_TIME, _AS_ASKED = "no time left", "as asked"
# Checks that compare the code with the formula at ordinary points: without any, nothing is known.
_COMPARING = ("value and gradient", "every option and reduction", "one sample")

Progress = Callable[[str], None]
Standing = Callable[[Report], None]


def ask(
    question: Question,
    *,
    limit: float = 60.0,
    skip: Sequence[str] = (),
    progress: Progress | None = None,
    standing: Standing | None = None,
) -> Report:
    """Answer a question within ``limit`` seconds (as far as the code returns at all).

    ``standing`` is given what is known so far: that nothing was found wrong, and a refutation as
    soon as it stands, whatever is still found out about it.
    """
    for name in skip:
        if name not in CHECKS:
            hint = suggest(name, CHECKS) or f"There are {', '.join(CHECKS)}."
            raise LossgenError(f"There is no check '{name}' to skip. {hint}")
    start = time.monotonic()
    tell = progress or (lambda text: None)
    with _settled(question.seed):
        tell("runs")
        question = accepted(question)
        session = Session(question, Caller(question), start + limit, agrees, persists)
        held = standing or (lambda report: None)

        def so_far(done: list[Check]) -> None:
            if not _unknown(done):
                lost = any(c.status == "inaccurate" for c in done)
                verdict: Verdict = "holds, inaccurate" if lost else "holds"
                held(_report(session, done, verdict, "", start))

        checks, stopped = _checks(session, skip, tell, so_far)
        if stopped:
            return _report(session, checks, "cannot be asked", stopped, start)
        return _conclude(session, checks, tell, held, start)


def _checks(
    session: Session,
    skip: Sequence[str],
    tell: Progress,
    so_far: Callable[[list[Check]], None],
) -> tuple[list[Check], str]:
    """Make the checks; the text says why nothing can be asked, if so."""
    done: list[Check] = []
    for name, check in CHECKS.items():
        if name in skip:
            done.append(Check(name, "skipped", _AS_ASKED))
            continue
        if session.over:
            done.append(Check(name, "skipped", _NO_TIME))
            continue
        tell(name)
        so_far(done)
        start = time.monotonic()
        try:
            made = check(session)
            if made is None:
                continue
        except CallFailed as failure:
            if not done:
                return done, f"The code {_sentence(str(failure))}{given(session, failure)}"
            made = Check(name, "fails", str(failure))
        except Exception as error:
            if _ours(error):
                raise
            made = Check(name, "skipped", raised(error))
        done.append(replace(made, seconds=round(time.monotonic() - start, 3)))
        if made.status == "fails":
            break
    return done, ""


def _ours(error: Exception) -> bool:
    """Whether an exception is a fault of this program rather than of the code it calls."""
    return not isinstance(error, (RuntimeError, NotImplementedError, MemoryError))


def _sentence(text: str) -> str:
    said = text.removeprefix("it ")
    return said if said.startswith("gives") else f"raises {said}"


def _conclude(
    session: Session, checks: list[Check], tell: Progress, standing: Standing, start: float
) -> Report:
    failing = [c for c in checks if c.status == "fails"]
    inaccurate = [c for c in checks if c.status == "inaccurate"]
    if failing:
        return _refuted(session, checks, tell, standing, start)
    unknown = _unknown(checks)
    if unknown:
        return _report(session, checks, "cannot be asked", unknown, start)
    tell("evidence")
    found = gather(session)
    if inaccurate:
        difference = worst([d for c in inaccurate for d in c.differences])[0]
        reason = (
            f"The formula is right, but too few digits are: {difference.what} is "
            f"{number(difference.got)}, exactly {number(difference.want)} ({inaccurate[0].name}, "
            f"{difference.dtype}){_narrowed(session)}."
        )
        return _report(session, checks, "holds, inaccurate", reason, start, found)
    less = _narrowed(session)
    if "float16" in less:
        reason = f"The formula is right, but half precision has too few digits{less}."
        return _report(session, checks, "holds, inaccurate", reason, start, found)
    if less:
        session.note(f"asked in double precision it does not answer in it{less}")
    warning = next((f"but the code {c.detail}." for c in checks if c.status == "warns"), "")
    return _report(session, checks, "holds", warning or _left_out(checks), start, found)


def _unknown(checks: Sequence[Check]) -> str:
    """Why nothing is known of the code, if so: no value of it was compared with the formula's."""
    compared = [c for c in checks if c.name in _COMPARING]
    if any(c.status != "skipped" for c in compared):
        return ""
    if any(c.detail == _NO_TIME for c in compared):
        return "The time was up before a value was compared. Give it more: --time-limit SECONDS"
    if any(c.detail == _AS_ASKED for c in compared):
        return ""
    said = "; ".join(dict.fromkeys(f"{c.name}: {c.detail}" for c in compared))
    return f"No value of it was compared with the formula's ({said})."


def _left_out(checks: Sequence[Check]) -> str:
    """What was left out, where that matters: by request, or as there was no time for it."""
    if all(c.status == "skipped" for c in checks if c.name in _COMPARING):
        return "but no value of it was compared with the formula's, as asked."
    left = [c.name for c in checks if c.detail == _NO_TIME]
    if not left:
        return ""
    return (
        f"but the time was up before {len(left)} of {len(checks)} checks, from '{left[0]}' on. "
        "Give it more: --time-limit SECONDS"
    )


def _narrowed(session: Session) -> str:
    """Where double precision is given up, if it is."""
    seen = narrowed()
    point = next(first_points(session.question))
    try:
        with seen:
            session.caller.run(point, session.question.main, grad=False)
    except CallFailed:
        return ""
    return f": {seen.found}" if seen.found else ""


def _refuted(
    session: Session, checks: list[Check], tell: Progress, standing: Standing, start: float
) -> Report:
    witness = _leading(session)
    home = witness.home or session

    def told(about: Witness) -> Report:
        return _report(session, checks, "does not hold", _why(home, about), start)

    failing = next(c.name for c in checks if c.status == "fails")
    if failing not in ("runs", *_COMPARING):
        digits = ", inaccurate" if any(c.status == "inaccurate" for c in checks) else ""
        session.note(f'what comes before it holds{digits}; without it: --skip "{failing}"')
    wrong = {w.reduction for w in session.witnesses}
    main = session.question.main
    others = [x for x in dict.fromkeys((main, *session.question.reductions)) if x not in wrong]
    if others and failing == "every option and reduction":
        session.note(
            f"with reduction {', '.join(others)} nothing is found: --reduction {others[0]}"
        )
    standing(told(witness))
    tell("a small counter-example")
    small = shrink(home, witness)
    report = replace(told(small), counterexample=counterexample(home, small))
    standing(report)
    tell("what it computes instead")
    causes = tuple(diagnose(home, witness))
    return replace(report, diagnoses=causes, seconds=_since(start))


def _leading(session: Session) -> Witness:
    order = worst([w.difference for w in session.witnesses])
    return next(w for w in session.witnesses if w.difference is order[0])


def _why(session: Session, witness: Witness) -> str:
    difference, about = witness.difference, session.question.about
    about = f" {about}" if about else ""
    if difference.kind in ("behaviour", "refusal"):
        return f"The code {difference.got}{about}."
    if difference.kind == "nonfinite":
        many = f" with {witness.point.count} numbers" if witness.point.count > 10_000 else ""
        place = f" in {difference.dtype}{many}" if difference.dtype != "float64" else ""
        return (
            f"Its {difference.what} is {difference.got}{place}{about}, "
            "where the formula's is finite."
        )
    place = f" in {difference.dtype}" if difference.dtype != "float64" else ""
    return f"Its {difference.what} differs from the formula's{place}{about}."


def _report(
    session: Session,
    checks: list[Check],
    verdict: Verdict,
    reason: str,
    start: float,
    found: Evidence | None = None,
) -> Report:
    question = session.question
    return Report(
        target=question.target.name,
        formula=question.spec.name,
        verdict=verdict,
        reason=reason,
        seed=question.seed,
        assumed=assumptions(question),
        checks=tuple(checks),
        evidence=found.text if found else (),
        notes=tuple(session.notes),
        seconds=_since(start),
        where=question.target.where,
    )


def _since(start: float) -> float:
    return round(time.monotonic() - start, 2)


@contextmanager
def _settled(seed: int) -> Iterator[None]:
    """Torch's state, its random numbers seeded for the questions, given back after them."""
    state = torch.random.get_rng_state()
    dtype, learning = torch.get_default_dtype(), torch.is_grad_enabled()
    torch.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(learning)
        torch.random.set_rng_state(state)
