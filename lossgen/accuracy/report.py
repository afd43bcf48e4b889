"""A measurement of accuracy on the terminal. Imports rich, so imported late."""

from __future__ import annotations

import math

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lossgen.accuracy.results import Accuracy, Measured, Point

_SHOWN = 3
_MEANINGS = {
    "by terms": "against the sum of the terms, where the formula cancels",
    "in steps": "further than 1 ulp from the rounded float32 result, each step being rounded",
    "by inputs": "beyond the bar, though by no more than roundings of the inputs would do",
}
_OTHERS, _PLACE = 78, 24  # what the columns before the last take; what the last is worth showing in


def show(accuracy: Accuracy, console: Console) -> None:
    """Print `accuracy`: a row per style, quantity and dtype, what breaks a bar, the verdict."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("style", "of", "dtype"):
        table.add_column(title, no_wrap=True)
    for title in ("points", "worst", "p99", "median"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("bar", no_wrap=True)
    room = console.width - _OTHERS
    if room >= _PLACE:
        table.add_column("worst at", no_wrap=True)
    for m in accuracy.measured:
        red = "" if m.sound else "red"
        where = place(m.where) if m.where and m.worst else ""
        # Of second derivatives only NaN is looked for, so there is no error to show.
        errors = ("", "", "") if m.quantity == "second" else (m.worst, m.p99, m.median)
        cells: list[Text | str] = [
            Text(m.style, style=red),
            m.quantity,
            m.dtype,
            str(m.points),
            *(x if isinstance(x, str) else number(x) for x in errors),
            Text(verdict(m), style=red),
        ]
        if room >= _PLACE:
            cells.append(Text(where if len(where) <= room else where[: room - 1] + "…"))
        table.add_row(*cells)
    console.print()
    console.print(Text("Error in ulp against 50 digits", style="bold"))
    console.print(table)
    broken = [(m, p) for m in accuracy.measured if not m.sound for p in m.breaks[:1]]
    for m, p in broken[:_SHOWN]:
        console.print(Text(f"\n{m.style} {m.quantity} {m.dtype}: {p.what}", style="bold red"))
        console.print(
            Text(f"gave {p.computed!r}, exact is {p.exact}\nat {place(p)}"), soft_wrap=True
        )
    words = {verdict(m).partition(" ")[2] for m in accuracy.measured}
    for word, meaning in _MEANINGS.items():
        if word in words:
            console.print(Text(f"\n{word}: {meaning}", style="dim"), soft_wrap=True)
    for text in accuracy.errors[:_SHOWN]:
        console.print(Text(f"\n{text}", style="red"), soft_wrap=True)
    console.print()
    console.print(Text(*_conclusion(accuracy)), soft_wrap=True)
    console.print(Text(f"seed {accuracy.seed}, {accuracy.seconds:.1f} s", style="dim"))


def _conclusion(accuracy: Accuracy) -> tuple[str, str]:
    if accuracy.sound:
        return f"{accuracy.name} meets its bars of accuracy", "bold green"
    training = [m for m in accuracy.measured if m.style != "function"]
    if accuracy.errors or not training or not all(m.sound for m in training):
        return f"{accuracy.name} breaks its bars of accuracy", "bold red"
    return (
        f"{accuracy.name} meets its bars of accuracy in the functional form; "
        "the plain function, differentiated by autograd, breaks them",
        "bold yellow",
    )


def number(ulp: float) -> str:
    """An error in ulp, short."""
    if math.isinf(ulp):
        return "inf"
    return f"{ulp:.2f}" if ulp < 100 else f"{ulp:.1e}".replace("e+0", "e").replace("e+", "e")


def verdict(m: Measured) -> str:
    """Whether the numbers met the bar, and by which one where not in plain ulp."""
    if not m.sound:
        return f"{m.verdicts['breaks']} break"
    if not m.holds:
        return f"{m.verdicts['conditioned']} by inputs"
    if "native" in m.verdicts:
        return f"{m.verdicts['native']} in steps"
    cancel = sum(m.verdicts.get(word, 0) for word in ("terms", "avoidable"))
    if cancel:
        return f"{cancel} by terms"
    return "no NaN" if m.quantity == "second" else "holds"


def place(point: Point) -> str:
    """Where a point lies: how it came about, and its elements."""
    given = ", ".join(f"{name}={text}" for name, text in point.tensors.items())
    setting = f", {point.setting}" if point.setting else ""
    return f"{point.how}{setting}: {given}"
