"""The page of ``benchmarks/speed.py``: bars, tables, growth."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.speed_bars import bars, form, titled
from benchmarks.speed_cases import (
    CATALOGUE,
    GROWTH,
    KEPT,
    MOST_PAIRS,
    SHAPES,
    SMALL,
    UPSTREAM,
    Case,
)
from lossgen.bench.forms import KEPT as WARM
from lossgen.cli.bench_sheet import milliseconds, size

Found = Mapping[str, Any]
HOW_TO_READ = """\
Forward and backward into fresh gradients, from `lossgen bench`: every form of a loss in one
process, in turn; medians in milliseconds, with quartiles of the ratios of the same round. "Limit"
is what the machine needs to move each input once (twice where a sum that does not fit a core's
cache must come first) and each gradient once, or for the loss's own exp, log and powers at torch's
rate, or for its matrix products, whichever is longest. "Peer" is the fastest eager form of torch or
another package. "Peak" is the most memory at a time, gradients included and inputs not; "kept" is
what is left for the backward. Arrays of 32 MB and more are mapped anew for every step, as the C
library does: for them the limit into fresh gradients is several times that into warm ones."""


def page(kept: Mapping[str, Any]) -> str:
    """The whole page."""
    catalogue = _there(CATALOGUE, kept)
    shapes = _there(SHAPES, kept)
    parts = ["# Speed and memory", _where([*catalogue, *shapes]), str(kept.get("note", ""))]
    parts = [*filter(None, parts), HOW_TO_READ]
    both = [*catalogue, *shapes]
    if both:
        told = bars(both, _there(SMALL, kept), _steps(kept), _there(MOST_PAIRS, kept), _warm(kept))
        parts += ["## The bars", "\n".join(told)]
    if catalogue:
        parts += ["## The catalogue", "About two million elements.", _table(catalogue)]
    if shapes:
        parts += ["## Shapes that losses are met in", _table(shapes, shaped=True)]
    parts += _small(kept)
    parts += _upstream(kept)
    parts += _memory_kept(kept)
    parts += _growth(kept)
    left = [(c.key, kept[c.key]["failed"]) for c in (*CATALOGUE, *SHAPES) if _failed(c, kept)]
    if left:
        parts += ["## Left out", "\n".join(f"- {key}: {why}" for key, why in left)]
    return "\n\n".join(parts) + "\n"


def _there(cases: Iterable[Case], kept: Mapping[str, Found]) -> list[Found]:
    return [kept[c.key] for c in cases if c.key in kept and "failed" not in kept[c.key]]


def _steps(kept: Mapping[str, Found]) -> list[tuple[Found, Found]]:
    """A loss with an incoming gradient of 1, and of 0.5."""
    found = (_there(both, kept) for both in zip(UPSTREAM[::2], UPSTREAM[1::2], strict=True))
    return [(one, half) for one, half in (steps for steps in found if len(steps) == 2)]


def _warm(kept: Mapping[str, Found]) -> list[tuple[Found, float]]:
    """Losses measured with their gradients' memory kept, and what is asked of them."""
    return [(x, asked) for case, asked in KEPT.items() for x in _there([case], kept)]


def _failed(case: Case, kept: Mapping[str, Found]) -> bool:
    return "failed" in kept.get(case.key, {})


def _where(found: list[Found]) -> str:
    if not found:
        return "Nothing was measured yet."
    peers = {f["name"] for x in found for f in x["forms"] if f["kind"] == "peer"}
    others = ", ".join(sorted(p for p in peers if not p.startswith("torch ")))
    x = found[0]
    return (
        f"torch {x['torch']}, {x['processor']}, {x['threads']} thread{'s' * (x['threads'] > 1)}"
        f"{'; ' + others if others else ''}."
    )


def _table(found: list[Found], *, shaped: bool = False) -> str:
    """A row a loss: times in ms, ratios, memory."""
    backends = [b for b in ("eager", "compile", "c") if any(form(x, b) for x in found)]
    compiled = any(f["kind"] == "compiled" for x in found for f in x["forms"])
    heads = ["loss", "limit: fresh", "warm", "function", *backends, "best peer", "peer"]
    heads += ["compiled function", "compiled peer"] if compiled else []
    heads += ["eager / peer", "eager / limit", "peak: eager", "peak: peer"]
    heads += ["kept: eager", "kept: peer", "gradient error"]
    lines = [f"| {' | '.join(heads)} |", "| --- |" + " ---: |" * (len(heads) - 1)]
    for x in found:
        ours, peer = form(x, "eager") or {}, form(x, x["best_peer"]) or {}
        names = ("torch.compile(function)", f"torch.compile({x['best_peer']})")
        error = ours.get("gradient_error")
        cells = [
            titled(x, shaped=shaped),
            milliseconds(x["limit"]["seconds"]),
            milliseconds(x["limit"]["warm"]["median"]),
            _ms(form(x, "function")),
            *(_ms(form(x, b)) for b in backends),
            x["best_peer"].removesuffix("+cpu"),
            _ms(peer),
            *(_ms(form(x, name)) for name in names if compiled),
            _ratio(ours.get("to_peer")),
            _ratio(ours.get("to_limit")),
            *(size(f[what]) if f else "" for what in ("peak", "kept") for f in (ours, peer)),
            "" if error is None else f"{error:.0e}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _ms(f: Found | None) -> str:
    return milliseconds(f["seconds"]["median"]) if f else ""


def _ratio(spread: Found | None) -> str:
    if not spread:
        return ""
    return f"{spread['median']:.2f} ({spread['low']:.2f}-{spread['high']:.2f})"


def _small(kept: Mapping[str, Found]) -> list[str]:
    """Microseconds of a small batch."""
    heads = ["loss", "function", "eager", "c", "best peer", "eager / function", "eager / peer"]
    heads.append("c / peer")
    lines = [f"| {' | '.join(heads)} |", "| --- |" + " ---: |" * (len(heads) - 1)]
    for x in (*_there(SMALL, kept), *_there(CATALOGUE, kept)):
        small = "seconds" if x["sizes"].get("n") == [32] and not x["small_sizes"] else "small"
        row = [form(x, name) for name in ("function", "eager", "c", x["best_peer"])]
        us = [1e6 * f[small]["median"] if f and f[small] else None for f in row]
        if us[0] is None or us[1] is None:
            continue
        ratios = [us[1] / us[0], *(a / us[3] if a and us[3] else None for a in us[1:3])]
        cells = [f"{v:.0f}" if v else "" for v in us] + [f"{r:.2f}" if r else "" for r in ratios]
        name = "cross_entropy, 32 x 10" if small == "seconds" else x["name"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    words = "Microseconds of forward and backward on 32 samples (of 10 classes, of 16 features)."
    return ["## Small batches", words, "\n".join(lines)] if len(lines) > 2 else []


def _upstream(kept: Mapping[str, Found]) -> list[str]:
    """What an incoming gradient of 0.5 costs."""
    lines = ["| loss | form | 1 | 0.5 | ratio |", "| --- | --- | ---: | ---: | ---: |"]
    for x, y in _steps(kept):
        for name in ("eager", "compile", "c", x["best_peer"]):
            a, b = form(x, name), form(y, name)
            if a and b:
                ratio = b["seconds"]["median"] / a["seconds"]["median"]
                lines.append(
                    f"| {titled(x, shaped=True)} | {name} | {_ms(a)} | {_ms(b)} | {ratio:.2f} |"
                )
    words = "Milliseconds with an incoming gradient of 1 and of 0.5 (two runs); 1.15 is asked for."
    return ["## An incoming gradient other than 1", words, "\n".join(lines)] if lines[2:] else []


def _memory_kept(kept: Mapping[str, Found]) -> list[str]:
    """What keeping the memory of gradients gains."""
    heads = ["loss", "limit: fresh", "warm", "c", "c, memory kept", "memory kept / warm limit"]
    lines = [f"| {' | '.join([*heads, 'asked'])} |", "| --- |" + " ---: |" * len(heads)]
    for x, asked in _warm(kept):
        ours = form(x, WARM)
        cells = [
            titled(x, shaped=True),
            milliseconds(x["limit"]["seconds"]),
            milliseconds(x["limit"]["warm"]["median"]),
            _ms(form(x, "c")),
            _ms(ours),
            _ratio(ours["to_limit"]) if ours else "",
            f"{asked:g}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    words = "Milliseconds of the kernels in C, without and with `keep_gradients`."
    return ["## Gradients in memory that is kept", words, "\n".join(lines)] if lines[2:] else []


def _growth(kept: Mapping[str, Found]) -> list[str]:
    """How time and memory grow."""
    parts = []
    for title, cases in GROWTH.items():
        lines = ["| size | limit | function | eager | best peer | peer | eager / limit "
                 "| peak: eager | peak: peer |"]  # fmt: skip
        lines.append("| --- |" + " ---: |" * 8)
        for case in cases:
            x = kept.get(case.key)
            if x is None:
                continue
            if "failed" in x:
                lines.append(f"| {case.size} | {x['failed']} |" + " |" * 7)
                continue
            ours, peer = form(x, "eager"), form(x, x["best_peer"])
            cells = [
                case.size.replace(",", ", "),
                milliseconds(x["limit"]["seconds"]),
                _ms(form(x, "function")),
                _ms(ours),
                x["best_peer"].removesuffix("+cpu"),
                _ms(peer),
                _ratio(ours["to_limit"]) if ours else "",
                size(ours["peak"]) if ours else "",
                size(peer["peak"]) if peer else "",
            ]
            lines.append(f"| {' | '.join(cells)} |")
        if lines[2:]:
            parts += [f"### {title[0].upper()}{title[1:]}", "\n".join(lines)]
    return ["## How cost grows", "Milliseconds.", *parts] if parts else []
