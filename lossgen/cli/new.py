"""``lossgen new``: a spec, its module and its test, proven. The main job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lossgen.cli.options import complete_name, directory_option, project_at, shown, typed
from lossgen.config import BACKENDS, Project
from lossgen.errors import LossgenError
from lossgen.library import check_name

if TYPE_CHECKING:  # it is imported where it is needed: it is not quick
    from lossgen.produce import Product


@click.command("new")
@click.argument("name", shell_complete=complete_name)
@click.option("--expr", metavar="FORMULA", help="The formula, as one line of mathematics.")
@click.option(
    "--param",
    "parameters",
    metavar="NAME=VALUE",
    multiple=True,
    help="A parameter of --expr with its default, also NAME:ROLE=VALUE. May be repeated.",
)
@click.option(
    "--tensor",
    "tensors",
    metavar="NAME:ROLE",
    multiple=True,
    help="What a tensor of --expr holds, such as input:Probabilities. May be repeated.",
)
@click.option("--blank", is_flag=True, help="A commented starter, whatever the catalogue holds.")
@click.option("--no-verify", is_flag=True, help="Write the files and prove nothing.")
@click.option("--force", is_flag=True, help="Replace edited files too; a copy of each is kept.")
@click.option("--backend", type=click.Choice(BACKENDS), help="What the code is written for.")
@directory_option
@click.pass_context
def command(
    ctx: click.Context,
    name: str,
    expr: str | None,
    parameters: tuple[str, ...],
    tensors: tuple[str, ...],
    blank: bool,
    no_verify: bool,
    force: bool,
    backend: str | None,
    directory: str,
) -> None:
    """Make the loss NAME and prove that its code is right.

    NAME is a loss of the catalogue (see `lossgen list`), or a name of your own: then you get a
    commented starter, or with --expr a loss from one line of mathematics:

    \b
    lossgen new dice
    lossgen new charbonnier --expr "sqrt((input - target)**2 + eps**2)" --param eps=1e-3

    A spec that exists already is used as it is.
    """
    check_name(name)
    if expr is None and (parameters or tensors):
        raise click.UsageError("--param and --tensor describe a formula: give --expr too.")
    if expr is not None and blank:
        raise click.UsageError("--blank and --expr are two ways to start: choose one.")
    project = project_at(directory, backend, make=True)
    spec = project.specs / f"{name}.py"
    if expr is not None:
        from lossgen.starter import formula_spec

        text = formula_spec(name, expr, tensors, parameters, project.templates)
        created, note = _replace(spec, text, force), "from --expr"
    elif spec.exists():
        created, note = False, "yours, used as it is"
    else:
        text, note = _start(project, name, blank)
        created = _create(spec, text)
    product = _write(project, name, spec, note, created, force)
    if product is None:
        ctx.exit(1)
    if no_verify:
        click.echo(f"\nNot proven yet: {typed(f'verify {name}', directory)}")
    else:
        from lossgen.cli.report import prove_and_show

        if not prove_and_show(name, project.module(name), project.test(name)):
            ctx.exit(1)
    click.echo(_next_steps(project, product, note, directory))


def _start(project: Project, name: str, blank: bool) -> tuple[str, str]:
    """Return the first text of a spec, and where it comes from."""
    if not blank:
        library = project.library()
        if name in library.names():
            return library.path(name).read_text(encoding="utf-8"), "from the catalogue"
        near = library.slip(name)
        if near:
            raise LossgenError(
                f"No loss is called '{name}'. Did you mean '{near}'? "
                f"To write one of your own under this name: lossgen new {name} --blank"
            )
    from lossgen.starter import starter_spec

    return starter_spec(name, project.templates), "a starter: make it yours"


def _create(spec: Path, text: str) -> bool:
    from lossgen.write import atomic_write

    atomic_write(spec, text)
    return True


def _replace(spec: Path, text: str, force: bool) -> bool:
    """Write a spec where none differs; with `force`, replace one and keep a copy."""
    if spec.exists():
        if spec.read_bytes().replace(b"\r\n", b"\n") == text.encode():
            return False
        if not force:
            raise LossgenError(
                f"{shown(spec)} exists and says something else. Edit it, choose another name, "
                "or replace it with --force, which keeps a copy."
            )
        from lossgen.write import keep_copy

        click.echo(f"kept   {shown(keep_copy(spec))}")
    return _create(spec, text)


def _write(
    project: Project, name: str, spec: Path, note: str, created: bool, force: bool
) -> Product | None:
    """Write the module and the test, and say so; None where a person's file is in the way."""
    from lossgen.produce import produce, write

    try:
        (product,) = produce(project, [name], project.own())
    except LossgenError:
        if created and note == "from --expr":
            spec.unlink(missing_ok=True)  # the next try finds the folder as this one did
        raise
    _say("wrote" if created else "kept", spec, note)
    blocked = [finding for finding in product.files if finding.blocked]
    if blocked and not force:
        for finding in blocked:
            click.secho(f"{shown(finding.path)}: {finding.reason}; left alone", fg="yellow")
        click.echo(
            "Nothing else was written. Replace it, keeping a copy: "
            f"lossgen new {name} --force. Or move the file away."
        )
        return None
    for finding, copy in write(product, force=force):
        kept = f"your version: {shown(copy)}" if copy else ""
        _say("kept" if finding.status == "current" else "wrote", finding.path, kept)
    for remark in product.notes:
        click.secho(f"note   {remark}", dim=True)
    return product


def _say(verb: str, path: Path, note: str = "") -> None:
    click.echo(f"{verb:6} {shown(path)}" + (f"  ({note})" if note else ""))


def _next_steps(project: Project, product: Product, note: str, directory: str) -> str:
    name, modules = product.name, [shown(product.module.path)]
    spec, needs = shown(project.specs / f"{name}.py"), "it needs torch and nothing else"
    if product.kernels is not None:
        modules.append(shown(product.kernels.path))
        triton = product.kernels.path.suffix == ".py"
        needs = "they need torch, and Triton for CUDA" if triton else "they need torch alone"
    edit = "Make it yours" if "starter" in note else "Change the formula"
    return (
        f"\nNext\n"
        f"  Use it:             copy {' and '.join(modules)} anywhere; {needs}\n"
        f"  {edit + ':':19} edit {spec}, then: {typed(f'generate {name}', directory)}\n"
        f"  Look at it:         {typed(f'show {name}', directory)}"
    )
