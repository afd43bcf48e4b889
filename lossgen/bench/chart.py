"""A measurement as a bar chart, in SVG of our own: nothing needs to be installed.

In: a ``Bench``. Out: the text of an SVG: a bar for each form, whiskers for its quartiles, a line
where the machine's limit is. Colours keep apart also for those who see few.
"""

from __future__ import annotations

import math
from html import escape

from lossgen.bench.results import Bench, Measured

_COLOURS = {"generated": "#2563a8", "peer": "#a9b0b8", "compiled": "#d98e2b"}
_WORDS = {
    "generated": "generated",
    "peer": "other packages",
    "compiled": "under torch.compile",
}
_WIDTH, _LEFT, _RIGHT = 860, 226, 132
_ROW, _BAR = 30, 18
_TOP = 84
TIMES = " \N{MULTIPLICATION SIGN} "
_FONT = "font-family='system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif'"


def chart(found: Bench) -> str:
    """The chart."""
    plot = _WIDTH - _LEFT - _RIGHT
    longest = max(max(f.seconds.high for f in found.forms), found.limit.seconds)
    step = _step(longest)
    scale = plot / (math.ceil(longest / step) * step)
    bottom = _TOP + _ROW * len(found.forms)
    height = bottom + 66
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {_WIDTH} {height}' "
        f"width='{_WIDTH}' height='{height}' {_FONT} font-size='13' fill='#1d232a'>",
        f"<title>{escape(found.name)}: forward and backward</title>",
        f"<rect width='{_WIDTH}' height='{height}' fill='#ffffff'/>",
        _text(20, 30, f"{found.name}: forward and backward", size=17, weight=600),
        _text(20, 52, _subtitle(found), colour="#5a6570"),
        *_grid(step, longest, scale, bottom),
    ]
    for place, form in enumerate(found.forms):
        parts += _bar(form, _TOP + place * _ROW, scale)
    parts += _limit(found, scale, bottom)
    parts += _legend(found, height - 16)
    return "\n".join([*parts, "</svg>", ""])


def _subtitle(found: Bench) -> str:
    shapes = ", ".join(
        f"{name} {TIMES.join(map(str, sides))}" for name, sides in found.shapes.items() if sides
    )
    upstream = "" if found.upstream == 1 else f", upstream {found.upstream:g}"
    threads = f", {found.threads} threads" if found.device == "cpu" else ""
    text = f"{shapes}; {found.dtype}{upstream}, {found.processor}{threads}, torch {found.torch}"
    return text if len(text) < 120 else text[:118] + " …"


def _grid(step: float, longest: float, scale: float, bottom: float) -> list[str]:
    lines = []
    for k in range(math.ceil(longest / step) + 1):
        x = _LEFT + k * step * scale
        lines.append(_line(x, _TOP - 6, x, bottom, "#e4e8ec"))
        word = f"{1e3 * k * step:g}"
        lines.append(_text(x, bottom + 17, word, anchor="middle", colour="#5a6570"))
    lines.append(_text(_WIDTH - _RIGHT + 24, bottom + 17, "ms", colour="#5a6570"))
    return lines


def _bar(form: Measured, top: float, scale: float) -> list[str]:
    middle = top + _ROW / 2
    width = form.seconds.median * scale
    low, high = (_LEFT + x * scale for x in (form.seconds.low, form.seconds.high))
    weight = 600 if form.kind == "generated" else 400
    word = f"{_number(form.seconds.median)}  ({form.to_limit.median:.1f}{TIMES}limit)"
    return [
        _text(_LEFT - 10, middle + 4.5, form.name, anchor="end", weight=weight),
        f"<rect x='{_LEFT}' y='{middle - _BAR / 2:.1f}' width='{max(width, 1):.1f}' "
        f"height='{_BAR}' rx='2' fill='{_COLOURS[form.kind]}'/>",
        *_whisker(low, high, middle, "#ffffff", "stroke-width='3'"),
        *_whisker(low, high, middle, "#1d232a"),
        _text(max(_LEFT + width, high) + 8, middle + 4.5, word),
    ]


def _whisker(low: float, high: float, y: float, colour: str, more: str = "") -> list[str]:
    ends = [_line(x, y - 4, x, y + 4, colour, more) for x in (low, high)]
    return [_line(low, y, high, y, colour, more), *ends]


def _limit(found: Bench, scale: float, bottom: float) -> list[str]:
    x = _LEFT + found.limit.seconds * scale
    word = f"limit {_number(found.limit.seconds)}"
    return [
        _line(x, _TOP - 8, x, bottom + 2, "#b3261e", "stroke-dasharray='5 3' stroke-width='1.6'"),
        _text(x + 5, _TOP - 12, word, colour="#b3261e"),
    ]


def _legend(found: Bench, y: float) -> list[str]:
    parts, x = [], float(_LEFT)
    for kind in dict.fromkeys(f.kind for f in found.forms):
        parts.append(
            f"<rect x='{x}' y='{y - 10}' width='12' height='12' rx='2' fill='{_COLOURS[kind]}'/>"
        )
        parts.append(_text(x + 18, y, _WORDS[kind], colour="#5a6570"))
        x += 40 + 7.2 * len(_WORDS[kind])
    return parts


def _step(longest: float) -> float:
    """A round distance that divides the axis into four to nine."""
    rough = longest / 5
    power = 10 ** math.floor(math.log10(rough))
    return min((x * power for x in (1, 2, 2.5, 5, 10)), key=lambda x: abs(x - rough))


def _number(seconds: float) -> str:
    ms = 1e3 * seconds
    return f"{ms:.0f} ms" if ms >= 100 else f"{ms:.3g} ms"


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: int = 13,
    weight: int = 400,
    anchor: str = "start",
    colour: str = "#1d232a",
) -> str:
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' font-weight='{weight}' "
        f"text-anchor='{anchor}' fill='{colour}'>{escape(text)}</text>"
    )


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, more: str = "") -> str:
    return (
        f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' stroke='{colour}' {more}/>"
    )
