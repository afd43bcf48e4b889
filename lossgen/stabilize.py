"""Rewrites a formula as written into one that computes well.

In: an expression. Out: an equal expression over the stable nodes (``LogSigmoid``, ``Softplus``,
``logsumexp``, …), with the rules that fired. The rules are a table; adding one is adding a row, and
a test holds each row against 50-digit arithmetic. Rules look through the author's names.

    log(1 - sigmoid(x))   →   log_sigmoid(-x)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import ONE, TRUE, Along, Exp, Let, Log, Reduce, Sigmoid, rebuild, substitute

Rewrite = Callable[[sp.Expr], "sp.Expr | None"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: what is matched, what it becomes, where that is valid, and the rewrite itself."""

    pattern: str
    becomes: str
    valid: str
    node: type[sp.Basic]
    rewrite: Rewrite


def peel(expr: sp.Expr) -> sp.Expr:
    """What a name stands for."""
    while isinstance(expr, Let):
        expr = substitute(expr.body, dict(zip(expr.params, expr.at, strict=True)))
    return expr


def _terms(expr: sp.Expr) -> tuple[sp.Expr, ...]:
    return tuple(map(peel, expr.args)) if isinstance(expr, sp.Add) else (peel(expr),)


def _negated(expr: sp.Expr) -> sp.Expr | None:
    """``u`` for ``-u``; None for anything else."""
    if isinstance(expr, sp.Mul) and expr.args[0] == -1:
        return sp.Mul(*expr.args[1:])
    return None


def _log_weight(term: sp.Expr) -> sp.Expr | None:
    """``u`` for a term that is ``exp(u)``, a sum of exponentials, or 1."""
    if term is ONE:
        return sp.S.Zero
    if isinstance(term, Exp):
        return term.arg
    if isinstance(term, Reduce) and term.op == "sum" and isinstance(peel(term.body), Exp):
        return Reduce("logsumexp", peel(term.body).arg, term.where, term.empty, term.bound)
    return None


def _log_of_exponentials(log: sp.Expr) -> sp.Expr | None:
    weights = [_log_weight(term) for term in _terms(peel(log.arg))]
    if any(w is None for w in weights):
        return None
    ones = [w for w in weights if w == 0]
    rest = [w for w in weights if w != 0]
    if len(ones) > 1 or not rest:
        return None
    result = rest[0]
    for other in rest[1:]:
        result = nd.LogAddExp(result, other)
    return nd.Softplus(result) if ones else result


def _log_of_named(log: sp.Expr) -> sp.Expr | None:
    inner = peel(log.arg)
    if isinstance(inner, Sigmoid):
        return nd.LogSigmoid(inner.arg)
    if isinstance(inner, Along) and inner.op == "softmax":
        return Along("log_softmax", inner.body, inner.letter, inner.position)
    return None


def _log_cosh(log: sp.Expr) -> sp.Expr | None:
    inner = peel(log.arg)
    if not (isinstance(inner, sp.Mul) and len(inner.args) == 2 and inner.args[0] == nd.HALF):
        return None
    terms = _terms(peel(inner.args[1]))
    if len(terms) == 2 and all(isinstance(t, Exp) for t in terms):
        a, b = (t.arg for t in terms)
        if a == _negated(b):
            return nd.LogCosh(a)
        if b == _negated(a):
            return nd.LogCosh(b)
    return None


def _log_one_plus(log: sp.Expr) -> sp.Expr | None:
    terms = _terms(peel(log.arg))
    if len(terms) == 2 and ONE in terms and not nd.is_scalar(log.arg):
        raw = peel(log.arg)
        return nd.Log1p(next(a for a in raw.args if a is not ONE))
    return None


def _complement_of_sigmoid(add: sp.Expr) -> sp.Expr | None:
    if len(add.args) == 2 and ONE in add.args:
        other = next(a for a in add.args if a is not ONE)
        inner = _negated(other)
        if inner is not None and isinstance(peel(inner), Sigmoid):
            return Sigmoid(-peel(inner).arg)
    return None


def _exp_minus_one(add: sp.Expr) -> sp.Expr | None:
    for constant, sign in ((-ONE, 1), (ONE, -1)):
        if constant not in add.args:
            continue
        for term in add.args:
            inner = peel(term) if sign == 1 else _negated(term)
            if inner is not None and isinstance(peel(inner), Exp):
                rest = [a for a in add.args if a not in (constant, term)]
                return sp.Add(*rest, sign * nd.Expm1(peel(inner).arg))
    return None


def _x_log_x(mul: sp.Expr) -> sp.Expr | None:
    for factor in mul.args:
        log = peel(factor)
        if isinstance(log, Log) and log.arg in mul.args:
            rest = [a for a in mul.args if a not in (factor, log.arg)]
            return sp.Mul(*rest, nd.Xlogy(log.arg, log.arg))
    return None


def _exp_over_sum(mul: sp.Expr) -> sp.Expr | None:
    for factor in mul.args:
        top = peel(factor)
        if not isinstance(top, Exp):
            continue
        for other in mul.args:
            bottom = peel(other.base) if isinstance(other, sp.Pow) and other.exp == -1 else None
            if not (isinstance(bottom, Reduce) and bottom.op == "sum" and bottom.where is TRUE):
                continue
            if len(bottom.bound) == 1 and peel(bottom.body) == top:
                rest = [a for a in mul.args if a not in (factor, other)]
                letter = bottom.bound[0]
                return sp.Mul(*rest, Along("softmax", top.arg, letter, letter))
    return None


def _logistic(power: sp.Expr) -> sp.Expr | None:
    terms = _terms(peel(power.base))
    if power.exp == -1 and len(terms) == 2 and ONE in terms:
        other = next((t for t in terms if t is not ONE), None)
        if isinstance(other, Exp):
            return Sigmoid(-other.arg)
    return None


def _root_of_squares(root: sp.Expr) -> sp.Expr | None:
    inner = peel(root.arg)
    if isinstance(inner, Reduce) and inner.op == "sum":
        body = peel(inner.body)
        if isinstance(body, sp.Pow) and body.exp == 2:
            return Reduce("norm", body.base, inner.where, inner.empty, inner.bound)
    return None


def _exp_of_log(exp: sp.Expr) -> sp.Expr | None:
    inner = peel(exp.arg)
    if isinstance(inner, Along) and inner.op == "log_softmax":
        return Along("softmax", inner.body, inner.letter, inner.position)
    if isinstance(inner, nd.LogSigmoid):
        return Sigmoid(inner.arg)
    return None


RULES: tuple[Rule, ...] = (
    Rule(
        "log(sigmoid(x)), log(softmax(x))",
        "log_sigmoid(x), log_softmax(x)",
        "every x",
        Log,
        _log_of_named,
    ),
    Rule("log((exp(x) + exp(-x))/2)", "log_cosh(x)", "every x", Log, _log_cosh),
    Rule(
        "log(1 + exp(x)), log(Sum(exp(x)) + …)",
        "softplus, logsumexp, logaddexp",
        "every x",
        Log,
        _log_of_exponentials,
    ),
    Rule("log(1 + x)", "log1p(x)", "x > -1", Log, _log_one_plus),
    Rule("1 - sigmoid(x)", "sigmoid(-x)", "every x", sp.Add, _complement_of_sigmoid),
    Rule("exp(x) - 1, 1 - exp(x)", "expm1(x), -expm1(x)", "every x", sp.Add, _exp_minus_one),
    Rule("x*log(x)", "xlogy(x, x)", "x >= 0", sp.Mul, _x_log_x),
    Rule("exp(x)/Sum(exp(x))", "softmax(x)", "every x, one letter", sp.Mul, _exp_over_sum),
    Rule("1/(1 + exp(x))", "sigmoid(-x)", "every x", sp.Pow, _logistic),
    Rule("sqrt(Sum(x**2))", "norm(x)", "every x", nd.Sqrt, _root_of_squares),
    Rule(
        "exp(log_softmax(x)), exp(log_sigmoid(x))",
        "softmax(x), sigmoid(x)",
        "every x",
        Exp,
        _exp_of_log,
    ),
)


class Stabilizer:
    """Applies the rules bottom-up until none matches; ``fired`` lists those that did."""

    def __init__(self, rules: Iterable[Rule] = RULES) -> None:
        self.rules = tuple(rules)
        self.fired: dict[Rule, None] = {}
        self._done: dict[sp.Basic, sp.Basic] = {}

    def __call__(self, expr: sp.Expr) -> sp.Expr:
        if expr in self._done or not expr.args:
            return self._done.get(expr, expr)
        result = rebuild(expr, [self(a) for a in expr.args])
        for rule in self.rules:
            if isinstance(result, rule.node) and (better := rule.rewrite(result)) is not None:
                self.fired[rule] = None
                result = self(better)
                break
        self._done[expr] = result
        return result


def stabilize(expr: sp.Expr) -> tuple[sp.Expr, tuple[Rule, ...]]:
    """The stable form of an expression and the rules that made it."""
    stabilizer = Stabilizer()
    return stabilizer(expr), tuple(stabilizer.fired)
