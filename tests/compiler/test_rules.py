"""Every rule of the stabiliser: equal to what it replaces, and worth having.

Each row of the table is proven alone: both sides are evaluated with hundreds of digits, at numbers
spread evenly over the float32 numbers of the rule's domain and beyond its edges, and must agree to
50. Where a condition does not hold the rule must be refused, with the reason. What a rule gains is
measured: the generated float32 code against the naive form in torch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from mpmath import mp
from sympy.core.parameters import distribute

from lossgen.compiled import compile_loss
from lossgen.nodes import Letter
from lossgen.pipeline import module_source
from lossgen.spec import LossSpec
from lossgen.stabilize import RULES, Known, Rule, Stabilizer
from tests.compiler.catalogue import spec_of
from tests.compiler.exact import DIGITS, agree, evaluate, ordinals, real
from tests.compiler.proofs import (
    AT_LABEL,
    DIVERGENCE,
    LIMITED,
    OVER_NOTHING,
    PROOFS,
    ROWS,
    SHARED,
    Proof,
)

N, C, E = Letter("n"), Letter("c"), Letter("e")
LETTERS = {N: 0, C: 0, E: 0}
SHARES = (1.0, -0.75, 0.5, 0.999)
# Why a row has no float32 gain of its own: it only makes way for another.
CANONICAL = {
    "x - logsumexp(x)": "the difference is as accurate; one pass in place of two",
    "m + logsumexp(x - m)": "drops a shift that logsumexp makes itself, and its gradient",
    "softmax(x - m), log_softmax(x - m)": "drops a shift that softmax makes itself",
    AT_LABEL: "keeps what log_softmax knows near 0, in the value and in the slope at the label",
    "1 - softmax(x)[label]": "keeps what log_softmax knows near 0",
    "where(b > 0, a/b, 0), where(b != 0, a/b, 0)": "its slope has no b**2, which is out of range",
    SHARED: "of one element exact, see below; of many it is the sums that are rounded",
    DIVERGENCE: "of neighbours, see below",
    LIMITED: "finite where u or v is 0, see tests/machinery/test_limited.py",
    OVER_NOTHING: "what is gained are slopes over nothing, see tests/machinery/test_empty_rows.py",
}


def rule_of(proof: Proof) -> Rule:
    return next(rule for rule in RULES if rule.pattern == proof.rule)


def spec(proof: Proof, arguments: str = "") -> LossSpec:
    return spec_of(proof.body, arguments or proof.arguments)


def known(loss: LossSpec) -> Known:
    return Known({a.name: a.role for a in loss.arguments})


def prepared(proof: Proof, loss: LossSpec) -> Any:
    """The formula as the rules for its parts leave it, and what this one makes of that."""
    rule = rule_of(proof)
    others = [r for r in RULES if r.node != rule.node]
    stabilizer = Stabilizer([rule], known(loss))
    with distribute(False):
        after = stabilizer(loss.item)
        if after != loss.item or stabilizer.refused:
            return loss.item, after, stabilizer
        before = Stabilizer(others, known(loss))(loss.item)
        stabilizer = Stabilizer([rule], known(loss))
        return before, stabilizer(before), stabilizer


def reader(
    x: float, y: float, shares: tuple[float, ...] = (1.0,), positive: bool = False
) -> Callable[[str, tuple[int, ...]], Any]:
    """`x` and `y` alone, or rows of numbers that have them beside others of their size."""

    def read(name: str, place: tuple[int, ...]) -> Any:
        value = mp.mpf(x if name == "x" else y)
        value *= mp.mpf(shares[(place[-1] + (name == "y")) % len(shares)])
        return abs(value) if name == "y" and positive else value

    return read


def test_every_rule_is_proven() -> None:
    assert {rule.pattern for rule in RULES} == {proof.rule for proof in PROOFS}
    assert len({rule.pattern for rule in RULES}) == len(RULES)
    gains = {proof.rule for proof in PROOFS if proof.naive}
    assert {rule.pattern for rule in RULES} - gains == CANONICAL.keys()


@pytest.mark.parametrize("proof", PROOFS, ids=lambda p: p.body)
def test_a_rule_changes_no_value(proof: Proof) -> None:
    loss = spec(proof)
    before, after, _ = prepared(proof, loss)
    assert before != after
    row = "[n, c]" in proof.arguments
    options = {p.name: p.default for p in loss.parameters}
    points = list(ordinals(proof.low, proof.high, 41))
    with mp.workdps(DIGITS):
        for k, x in enumerate([*points, *proof.beyond]):
            for y in (points[(k * 17 + 5) % 41], x * (1 + 2.0**-12)):
                read = reader(x, y, SHARES if row else (1.0,), "y: Positive" in proof.arguments)
                values = [evaluate(e, read, LETTERS, options=options) for e in (before, after)]
                assert agree(*values), (x, y, *(mp.nstr(v, 60) for v in values))


@pytest.mark.parametrize("proof", [p for p in PROOFS if p.refused], ids=lambda p: p.body)
def test_a_rule_is_refused_where_its_condition_does_not_hold(proof: Proof) -> None:
    loss = spec(proof, proof.refused)
    before, after, stabilizer = prepared(proof, loss)
    assert before == after
    assert {r.rule for r in stabilizer.refused} == {rule_of(proof)}
    assert all("is not known to be" in r.reason for r in stabilizer.refused)


def test_at_the_edge_of_its_domain_xlogy_is_the_limit() -> None:
    (proof,) = (p for p in PROOFS if p.rule == "x*log(x)")
    before, after, _ = prepared(proof, spec(proof))
    with mp.workdps(DIGITS):
        assert evaluate(after, reader(0.0, 0.0), LETTERS) == 0
        near = evaluate(before, lambda *_: mp.mpf(10) ** -60, LETTERS)
        assert abs(near) < mp.mpf(10) ** -57
        outside = (reader(-1e-3, 0.0), LETTERS)
        assert [real(evaluate(side, *outside)) for side in (before, after)] == [None, None]


def generated(loss: LossSpec) -> Callable[..., torch.Tensor]:
    """The generated functional form, its reduction left to the caller."""
    assert compile_loss(loss).rules
    namespace: dict[str, Any] = {}
    exec(compile(module_source(loss), "generated", "exec"), namespace)
    function = namespace[loss.functional_name]
    return lambda *tensors: function(*tensors, reduction="none")


def ulps(found: torch.Tensor, exact: list[Any], least: float) -> float:
    """The worst error in units of the last place of float32, at least those of `least`."""
    worst = 0.0
    for value, true in zip(found.flatten().tolist(), exact, strict=True):
        if value != value or abs(value) == float("inf"):
            return float("inf")
        gap = torch.finfo(torch.float32).eps * max(abs(float(true)), least)
        worst = max(worst, abs(float(mp.mpf(value) - true)) / gap)
    return worst


def slopes(function: Callable[..., torch.Tensor], inputs: list[torch.Tensor]) -> torch.Tensor:
    """The gradient with respect to the first input."""
    first = inputs[0].clone().requires_grad_()
    (found,) = torch.autograd.grad(function(first, *inputs[1:]).sum(), first)
    return found


@pytest.mark.parametrize("proof", [p for p in PROOFS if p.naive], ids=lambda p: p.body)
def test_a_rule_gains_accuracy(proof: Proof) -> None:
    assert proof.naive is not None
    loss = spec(proof)
    row = "[n, c]" in proof.arguments
    points = torch.tensor(list(ordinals(*proof.hard, 40)), dtype=torch.float32)
    x = points[:, None] * torch.tensor(proof.shares) if row else points
    y = x * (1 - 2.0**-20) if proof.close else torch.ones_like(x)
    inputs = [x, y][: len(loss.tensors)]
    if proof.gradient:
        stable, naive = slopes(generated(loss), inputs), slopes(proof.naive, inputs)
    else:
        stable, naive = generated(loss)(*inputs), proof.naive(*inputs)
    with mp.workdps(DIGITS):
        exact = [
            true_value(proof, loss, a, b, k)
            for a, b in zip(x.reshape(len(points), -1), y.reshape(len(points), -1), strict=True)
            for k in range(stable[0].numel())
        ]
    # torch's softmax is exact to the scale of its row, not of each of its values.
    least = 1.0 if row else 2.0**-126
    assert ulps(stable, exact, least) <= 6, "the stable form"
    assert ulps(naive, exact, least) > proof.worse, "the naive form: is the rule needed?"


def test_two_that_are_nearly_equal_are_told_apart_to_all_digits() -> None:
    (proof,) = (p for p in PROOFS if p.rule == SHARED)
    loss = spec(proof)
    x = torch.linspace(0.9, 1.0, 101)[:-1, None]
    y = torch.ones_like(x)
    naive = (x + y - 2 * x * y) / (x + y + 1)
    p = [mp.mpf(v) for v in x.flatten().tolist()]  # p + 1 - 2*p over p + 1 + 1, where y is 1
    exact = [(1 - v) / (v + 2) for v in p]
    assert ulps(generated(loss)(x, y), exact, 0) <= 2
    assert ulps(naive.sum(-1), exact, 0) > 20


def test_a_divergence_of_neighbours_has_digits() -> None:
    body = "p = softmax(x[n, c], c); Sum(p * (log(p) - log_softmax(y[n, c], c)), c)"
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(8, 50, generator=generator)
    y = x + 1e-3 * torch.randn(8, 50, generator=generator)
    p, q = x.softmax(-1), y.softmax(-1)
    with mp.workdps(DIGITS):
        exact = torch.tensor(
            [float(_divergence(*map(torch.Tensor.tolist, r))) for r in zip(x, y, strict=True)]
        )
    stable, naive = generated(spec_of(body, ROWS))(x, y), (p * (p / q).log()).sum(-1)
    assert ((stable - exact) / exact).abs().max() < 2e-3
    assert ((naive - exact) / exact).abs().max() > 0.05


def _divergence(x: list[float], y: list[float]) -> Any:
    sums = [mp.fsum(map(mp.exp, row)) for row in (x, y)]
    pairs = [(mp.exp(a) / sums[0], mp.exp(b) / sums[1]) for a, b in zip(x, y, strict=True)]
    return mp.fsum(p * mp.log(p / q) for p, q in pairs)


@pytest.mark.parametrize(
    "body",
    [
        "p = softmax(x[n, c], c); Sum(p * (log(p) - log_softmax(y[n, c], c)), c, where=c < 2)",
        "p = softmax(x[n, c], n); Sum(p * (log(p) - log_softmax(y[n, c], n)), c)",
        "p = softmax(x[n, c], c); Sum(p * (log(p) - log_softmax(y[n, c], n)), c)",
        "p = softmax(x[n, c], c); Sum(p * (log(p) - log_softmax(y[n, c], c)) * y[n, c], c)",
    ],
    ids=["a part of the sum", "another letter", "two letters", "weighted"],
)
def test_probabilities_that_do_not_add_up_to_1_are_no_divergence(body: str) -> None:
    assert DIVERGENCE not in {rule.pattern for rule in compile_loss(spec_of(body, ROWS)).rules}


def true_value(proof: Proof, loss: LossSpec, x: torch.Tensor, y: torch.Tensor, k: int) -> Any:
    """The formula as written, or its slope in x, in arithmetic of many digits."""

    def value(first: Any) -> Any:
        def read(name: str, place: tuple[int, ...]) -> Any:
            if name == "x" and x.numel() == 1:
                return first
            return mp.mpf((x if name == "x" else y)[place[-1]].item())

        return evaluate(loss.item, read, {N: 0, E: 0, C: k})

    at = mp.mpf(x[0].item())
    if at == 0 and x.numel() == 1:
        # The limit from inside the domain, where the formula itself says 0 times infinity.
        tiny = mp.mpf(10) ** -200
        return (value(2 * tiny) - value(tiny)) / tiny if proof.gradient else mp.chop(value(tiny))
    return mp.diff(value, at) if proof.gradient else value(at)
