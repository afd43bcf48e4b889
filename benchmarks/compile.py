"""The ``compile`` backend against ``torch.compile`` of the plain function.

    python benchmarks/compile.py [NAME …] [--rounds 15] [--rows FILE]

Both run forward and backward in one process, A B A B, on the inputs of ``backward.py``; the table
gives the median of the ratios of neighbouring runs, with their quartiles, and how much longer the
``compile`` backend takes with an upstream gradient of 0.5 than with 1.  A cold compilation of both
takes some ten seconds: ``--rows`` keeps what is measured, so that a run may go on where another
ended.  Once every loss is there, ``benchmarks/results/compile.md`` is written.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.backward import KEPT_MEMORY, NOT_LEARNED, values  # noqa: E402
from lossgen.pipeline import render_losses  # noqa: E402
from lossgen.spec import load_spec  # noqa: E402

Row = dict[str, float]


def load(path: Path) -> ModuleType:
    """A module from a file."""
    spec = importlib.util.spec_from_file_location(f"compiled_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def run(
    function: Callable[..., Tensor],
    tensors: dict[str, Tensor],
    learned: list[str],
    upstream: Tensor,
) -> float:
    """Seconds of one forward and backward."""
    start = time.perf_counter()
    loss = function(**tensors)
    torch.autograd.grad(loss, [tensors[x] for x in learned], upstream)
    return time.perf_counter() - start


def ratios(
    first: Callable[[], float], second: Callable[[], float], rounds: int
) -> tuple[list[float], float, float]:
    """Quartiles of first / second, run by turns, and the median seconds of each."""
    pairs = []
    for index in range(rounds):
        if index % 2:
            ours, theirs = first(), second()
        else:
            theirs, ours = second(), first()
        pairs.append((ours, theirs))
    quartiles = statistics.quantiles([a / b for a, b in pairs], n=4)
    return quartiles, *(statistics.median(side) for side in zip(*pairs, strict=True))


def measure(name: str, folder: Path, rounds: int) -> Row:
    """What one loss costs."""
    spec = load_spec(ROOT / "specs" / f"{name}.py")
    (made,) = render_losses([spec], backends={spec.name: "compile"})
    path = folder / f"{name}.py"
    path.write_text(made.module, encoding="utf-8")
    module = load(path)
    closed: Callable[..., Tensor] = getattr(module, spec.functional_name)
    plain: Callable[..., Tensor] = torch.compile(getattr(module, spec.function_name))
    torch.manual_seed(0)
    tensors = {t.name: values(t, spec) for t in spec.tensors if not t.optional}
    learned = [k for k, x in tensors.items() if x.is_floating_point() and k not in NOT_LEARNED]
    learned = learned or [next(iter(tensors))]
    for k in learned:
        tensors[k].requires_grad_()
    one = torch.ones(())
    start = time.perf_counter()
    run(closed, tensors, learned, one)
    first = time.perf_counter() - start
    for function in (plain, closed, plain, closed):
        run(function, tensors, learned, one)
    quartiles, ours, theirs = ratios(
        lambda: run(closed, tensors, learned, one),
        lambda: run(plain, tensors, learned, one),
        rounds,
    )
    # Each upstream gradient twice, as in training it stays the same: the second run is timed. Then
    # one that differs from the last in each run.
    scaled, changed = [], []
    for index in range(rounds):
        half, other = torch.full((), 0.5), torch.full((), 0.5 + (index + 1) / 100)
        run(closed, tensors, learned, one)
        steady = run(closed, tensors, learned, one)
        run(closed, tensors, learned, half)
        scaled.append(run(closed, tensors, learned, half) / steady)
        changed.append(run(closed, tensors, learned, other) / steady)
    failed = [k for k, x in vars(module).items() if getattr(x, "failed", False) is True]
    assert not failed, f"{name} was not compiled"
    gradients = sum(tensors[x].nbytes for x in learned) / 2**20
    low, middle, high = quartiles
    return {
        "low": low, "ratio": middle, "high": high, "ours": ours * 1e3, "plain": theirs * 1e3,
        "half": statistics.median(scaled), "changing": statistics.median(changed),
        "first": first, "MiB": gradients,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rows", type=Path, help="a JSON file that keeps what is measured")
    options = parser.parse_args()
    if "MALLOC_TRIM_THRESHOLD_" not in os.environ:
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **KEPT_MEMORY})
    torch.set_num_threads(options.threads)
    every = sorted(p.stem for p in (ROOT / "generated").glob("*.py"))
    rows: dict[str, Row] = {}
    if options.rows and options.rows.is_file():
        rows = json.loads(options.rows.read_text())
    with tempfile.TemporaryDirectory() as folder:
        for name in options.names or [x for x in every if x not in rows]:
            row = rows[name] = measure(name, Path(folder), options.rounds)
            print(
                f"{name:34s} {row['low']:5.2f} {row['ratio']:5.2f} {row['high']:5.2f}   "
                f"{row['ours']:7.2f} {row['plain']:7.2f} ms   half {row['half']:4.2f} "
                f"changing {row['changing']:4.2f}   first {row['first']:4.1f} s",
                flush=True,
            )
            if options.rows:
                options.rows.write_text(json.dumps(rows))
    if set(every) <= set(rows):
        path = ROOT / "benchmarks" / "results" / "compile.md"
        path.write_text(page({k: rows[k] for k in every}, options), encoding="utf-8")


def page(rows: dict[str, Row], options: argparse.Namespace) -> str:
    """The results as Markdown."""
    ratio = {k: r["ratio"] for k, r in rows.items()}
    slower = [f"{k} {x:.2f}" for k, x in sorted(ratio.items(), key=lambda i: -i[1]) if x > 1.05]
    large = [r for r in rows.values() if r["MiB"] > 8]
    lines = [
        "# The compile backend against torch.compile of the plain function",
        "",
        f"torch {torch.__version__}, {options.threads} CPU threads, float32, forward + backward, "
        f"{options.rounds} interleaved pairs.",
        "Time is compile backend / compiled plain function: quartiles of the ratios. `x 0.5` is "
        "the time with an upstream gradient of 0.5 over that with 1; `changing` that with another "
        "upstream gradient in each step. `first call` compiles, with whatever torch's own cache "
        "held.",
        "",
        "| loss | time: lower quartile | median | upper quartile | ms | plain, ms | x 0.5 "
        "| changing | gradient, MiB | first call, s |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(
            f"| {k} | {r['low']:.2f} | {r['ratio']:.2f} | {r['high']:.2f} | {r['ours']:.2f} "
            f"| {r['plain']:.2f} | {r['half']:.2f} | {r['changing']:.2f} | {r['MiB']:.1f} "
            f"| {r['first']:.1f} |"
            for k, r in rows.items()
        ),
        "",
        f"Median of the losses: {statistics.median(ratio.values()):.2f}; at most "
        f"{max(ratio.values()):.2f}; above 1.05: {', '.join(slower) or 'none'}.",
        f"With gradients above 8 MiB an upstream gradient of 0.5 costs at most "
        f"{max((r['half'] for r in large), default=1.0):.2f} times the time with 1, a changing one "
        f"{max((r['changing'] for r in large), default=1.0):.2f} times.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
