"""Formulas drawn at random, held against their generated tests, and in kernels against torch.

    python benchmarks/drawn.py [--seed S] [--seconds T] [--worlds elements rows ...] [--depth D]

A formula has the operations that losses have, in their domains. What fails is printed with the
formula: a fault of the compiler, or of a test that asks for digits which a formula loses inside one
expression: values a few roundings off are the latter, numbers of another size, NaN and tracebacks
the former.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from random import Random

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import drawn_checks as checks  # noqa: E402
from benchmarks.drawn_formulas import Formula, draws  # noqa: E402
from benchmarks.drawn_shorter import shorter  # noqa: E402
from benchmarks.drawn_worlds import WORLDS  # noqa: E402
from lossgen.errors import LossgenError  # noqa: E402
from lossgen.pipeline import source  # noqa: E402
from lossgen.spec import LossSpec  # noqa: E402
from tests.oracle.loading import generated_test  # noqa: E402


def faults(
    spec: LossSpec, formula: Formula, folder: Path, backends: tuple[str, ...] = ("c",)
) -> Iterator[str]:
    """What there is to look at in the modules of a formula, the name of what failed first."""
    test = generated_test(spec, folder, module=source(spec, (), "eager").module)
    for problem in checks.refuted(test):
        yield problem
        if "TypeError" in problem:
            return  # whatever is asked
    plain = getattr(test.LOSS, spec.function_name)
    modules = {b: checks.built(spec, folder, b) for b in backends}
    random = Random(formula.body)
    failed = set()
    for call in checks.drawn_calls(spec, formula, random):
        ways = {"functional": checks.functional(spec, call, test.LOSS, random)}
        for name, module in modules.items():
            if module is not None:
                ways[name] = checks.kernel(spec, call, plain, module, random)
        for way, problems in ((w, x) for w, x in ways.items() if w not in failed):
            try:
                problem = next(filter(None, problems), "")
            except Exception:
                problem = traceback.format_exc(limit=-3)
            if problem:
                failed.add(way)
                yield f"{way} {call.label}: {problem}"
    kernels = modules.get("c")
    if kernels is not None and (why := kernels._why_not()):
        yield f"unbuilt: {why[:1500]}"


def looked_at(
    name: str, formula: Formula, backends: tuple[str, ...], most: int = 100
) -> list[str] | None:
    """What there is to look at, None where the formula is none."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            spec = formula.spec(name)
            return list(islice(faults(spec, formula, Path(folder), backends), most))
        except LossgenError:
            return None  # terms that cancel, an argument without use, nothing to differentiate
        except Exception:  # a traceback of the compiler's is what is looked for
            return [f"traceback {traceback.format_exc(limit=-3)}"]


def shortened(name: str, formula: Formula, backends: tuple[str, ...], found: list[str]) -> Formula:
    """A shorter formula of which the same is found first."""
    kinds = {line.split()[0] for line in found}

    def holds(text: str) -> bool:
        again = looked_at(name, replace(formula, written=text), backends, 1)
        return bool(again) and again[0].split()[0] in kinds

    return replace(formula, written=shorter(formula.text(name), holds))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--worlds", nargs="+", choices=WORLDS, default=list(WORLDS))
    parser.add_argument("--backends", nargs="*", choices=("c", "triton"), default=["c"])
    parser.add_argument("--depth", type=int, default=3)
    parser.add_argument("--shorten", action="store_true", help="make what fails shorter")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    drawings = [draws(options.seed, world, options.depth) for world in options.worlds]
    end = time.perf_counter() + options.seconds
    tried = refused = failed = alone = 0
    while time.perf_counter() < end:
        formula = drawings[(tried + refused) % len(drawings)].formula()
        name = f"drawn{options.seed}_{tried}"
        backends = tuple(options.backends)
        found = looked_at(name, formula, backends)
        if found is None:
            refused += 1
            continue
        tried += 1
        if found:
            failed += 1
            alone += all(" EXTREME " in line for line in found)
            if options.shorten:
                formula = shortened(name, formula, backends, found)
                found = looked_at(name, formula, backends) or found
            print(f"=== {name} {formula.world.name}", flush=True)
            print(formula.text(name).partition("@loss()\n")[2], *found, sep="\n    ", flush=True)
    said = f"{failed} with something to look at, {alone} of them at extremes alone"
    print(f"{tried} formulas, {refused} refused, {said}")


if __name__ == "__main__":
    main()
