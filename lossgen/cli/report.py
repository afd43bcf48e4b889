"""A proof on the terminal: a table, the failures, a verdict. Imports rich, so imported late."""

from contextlib import nullcontext
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lossgen.cli.options import shown
from lossgen.verify.runner import Proof, prove

_SHOWN_FAILURES = 5


def prove_and_show(name: str, module: Path, test: Path, *, kept: bool = True) -> bool:
    """Prove `name` with its generated test, show what was found, and return whether it holds.

    Where it does not, the files are named, if they are `kept`.
    """
    console = Console(highlight=False)
    waiting = f"Proving {name}: formula against code, value and gradient …"
    with console.status(waiting) if console.is_terminal else nullcontext():
        proof = prove(name, test)
    show_proof(proof, console)
    if kept and not proof.holds:
        console.print(f"\nSee all of it: python -m pytest {shown(test)}", soft_wrap=True)
        console.print(f"The code in question: {shown(module)}", soft_wrap=True)
    return proof.holds


def _told(message: str) -> str:
    """What a case says, without the comparison in a hundred digits that its words are about."""
    lines = message.splitlines()
    told = [line for line in lines if not line.startswith("assert ")]
    return "\n".join(told or lines)[:600]


def show_proof(proof: Proof, console: Console) -> None:
    """Print `proof`: a row per check, the first failures, the verdict."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("check")
    for title in ("hold", "fail", "skipped", "seconds"):
        table.add_column(title, justify="right")
    for check in proof.checks:
        failed = Text(str(check.failed or ""), style="bold red")
        table.add_row(
            Text(check.name, style="red" if check.failed else ""),
            *(str(check.passed or ""), failed, str(check.skipped or ""), f"{check.seconds:.2f}"),
        )
    console.print()
    console.print(table)
    failures = [failure for check in proof.checks for failure in check.failures]
    for failure in failures[:_SHOWN_FAILURES]:
        console.print(Text(f"\n{failure.case}", style="bold red"))
        console.print(Text(_told(failure.message)), soft_wrap=True)
    if len(failures) > _SHOWN_FAILURES:
        console.print(Text(f"\n… and {len(failures) - _SHOWN_FAILURES} more failures"))
    verdict, style = ("holds", "bold green") if proof.holds else ("does not hold", "bold red")
    count = f"{proof.passed} of {proof.passed + proof.failed} cases hold"
    console.print()
    console.print(
        Text.assemble((f"{proof.name} {verdict}", style), f": {count}, {proof.seconds:.1f} s")
    )
    if proof.unused:
        told = f"The kernels were not run: {proof.unused}. Plain torch did their work."
        console.print(Text(told, style="yellow"), soft_wrap=True)
