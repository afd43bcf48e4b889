"""The page of ``benchmarks/speed_gpu.py``."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.speed_cases import ON_GPU
from lossgen.cli.bench_sheet import milliseconds, size

NOISE = 1.05
Found = Mapping[str, Any]
FUNCTION, COMPILED = "function", "torch.compile(function)"
HOW_TO_READ = """\
Forward and backward into fresh gradients, from `lossgen bench --device cuda`: every form of a loss
in one process, in turn; medians in milliseconds. "Limit" is what the GPU needs to move each input
once (twice where a sum must come first) and each gradient once, or for its matrix products. "Peer"
is the fastest eager form of torch or another package. "Small" is a batch of 32, in microseconds of
which nearly all are the host's. "Peak" is the most memory at a time, inputs apart."""


def page(kept: Mapping[str, Found]) -> str:
    """The whole page."""
    found = [kept[c.key] for c in ON_GPU if "failed" not in kept.get(c.key, {"failed": ""})]
    if not found:
        return "# Speed and memory on a GPU\n\nNothing was measured yet.\n"
    x = found[0]
    parts = ["# Speed and memory on a GPU", f"torch {x['torch']}, {x['processor']}.", HOW_TO_READ]
    parts += ["## In short", "\n".join(_bars(found)), "## Every loss", _table(found)]
    parts += ["## A small batch", _small(found)]
    left = [(c.key, kept[c.key]["failed"]) for c in ON_GPU if "failed" in kept.get(c.key, {})]
    left += [
        (f"{_name(x)}, {form}", why)
        for x in found
        for form, why in x["skipped"]
        if form in ("eager", "compile", "triton", COMPILED)
    ]
    if left:
        parts += ["## Left out", "\n".join(f"- {key}: {why}" for key, why in left)]
    return "\n\n".join(parts) + "\n"


def form(x: Found, name: str) -> Found | None:
    """One form of a measurement."""
    return next((f for f in x["forms"] if f["name"] == name), None)


def _median(x: Found, name: str) -> float | None:
    found = form(x, name)
    return None if found is None else float(found["seconds"]["median"])


def _bars(found: list[Found]) -> Iterator[str]:
    for ours, other in (
        ("triton", COMPILED),
        ("triton", "compiled peer"),
        ("triton", "peer"),
        ("triton", FUNCTION),
        ("compile", COMPILED),
        ("eager", FUNCTION),
    ):
        ratios = []
        for x in found:
            a, b = _median(x, ours), _median(x, _rival(x, other))
            if a is not None and b is not None:
                ratios.append((a / b, _name(x)))
        if ratios:
            middle = statistics.median(r for r, _ in ratios)
            slower = [f"{name} {r:.2f}" for r, name in sorted(ratios, reverse=True) if r > NOISE]
            words = f"slower in {len(slower)}: {', '.join(slower)}" if slower else "never slower"
            yield (
                f"- `{ours}` takes {middle:.2f} of the time of {_told(other)} at the median of "
                f"{len(ratios)}; {words}"
            )
    limits = [t["to_limit"]["median"] for x in found if (t := form(x, "triton"))]
    if limits:
        yield f"- `triton` takes {statistics.median(limits):.2f} of the limit at the median"


def _told(other: str) -> str:
    return {"compiled peer": "`torch.compile` of the best peer", "peer": "the best peer"}.get(
        other, f"`{other}`"
    )


def _rival(x: Found, other: str) -> str:
    peer = x["best_peer"]
    return {"peer": peer, "compiled peer": f"torch.compile({peer})"}.get(other, other)


def _name(x: Found) -> str:
    first = next(iter(x["shapes"].values()))
    dtype = "" if x["dtype"] == "float32" else f", {x['dtype']}"
    return f"{x['name']} ({', '.join(map(str, first))}{dtype})"


def _table(found: list[Found]) -> str:
    heads = ["loss", "limit", "triton", "compile", "eager", FUNCTION, "compiled function",
             "best peer", "peer", "compiled peer", "triton / limit", "peak: triton", "eager",
             FUNCTION]  # fmt: skip
    lines = [f"| {' | '.join(heads)} |", "| --- |" + " ---: |" * (len(heads) - 1)]
    for x in found:
        triton = form(x, "triton")
        cells = [
            _name(x),
            milliseconds(x["limit"]["seconds"]),
            *(_ms(x, name) for name in ("triton", "compile", "eager", FUNCTION, COMPILED)),
            x["best_peer"],
            _ms(x, x["best_peer"]),
            _ms(x, f"torch.compile({x['best_peer']})"),
            f"{triton['to_limit']['median']:.2f}" if triton else "",
            *(size(f["peak"]) if (f := form(x, k)) else "" for k in ("triton", "eager", FUNCTION)),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _ms(x: Found, name: str) -> str:
    value = _median(x, name)
    return "" if value is None else milliseconds(value)


def _small(found: list[Found]) -> str:
    names = ("triton", "compile", "eager", FUNCTION, COMPILED, "peer")
    lines = [f"| loss | {' | '.join(names)} |", "| --- |" + " ---: |" * len(names)]
    for x in found:
        forms = [form(x, _rival(x, name)) for name in names]
        told = [f"{1e6 * f['small']['median']:.0f}" if f and f["small"] else "" for f in forms]
        if any(told):
            lines.append(f"| {x['name']} | {' | '.join(told)} |")
    return "\n".join(lines)
