"""``lossgen list``: the losses that there are."""

import click

from lossgen.cli.options import directory_option, project_at
from lossgen.errors import LossgenError, suggest
from lossgen.paths import shipped

_WIDE = 60  # columns of a terminal in which the summaries still read as sentences


@click.command("list")
@click.option("--family", "-f", help="Only this family, such as segmentation.")
@click.option("--json", "as_json", is_flag=True, help="For a program to read.")
@directory_option
def command(family: str | None, as_json: bool, directory: str) -> None:
    """List the project's own losses and the catalogue's."""
    project = project_at(directory)
    entries = project.library().entries()
    families = sorted({entry.family for entry in entries} - {""})
    if family is not None:
        if family not in families:
            hint = suggest(family, families) or f"There are {', '.join(families)}."
            raise LossgenError(f"No family is called '{family}'. {hint}")
        entries = [entry for entry in entries if entry.family == family]
    catalogue = shipped("specs").resolve()
    if as_json:
        import json

        rows = [
            {
                "name": entry.name,
                "family": entry.family,
                "summary": entry.summary,
                "source": "catalogue" if entry.path.parent.resolve() == catalogue else "project",
            }
            for entry in entries
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column()
    wide = console.width >= _WIDE
    above = None
    for entry in sorted(entries, key=lambda entry: (entry.family, entry.name)):
        if entry.family != above:
            if above is not None:
                table.add_row()
            table.add_row(Text(entry.family or "no family", style="bold"), "")
            above = entry.family
        own = entry.path.parent.resolve() != catalogue
        summary = Text(entry.summary) if wide else ""
        table.add_row(Text(f"  {entry.name}{' (yours)' if own else ''}"), summary)
    console.print(table)
    count = "1 loss" if len(entries) == 1 else f"{len(entries)} losses"
    click.echo(f"\n{count}. Start from one: lossgen new NAME")
