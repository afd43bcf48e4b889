"""``lossgen bench``: what a loss costs, beside what it must cost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lossgen.bench.request import DTYPES, Request, sizes_of
from lossgen.cli.options import complete_name, directory_option, project_at
from lossgen.config import BACKENDS, Project
from lossgen.errors import LossgenError

if TYPE_CHECKING:
    from lossgen.bench.results import Bench


@click.command("bench")
@click.argument("name", shell_complete=complete_name)
@click.option(
    "--size",
    "size",
    multiple=True,
    metavar="SIZE",
    help="Axes by name (n=8,c=19,s=256x256; without s, none), or how many elements (16M).",
)
@click.option("--dtype", type=click.Choice(DTYPES), default="float32", show_default=True)
@click.option("--device", default="cpu", show_default=True, help="cpu or cuda.")
@click.option("--threads", type=click.IntRange(1), help="Of the CPU; as torch has it by default.")
@click.option("--rounds", type=click.IntRange(1), default=15, show_default=True)
@click.option(
    "--backend",
    "backends",
    multiple=True,
    type=click.Choice(BACKENDS),
    help="Only this backend. May be repeated; all of them by default.",
)
@click.option(
    "--gradient", "gradients", multiple=True, metavar="TENSOR", help="With respect to this one."
)
@click.option("--upstream", type=float, default=1.0, show_default=True, help="Gradient coming in.")
@click.option(
    "--no-compile", is_flag=True, help="Leave out torch.compile, which takes long to start."
)
@click.option("--no-small", is_flag=True, help="Leave the small batch out.")
@click.option(
    "--keep-gradients",
    "keep",
    is_flag=True,
    help="The kernels in C also with the memory of gradients kept; their limit is the warm one.",
)
@click.option("--json", "as_json", is_flag=True, help="For a program to read.")
@click.option("--plot", metavar="FILE", help="Write a bar chart as well, as SVG.")
@directory_option
def command(
    name: str,
    size: tuple[str, ...],
    dtype: str,
    device: str,
    threads: int | None,
    rounds: int,
    backends: tuple[str, ...],
    gradients: tuple[str, ...],
    upstream: float,
    no_compile: bool,
    no_small: bool,
    keep: bool,
    as_json: bool,
    plot: str | None,
    directory: str,
) -> None:
    """Measure NAME: forward and backward, every form of it, and the machine's limit.

    \b
    lossgen bench dice                            two million elements, float32
    lossgen bench cross_entropy --size n=4096,c=32000 --dtype bfloat16
    lossgen bench huber --size 16M --upstream 0.5 --no-compile --plot huber.svg

    Measured in one process, in turn: the plain function, the functional style of every backend,
    torch's own loss and those of other packages that are installed, torch.compile of the plain
    function and of the best of the others. The limit is what the machine needs to move the bytes
    that must move, or for the loss's own exp, log and matrix products, whichever is longer.

    The code is generated into a folder that is deleted afterwards; nothing of the project changes.
    """
    if plot is not None and not plot.endswith(".svg"):
        raise click.UsageError(f"--plot {plot}: charts are written as SVG. Call it {plot}.svg.")
    sizes, elements = sizes_of(size)
    request = Request(
        backends=tuple(dict.fromkeys(backends))
        or tuple(x for x in BACKENDS if not (no_compile and x == "compile")),
        sizes=sizes,
        dtype=dtype,
        device=device,
        threads=threads or 0,
        rounds=rounds,
        upstream=upstream,
        compiled=not no_compile,
        gradients=gradients,
        small=not no_small,
        keep=keep,
        **({} if elements is None else {"elements": elements}),
    )
    if keep and "c" not in request.backends:
        raise click.UsageError("--keep-gradients is for the kernels in C: add --backend c.")
    found = _measured(project_at(directory), name, request, quiet=as_json)
    if as_json:
        import json

        click.echo(json.dumps(found.as_dict(), indent=2))
    else:
        from lossgen.cli.bench_sheet import show_bench

        show_bench(found)
    if plot is not None:
        from lossgen.bench.chart import chart

        _put(Path(plot), chart(found))
        click.echo(f"wrote  {plot}", err=True)


def _measured(project: Project, name: str, request: Request, *, quiet: bool) -> Bench:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    shown = console.is_terminal and not quiet
    with Progress(*columns, console=console, transient=True, disable=not shown) as bar:
        task = bar.add_task(f"Measuring {name}", total=1.0)

        def progress(text: str, done: float) -> None:
            bar.update(task, description=f"Measuring {name}: {text}", completed=done)

        from lossgen.bench.api import bench

        return bench(project, name, request, progress)


def _put(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as fault:
        raise LossgenError(f"{path} cannot be written: {fault}.") from fault
