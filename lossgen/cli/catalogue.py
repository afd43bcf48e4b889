"""``lossgen list``: the losses that there are."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lossgen.cli.options import complete_family, directory_option, project_at
from lossgen.errors import LossgenError, suggest
from lossgen.paths import shipped

if TYPE_CHECKING:
    from lossgen.library import Entry

_WIDE = 60  # columns of a terminal in which the summaries still read as sentences


@click.command("list")
@click.option(
    "--family",
    "-f",
    help="Only this family, such as segmentation.",
    shell_complete=complete_family,
)
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
    _print_table(_rows(entries, catalogue))
    count = "1 loss" if len(entries) == 1 else f"{len(entries)} losses"
    click.echo(f"\n{count}. Start from one: lossgen new NAME")


def _rows(entries: Sequence[Entry], catalogue: Path) -> Iterator[tuple[str, str]]:
    """A family alone, and under it its losses with what they are."""
    above = None
    for entry in sorted(entries, key=lambda entry: (entry.family, entry.name)):
        if entry.family != above:
            if above is not None:
                yield "", ""
            yield entry.family or "no family", ""
            above = entry.family
        own = entry.path.parent.resolve() != catalogue
        yield f"  {entry.name}{' (yours)' if own else ''}", entry.summary


def _print_table(rows: Iterable[tuple[str, str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        rows = list(rows)
        width = max(len(name) for name, _ in rows) + 2
        for name, summary in rows:  # one line a loss, for grep
            click.echo(f"{name:{width}}{summary}".rstrip())
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column()
    wide = console.width >= _WIDE
    for name, summary in rows:
        style = "" if name.startswith(" ") else "bold"
        table.add_row(Text(name, style=style), Text(summary if wide else ""))
    console.print(table)
