"""Speed and memory of every loss, beside torch, other packages, ``torch.compile`` and the limit.

    python benchmarks/speed.py [NAME …] [--part catalogue|shapes|upstream|growth|small|kept]
                               [--budget SECONDS] [--no-compile] [--threads 1] [--anew]

Each case is what ``lossgen bench`` measures. What was measured is kept in
``benchmarks/results/speed.json`` and written to ``speed.md`` beside it after every case; a run goes
on where the last one stopped, and stops before its budget is spent (``--anew`` measures again).
Other packages are compared with where they are installed: see ``lossgen/peers``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.speed_cases import PARTS, Case  # noqa: E402
from benchmarks.speed_page import page  # noqa: E402
from lossgen.bench.api import bench  # noqa: E402
from lossgen.bench.request import Request, sizes_of  # noqa: E402
from lossgen.config import BACKENDS, load_project  # noqa: E402
from lossgen.errors import LossgenError  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results"
KEPT = RESULTS / "speed.json"
WITHOUT_COMPILER = ("upstream", "growth", "small", "kept")
MEMORY = 0.8  # of what is free now: a case that is foreseen to need more is left out


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help="only these losses")
    parser.add_argument("--part", choices=(*PARTS, "page"), action="append")
    parser.add_argument("--budget", type=float, default=float("inf"), metavar="SECONDS")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    parser.add_argument("--anew", action="store_true", help="measure again what is there")
    parser.add_argument("--note", help="what a reader must know of how it was measured; kept")
    options = parser.parse_args()
    kept = read()
    if options.note is not None:
        kept["note"] = options.note
        KEPT.write_text(json.dumps(dict(sorted(kept.items())), indent=1) + "\n")
    start = time.perf_counter()
    slowest, left = 1.0, 0
    for part in options.part or PARTS:
        for case in PARTS.get(part, ()):
            if (options.names and case.loss not in options.names) or (
                case.key in kept and not options.anew
            ):
                continue
            if time.perf_counter() - start + 1.5 * slowest > options.budget:
                left += 1
                continue
            began = time.perf_counter()
            compiler = not options.no_compile and part not in WITHOUT_COMPILER
            # A second size of one loss would be compiled for sizes that vary.
            torch.compiler.reset()
            found = run(case, kept, options.threads, compiler)
            kept = {**read(), case.key: found}
            slowest = max(slowest, time.perf_counter() - began)
            print(f"{time.perf_counter() - start:5.0f} s  {case.key}", flush=True)
            KEPT.write_text(json.dumps(dict(sorted(kept.items())), indent=1) + "\n")
    (RESULTS / "speed.md").write_text(page(kept), encoding="utf-8")
    if left:
        print(f"{left} cases left: run again")


def read() -> dict[str, Any]:
    """What was measured so far, perhaps by another run of this script meanwhile."""
    return json.loads(KEPT.read_text()) if KEPT.exists() else {}  # type: ignore[no-any-return]


def run(case: Case, kept: dict[str, Any], threads: int, compiler: bool) -> dict[str, Any]:
    """One case: what was found, or why it could not be."""
    if reason := too_large(case, kept):
        return {"failed": reason}
    sizes, elements = sizes_of([case.size] if case.size else [])
    request = Request(
        backends=tuple(x for x in BACKENDS if compiler or x != "compile"),
        sizes=sizes,
        dtype=case.dtype,
        threads=threads,
        rounds=case.rounds,
        upstream=case.upstream,
        compiled=compiler,
        small=case.part == "catalogue",
        keep=case.part == "kept",
        **({} if elements is None else {"elements": elements}),
    )
    try:
        found = bench(load_project(ROOT), case.loss, request).as_dict()
    except (LossgenError, RuntimeError, MemoryError) as fault:
        return {"failed": (str(fault) or type(fault).__name__).splitlines()[0][:200]}
    found["skipped"] = [[name, why[:120]] for name, why in found["skipped"]]
    return rounded(found)  # type: ignore[no-any-return]


def too_large(case: Case, kept: dict[str, Any]) -> str:
    """Why a case of more pairs would not fit: it needs four times what the one before did."""
    if case.part != "growth" or "d=" not in case.size:
        return ""
    cases = [c for c in PARTS["growth"] if c.loss == case.loss]
    place = cases.index(case)
    before = kept.get(cases[place - 1].key, {}) if place else {}
    if "failed" in before:
        return str(before["failed"])
    needed = 4 * max((form["peak"] for form in before.get("forms", ())), default=0)
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed < MEMORY * free:
        return ""
    return f"would need {needed / 1e9:.0f} GB, of which {free / 1e9:.0f} GB are free"


def rounded(value: Any) -> Any:
    """Four digits of every number."""
    if isinstance(value, dict):
        return {key: rounded(x) for key, x in value.items()}
    if isinstance(value, list):
        return [rounded(x) for x in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


if __name__ == "__main__":
    main()
