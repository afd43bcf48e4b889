"""Mutates generated modules and counts how many mutants their generated tests catch.

    python benchmarks/mutants.py [NAME…] [--each 12] [--seed 0]

Every mutant runs in a process forked after the test has been imported and its exact numbers are
known, and stops at the first claim that fails.  Survivors are written out with their change;
those judged equivalent in ``equivalent_mutants.toml`` carry the reason.  Exit code 1: one was not.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import difflib
import importlib.util
import itertools
import json
import os
import random
import signal
import sys
import time
import tomllib
import types
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))

from mutate import Mutation, mutated, mutations

HERE = Path(__file__).resolve().parent
GENERATED = HERE.parent / "generated"
RESULT = HERE / "results" / "mutants.md"
LIMIT_S = 120
# Claims in the order of their cost; a mutant stops at the first that fails.
_LAST = ("test_compiled", "test_vmap_over_one_operand", "test_forward_mode")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one mutant; ``caught_by`` is empty for a survivor."""

    module: str
    kind: str
    line: int
    change: str
    lines: str
    caught_by: str


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


def first_failure(test: types.ModuleType) -> str:
    """The first claim that does not hold, empty when all do."""
    for name, function in claims(test):
        for arguments in calls(function):
            try:
                function(**arguments)
            except BaseException:
                return name
    return ""


def warm(test: types.ModuleType) -> None:
    """Solve every case, so that a mutant has only to be compared."""
    for case in test.CASES.values():
        exact = test.solved(case)
        for reduction in test.REDUCTIONS:
            exact.value(reduction)
            exact.gradient(reduction)


def run(test: types.ModuleType, tree: ast.Module, name: str) -> str:
    """Run the test of a loss on a mutant, in a process of its own."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        caught = "import"
        with contextlib.suppress(BaseException):
            signal.alarm(LIMIT_S)
            module = types.ModuleType(test.LOSS.__name__)
            sys.modules[module.__name__] = module
            module.__file__ = test.LOSS.__file__
            exec(compile(tree, f"{name}.py", "exec"), module.__dict__)
            for variable in ("plain_function", "functional", "Class"):
                original = getattr(test, variable).__name__
                setattr(test, variable, getattr(module, original))
            test.LOSS = module
            caught = first_failure(test)
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
    """The changed lines, with the name of the function they stand in."""
    texts = [ast.unparse(tree).splitlines() for tree in (before, after)]
    lines = difflib.unified_diff(*texts, lineterm="", n=0)
    return "\n".join(line for line in lines if not line.startswith(("---", "+++", "@@")))


def study(name: str, folder: Path, count: int, seed: int) -> list[Outcome]:
    """Make and run the mutants of one module."""
    tree = ast.parse((folder / f"{name}.py").read_text(encoding="utf-8"))
    test = load_test(name, folder)
    warm(test)
    broken = run(test, tree, name)
    if broken:
        raise SystemExit(f"{name}: {broken} fails on the module as it is")
    outcomes = []
    for mutation in chosen(mutations(tree), count, random.Random(f"{seed} {name}")):
        mutant, change = mutated(tree, mutation)
        lines = difference(tree, mutant)
        if lines:
            caught = run(test, mutant, name)
            outcomes.append(Outcome(name, mutation.kind, mutation.line, change, lines, caught))
    return outcomes


@dataclass(frozen=True, slots=True)
class Judgements:
    """Why survivors are equivalent, by module (``*``: any) and change."""

    rows: tuple[tuple[str, str, str], ...]

    def reason(self, outcome: Outcome) -> str:
        """The reason, empty where a survivor has not been judged."""
        for module, change, reason in self.rows:
            if module in ("*", outcome.module) and change == outcome.change:
                return reason
        return ""


def judgements() -> Judgements:
    path = HERE / "equivalent_mutants.toml"
    rows = tomllib.loads(path.read_text(encoding="utf-8"))["mutant"] if path.is_file() else []
    return Judgements(tuple((r["module"], r["change"], r["reason"]) for r in rows))


def report(outcomes: list[Outcome], seconds: float, seed: int) -> tuple[str, int]:
    """The result as text, and how many survivors are not known to be equivalent."""
    known = judgements()
    survivors = [x for x in outcomes if not x.caught_by]
    open_ones = [x for x in survivors if not known.reason(x)]
    lines = ["# Mutants of the generated modules", ""]
    lines += [
        f"{len(outcomes)} mutants of {len({x.module for x in outcomes})} modules (seed {seed}): "
    ]
    lines[-1] += f"{len(outcomes) - len(survivors)} caught by the generated tests, "
    lines[-1] += (
        f"{len(survivors) - len(open_ones)} equivalent, {len(open_ones)} missed. {seconds:.0f} s."
    )
    lines += ["", "| kind | mutants | caught | equivalent |", "| --- | --- | --- | --- |"]
    for kind in sorted({x.kind for x in outcomes}):
        rows = [x for x in outcomes if x.kind == kind]
        left = [x for x in rows if not x.caught_by]
        equivalent = sum(bool(known.reason(x)) for x in left)
        lines.append(f"| {kind} | {len(rows)} | {len(rows) - len(left)} | {equivalent} |")
    lines += ["", "| first caught by | mutants |", "| --- | --- |"]
    catchers = sorted({x.caught_by for x in outcomes if x.caught_by})
    lines += [f"| {c} | {sum(x.caught_by == c for x in outcomes)} |" for c in catchers]
    if survivors:
        lines += ["", "## Survivors"]
    for x in survivors:
        reason = known.reason(x) or "**not judged**"
        lines += [
            "",
            f"`{x.module}`, {x.kind}, line {x.line}:",
            "",
            "```diff",
            x.lines,
            "```",
            "",
            f"`{x.change}`: {reason}",
        ]
    return "\n".join(lines) + "\n", len(open_ones)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--each", type=int, default=12, help="mutants of each module")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=GENERATED)
    parser.add_argument("--output", type=Path, default=RESULT)
    parser.add_argument("--report", action="store_true", help="judge the last outcomes again")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    record = options.output.with_suffix(".json")
    if options.report:
        kept = json.loads(record.read_text(encoding="utf-8"))
        outcomes = [Outcome(**row) for row in kept["outcomes"]]
        return written(options.output, outcomes, kept["seconds"], kept["seed"])
    names = options.names or sorted(p.stem for p in options.folder.glob("*.py"))
    start, outcomes = time.perf_counter(), []
    for name in names:
        found = study(name, options.folder, options.each, options.seed)
        outcomes += found
        missed = sum(not x.caught_by for x in found)
        print(f"{name}: {len(found)} mutants, {missed} survive", flush=True)
    seconds = round(time.perf_counter() - start)
    rows = [asdict(x) for x in outcomes]
    options.output.parent.mkdir(parents=True, exist_ok=True)
    kept = {"seed": options.seed, "seconds": seconds, "outcomes": rows}
    record.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8", newline="\n")
    return written(options.output, outcomes, seconds, options.seed)


def written(path: Path, outcomes: list[Outcome], seconds: float, seed: int) -> int:
    """Write the report; 1 where a survivor is not known to be equivalent."""
    text, missed = report(outcomes, seconds, seed)
    path.write_text(text, encoding="utf-8", newline="\n")
    print(text.splitlines()[2])
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
