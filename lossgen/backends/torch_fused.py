"""Steps of a backward that torch has as one pass over the elements.

In: the statements of a backward program.  Out: the same, where several operations that torch's own
backward functions do at once are one node of this module.

    where(gap[n, c] > 0, d_gap[n, c], 0)        →  where_above(d_gap, gap, 0)
    d_prob[n, c]*prob[n, c]*sigmoid(-x[n, c])   →  times_sigmoid(d_prob*prob, -x)
    grad[e]*x[e]*sigmoid(-x[e]*y[e])            →  times_fading_sigmoid(grad*x, -x*y)
    2*grad[e]*(x[e] - y[e])                     →  times_gap(grad, x, y)

Only multiples of the gradient that comes in are touched, and only arrays of the largest input's
rank: elsewhere a plain line reads better and costs no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import sympy as sp

from lossgen import nodes as nd
from lossgen.backends.torch_factors import adjoint
from lossgen.backends.torch_in_place import FusedStep, moves
from lossgen.nodes import Letter, Read, Where, free_letters, is_scalar, rebuild
from lossgen.program import Program, Statement, without_unused
from lossgen.stabilize.known import Known


class WhereAbove(FusedStep):
    """The first argument where the second is above the third, a number; else 0."""

    __slots__ = ()


class TimesGap(FusedStep):
    """Twice the first argument times the difference of the others."""

    __slots__ = ()
    varying = 3


class TimesClippedGap(FusedStep):
    """The first argument times the difference of the next two, kept within a bound, the last."""

    __slots__ = ()


class TimesSigmoid(FusedStep):
    """The first argument times the sigmoid of the second."""

    __slots__ = ()


class TimesFadingSigmoid(FusedStep):
    """The same, where what is multiplied grows as the sigmoid falls below the smallest numbers."""

    __slots__ = ()


def fused(program: Program, known: Known) -> Program:
    """A backward program whose steps are torch's, where it has them."""
    rank = max((len(a.axes) for a in program.inputs if a.kind == "real"), default=0)
    moving = {a.name for a in program.inputs if a.name.startswith("grad_")}
    made = {x.name: x for x in program.statements}
    out: list[Statement] = []
    for x in program.statements:
        if x.kind == "real" and x.reads() & moving:
            moving.add(x.name)
        if (
            x.op in ("map", "sum", "scatter", "place", "balance")
            and len({*x.free, *x.bound}) >= rank
            and not x.extents
        ):
            fuse = _Fuse(frozenset(moving), frozenset((*x.free, *x.bound)), made, known)
            x = replace(x, body=fuse(x.body), base=fuse(x.base))
        out.append(x)
    return replace(program, statements=without_unused(tuple(out), program.results))


class _Fuse:
    def __init__(
        self,
        moving: frozenset[str],
        scope: frozenset[Letter],
        made: Mapping[str, Statement],
        known: Known,
    ) -> None:
        self.moving, self.scope, self.made, self.known = moving, scope, made, known

    def __call__(self, expr: sp.Expr) -> sp.Expr:
        if not expr.args or isinstance(expr, Read) or not moves(expr, self.moving):
            return expr
        expr = self._spread(expr) if isinstance(expr, sp.Mul) else expr
        expr = rebuild(expr, [self(a) for a in expr.args])
        if isinstance(expr, Where) and (gated := self._gated(expr)) is not None:
            return gated
        expr = self._step(expr) if isinstance(expr, sp.Mul) else expr
        expr = self._gap(expr) if isinstance(expr, sp.Mul) else expr
        return self._sigmoid(expr) if isinstance(expr, sp.Mul) else expr

    def _gated(self, expr: Where) -> sp.Expr | None:
        condition, yes, no = expr.args
        gate = self._gate(condition)
        return WhereAbove(yes, *gate) if no == 0 and gate is not None else None

    def _gate(self, condition: sp.Basic) -> tuple[sp.Expr, sp.Expr] | None:
        """What must be above which number for a condition to hold."""
        if not isinstance(condition, nd.Compare) or condition.op not in ("<", ">"):
            return None
        x, bound = condition.left, condition.right
        if free_letters(x) != self.scope or not is_scalar(bound):
            return None
        return (x, bound) if condition.op == ">" else (-x, -bound)

    def _step(self, expr: sp.Mul) -> sp.Expr:
        """A factor that is 1 where something is above a number, else 0, as the choice it is."""
        for factor in expr.args:
            if isinstance(factor, Where) and factor.args[1:] == (1, 0):
                gate = self._gate(factor.args[0])
                rest = sp.Mul(*(f for f in expr.args if f is not factor))
                if gate is not None and free_letters(rest) == self.scope:
                    return WhereAbove(rest, *gate)
        return expr

    def _gap(self, expr: sp.Mul) -> sp.Expr:
        """A product with a difference of two arrays, as the slope of their squared distance."""
        for factor in expr.args:
            rest = sp.Mul(*(f for f in expr.args if f is not factor))
            clipped = isinstance(factor, nd.Clip) and factor.args[1] == -factor.args[2]
            pair = self._pair(factor.args[0] if clipped else factor)
            if pair is None or not moves(rest, self.moving):
                continue
            if clipped:
                return TimesClippedGap(rest, *pair, factor.args[2])
            # Twice a difference may be out of range where a weight takes it back.
            if rest.as_coeff_Mul()[0] == 2 and all(map(adjoint, rest.atoms(Read))):
                return TimesGap(rest / 2, *pair)
        return expr

    def _pair(self, expr: sp.Expr) -> tuple[sp.Expr, sp.Expr] | None:
        """``a`` and ``b`` of ``a - b``, both of them laid out in full."""
        terms = sp.Add.make_args(expr)
        plus = [t for t in terms if isinstance(t, Read)]
        minus = [-t for t in terms if isinstance(-t, Read)]
        if len(terms) != 2 or len(plus) != 1 or len(minus) != 1:
            return None
        whole = all(type(x) is Read and {*x.subscripts} == self.scope for x in (*plus, *minus))
        return (plus[0], minus[0]) if whole else None

    def _spread(self, expr: sp.Mul) -> sp.Expr:
        """``g*(sigmoid(x) - sigmoid(-x))`` as a sum, of which each term is one step.

        Terms with factors of their own are steps as they stand, and ``g`` waits for their sum.
        """
        for factor in expr.args:
            terms = sp.Add.make_args(factor)
            rest = [f for f in expr.args if f is not factor]
            short = all(isinstance(f, Read) or is_scalar(f) for f in rest)
            if len(terms) < 2 or not short or not all(self._steps(t, rest) for t in terms):
                continue
            # What comes in is often one number, and costs nothing to multiply by at the end.
            if not any(isinstance(f, Read) and not f.name.startswith("grad_") for f in rest):
                continue
            if all(self._steps(t, []) for t in terms):
                return sp.Mul(*rest, sp.Add(*map(self._signed_step, terms)))
            return sp.Add(*(sp.Mul(*rest, t) for t in terms))
        return expr

    def _steps(self, term: sp.Expr, rest: list[sp.Expr]) -> bool:
        whole = sp.Mul(*rest, term)
        return isinstance(whole, sp.Mul) and self._sigmoid(whole) != whole

    def _signed_step(self, term: sp.Expr) -> sp.Expr:
        """A term as a step, its sign outside: the sum subtracts it at no cost."""
        negative = term.as_coeff_Mul()[0].is_negative
        return -self._sigmoid(-term) if negative else self._sigmoid(term)

    def _sigmoid(self, expr: sp.Mul) -> sp.Expr:
        number, factors = expr.as_coeff_mul()
        for factor in factors:
            rest = sp.Mul(number, *(f for f in factors if f is not factor))
            if (argument := self._fading(factor, rest)) is not None:
                return TimesFadingSigmoid(rest, argument)
            if not isinstance(factor, nd.Sigmoid) or free_letters(factor) != self.scope:
                continue
            plain = factor.arg if isinstance(factor.arg, Read) else -factor.arg
            if isinstance(plain, Read) and free_letters(rest) == self.scope:
                late = [f for f in factors if self._late(f)]
                soon = sp.Mul(number, *(f for f in factors if f not in (factor, *late)))
                if not late or free_letters(soon) != self.scope:
                    return TimesSigmoid(rest, factor.arg)
                return sp.Mul(TimesSigmoid(soon, factor.arg), *late)
        return expr

    def _late(self, factor: sp.Expr) -> bool:
        """Whether a factor is to wait for the sigmoid: its product with others may overflow."""
        if isinstance(factor, Where) and nd.is_static(factor.args[0]):
            return any(map(self._late, factor.args[1:]))
        read = isinstance(factor, Read) and not factor.name.startswith(("grad_", "d_"))
        return read and not self.known.of(factor).within(-1.0, 1.0)

    def _fading(self, factor: sp.Expr, rest: sp.Expr) -> sp.Expr | None:
        """The argument of a sigmoid, if a product with it has one of the argument's factors."""
        made = self.made.get(factor.name) if isinstance(factor, Read) else None
        sigmoid = factor if made is None else made.body
        if not isinstance(sigmoid, nd.Sigmoid) or free_letters(factor) != self.scope:
            return None
        if made is not None and factor != Read(factor.args[0], *made.free):
            return None
        inside = {f for f in sp.Mul.make_args(sigmoid.arg) if isinstance(f, Read)}
        grows = inside & {*sp.Mul.make_args(rest)}
        wide = any(not self.known.of(f).within(-1.0, 1.0) for f in grows)
        return sigmoid.arg if wide and free_letters(rest) == self.scope else None
