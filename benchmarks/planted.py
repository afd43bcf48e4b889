"""Plants small faults in right losses and asks `lossgen verify` about each: how many are refuted.

    python benchmarks/planted.py [COUNT]    # writes benchmarks/results/planted.md

The faults are those of benchmarks/mutate.py, which knows nothing of the checks; a seeded draw takes
as many from each loss. The losses are the right versions of tests/zoo.
"""

from __future__ import annotations

import ast
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from mutate import Mutation, mutated, mutations  # noqa: E402

from lossgen.verify.api import verify  # noqa: E402
from lossgen.verify.verdict import Report  # noqa: E402
from tests.verify import large  # noqa: E402
from tests.verify.test_invariances import FAULTS  # noqa: E402
from tests.zoo.table import BUGS, Bug  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "planted.md"
SEED = 2026
# Survivors that were looked at and compute the same as the loss they were made from.
EQUAL = frozenset(
    [
        "sigmoid_focal: line 24, detached term: "
        "(1 - alpha) * (1 - target) -> (1 - alpha) * (1 - target).detach()",
    ]
)


@dataclass(frozen=True)
class Planted:
    """One fault: the loss, the line, what it was and what it became."""

    bug: Bug
    change: str
    code: Any

    @property
    def name(self) -> str:
        return f"{self.bug.right}: {self.change}"


def function_of(module: ModuleType, name: str) -> tuple[ast.Module, ast.FunctionDef]:
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    found = next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name)
    return tree, found


def planted(bug: Bug, count: int, draw: random.Random) -> Iterator[Planted]:
    """Faults within the body of one loss's own function; defaults are only told, not judged."""
    tree, function = function_of(bug.module, bug.right)
    lines = range(function.body[0].lineno, (function.end_lineno or function.lineno) + 1)
    inside = [m for m in mutations(tree) if m.line in lines]
    draw.shuffle(inside)
    for mutation in inside[:count]:
        yield plant(bug, tree, mutation)


def plant(bug: Bug, tree: ast.Module, mutation: Mutation) -> Planted:
    changed, text = mutated(tree, mutation)
    names: dict[str, Any] = {"__name__": f"planted_{bug.right}"}
    exec(compile(ast.fix_missing_locations(changed), str(bug.module.__file__), "exec"), names)
    return Planted(bug, f"line {mutation.line}, {mutation.kind}: {text}", names[bug.right])


def asked(fault: Planted) -> tuple[Report, float]:
    start = time.perf_counter()
    skip = ("torch.compile", "large tensors")
    report = verify(fault.code, fault.bug.formula, skip=skip, **fault.bug.how)
    return report, time.perf_counter() - start


def long_rows(skip: tuple[str, ...]) -> list[str]:
    """The faults of tests/verify/large.py, which show on long tensors only."""
    rows = []
    for name, (formula, _) in FAULTS.items():
        report = verify(getattr(large, name), formula, skip=skip)
        failing = ", ".join(c.name for c in report.checks if c.status == "fails")
        count = report.counterexample.count if report.counterexample else ""
        rows.append(f"| {name} | {report.verdict} | {failing} | {count} |")
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    each = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    draw = random.Random(SEED)
    losses = {bug.right: bug for bug in BUGS}
    rows, refuted, equal, broken, digits = [], 0, 0, 0, 0
    for bug in losses.values():
        for fault in planted(bug, each, draw):
            report, seconds = asked(fault)
            same = fault.name in EQUAL
            caught = report.exit_code() != 0
            refuted += caught
            equal += same
            digits += report.verdict == "holds, inaccurate"
            broken += report.verdict == "cannot be asked"
            verdict = f"{report.verdict} (the same loss)" if same else report.verdict
            cause = report.diagnoses[0] if report.diagnoses else ""
            rows.append(f"| {fault.name.replace('|', '/')} | {verdict} | {cause} | {seconds:.1f} |")
            print(rows[-1], flush=True)
    total = len(rows) - equal
    head = [
        "# Planted faults",
        "",
        f"`python benchmarks/planted.py {each}`: faults drawn with seed {SEED} in the right losses",
        "of tests/zoo, by a mutator that knows nothing of the checks; without `torch.compile` and",
        f"large tensors. {len(rows)} faults, {equal} of them computing the same as before; of the",
        f"other {total}, {refuted} are refuted ({refuted / total:.0%}), {broken} of those",
        f"because the code no longer runs at all. {digits} cost digits alone: *holds, inaccurate*,",
        "with the line at which precision is given up (exit 1 with `--strict`).",
        "",
        "| fault | verdict | it equals the formula … | s |",
        "| --- | --- | --- | --- |",
    ]
    tail = [
        "",
        "## Faults of long tensors",
        "",
        "Written by hand in `tests/verify/large.py`: a block size, a cap, a table that ends. No",
        "check on a handful of samples sees them.",
        "",
        "| fault | verdict | found by | numbers of the counter-example |",
        "| --- | --- | --- | --- |",
        *long_rows(("torch.compile", "large tensors")),
    ]
    RESULTS.write_text("\n".join([*head, *rows, *tail]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
