"""Masks and conditions: what they leave out must not come back, as infinity times 0."""

from __future__ import annotations

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import ONE, Where, free_letters
from lossgen.stabilize.known import Known
from lossgen.stabilize.matching import inverse, peel, same, strip, without


def mask_outward(mul: sp.Expr, known: Known) -> sp.Expr | None:
    for factor in mul.args:
        chosen = _choice(peel(factor))
        if chosen is None or nd.is_static(chosen.args[0]):
            continue
        condition, yes, no = chosen.args
        rest = sp.Mul(*without(mul.args, factor))
        ours, others = free_letters(chosen), free_letters(rest)
        # Two factors that each lack a letter of the other are a matrix product, and stay apart.
        product = ours - others and others - ours
        if 0 not in (yes, no) or product:
            continue
        if not _finite(rest, known) or _singular(rest, *_asked(condition), known):
            return Where(condition, rest * yes, rest * no)
    return None


def _choice(expr: sp.Basic) -> Where | None:
    """A choice, or one that is multiplied."""
    if not isinstance(expr, sp.Mul):
        return expr if isinstance(expr, Where) else None
    for factor in expr.args:
        found = _choice(peel(factor))
        if found is not None and 0 in found.args[1:]:
            condition, yes, no = found.args
            rest = sp.Mul(*without(expr.args, factor))
            return Where(condition, rest * yes, rest * no)
    return None


def summed(total: nd.Reduce) -> tuple[sp.Expr, sp.Expr]:
    """What is summed, and where: ``where(c, x, 0)`` is x where c holds."""
    choice = _choice(peel(total.body))
    if choice is None or nd.is_static(choice.args[0]) or 0 not in choice.args[1:]:
        return peel(total.body), total.where
    condition, yes, no = choice.args
    taken, holds = (yes, condition) if no == 0 else (no, nd.Not(condition))
    return peel(taken), nd.And(total.where, holds)


def quotient_without_zeros(choice: sp.Expr, known: Known) -> sp.Expr | None:
    """``where(b > 0, a/b, 0)`` for b of at least 0, and ``where(b != 0, a/b, 0)``."""
    condition, yes, no = choice.args
    if not isinstance(condition, nd.Compare) or condition.right != 0:
        return None
    if condition.op == "==":
        yes, no = no, yes
    factors = peel(yes).args if isinstance(peel(yes), sp.Mul) else (peel(yes),)
    below = next((f for f in factors if same(inverse(f) or ONE, condition.left)), None)
    if no != 0 or below is None or condition.op not in (">", "!=", "=="):
        return None
    if condition.op == ">":
        known.nonnegative(condition.left)
    return nd.Ratio(sp.Mul(*without(tuple(factors), below)), condition.left)


def _finite(expr: sp.Expr, known: Known) -> bool:
    """Whether an expression is certainly a finite number where what it reads is."""
    return all(_sound(node, known) for node in nd.walk(strip(expr)))


def _sound(node: sp.Basic, known: Known) -> bool:
    if isinstance(node, (nd.Log, nd.Lgamma)):
        return known.of(node.arg).positive
    if isinstance(node, nd.Sqrt):
        return known.of(node.arg).nonnegative
    if isinstance(node, (nd.Exp, nd.Expm1)):
        return known.of(node.arg).high < float("inf")
    if isinstance(node, sp.Pow) and not (node.exp.is_Integer and node.exp > 0):
        return known.of(node.base).nonzero
    return not isinstance(
        node, (nd.Log1p, nd.Acos, nd.Xlogy, nd.RelEntropy, nd.Log1mExp, nd.Pow1pM1)
    )


def open_protected_names(where: sp.Expr, known: Known) -> sp.Expr | None:
    """``p = sqrt(x); where(x > 0, p, 0)``, where only the condition keeps p's slope finite.

    A name is computed everywhere; what it stands for can be made safe where it is not taken. So can
    ``p = x[label]; where(label >= 0, p, 0)``, which reads a place that there is only then.
    """
    condition, yes, no = where.args
    if nd.is_static(condition):
        return None
    branches = [_opened(branch, *_asked(condition), known) for branch in (yes, no)]
    return None if branches == [yes, no] else Where(condition, *branches)


def _asked(condition: sp.Basic) -> tuple[set[sp.Basic], set[sp.Basic]]:
    """What a condition asks about, and what of it are places that may not be there."""
    asked = _reads(condition)
    # Where it compares a letter, it says at which place it stands, not which places there are.
    compares = any(map(_compares_letter, nd.walk(strip(condition))))
    return asked, set() if compares else asked


def _compares_letter(expr: sp.Basic) -> bool:
    return isinstance(expr, nd.Compare) and any(isinstance(x, nd.Letter) for x in expr.args[1:])


def _opened(expr: sp.Expr, asked: set[sp.Basic], places: set[sp.Basic], known: Known) -> sp.Expr:
    if isinstance(expr, nd.Let):
        inner = peel(expr)
        fails = _singular(inner, asked, places, known)
        return _opened(inner, asked, places, known) if fails else expr
    if isinstance(expr, _CLOSED) or not expr.args:
        return expr
    return nd.rebuild(expr, [_opened(a, asked, places, known) for a in expr.args])


_CLOSED = (nd.Reduce, nd.Along, nd.Compare, nd.Read)


def _singular(expr: sp.Basic, asked: set[sp.Basic], places: set[sp.Basic], known: Known) -> bool:
    """Whether a value or slope may be infinite, or not there, for what a condition asks about."""
    if isinstance(expr, nd.Let):
        return _singular(peel(expr), asked, places, known)
    if isinstance(expr, Where) and _reads(expr.args[0]) & asked:
        return False
    if isinstance(expr, nd.Along) and _position(expr.position) & places:
        return True
    if isinstance(expr, nd.Read) and any(_position(x) & places for x in expr.subscripts):
        return True
    if isinstance(expr, _CLOSED):
        return False
    if isinstance(expr, nd.StopGradient):  # it has no slope, but a place that may not be there
        return _singular(expr.arg, set(), places, known)
    inside = expr.args[0] if expr.args else expr
    if isinstance(expr, (nd.Log, nd.Sqrt, nd.Lgamma)):
        fails = not known.of(inside).positive
    elif isinstance(expr, sp.Pow) and not (expr.exp.is_Integer and expr.exp > 0):
        fails = not known.of(inside).nonzero
    elif isinstance(expr, nd.Log1p):
        fails = not known.of(1 + inside).positive
    elif isinstance(expr, nd.Log1mExp):
        fails = not known.of(inside).negative
    elif isinstance(expr, nd.Acos):
        fails = not (known.of(1 + inside).positive and known.of(1 - inside).positive)
    else:
        fails = False
    if fails and _reads(inside) & asked:
        return True
    return any(_singular(a, asked, places, known) for a in expr.args)


def _position(position: sp.Basic) -> set[sp.Basic]:
    """What a position is read from; nothing, if a condition chooses it."""
    position = peel(position)
    return set() if isinstance(position, Where) else _reads(position)


def _reads(expr: sp.Basic) -> set[sp.Basic]:
    """What an expression moves with: not what it only finds its place by, or holds constant."""
    expr = strip(expr)
    if isinstance(expr, nd.Read):
        return {expr}
    if isinstance(expr, nd.StopGradient):
        return set()
    return set().union(*map(_reads, expr.args))
