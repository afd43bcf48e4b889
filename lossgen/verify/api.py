"""``lossgen.verify`` and ``lossgen.assert_holds``: the question asked from Python.

import lossgen

report = lossgen.verify(my_dice, "dice", settings={"smooth": 1.0})
lossgen.assert_holds(MyDice(smooth=1.0), "dice", adapt={"input": "sigmoid"})
"""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lossgen.config import load_project
from lossgen.errors import LossgenError
from lossgen.spec import LossSpec, load_spec, read_spec
from lossgen.verify.adapters import adapters
from lossgen.verify.ask import ask
from lossgen.verify.counts import counted
from lossgen.verify.fitting import pinned
from lossgen.verify.matching import match
from lossgen.verify.question import Question
from lossgen.verify.request import Request
from lossgen.verify.target import Target, describe_target, load_target
from lossgen.verify.verdict import Report


def verify(
    code: Any,
    formula: str | Path | None = None,
    *,
    expr: str | None = None,
    params: Sequence[str] = (),
    tensors: Sequence[str] = (),
    map: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
    adapt: Mapping[str, str] | None = None,
    sizes: Mapping[str, str] | None = None,
    reduction: str | None = None,
    result: str = "",
    seed: int = 0,
    time_limit: float = 60.0,
    skip: Sequence[str] = (),
    directory: str | Path = ".",
    progress: Callable[[str], None] | None = None,
) -> Report:
    """Prove or refute that code computes a formula.

    Args:
        code: a function, an ``nn.Module`` class or instance, or ``"package.module:name"``.
        formula: a name of the catalogue or the project, or the path of a spec.
        expr: one line of mathematics instead; ``params``, ``tensors`` as of the command line.
        map: the formula's argument -> the code's.
        settings: options of the formula or of the code, held at a value.
        adapt: the formula's tensor -> the convention in which the code takes it.
        sizes: an axis of the formula -> the size it has: ``{"c": "4"}``, ``{"s": "none"}``.
        reduction: what the code computes, where it cannot be told.
        result: what to take of the code's answer: "first", "negative", or a key.
        seed: of everything random; the same seed asks the same question.
        skip: names of checks to leave out, as the report shows them.
        time_limit: in seconds, looked at between steps; code that never returns is not interrupted.

    Raises:
        LossgenError: where the question cannot be asked; the text says what to do.
    """
    target = load_target(code) if isinstance(code, str) else describe_target(code)
    spec = truth(formula, expr, params, tensors, directory)
    question = pose(spec, target, map, settings, adapt, reduction, result, seed, sizes)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        return ask(question, limit=time_limit, skip=skip, progress=progress)


def verify_request(
    request: Request,
    progress: Callable[[str], None],
    standing: Callable[[Report], None] | None = None,
) -> Report:
    """Answer what was typed; without a formula, the code's own name says which.

    ``standing`` is given a refutation as soon as it stands.

    Raises:
        LossgenError: where the question cannot be asked.
    """
    start = time.monotonic()
    target = load_target(request.target)
    formula, guessed = request.formula, ""
    if formula is None and request.expr is None:
        name = target.name.rpartition(":")[2].rpartition(".")[2]
        library = load_project(Path(request.directory)).library()
        formula, near = library.named(name), library.slip(name)
        if not formula:
            hint = f" Did you mean --spec {near}?" if near else ""
            raise LossgenError(
                f"Which formula is '{request.target}' to be held against? Name one, --spec NAME "
                f"(`lossgen list` shows them), or write one, --expr FORMULA.{hint}"
            )
        guessed = f"the formula is '{formula}', from the code's name"
    spec = truth(formula, request.expr, request.params, request.tensors, request.directory)
    question = pose(
        spec,
        target,
        request.map,
        request.settings,
        request.adapt,
        request.reduction,
        request.result,
        request.seed,
        request.sizes,
    )
    # Stop early enough to shrink and to write the report within the limit.
    left = 0.75 * request.time_limit - (time.monotonic() - start)

    def whole(report: Report) -> Report:
        return replace(report, assumed=(guessed, *report.assumed)) if guessed else report

    tell = None if standing is None else lambda report: standing(whole(report))
    return whole(ask(question, limit=left, skip=request.skip, progress=progress, standing=tell))


def assert_holds(
    code: Any, formula: str | Path | None = None, *, strict: bool = False, **how: Any
) -> None:
    """Fail a test where code does not compute a formula; takes what ``verify`` takes.

    Raises:
        AssertionError: with the counter-example; with ``strict`` also where digits are missing.
        LossgenError: where the question cannot be asked.
    """
    report = verify(code, formula, **how)
    if report.verdict == "cannot be asked":
        raise LossgenError(f"{report.target}: {report.reason}")
    if report.exit_code(strict=strict):
        raise AssertionError(str(report))


def truth(
    formula: str | Path | None,
    expr: str | None = None,
    params: Sequence[str] = (),
    tensors: Sequence[str] = (),
    directory: str | Path = ".",
) -> LossSpec:
    """The spec that a question is about.

    Raises:
        LossgenError: where there is none, or both a formula and an expression.
    """
    if (formula is None) == (expr is None):
        raise LossgenError("Say what is true: the name of a formula, or one line of mathematics.")
    if expr is not None:
        from lossgen.starter import formula_spec

        text = formula_spec("given_formula", expr, tensors, params, formatted=False)
        return read_spec(text, "given_formula", "--expr")
    assert formula is not None
    if isinstance(formula, Path) or str(formula).endswith(".py"):
        path = Path(formula)
        if not path.is_file():
            raise LossgenError(f"{path}: there is no such spec.")
        return load_spec(path)
    return load_project(Path(directory)).library().load(formula)


def pose(
    spec: LossSpec,
    target: Target,
    map: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
    adapt: Mapping[str, str] | None = None,
    reduction: str | None = None,
    result: str = "",
    seed: int = 0,
    sizes: Mapping[str, str] | None = None,
) -> Question:
    """Put a question together; everything left open is refused here."""
    settings, sizes = counted(spec, target, settings or {}, sizes or {})
    matching = match(spec, target, map, settings)
    known = ("none", "mean", "sum", *(name for name, _ in spec.divisors))
    if reduction is not None and reduction not in known:
        raise LossgenError(f"--reduction {reduction}: the formula has {', '.join(known)}.")
    told = matching.reduction is not None and "reduction" not in matching.extra
    passed = told
    reductions = (reduction,) if reduction else known if told else (spec.default_reduction,)
    if "reduction" in matching.extra and reduction is None:
        reductions = (str(matching.extra["reduction"]),)
    return Question(
        spec,
        target,
        matching,
        reductions,
        passed,
        adapters(spec, adapt or {}),
        result,
        seed,
        pinned(spec, sizes),
    )
