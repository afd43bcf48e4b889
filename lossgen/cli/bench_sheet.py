"""A measurement on the terminal. Imports rich, so imported late."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lossgen.bench.results import Bench, Limit, Measured, Spread

_STYLES = {"generated": "bold", "peer": "", "compiled": "cyan"}
_OF_TIME = 5  # how many columns tell of time


@dataclass(frozen=True, slots=True)
class _Column:
    """A head, what stands under it for a form, and for the limit."""

    head: str
    cell: Callable[[Measured], str]
    limit: str = ""


def show_bench(found: Bench) -> None:
    """Print what was measured, under what it was measured against."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=140)
    tensors = ", ".join(f"{name} {shape(size)}" for name, size in found.shapes.items())
    console.print(Text.assemble((found.name, "bold"), f": {tensors}"), soft_wrap=True)
    upstream = "" if found.upstream == 1 else f", upstream gradient {found.upstream:g}"
    threads = (
        f"{found.threads} thread{'s' * (found.threads != 1)}, " if found.device == "cpu" else ""
    )
    console.print(
        Text(
            f"{found.dtype}{upstream}, {found.processor}, {threads}torch {found.torch}, "
            f"{found.rounds} rounds in turn",
            style="dim",
        ),
        soft_wrap=True,
    )
    console.print()
    for table in _tables(found, console):
        console.print(table)
        console.print()
    for line in limit_lines(found.limit):
        console.print(Text(line), soft_wrap=True)
    if found.small_sizes:
        sizes = ", ".join(f"{k}={shape(v) or '()'}" for k, v in found.small_sizes.items())
        console.print(Text(f"Small batch: {sizes}.", style="dim"), soft_wrap=True)
    for name, why in found.skipped:
        console.print(Text(f"left out: {name} ({why})", style="yellow"), soft_wrap=True)


def _tables(found: Bench, console: Console) -> list[Table]:
    """One table where it fits the terminal, else one of times and one of the rest."""
    columns = _columns(found)
    whole = _table(found, columns)
    unbounded = console.options.update_width(1000)
    if console.measure(whole, options=unbounded).maximum <= console.width:
        return [whole]
    return [_table(found, columns[:_OF_TIME]), _table(found, columns[_OF_TIME:])]


def _table(found: Bench, columns: list[_Column]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("form", no_wrap=True)
    for column in columns:
        table.add_column(column.head, justify="right", no_wrap=True)
    fastest = min(found.forms, key=lambda f: f.seconds.median)
    for form in found.forms:
        cells = [column.cell(form) for column in columns]
        name = Text(form.name, style=_STYLES[form.kind])
        table.add_row(name, *cells, style="green" if form is fastest else None)
    limits = [column.limit for column in columns]
    if any(limits):
        table.add_row(Text("limit", style="dim"), *limits, style="dim")
    return table


def _columns(found: Bench) -> list[_Column]:
    small = _Column("small batch", lambda form: microseconds(form.small))
    return [
        _Column(
            "ms", lambda form: milliseconds(form.seconds.median), milliseconds(found.limit.seconds)
        ),
        _Column(
            "quartiles",
            lambda form: f"{milliseconds(form.seconds.low)} - {milliseconds(form.seconds.high)}",
        ),
        _Column("x limit", lambda form: f"{form.to_limit.median:.2f}", "1.00"),
        _Column(
            "x best peer",
            lambda form: "" if form.to_peer is None else f"{form.to_peer.median:.2f}",
        ),
        _Column("first call", lambda form: f"{form.first:.2f} s"),
        *([small] if found.small_sizes else []),
        _Column("peak", lambda form: size(form.peak)),
        _Column("kept", lambda form: size(form.kept)),
        _Column("value error", lambda form: error(form.value_error)),
        _Column("gradient", lambda form: error(form.gradient_error)),
    ]


def limit_lines(limit: Limit) -> list[str]:
    """What the limit is made of."""
    lines = [
        f"Limit: {size(limit.bytes)} move ({limit.words}): {milliseconds(limit.fresh.median)} ms "
        f"into fresh gradients, {milliseconds(limit.warm.median)} ms into kept ones."
    ]
    if limit.functions:
        words = ", ".join(f"{count(n)} {name}" for name, n in limit.functions.items())
        lines.append(f"       {words} at torch's rate: {milliseconds(limit.floor)} ms.")
    if limit.products is not None:
        lines.append(f"       matrix products: {milliseconds(limit.products.median)} ms.")
    return lines


def shape(sides: tuple[int, ...]) -> str:
    """``8 x 19 x 256 x 256``."""
    return " x ".join(map(str, sides))


def milliseconds(seconds: float) -> str:
    """Three digits."""
    ms = 1e3 * seconds
    return (
        f"{ms:.0f}"
        if ms >= 100
        else f"{ms:.1f}"
        if ms >= 10
        else f"{ms:.2f}"
        if ms >= 0.1
        else f"{ms:.3f}"
    )


def microseconds(seconds: Spread | None) -> str:
    """Whole microseconds."""
    return "" if seconds is None else f"{1e6 * seconds.median:.0f} µs"


def size(number: int) -> str:
    """Bytes in the unit that a person would choose."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= factor:
            return f"{number / factor:.3g} {unit}"
    return f"{number} B"


def count(number: int) -> str:
    """``2.1 M``."""
    return f"{number / 1e6:.3g} M" if number >= 1e5 else str(number)


def error(value: float | None) -> str:
    """A relative error."""
    return "" if value is None else f"{value:.0e}"
