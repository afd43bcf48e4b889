"""Closed-form backward against autograd of the plain function: time and saved memory.

    python benchmarks/backward.py [NAME …] [--device cuda] [--rounds 15]

Without names it writes ``benchmarks/results/backward.md`` (``backward-cuda.md`` on a GPU).  Both
forms run forward and backward in one process, A B A B, on inputs of some two million elements (of
sixteen times as many on a GPU, where two million are too few to see); the table gives the median of
the ratios of neighbouring runs, with their quartiles.  Saved memory is what autograd keeps between
forward and backward beyond the inputs themselves.

On a CPU the C library hands a freed array of this size back to the system, or does not, depending
on what was freed before it; the page faults that follow are as dear as the arithmetic and fall on
either form by chance.  So the script starts itself anew with a C library that keeps what is freed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from lossgen.spec import LossSpec, TensorArg, load_spec  # noqa: E402
from tests.generated_modules import load  # noqa: E402

ELEMENTWISE = {"e": (2_000_000,)}
BY_AXES: dict[str, dict[str, tuple[int, ...]]] = {
    "c n s": {"n": (8,), "c": (16,), "s": (128, 128)},
    "c n": {"n": (16_384,), "c": (128,)},
    "d n": {"n": (1024,), "d": (2048,)},
    "c d n": {"n": (1024,), "c": (1000,), "d": (1024,)},
    "n t": {"n": (256,), "t": (8192,)},
    "n": {"n": (2_000_000,)},
    "4 n": {"n": (500_000,)},
    "c h n w": {"n": (8,), "c": (4,), "h": (256,), "w": (256,)},
    "c s": {"s": (16_384,), "c": (128,)},
    "d s": {"s": (16_384,), "d": (128,)},
    "n s": {"n": (128,), "s": (128, 128)},
}
# The sums over pairs of classes are two million elements already.
SMALLER = {"multilabel_margin": {"n": (128,), "c": (128,)}}
WHY = (
    "Losses of sigmoids and softmaxes pay for slopes that are exact where a prediction is",
    "certain: autograd's slope of a sigmoid p is p (1 - p), which is 0 in float32 from a logit",
    "of 17 on, and its slopes of a softmax add up to 0 but for a rounding as large as the slope",
    "of the class that leads. The closed form multiplies by sigmoid(-x), one more pass with an",
    "exponential, and takes that rounding off, two more passes. Where a plain backward has only",
    "four, that is what shows.",
    "",
)
NOT_LEARNED = (
    "target",
    "weight",
    "mask",
    "old",
    "ref",
    "advantage",
    "teacher",
    "var",
    "pos_weight",
    "alpha",
)
# glibc: neither map large arrays apart nor give freed memory back.
KEPT_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TRIM_THRESHOLD_": str(2**33),
    "MALLOC_TOP_PAD_": str(2**28),
}


def sizes(spec: LossSpec, device: str = "cpu") -> dict[str, tuple[int, ...]]:
    """How large each axis is."""
    letters = sorted({axis.name for t in spec.tensors for axis in t.axes})
    if letters == ["e"]:
        found = ELEMENTWISE
    else:
        found = SMALLER.get(spec.name) or BY_AXES[" ".join(letters)]
    if device == "cpu":
        return found
    # Pairs grow with the square of the rows.
    pairs = found.get("n") == (1024,)
    more = next(x for x in ("e", "s" if "n" not in found else "n", "n") if x in found)
    return {**found, more: (found[more][0] * (4 if pairs else 16), *found[more][1:])}


def values(t: TensorArg, spec: LossSpec, device: str = "cpu") -> Tensor:
    """A tensor of the role, in float32."""
    shape: tuple[int, ...] = ()
    for axis in t.axes:
        shape += (int(axis.name),) if axis.name.isdigit() else sizes(spec, device)[axis.name]
    classes = sizes(spec, device).get("c", (1000,))[0]
    match t.role.name:
        case "ClassIndex":
            return torch.randint(classes, shape)
        case "LabelList":
            order = torch.rand(shape).argsort(-1)
            return torch.where(torch.rand(shape) < 0.05, -1, order)
        case "Mask":
            return torch.rand(shape) > 0.2
        case "Sign":
            return torch.where(torch.rand(shape) > 0.5, 1.0, -1.0)
        case "Binary":
            return (torch.rand(shape) > 0.5).float()
        case "Probabilities":
            return torch.rand(shape) * 0.98 + 0.01
        case "Positive" | "NonNegative" | "Weight" | "Learnable":
            return torch.rand(shape) + 0.2
        case "Boxes":
            near = torch.rand(shape)
            near[..., 2:] += near[..., :2] + 0.1
            return near
    return torch.randn(shape)


def run(function: Callable[..., Tensor], tensors: dict[str, Tensor], learned: list[str]) -> float:
    """Seconds of one forward and backward; on a CPU its own, whatever else the machine does."""
    on_gpu = next(iter(tensors.values())).is_cuda
    if on_gpu:
        torch.cuda.synchronize()
    clock = time.perf_counter if on_gpu else time.process_time
    start = clock()
    loss = function(**tensors)
    torch.autograd.grad(loss, [tensors[x] for x in learned])
    if on_gpu:
        torch.cuda.synchronize()
    return clock() - start


def saved_bytes(function: Callable[..., Tensor], tensors: dict[str, Tensor]) -> int:
    """What autograd keeps for the backward, inputs apart."""
    inputs = {x.untyped_storage().data_ptr() for x in tensors.values()}
    kept: dict[int, int] = {}

    def keep(x: Tensor) -> Tensor:
        storage = x.untyped_storage()
        if storage.data_ptr() not in inputs:
            kept[storage.data_ptr()] = storage.nbytes()
        return x

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        loss = function(**tensors)
    del loss
    return sum(kept.values())


def measure(name: str, device: str, rounds: int) -> tuple[str, float, float, float, float, float]:
    """Ratios of one loss: quartiles of time, and saved MiB of both forms."""
    spec = load_spec(ROOT / "specs" / f"{name}.py")
    module = load(name)
    plain, closed = getattr(module, spec.function_name), getattr(module, spec.functional_name)
    torch.manual_seed(0)
    tensors: dict[str, Tensor] = {}
    for t in spec.tensors:
        if not t.optional:
            tensors[t.name] = values(t, spec, device).to(device)
    learned = [k for k, x in tensors.items() if x.is_floating_point() and k not in NOT_LEARNED]
    learned = learned or [next(iter(tensors))]
    for k in learned:
        tensors[k].requires_grad_()
    for function in (plain, closed, plain, closed):
        run(function, tensors, learned)
    ratios = []
    for index in range(rounds):
        pair = (plain, closed) if index % 2 else (closed, plain)
        seconds = {f: run(f, tensors, learned) for f in pair}
        ratios.append(seconds[closed] / seconds[plain])
    low, middle, high = statistics.quantiles(ratios, n=4)
    memory = [saved_bytes(f, tensors) / 2**20 for f in (plain, closed)]
    return name, low, middle, high, memory[0], memory[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    on_cpu = options.device == "cpu"
    if on_cpu and "MALLOC_TRIM_THRESHOLD_" not in os.environ:
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **KEPT_MEMORY})
    names = options.names or sorted(p.stem for p in (ROOT / "generated").glob("*.py"))
    torch.set_num_threads(1)
    rows = []
    for name in names:
        rows.append(measure(name, options.device, options.rounds))
        print("{:34s} {:5.2f} {:5.2f} {:5.2f}   {:8.1f} {:8.1f} MiB".format(*rows[-1]), flush=True)
    middle = statistics.median(r[2] for r in rows)
    print(f"median of the losses: {middle:.2f}")
    if not options.names:
        where = "one CPU thread, CPU time" if on_cpu else torch.cuda.get_device_name()
        path = ROOT / "benchmarks" / "results" / f"backward{'' if on_cpu else '-cuda'}.md"
        path.write_text(page(rows, middle, where, options.rounds), encoding="utf-8")


def page(
    rows: list[tuple[str, float, float, float, float, float]],
    middle: float,
    where: str,
    rounds: int,
) -> str:
    """The results as Markdown."""
    slower = [f"{r[0]} {r[2]:.2f}" for r in sorted(rows, key=lambda r: -r[2]) if r[2] > 1.05]
    lines = [
        "# Closed-form backward against autograd of the plain function",
        "",
        f"torch {torch.__version__}, {where}, float32, forward + backward, {rounds} interleaved "
        "pairs.",
        "Time is closed form / plain: quartiles of the ratios. Memory is what autograd keeps, "
        "inputs apart.",
        "",
        "| loss | time: lower quartile | median | upper quartile | plain keeps, MiB "
        "| closed form keeps, MiB |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        *("| {} | {:.2f} | {:.2f} | {:.2f} | {:.1f} | {:.1f} |".format(*r) for r in rows),
        "",
        f"Median of the losses: {middle:.2f}; at most {max(r[2] for r in rows):.2f}; above 1.05: "
        f"{', '.join(slower) or 'none'}.",
        "",
        *(WHY if slower else ()),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
