"""``lossgen verify TARGET`` for code: the request, the report on the terminal, files beside it."""

from contextlib import nullcontext
from pathlib import Path

import click

from lossgen.errors import LossgenError
from lossgen.verify.request import Request, pairs, values
from lossgen.verify.supervise import supervise
from lossgen.verify.verdict import Report


def verify_code(
    target: str,
    directory: str,
    *,
    spec: str | None,
    expr: str | None,
    params: tuple[str, ...],
    tensors: tuple[str, ...],
    mapped: tuple[str, ...],
    held: tuple[str, ...],
    passed: tuple[str, ...],
    sizes: tuple[str, ...],
    reduction: str | None,
    result: str,
    skip: tuple[str, ...],
    seed: int,
    time_limit: float,
    strict: bool,
    as_json: bool,
    junit: str | None,
    save: str | None,
) -> int:
    """Ask, show, write; the exit code."""
    if spec is not None and expr is not None:
        raise click.UsageError("--spec and --expr both say what is true: choose one.")
    if expr is None and (params or tensors):
        raise click.UsageError("--param and --tensor describe a formula: give --expr too.")
    if time_limit <= 0:
        raise click.UsageError("--time-limit is a number of seconds above 0.")
    if save and Path(save).exists():
        raise LossgenError(f"{save} exists, and is not written over. Choose another name.")
    request = Request(
        target=target,
        formula=spec,
        expr=expr,
        params=params,
        tensors=tensors,
        map=pairs("--map", mapped),
        settings=values(pairs("--set", held)),
        adapt=pairs("--pass", passed),
        sizes=pairs("--size", sizes),
        reduction=reduction,
        result=result,
        seed=seed,
        time_limit=time_limit,
        skip=skip,
        directory=directory,
    )
    report = _asked(request, quiet=as_json)
    if as_json:
        import json

        from lossgen.verify.encode import report_data

        click.echo(json.dumps(report_data(report, strict=strict), indent=2))
    else:
        from lossgen.cli.verdicts import show_report

        show_report(report, strict=strict)
    _write(report, junit, save, strict)
    return report.exit_code(strict=strict)


def _asked(request: Request, *, quiet: bool) -> Report:
    if quiet:
        return supervise(request, lambda text: None)
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    status = console.status(f"Asking {request.target} …") if console.is_terminal else nullcontext()
    with status as shown:
        update = getattr(shown, "update", None)
        return supervise(request, lambda text: update(f"{text} …") if update else None)


def _write(report: Report, junit: str | None, save: str | None, strict: bool) -> None:
    if junit:
        from lossgen.verify.junit import junit as text

        _put(Path(junit), text(report, strict=strict))
    if save and report.verdict == "does not hold":
        from lossgen.verify.save import saved

        _put(Path(save), saved(report, Path(save).parent), new=True)
        click.echo(f"wrote  {save}: it fails as long as the code is wrong", err=True)


def _put(path: Path, text: str, *, new: bool = False) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x" if new else "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as fault:
        raise LossgenError(f"{path} cannot be written: {fault}.") from fault
