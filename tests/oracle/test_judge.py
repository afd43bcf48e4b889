"""The rules by which surviving mutants are judged equivalent, and the report of a run."""

from __future__ import annotations

import ast
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.oracle.loading import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))

from judge import Rule, Site, rules, verdict
from mutants_report import Outcome, Run, report
from mutate import mutations, site

SAFE = Rule(
    "a safe value",
    "never taken",
    before="K",
    after="L",
    inside=("torch.where(C, HERE, E)", "torch.where(C, A, NODE)"),
)


def changed(expression: str, before: str, after: str, module: str = "dice") -> Site:
    """The site of the first mutation of an expression that turns one text into another."""
    tree = ast.parse(f"class Function:\n    def backward(x, y):\n        d = {expression}\n")
    sites = [site(tree, mutation, module) for mutation in mutations(tree)]
    return next(x for x in sites if (x.before, x.after) == (before, after))


def test_a_site_leads_to_the_changed_node() -> None:
    found = changed("torch.where(x > 0, 2 * y[:3], dim=(x, 5))", "5", "6")
    assert found.function == "Function.backward"
    assert ast.unparse(found.ancestors()[-1]) == "5"
    assert ast.unparse(found.ancestors()[0]) == found.expression


@pytest.mark.parametrize(
    ("expression", "fits"),
    [
        ("torch.where(x > 0, y / torch.where(x > 0, x, 1), 0)", True),
        ("torch.where(x[0] > 0, 2 + torch.log(torch.where(x[0] > 0, x[0], 1)), 0)", True),
        ("torch.where(x > 0, y / torch.where(y > 0, x, 1), 0)", False),
        ("torch.where(x > 0, 0, y / torch.where(x > 0, x, 1))", False),
        ("torch.where(x > 0, y / torch.where(x > 0, x, y + 1), 0)", False),
        ("torch.where(x > 0, y / torch.where(x > 0, x, 1).sum(-1), 0)", False),
        ("torch.where(x > 0, y @ torch.where(x > 0, x, 1), 0)", False),
        ("torch.where(x > 0, y / torch.where(x > 0, x, 1), 0).sum(-1)", True),
        ("y / torch.where(x > 0, x, 1)", False),
    ],
)
def test_a_rule_asks_for_all_that_it_states(expression: str, fits: bool) -> None:
    assert SAFE.fits(changed(expression, "1", "2")) is fits


def test_a_rule_may_hold_in_some_places_only() -> None:
    found = changed("y / 1", "1", "2")
    rule = Rule("r", "because", before="1", after="2")
    assert rule.fits(found)
    assert replace(rule, modules=("dice", "jaccard"), function="*.backward").fits(found)
    assert not replace(rule, modules=("jaccard",)).fits(found)
    assert not replace(rule, function="*.forward").fits(found)
    assert not replace(rule, after="3").fits(found)
    assert verdict(found, (replace(rule, before="2"), rule)) is rule


def test_every_rule_in_the_file_is_complete() -> None:
    known = rules()
    assert len({rule.name for rule in known}) == len(known) > 5
    for rule in known:
        assert len(rule.reason) > 20
        for text in (rule.before, rule.after, *rule.inside):
            ast.parse(text, mode="eval")
        assert all("HERE" in text or "NODE" in text for text in rule.inside), rule.name


def test_a_report_counts_what_is_open(tmp_path: Path) -> None:
    equivalent = changed("torch.where(x > 0, y / torch.where(x > 0, x, 1), 0)", "1", "2")
    missed = changed("x + y", "x + y", "x - y")
    caught = Outcome("dice", "flipped sign", 3, "-x\n+y", "test_value", missed)
    survivors = [replace(caught, caught_by="", site=place) for place in (equivalent, missed)]
    run = Run(0, 1, (caught, *survivors, Outcome("tversky", "unchanged", 0, "", "test_value")))
    run.write(tmp_path / "run.json")
    assert Run.read(tmp_path / "run.json") == run
    text, open_ones = report(run)
    assert open_ones == 2, "one survivor that no rule fits, and one module that is wrong"
    assert (
        "3 mutants of 1 modules (seed 0): 1 caught by the generated tests, 1 equivalent, 1 missed"
        in text
    )
    assert "tversky: test_value fails on the module as it is" in text
    assert "equivalent, a safe value" in text
    assert "`x + y` became `x - y`: **missed**" in text
    assert report(replace(run, outcomes=(caught, survivors[0])))[1] == 0
