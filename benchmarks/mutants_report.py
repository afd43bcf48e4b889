"""What became of the mutants, as a record that can be read back and as a page to read.

In: a ``Run``.  Out: its JSON, and a report in which every survivor carries the rule that shows it
to be equivalent, or says that none does.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from judge import Rule, Site, rules, verdict


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one mutant; ``caught_by`` is empty for a survivor."""

    module: str
    kind: str
    line: int
    lines: str
    caught_by: str
    site: Site | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """All outcomes of a run, and by module what they were found in."""

    seed: int
    seconds: int
    outcomes: tuple[Outcome, ...]
    sources: dict[str, str] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8", newline="\n")

    @classmethod
    def read(cls, path: Path) -> Run:
        kept = json.loads(path.read_text(encoding="utf-8"))
        outcomes = tuple(Outcome(**{**row, "site": _site(row["site"])}) for row in kept["outcomes"])
        return cls(kept["seed"], kept["seconds"], outcomes, kept.get("sources", {}))


def _site(row: dict[str, Any] | None) -> Site | None:
    if row is None:
        return None
    return Site(**{**row, "path": tuple((name, place) for name, place in row["path"])})


def reported(run: Run, path: Path) -> int:
    """Write the report; 1 where a survivor is not known to be equivalent, or a module is wrong."""
    text, faults = report(run)
    path.write_text(text, encoding="utf-8", newline="\n")
    print(text.splitlines()[2])
    return 1 if faults else 0


def report(run: Run) -> tuple[str, int]:
    """The result as text, and how many survivors and modules stand open."""
    known = rules()
    wrong = [x for x in run.outcomes if x.kind == "unchanged"]
    mutants = [x for x in run.outcomes if x.kind != "unchanged"]
    survivors = [x for x in mutants if not x.caught_by]
    judged = [(x, verdict(x.site, known) if x.site else None) for x in survivors]
    missed = sum(rule is None for _, rule in judged)
    lines = [
        "# Mutants of the generated modules",
        "",
        f"{len(mutants)} mutants of {len({x.module for x in mutants})} modules (seed {run.seed}): "
        f"{len(mutants) - len(survivors)} caught by the generated tests, "
        f"{len(survivors) - missed} equivalent, {missed} missed. {run.seconds} s.",
    ]
    lines += [f"\n**{x.module}: {x.caught_by} fails on the module as it is.**" for x in wrong]
    lines += ["", "| kind | mutants | caught | equivalent |", "| --- | --- | --- | --- |"]
    for kind in sorted({x.kind for x in mutants}):
        count = sum(x.kind == kind for x in mutants)
        left = [rule for x, rule in judged if x.kind == kind]
        equivalent = sum(rule is not None for rule in left)
        lines.append(f"| {kind} | {count} | {count - len(left)} | {equivalent} |")
    lines += ["", "| first caught by | mutants |", "| --- | --- |"]
    catchers = sorted({x.caught_by for x in mutants if x.caught_by})
    lines += [f"| {c} | {sum(x.caught_by == c for x in mutants)} |" for c in catchers]
    lines += _applied([rule for _, rule in judged if rule is not None])
    if survivors:
        lines += ["", "## Survivors"]
    for outcome, rule in judged:
        lines += _survivor(outcome, rule)
    return "\n".join(lines) + "\n", missed + len(wrong)


def _applied(used: list[Rule]) -> list[str]:
    """The rules that judged a survivor, with their reasons."""
    lines = ["", "## Why survivors are equivalent"] if used else []
    for rule in dict.fromkeys(used):
        lines += ["", f"- **{rule.name}** ({used.count(rule)}): {rule.reason}"]
    return lines


def _survivor(outcome: Outcome, rule: Rule | None) -> list[str]:
    where = outcome.site.function if outcome.site else ""
    change = f"`{outcome.site.before}` became `{outcome.site.after}`" if outcome.site else ""
    return [
        "",
        f"`{outcome.module}`, {outcome.kind}, line {outcome.line}, in `{where}`:",
        "",
        "```diff",
        outcome.lines,
        "```",
        "",
        f"{change}: {'equivalent, ' + rule.name if rule else '**missed**'}.",
    ]
