"""Every rule of the stabiliser: equal to what it replaces, and worth having.

Each row of the table is proven alone: both sides are evaluated with hundreds of digits, at numbers
spread evenly over the float32 numbers of the rule's domain, and must agree to 50. Where a rule is
there for accuracy, the generated float32 code is held against the naive form in torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from mpmath import mp

from lossgen.compiled import compile_loss
from lossgen.nodes import Letter
from lossgen.pipeline import module_source
from lossgen.spec import LossSpec
from lossgen.stabilize import RULES, Rule, Stabilizer
from tests.compiler.catalogue import spec_of
from tests.compiler.exact import DIGITS, agree, evaluate, ordinals, real

Naive = Callable[[torch.Tensor], torch.Tensor]
ALONE = "x: Real[e]"
ROW = "x: Real[n, c]"
N, C, E = Letter("n"), Letter("c"), Letter("e")


@dataclass(frozen=True)
class Proof:
    """One spelling that a rule rewrites.

    Attributes:
        rule: the rule's pattern, as its row says it.
        body: the spelling, as a spec's body.
        low, high: the domain in which both sides are compared.
        naive: the spelling in torch, where the rule is there for its accuracy.
        hard: where the naive form is bad.
    """

    rule: str
    body: str
    arguments: str = ALONE
    low: float = -1000.0
    high: float = 1000.0
    naive: Naive | None = None
    hard: tuple[float, float] = (0.0, 0.0)


PROOFS = (
    Proof(
        "log(sigmoid(x)), log(softmax(x))",
        "log(sigmoid(x[e]))",
        naive=lambda x: torch.log(torch.sigmoid(x)),
        hard=(5.0, 100.0),
    ),
    Proof(
        "log(sigmoid(x)), log(softmax(x))",
        "log(softmax(x[n, c], c))",
        ROW,
        naive=lambda x: torch.log(x.softmax(-1)),
        hard=(50.0, 500.0),
    ),
    Proof(
        "log((exp(x) + exp(-x))/2)",
        "log((exp(x[e]) + exp(-x[e])) / 2)",
        naive=lambda x: torch.log((torch.exp(x) + torch.exp(-x)) / 2),
        hard=(1e-4, 1e-2),
    ),
    Proof(
        "log(1 + exp(x)), log(Sum(exp(x)) + …)",
        "log(1 + exp(x[e]))",
        naive=lambda x: torch.log(1 + torch.exp(x)),
        hard=(-50.0, -10.0),
    ),
    Proof(
        "log(1 + exp(x)), log(Sum(exp(x)) + …)",
        "log(Sum(exp(x[n, c]), c))",
        ROW,
        naive=lambda x: torch.log(torch.exp(x).sum(-1)),
        hard=(89.0, 500.0),
    ),
    Proof("log(1 + exp(x)), log(Sum(exp(x)) + …)", "log(1 + Sum(exp(x[n, c]), c))", ROW),
    Proof(
        "log(1 + exp(x)), log(Sum(exp(x)) + …)",
        "log(exp(x[e]) + exp(2 * x[e]))",
        naive=lambda x: torch.log(torch.exp(x) + torch.exp(2 * x)),
        hard=(60.0, 500.0),
    ),
    Proof(
        "log(1 + x)",
        "log(1 + x[e])",
        low=-0.999999,
        high=1e30,
        naive=lambda x: torch.log(1 + x),
        hard=(1e-7, 1e-3),
    ),
    Proof(
        "1 - sigmoid(x)",
        "1 - sigmoid(x[e])",
        naive=lambda x: 1 - torch.sigmoid(x),
        hard=(10.0, 80.0),
    ),
    Proof(
        "exp(x) - 1, 1 - exp(x)",
        "exp(x[e]) - 1",
        naive=lambda x: torch.exp(x) - 1,
        hard=(-1e-3, -1e-7),
    ),
    Proof(
        "exp(x) - 1, 1 - exp(x)",
        "1 - exp(x[e])",
        naive=lambda x: 1 - torch.exp(x),
        hard=(1e-7, 1e-3),
    ),
    Proof("exp(x) - 1, 1 - exp(x)", "exp(x[e]) - 1 - x[e]"),
    Proof("x*log(x)", "x[e] * log(x[e])", low=1e-45, high=1e30),
    Proof(
        "exp(x)/Sum(exp(x))",
        "exp(x[n, c]) / Sum(exp(x[n, c]), c)",
        ROW,
        naive=lambda x: torch.exp(x) / torch.exp(x).sum(-1, keepdim=True),
        hard=(89.0, 500.0),
    ),
    Proof("1/(1 + exp(x))", "1 / (1 + exp(x[e]))"),
    Proof("1/(1 + exp(x))", "1 / (1 + exp(-x[e]))"),
    Proof("sqrt(Sum(x**2))", "sqrt(Sum(x[n, c] ** 2, c))", ROW),
    Proof("exp(log_softmax(x)), exp(log_sigmoid(x))", "exp(log_softmax(x[n, c], c))", ROW),
    Proof("exp(log_softmax(x)), exp(log_sigmoid(x))", "exp(log_sigmoid(x[e]))"),
)


def rule_of(proof: Proof) -> Rule:
    return next(rule for rule in RULES if rule.pattern == proof.rule)


def spec(proof: Proof) -> LossSpec:
    return spec_of(proof.body, proof.arguments)


def sides(proof: Proof) -> tuple[Any, Any]:
    """The formula as written and as this one rule leaves it."""
    stabilizer = Stabilizer([rule_of(proof)])
    written = spec(proof).item
    return written, stabilizer(written)


def reader(x: float, row: bool) -> Callable[[str, tuple[int, ...]], Any]:
    """`x` alone, or a row of numbers that has it beside others of its size."""
    shares = (1, -0.75, 0.5, 0.999) if row else (1,)
    return lambda _, place: mp.mpf(x) * mp.mpf(shares[place[-1] if row else 0])


def test_every_rule_is_proven() -> None:
    assert {rule.pattern for rule in RULES} == {proof.rule for proof in PROOFS}
    assert len({rule.pattern for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("proof", PROOFS, ids=lambda p: p.body)
def test_a_rule_changes_no_value(proof: Proof) -> None:
    before, after = sides(proof)
    assert before != after
    row = proof.arguments == ROW
    letters = {N: 0, C: 0, E: 0}
    with mp.workdps(DIGITS):
        for x in ordinals(proof.low, proof.high, 41):
            values = [evaluate(side, reader(x, row), letters) for side in (before, after)]
            assert agree(*values), (x, *(mp.nstr(v, 60) for v in values))


def test_at_the_edge_of_its_domain_log1p_is_the_logarithm() -> None:
    (proof,) = (p for p in PROOFS if p.rule == "log(1 + x)")
    before, after = sides(proof)
    with mp.workdps(DIGITS):
        for x in (-2.0, -1.0000001192092896, -0.9999999403953552):
            values = [real(evaluate(side, reader(x, False), {E: 0})) for side in (before, after)]
            assert (values[0] is None) == (x < -1)
            assert agree(*values)


def test_at_the_edge_of_its_domain_xlogy_is_the_limit() -> None:
    (proof,) = (p for p in PROOFS if p.rule == "x*log(x)")
    before, after = sides(proof)
    with mp.workdps(DIGITS):
        assert evaluate(after, reader(0.0, False), {E: 0}) == 0
        near = evaluate(before, lambda *_: mp.mpf(10) ** -60, {E: 0})
        assert abs(near) < mp.mpf(10) ** -57
        values = [evaluate(side, reader(-1e-3, False), {E: 0}) for side in (before, after)]
        assert [real(v) for v in values] == [None, None]


def plain(proof: Proof) -> Naive:
    """The generated function for the spelling, its reduction left to the caller."""
    loss = spec(proof)
    assert compile_loss(loss).rules
    namespace: dict[str, Any] = {}
    exec(compile(module_source(loss), "generated", "exec"), namespace)
    function = namespace[loss.functional_name]
    return lambda x: function(x, reduction="none")


def ulps(found: torch.Tensor, exact: list[Any], least: float) -> float:
    """The worst error in units of the last place of float32, at least those of `least`."""
    worst = 0.0
    for value, true in zip(found.flatten().tolist(), exact, strict=True):
        if value != value or abs(value) == float("inf"):
            return float("inf")
        gap = torch.finfo(torch.float32).eps * max(abs(float(true)), least)
        worst = max(worst, abs(float(mp.mpf(value) - true)) / gap)
    return worst


@pytest.mark.parametrize("proof", [p for p in PROOFS if p.naive], ids=lambda p: p.body)
def test_a_rule_gains_accuracy(proof: Proof) -> None:
    assert proof.naive is not None
    before, _ = sides(proof)
    row = proof.arguments == ROW
    points = list(ordinals(*proof.hard, 40))
    shares = torch.tensor([1.0, -0.75, 0.5, 0.125])
    inputs = torch.tensor(points, dtype=torch.float32)
    inputs = inputs[:, None] * shares if row else inputs
    stable, naive = plain(proof)(inputs), proof.naive(inputs)
    with mp.workdps(DIGITS):
        exact = [
            evaluate(before, lambda _, place, x=x: mp.mpf(x[place[-1]].item()), {N: 0, E: 0, C: k})
            for x in inputs.reshape(len(points), -1)
            for k in range(stable[0].numel())
        ]
        # torch's softmax is exact to the scale of its row, not of each of its values.
        least = 1.0 if row else 2.0**-126
        assert ulps(stable, exact, least) <= 6, "the stable form"
        assert ulps(naive, exact, least) > 1000, "the naive form: is the rule needed?"
