"""The page of ``benchmarks/speed.py``: bars, tables, growth."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.speed_cases import CATALOGUE, GROWTH, SHAPES, SMALL, UPSTREAM, Case
from lossgen.cli.bench_sheet import milliseconds, size

NOISE = 1.05  # a lower quartile beyond this is slower than noise is
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
        parts += ["## The bars", "\n".join(_bars(both, kept))]
    if catalogue:
        parts += ["## The catalogue", "About two million elements.", _table(catalogue)]
    if shapes:
        parts += ["## Shapes that losses are met in", _table(shapes, shaped=True)]
    parts += _small(kept)
    parts += _upstream(kept)
    parts += _growth(kept)
    left = [(c.key, kept[c.key]["failed"]) for c in (*CATALOGUE, *SHAPES) if _failed(c, kept)]
    if left:
        parts += ["## Left out", "\n".join(f"- {key}: {why}" for key, why in left)]
    return "\n\n".join(parts) + "\n"


def _there(cases: Iterable[Case], kept: Mapping[str, Found]) -> list[Found]:
    return [kept[c.key] for c in cases if c.key in kept and "failed" not in kept[c.key]]


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


def form(x: Found, name: str) -> Found | None:
    """One form of a measurement."""
    return next((f for f in x["forms"] if f["name"] == name), None)


def native(x: Found) -> bool:
    """Whether the best peer is one operation of torch's with a derivative of its own."""
    return bool(x["best_peer"].startswith("torch ") and x["name"] in _NATIVE)


# ATen's own forward and backward kernels: derivatives.yaml has an entry of the loss's name.
_NATIVE = (
    "l1", "mse", "smooth_l1", "huber", "binary_cross_entropy", "soft_margin", "nll",
    "multi_margin", "multilabel_margin",
)  # fmt: skip


def _bars(found: list[Found], kept: Mapping[str, Found]) -> list[str]:
    """Each bar, whether it holds, and what breaks it."""
    lines = []
    beside = [(x, form(x, "eager"), form(x, x["best_peer"])) for x in found if x["best_peer"]]
    compared = [(x, ours, peer) for x, ours, peer in beside if ours and peer]
    slower = [
        f"{_name(x)} {ours['to_peer']['median']:.2f}"
        for x, ours, peer in compared
        if ours["to_peer"]["low"] > NOISE
    ]
    lines.append(_bar("`eager` never slower than the best eager peer, beyond noise", slower))
    gains = [1 / ours["to_peer"]["median"] for x, ours, peer in compared if not native(x)]
    if gains:
        middle = statistics.median(gains)
        word = f"`eager` at least 1.5 x as fast at the median of composite losses: {middle:.2f} x"
        lines.append(f"- {'holds' if middle >= 1.5 else '**missed**'}: {word} ({len(gains)} cases)")
    for what in ("peak", "kept"):
        more = [
            f"{_name(x)} {size(ours[what])} > {size(peer[what])}"
            for x, ours, peer in compared
            if ours[what] > 1.02 * peer[what] + 2**16
        ]
        lines.append(_bar(f"`eager` never more memory ({what}) than the best peer", more))
    lines += _compiled_bars(found)
    small = [
        f"{_name(x)} {1e6 * a['small']['median']:.0f} > {1e6 * b['small']['median']:.0f} µs"
        for x in found
        if (a := form(x, "eager")) and (b := form(x, "function"))
        if a["small"] and b["small"] and a["small"]["low"] > NOISE * b["small"]["high"]
    ]
    lines.append(_bar("small batches: `eager` never slower than the plain function", small))
    for x in _there(SMALL, kept):
        ours, plain = form(x, "eager"), form(x, "function")
        if ours and plain and ours["to_peer"]:
            ratio = ours["to_peer"]["median"]
            word = f"32 x 10 cross-entropy: `eager` at most 1.7 x torch's own: {ratio:.2f} x"
            lines.append(f"- {'holds' if ratio <= 1.7 else '**missed**'}: {word}")
    return lines


def _compiled_bars(found: list[Found]) -> list[str]:
    """The bars of the backends `compile` and `c`, where a build has them."""
    lines = []
    rivals = {"compile": lambda x: "torch.compile(function)",
              "c": lambda x: f"torch.compile({x['best_peer'] or 'function'})"}  # fmt: skip
    for backend, asked in (("compile", 1.3), ("c", 2.0)):
        pairs = [
            (x, ours, rival)
            for x in found
            if (ours := form(x, backend)) and (rival := form(x, rivals[backend](x)))
        ]
        if not pairs:
            continue
        slower = [
            f"{_name(x)} {ours['seconds']['median'] / rival['seconds']['median']:.2f}"
            for x, ours, rival in pairs
            if ours["seconds"]["low"] > NOISE * rival["seconds"]["median"]
        ]
        rival = "the plain function" if backend == "compile" else "the best peer"
        lines.append(_bar(f"`{backend}` never slower than torch.compile of {rival}", slower))
        middle = statistics.median(
            rival["seconds"]["median"] / ours["seconds"]["median"] for _, ours, rival in pairs
        )
        held = "holds" if middle >= asked else "**missed**"
        lines.append(f"- {held}: and at least {asked} x as fast at the median: {middle:.2f} x")
    limits = [c["to_limit"]["median"] for x in found if (c := form(x, "c"))]
    if limits:
        middle = statistics.median(limits)
        held = "holds" if middle <= 1.3 else "**missed**"
        lines.append(f"- {held}: `c` at most 1.3 x the limit at the median: {middle:.2f} x")
    return lines


def _bar(words: str, broken: list[str]) -> str:
    if not broken:
        return f"- holds: {words}"
    return f"- **missed** by {len(broken)}: {words}: {', '.join(broken)}"


def _name(x: Found, *, shaped: bool = False) -> str:
    if not shaped:
        return str(x["name"])
    first = next(iter(x["shapes"].values()))
    dtype = "" if x["dtype"] == "float32" else f", {x['dtype']}"
    return f"{x['name']} ({', '.join(map(str, first))}{dtype})"


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
            _name(x, shaped=shaped),
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
    lines = ["| loss | function | eager | best peer | eager / function | eager / peer |"]
    lines.append("| --- |" + " ---: |" * 5)
    for x in (*_there(SMALL, kept), *_there(CATALOGUE, kept)):
        small = "seconds" if x["sizes"].get("n") == [32] and not x["small_sizes"] else "small"
        row = [form(x, name) for name in ("function", "eager", x["best_peer"])]
        us = [1e6 * f[small]["median"] if f and f[small] else None for f in row]
        if us[0] is None or us[1] is None:
            continue
        peer = f"{us[1] / us[2]:.2f}" if us[2] else ""
        told = [f"{v:.0f}" if v else "" for v in us]
        name = "cross_entropy, 32 x 10" if small == "seconds" else x["name"]
        lines.append(f"| {name} | {' | '.join(told)} | {us[1] / us[0]:.2f} | {peer} |")
    words = "Microseconds of forward and backward on 32 samples (of 10 classes, of 16 features)."
    return ["## Small batches", words, "\n".join(lines)] if len(lines) > 2 else []


def _upstream(kept: Mapping[str, Found]) -> list[str]:
    """What an incoming gradient of 0.5 costs."""
    lines = ["| loss | form | 1 | 0.5 | ratio |", "| --- | --- | ---: | ---: | ---: |"]
    for one, half in zip(UPSTREAM[::2], UPSTREAM[1::2], strict=True):
        if not _there((one, half), kept)[1:]:
            continue
        x, y = kept[one.key], kept[half.key]
        for name in ("eager", "compile", "c", x["best_peer"]):
            a, b = form(x, name), form(y, name)
            if a and b:
                ratio = b["seconds"]["median"] / a["seconds"]["median"]
                lines.append(
                    f"| {_name(x, shaped=True)} | {name} | {_ms(a)} | {_ms(b)} | {ratio:.2f} |"
                )
    words = "Milliseconds with an incoming gradient of 1 and of 0.5 (two runs); 1.15 is asked for."
    return ["## An incoming gradient other than 1", words, "\n".join(lines)] if lines[2:] else []


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
