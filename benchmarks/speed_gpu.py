"""Speed and memory of every loss on a GPU, beside torch, ``torch.compile`` and the limit.

    python benchmarks/speed_gpu.py [NAME …] [--minutes 8] [--jobs 16] [--no-compile]
                                   [--results FOLDER]

Each case is what ``lossgen bench --device cuda`` measures. Processes compile side by side and then
measure one after the other, each alone on the GPU. Results go to ``speed-cuda.json`` and a page,
``speed-cuda.md``, beside it; what a run does not reach keeps its earlier numbers.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import queue
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.speed_cases import ON_GPU, Case  # noqa: E402
from benchmarks.speed_gpu_page import page  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results"
BACKENDS = ("eager", "compile", "triton")


@dataclass
class Turns:
    """So many prepare at a time; when all have, or time is short, they measure one by one."""

    places: Any  # a semaphore
    ready: Any  # a counter
    alone: Any  # a lock
    count: int
    start_by: float

    @contextmanager
    def preparing(self) -> Iterator[None]:
        with self.places:
            try:
                yield
            finally:
                with self.ready.get_lock():
                    self.ready.value += 1

    @contextmanager
    def measuring(self) -> Iterator[None]:
        while self.ready.value < self.count and time.time() < self.start_by:
            time.sleep(0.1)
        with self.alone:
            yield


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help="only these losses")
    parser.add_argument("--minutes", type=float, default=8.0, help="to stop after")
    parser.add_argument("--jobs", type=int, default=16, help="that compile at a time")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    options = parser.parse_args()
    stop = time.time() + 60 * options.minutes
    cases = [c for c in ON_GPU if not options.names or c.loss in options.names]
    context = multiprocessing.get_context("spawn")
    turns = Turns(
        context.Semaphore(options.jobs),
        context.Value("i", 0),
        context.Lock(),
        len(cases),
        time.time() + 0.6 * (stop - time.time()),
    )
    results = context.Queue()
    running = [
        context.Process(target=one, args=(c, turns, results, not options.no_compile), daemon=True)
        for c in cases
    ]
    for process in running:
        process.start()
    kept_at = options.results / "speed-cuda.json"
    source = kept_at if kept_at.exists() else RESULTS / kept_at.name
    kept = json.loads(source.read_text()) if source.exists() else {}
    for _ in cases:
        try:
            key, found = results.get(timeout=max(0.1, stop - time.time()))
        except queue.Empty:
            print("time is up: some cases are left")
            break
        kept[key] = found
        said = found.get("failed", "")
        print(f"{stop - time.time():5.0f} s left  {key}  {said}", flush=True)
        kept_at.write_text(json.dumps(dict(sorted(kept.items())), indent=1) + "\n")
    kept_at.with_suffix(".md").write_text(page(kept), encoding="utf-8")
    for process in running:
        process.kill()


def one(case: Case, turns: Turns, results: Any, compiler: bool) -> None:
    """One case, in a process of its own."""
    os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"  # as many processes as cores compile
    with ExitStack() as preparing:
        preparing.enter_context(turns.preparing())

        @contextmanager
        def alone() -> Iterator[None]:
            import torch

            torch.cuda.empty_cache()
            preparing.close()
            with turns.measuring():
                yield

        try:
            results.put((case.key, measured(case, alone, compiler)))
        except Exception as fault:  # whatever packages raise: the others go on
            said = (str(fault) or type(fault).__name__).splitlines()[0][:200]
            results.put((case.key, {"failed": said}))


def measured(case: Case, alone: Any, compiler: bool) -> dict[str, Any]:
    """What ``lossgen bench`` finds."""
    from benchmarks.speed import rounded
    from lossgen.bench.api import bench
    from lossgen.bench.request import Request, sizes_of
    from lossgen.config import load_project

    sizes, elements = sizes_of([case.size])
    request = Request(
        backends=tuple(x for x in BACKENDS if compiler or x != "compile"),
        sizes=sizes,
        dtype=case.dtype,
        device="cuda",
        rounds=case.rounds,
        compiled=compiler,
        **({} if elements is None else {"elements": elements}),
    )
    found = bench(load_project(ROOT), case.loss, request, alone=alone).as_dict()
    found["skipped"] = [[name, why[:120]] for name, why in found["skipped"]]
    return rounded(found)  # type: ignore[no-any-return]


if __name__ == "__main__":
    main()
