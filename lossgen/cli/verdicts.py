"""A verdict on the terminal. Imports rich, so imported late."""

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lossgen.verify.verdict import Check, CounterExample, Report, counterexample_lines, number

_STYLES = {
    "holds": "green",
    "fails": "bold red",
    "inaccurate": "yellow",
    "warns": "yellow",
    "skipped": "dim",
}
_VERDICTS = {
    "holds": "bold green",
    "holds, inaccurate": "bold yellow",
    "does not hold": "bold red",
    "cannot be asked": "bold yellow",
}


def show_report(report: Report, *, strict: bool = False) -> None:
    """Print a report: what was looked at, what is wrong and why, the verdict."""
    console = Console(highlight=False)
    where = f" ({report.where})" if report.where else ""
    console.print(
        Text.assemble((report.target, "bold"), f"{where} against ", (report.formula, "bold"))
    )
    _list(console, "Assumed", report.assumed)
    if any(check.status != "skipped" for check in report.checks):
        console.print()
        console.print(_table(report.checks))
    if report.counterexample is not None:
        _show_example(console, report.counterexample)
    for cause in report.diagnoses:
        console.print(Text(f"\nIt equals the formula {cause}.", style="bold"), soft_wrap=True)
    _list(console, "Shown", report.evidence)
    _list(console, "Also", report.notes)
    console.print()
    verdict = Text.assemble((report.verdict, _VERDICTS[report.verdict]))
    if report.reason:
        joint = ", " if report.reason.startswith("but ") else ": "
        verdict.append(f"{joint}{report.reason}")
    console.print(verdict, soft_wrap=True)
    again = f"{report.seconds:.1f} s, --seed {report.seed}{', --strict' if strict else ''}"
    console.print(Text(again, style="dim"))


def _table(checks: Iterable[Check]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("check")
    table.add_column("")
    table.add_column("seconds", justify="right")
    table.add_column("detail")
    for check in checks:
        detail = check.detail
        if check.differences and check.status in ("fails", "inaccurate"):
            d = check.differences[0]
            if d.kind != "behaviour":
                detail = f"{d.what}: {number(d.got)}, exactly {number(d.want)}"
        table.add_row(
            check.name,
            Text(check.status, _STYLES[check.status]),
            f"{check.seconds:.2f}",
            Text(detail),
        )
    return table


def _show_example(console: Console, example: CounterExample) -> None:
    console.print(Text("\nSmallest input found", style="bold"))
    for line in counterexample_lines(example):
        console.print(Text(f"  {line}"), soft_wrap=True)


def _list(console: Console, title: str, lines: tuple[str, ...]) -> None:
    if lines:
        console.print(Text(f"\n{title}", style="bold"))
    for line in lines:
        console.print(Text(f"  {line}"), soft_wrap=True)
