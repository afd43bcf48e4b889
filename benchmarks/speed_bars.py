"""The bars of ``benchmarks/speed.py``: what is asked of each backend, and what breaks it."""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from lossgen.bench.forms import KEPT as WARM
from lossgen.cli.bench_sheet import size

NOISE = 1.05  # a lower quartile beyond this is slower than noise is
Found = Mapping[str, Any]

# ATen's own forward and backward kernels: derivatives.yaml has an entry of the loss's name.
_NATIVE = (
    "l1", "mse", "smooth_l1", "huber", "binary_cross_entropy", "soft_margin", "nll",
    "multi_margin", "multilabel_margin",
)  # fmt: skip
# How near a kernel in C comes to the limit: losses that pass twice over their scores, or take
# several powers and logarithms of each. Others come within 1.2, sums of products within 1.3.
_OF_THE_LIMIT = {
    **dict.fromkeys(("cross_entropy", "generalized_cross_entropy", "poly1_cross_entropy"), 1.4),
    **dict.fromkeys(("focal_tversky", "generalized_dice", "tversky"), 1.6),
    **dict.fromkeys(("asymmetric", "sigmoid_focal", "softmax_focal"), 2.0),
    **dict.fromkeys(("batch_dice", "dice", "jaccard"), 2.4),
}
_SIZES = {"float32": 4, "float64": 8, "bfloat16": 2, "float16": 2}


def bars(
    found: list[Found],
    small: Iterable[Found],
    upstream: Iterable[tuple[Found, Found]],
    pairs: Iterable[Found],
    warm: Iterable[tuple[Found, float]],
) -> list[str]:
    """Each bar, whether it holds, and what breaks it.

    Args:
        found: the catalogue, and the shapes that losses are met in.
        small: cross-entropy of 32 samples.
        upstream: a loss with an incoming gradient of 1 and of 0.5.
        pairs: the loss over 16 384 pairs.
        warm: losses measured with their gradients' memory kept, and what is asked of them.
    """
    return [
        *_eager_bars(found),
        *_compiled_bars(found),
        *_kernel_bars(found),
        *_warm_bars(warm),
        *_small_bars(found, small),
        *_upstream_bars(upstream),
        *_pair_bars(pairs),
    ]


def form(x: Found, name: str) -> Found | None:
    """One form of a measurement."""
    return next((f for f in x["forms"] if f["name"] == name), None)


def titled(x: Found, *, shaped: bool = False) -> str:
    """A loss's name, with its shape and dtype where it is told apart by them."""
    if not shaped:
        return str(x["name"])
    first = next(iter(x["shapes"].values()))
    dtype = "" if x["dtype"] == "float32" else f", {x['dtype']}"
    return f"{x['name']} ({', '.join(map(str, first))}{dtype})"


def _bar(words: str, broken: list[str]) -> str:
    if not broken:
        return f"- holds: {words}"
    return f"- **missed** by {len(broken)}: {words}: {', '.join(broken)}"


def _met(held: bool, words: str) -> str:
    return f"- {'holds' if held else '**missed**'}: {words}"


def _native(x: Found) -> bool:
    """Whether the best peer is one operation of torch's with a derivative of its own."""
    return bool(x["best_peer"].startswith("torch ") and x["name"] in _NATIVE)


def _eager_bars(found: list[Found]) -> list[str]:
    beside = [(x, form(x, "eager"), form(x, x["best_peer"])) for x in found if x["best_peer"]]
    compared = [(x, ours, peer) for x, ours, peer in beside if ours and peer]
    slower = [
        f"{titled(x)} {ours['to_peer']['median']:.2f}"
        for x, ours, peer in compared
        if ours["to_peer"]["low"] > NOISE
    ]
    lines = [_bar("`eager` never slower than the best eager peer, beyond noise", slower)]
    gains = [1 / ours["to_peer"]["median"] for x, ours, peer in compared if not _native(x)]
    if gains:
        middle = statistics.median(gains)
        word = f"`eager` at least 1.5 x as fast at the median of composite losses: {middle:.2f} x"
        lines.append(_met(middle >= 1.5, f"{word} ({len(gains)} cases)"))
    for what in ("peak", "kept"):
        more = [
            f"{titled(x)} {size(ours[what])} > {size(peer[what])}"
            for x, ours, peer in compared
            if ours[what] > 1.02 * peer[what] + 2**16
        ]
        lines.append(_bar(f"`eager` never more memory ({what}) than the best peer", more))
    return lines


def _compiled_bars(found: list[Found]) -> list[str]:
    """The bars of the backends `compile` and `c` against ``torch.compile``."""
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
            f"{titled(x)} {ours['seconds']['median'] / rival['seconds']['median']:.2f}"
            for x, ours, rival in pairs
            if ours["seconds"]["low"] > NOISE * rival["seconds"]["median"]
        ]
        rival = "the plain function" if backend == "compile" else "the best peer"
        lines.append(_bar(f"`{backend}` never slower than torch.compile of {rival}", slower))
        middle = statistics.median(
            rival["seconds"]["median"] / ours["seconds"]["median"] for _, ours, rival in pairs
        )
        word = f"and at least {asked} x as fast at the median: {middle:.2f} x"
        lines.append(_met(middle >= asked, word))
    return lines


def _kernel_bars(found: list[Found]) -> list[str]:
    """The bars of the backend `c` by itself: the limit, memory, the first call."""
    kernels = [(x, ours) for x in found if (ours := form(x, "c"))]
    if not kernels:
        return []
    middle = statistics.median(ours["to_limit"]["median"] for _, ours in kernels)
    word = f"`c` at most 1.3 x the limit at the median: {middle:.2f} x"
    far = [
        f"{titled(x, shaped=True)} {ours['to_limit']['median']:.2f} ({asked:g})"
        for x, ours in kernels
        if ours["to_limit"]["low"] > NOISE * (asked := _asked(x))
    ]
    more = [
        f"{titled(x, shaped=True)} {size(ours['peak'])} > {size(gradients)}"
        for x, ours in kernels
        if not x["limit"]["products"]
        and ours["peak"] > 1.02 * (gradients := _bytes_of_gradients(x)) + 2**16
    ]
    late = [
        f"{titled(x, shaped=True)} {took:.1f} s"
        for x, ours in kernels
        if (took := ours["first"] - ours["seconds"]["median"]) > 1.0
    ]
    return [
        _met(middle <= 1.3, word),
        _bar("and at each: 1.2 x, or what its operations ask for (in brackets)", far),
        _bar("`c` takes no memory but for its gradients (losses without products)", more),
        _bar("the first call of `c`, compiler included, within a second", late),
    ]


def _warm_bars(warm: Iterable[tuple[Found, float]]) -> list[str]:
    kernels = [(x, asked, ours) for x, asked in warm if (ours := form(x, WARM))]
    far = [
        f"{titled(x, shaped=True)} {ours['to_limit']['median']:.2f} ({asked:g})"
        for x, asked, ours in kernels
        if ours["to_limit"]["low"] > NOISE * asked
    ]
    words = (
        "`c` with its gradients' memory kept, at most so many times the warm limit (in brackets)"
    )
    return [_bar(words, far)] if kernels else []


def _asked(x: Found) -> float:
    return 1.3 if x["limit"]["products"] else _OF_THE_LIMIT.get(x["name"], 1.2)


def _bytes_of_gradients(x: Found) -> int:
    return sum(math.prod(x["shapes"][name]) for name in x["gradients"]) * _SIZES[x["dtype"]]


def _small_bars(found: list[Found], small: Iterable[Found]) -> list[str]:
    slower = [
        f"{titled(x)} {1e6 * a['small']['median']:.0f} > {1e6 * b['small']['median']:.0f} µs"
        for x in found
        if (a := form(x, "eager")) and (b := form(x, "function"))
        if a["small"] and b["small"] and a["small"]["low"] > NOISE * b["small"]["high"]
    ]
    lines = [_bar("small batches: `eager` never slower than the plain function", slower)]
    for x in small:
        for backend, asked in (("eager", 1.7), ("c", 1.2)):
            ours = form(x, backend)
            if ours and ours["to_peer"]:
                ratio = ours["to_peer"]["median"]
                word = f"32 x 10 cross-entropy: `{backend}` at most {asked} x torch's own"
                lines.append(_met(ratio <= asked, f"{word}: {ratio:.2f} x"))
    return lines


def _upstream_bars(upstream: Iterable[tuple[Found, Found]]) -> list[str]:
    upstream = list(upstream)
    if not upstream:
        return []
    dearer = [
        f"{titled(one, shaped=True)} `{name}` {ratio:.2f}"
        for one, half in upstream
        for name in ("eager", "c")
        if (a := form(one, name)) and (b := form(half, name))
        if (ratio := b["seconds"]["median"] / a["seconds"]["median"]) > 1.15
    ]
    return [_bar("an incoming gradient of 0.5 costs at most 1.15 x one of 1", dearer)]


def _pair_bars(pairs: Iterable[Found]) -> list[str]:
    lines = []
    for x in pairs:
        for name in ("eager", "c"):
            if ours := form(x, name):
                ratio = ours["to_limit"]["median"]
                word = f"{titled(x, shaped=True)}: `{name}` within 2 GB and 1.3 x its products"
                held = ours["peak"] <= 2e9 and ratio <= 1.3
                lines.append(_met(held, f"{word}: {size(ours['peak'])}, {ratio:.2f} x"))
    return lines
