"""Mutates generated modules and counts how many mutants their generated tests catch.

    python benchmarks/mutants.py [NAME…] [--each 8] [--seed 0] [--workers 2]

Every mutant runs in a process forked after the test has been imported and its exact numbers are
known, and stops at the first claim that fails.  Survivors are written out with their change, and
with the rule of ``equivalent_mutants.toml`` that shows them to be equivalent.  Exit code 1: one has
none, or a module fails its test as it is.  ``--report`` judges the last run's outcomes again, and
``--resume`` runs only the modules whose code or test has changed since.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import difflib
import hashlib
import importlib.util
import itertools
import multiprocessing
import os
import random
import signal
import sys
import time
import types
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))

from mutants_report import Outcome, Run, reported
from mutate import Mutation, mutated, mutations, site

HERE = Path(__file__).resolve().parent
GENERATED = HERE.parent / "generated"
RESULT = HERE / "results" / "mutants.md"
Check = tuple[str, Callable[..., None], dict[str, Any]]
# Claims in the order of their cost; a mutant stops at the first that fails.
_LAST = ("test_compiled", "test_vmap_over_one_operand", "test_forward_mode")


def load_test(name: str, folder: Path) -> types.ModuleType:
    """The generated test of a loss, as a module."""
    path = folder / "tests" / f"test_{name}.py"
    spec = importlib.util.spec_from_file_location(f"mutants_test_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def calls(function: Callable[..., None]) -> Iterator[dict[str, Any]]:
    """The arguments of every run of a test function, from its parametrize marks."""
    columns = []
    for mark in getattr(function, "pytestmark", []):
        if mark.name == "parametrize":
            names = mark.args[0]
            names = [x.strip() for x in names.split(",")] if isinstance(names, str) else list(names)
            rows = [row if len(names) > 1 else (row,) for row in mark.args[1]]
            columns.append([dict(zip(names, row, strict=True)) for row in rows])
    for parts in itertools.product(*columns):
        yield {k: v for part in parts for k, v in part.items()}


def claims(test: types.ModuleType) -> list[tuple[str, Callable[..., None]]]:
    found = [(k, v) for k, v in vars(test).items() if k.startswith("test_") and callable(v)]
    return sorted(found, key=lambda pair: _LAST.index(pair[0]) if pair[0] in _LAST else -1)


def checks(test: types.ModuleType) -> list[Check]:
    """Every run of every claim, in order."""
    return [(name, function, x) for name, function in claims(test) for x in calls(function)]


def first_failure(test: types.ModuleType, order: Iterable[int]) -> str:
    """The place of the first check that fails, empty when none does."""
    every = checks(test)
    for place in order:
        _, function, arguments = every[place]
        try:
            function(**arguments)
        except BaseException:
            return str(place)
    return ""


def warm(test: types.ModuleType) -> None:
    """Solve every case, so that a mutant has only to be compared."""
    for case in test.CASES.values():
        exact = test.solved(case)
        for reduction in test.REDUCTIONS:
            exact.value(reduction)
            exact.gradient(reduction)


def run(test: types.ModuleType, tree: ast.Module, order: list[int], limit_s: float = 600) -> str:
    """Run the checks of a loss on a mutant, in a process of its own: what caught it.

    That is the place of a check, or a word, or empty. The limit counts the process's own seconds,
    so that a busy machine catches no mutant.
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        caught = "import"
        with contextlib.suppress(BaseException):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # torch reports what fails to compile
            signal.setitimer(signal.ITIMER_PROF, limit_s)
            module = types.ModuleType(test.LOSS.__name__)
            sys.modules[module.__name__] = module
            module.__file__ = test.LOSS.__file__
            exec(compile(tree, "mutant.py", "exec"), module.__dict__)
            for variable in ("plain_function", "functional", "Class"):
                original = getattr(test, variable).__name__
                setattr(test, variable, getattr(module, original))
            test.LOSS = module
            caught = first_failure(test, order)
        with contextlib.suppress(OSError):
            os.write(write, caught.encode() or b"-")
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        answer = pipe.read().decode()
    os.waitpid(child, 0)
    return "" if answer == "-" else answer or "time limit or crash"


def chosen(found: list[Mutation], count: int, draw: random.Random) -> list[Mutation]:
    """Some of the mutations, the kinds taking turns."""
    by_kind: dict[str, list[Mutation]] = defaultdict(list)
    for mutation in found:
        by_kind[mutation.kind].append(mutation)
    for group in by_kind.values():
        draw.shuffle(group)
    kinds = sorted(by_kind)
    draw.shuffle(kinds)
    turns = itertools.chain.from_iterable(itertools.zip_longest(*(by_kind[kind] for kind in kinds)))
    return [mutation for mutation in turns if mutation is not None][:count]


def difference(before: ast.Module, after: ast.Module) -> str:
    """The changed lines."""
    texts = [ast.unparse(tree).splitlines() for tree in (before, after)]
    lines = difflib.unified_diff(*texts, lineterm="", n=0)
    return "\n".join(line for line in lines if not line.startswith(("---", "+++", "@@")))


def study(name: str, folder: Path, count: int, seed: int) -> list[Outcome]:
    """Make and run the mutants of one module; one outcome of kind ``unchanged`` if it is wrong."""
    tree = ast.parse((folder / f"{name}.py").read_text(encoding="utf-8"))
    test = load_test(name, folder)
    warm(test)
    every = checks(test)
    order, catches = list(range(len(every))), Counter[int]()
    before = os.times().children_user
    broken = run(test, tree, order)
    if broken:
        caught = every[int(broken)][0] if broken.isdigit() else broken
        return [Outcome(name, "unchanged", 0, "", caught)]
    limit_s = 30 + 5 * (os.times().children_user - before)
    outcomes = []
    for mutation in chosen(mutations(tree), count, random.Random(f"{seed} {name}")):
        mutant, _ = mutated(tree, mutation)
        lines = difference(tree, mutant)
        if not lines:
            continue
        # What caught others is tried first.
        caught = run(test, mutant, sorted(order, key=lambda k: -catches[k]), limit_s)
        if caught.isdigit():
            catches[int(caught)] += 1
            caught = every[int(caught)][0]
        place = site(tree, mutation, name)
        outcomes.append(Outcome(name, mutation.kind, mutation.line, lines, caught, place))
    return outcomes


def source(name: str, folder: Path, count: int) -> str:
    """What a module's outcomes depend on: its code, its test, and how many mutants are made."""
    texts = (folder / f"{name}.py", folder / "tests" / f"test_{name}.py")
    whole = "".join(path.read_text(encoding="utf-8") for path in texts) + str(count)
    return hashlib.sha256(whole.encode()).hexdigest()[:16]


def _calmed() -> None:
    """Of a worker: one thread, no warnings."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--each", type=int, default=8, help="mutants of each module")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true", help="keep what is known of same modules")
    parser.add_argument("--workers", type=int, default=1, help="modules studied at a time")
    parser.add_argument("--folder", type=Path, default=GENERATED)
    parser.add_argument("--output", type=Path, default=RESULT)
    parser.add_argument("--report", action="store_true", help="judge the last outcomes again")
    options = parser.parse_args()
    record = options.output.with_suffix(".json")
    if options.report:
        return reported(Run.read(record), options.output)
    names = options.names or sorted(p.stem for p in options.folder.glob("*.py"))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    sources = {name: source(name, options.folder, options.each) for name in names}
    before = Run.read(record) if options.resume and record.exists() else Run(options.seed, 0, ())
    same = {k for k, v in sources.items() if before.sources.get(k) == v}
    same &= set(names) if before.seed == options.seed else set()
    outcomes = [x for x in before.outcomes if x.module in same]
    one = partial(study, folder=options.folder, count=options.each, seed=options.seed)
    pool = multiprocessing.get_context("spawn").Pool(options.workers, _calmed)
    left = [name for name in names if name not in same]
    done = before
    for name, found in zip(left, pool.imap(one, left), strict=True):
        outcomes += found
        same.add(name)
        missed = sum(not x.caught_by for x in found)
        print(f"{name}: {len(found)} mutants, {missed} survive", flush=True)
        # Written after every module: a run that is cut short can still be reported.
        seconds = before.seconds + round(time.perf_counter() - start)
        known = {k: sources[k] for k in sorted(same)}
        outcomes.sort(key=lambda x: x.module)
        done = Run(options.seed, seconds, tuple(outcomes), known)
        done.write(record)
    return reported(done, options.output)


if __name__ == "__main__":
    sys.exit(main())
