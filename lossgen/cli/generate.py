"""``lossgen generate``: specs into modules and tests, or a check that they still agree."""

import click

from lossgen.cli.options import complete_own, directory_option, project_at, shown
from lossgen.config import BACKENDS, Project
from lossgen.errors import LossgenError
from lossgen.library import check_name


@click.command("generate")
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_own)
@click.option(
    "--check",
    is_flag=True,
    help="Write nothing; print a diff and exit 1 where a file is not what its spec gives.",
)
@click.option("--force", is_flag=True, help="Replace edited files too; a copy of each is kept.")
@click.option("--backend", type=click.Choice(BACKENDS), help="What the code is written for.")
@directory_option
@click.pass_context
def command(
    ctx: click.Context,
    names: tuple[str, ...],
    check: bool,
    force: bool,
    backend: str | None,
    directory: str,
) -> None:
    """Write the module and the test of each NAME, or of every spec of the project.

    A generated file that somebody edited is reported and left alone.
    """
    if check and force:
        raise click.UsageError("--check writes nothing, so --force has no meaning with it.")
    project = project_at(directory, backend)
    chosen = _chosen(project, names)
    from lossgen.produce import difference, orphans, produce, write

    drift = 0
    written = 0
    edited = False
    products = produce(project, chosen, project.own())
    for product in products:
        for remark in product.notes:
            click.secho(f"note   {product.name}: {remark}", dim=True, err=True)
        if check:
            for finding in product.files:
                if finding.drifted:
                    drift += 1
                    edited |= finding.blocked
                    _explain(shown(finding.path), finding.reason or finding.status)
                    click.echo(_coloured(difference(project, finding)), nl=False)
            continue
        if not force and any(finding.blocked for finding in product.files):
            drift += 1
            for finding in product.files:
                if finding.blocked:
                    _explain(shown(finding.path), f"{finding.reason}; left alone")
            continue
        for finding, copy in write(product, force=force):
            if finding.status != "current":
                written += 1
                kept = f" (your version: {shown(copy)})" if copy else ""
                click.echo(f"wrote  {shown(finding.path)}{kept}")
    for path in [] if names else project.own().unnamed():
        _explain(shown(path), f"left out. {_misnamed(path.stem)}")
    lost = [] if names else orphans(project, chosen)
    for path in lost:
        _explain(shown(path), "no spec leads to it any more; delete it, or restore its spec")
    accept = "--force, which keeps a copy of what was edited" if edited else ""
    _close(len(products), written, drift, check, lost=len(lost), accept=accept)
    if drift or (check and lost):
        ctx.exit(1)


def _misnamed(stem: str) -> str:
    """Why no loss has the name of a file."""
    try:
        check_name(stem)
    except LossgenError as wrong:
        return str(wrong)
    return ""


def _chosen(project: Project, names: tuple[str, ...]) -> list[str]:
    own = project.own().names()
    if not own and not names:
        above = _above(project)
        or_those = f"; or take those above: lossgen generate -C {above}" if above else ""
        raise LossgenError(
            f"{shown(project.specs)} holds no specs. Write the first: lossgen new dice{or_those}"
        )
    for name in names:
        if name in own:
            continue
        project.library().path(name)  # fails with a suggestion where nothing has that name
        raise LossgenError(
            f"'{name}' is in the catalogue, not in {shown(project.specs)}. "
            f"Copy it first: lossgen new {name}"
        )
    return list(dict.fromkeys(names)) or own


def _above(project: Project) -> str:
    """A folder above the project's that holds specs where this one holds none."""
    inside = project.specs.relative_to(project.root)
    for folder in project.root.parents:
        if any((folder / inside).glob("*.py")):
            return shown(folder)
    return ""


def _close(count: int, written: int, drift: int, check: bool, *, lost: int, accept: str) -> None:
    losses = "1 loss" if count == 1 else f"{count} losses"
    if check:
        if drift:
            differ = "1 file differs" if drift == 1 else f"{drift} files differ"
            click.echo(f"{losses} checked, {differ}. Accept: lossgen generate {accept}".rstrip())
        elif not lost:
            click.echo(f"{losses} checked, every file is what its spec gives.")
    elif drift:
        click.echo(
            f"{losses}, {_files(written)} written, {drift} left alone. "
            "Replace your edits, keeping a copy: --force. "
            "Keep them: move them into the spec, or delete the file's first two lines."
        )
    elif written == 0:
        click.echo(f"{losses}, all files up to date.")


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def _explain(path: str, what: str) -> None:
    click.secho(f"{path}: {what}", fg="yellow", err=True)


def _coloured(diff: str) -> str:
    colours = {"+": "green", "-": "red", "@": "cyan"}
    return "".join(
        click.style(line, fg=colours.get(line[0])) for line in diff.splitlines(keepends=True)
    )
