"""Choices between two values that torch has as one function without a branch.

In: a program of which a ``Function`` is made.  Out: the same, where a choice that picks a side of
a bound is a clamp or torch's function of that shape.

    where(|a - b| <= d, |a - b|**2/2, d*(|a - b| - d/2))  →  bent(a, b, d)
    where(|z| <= d, |z|, d)*sign(z)                       →  clip(z, -d, d)

On a CPU ``torch.where`` takes a branch for each element: some fifteen passes where its mask is as
good as random.  Each form is equal to the choice, with the same slope at the bound.  Only arrays
of the largest input's rank are touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import sympy as sp

from lossgen import nodes as nd
from lossgen.backends.torch_in_place import FusedStep, occurrences
from lossgen.nodes import Compare, Letter, Read, Where, free_letters, is_scalar, is_static, rebuild
from lossgen.program import Program, Statement


class Bent(nd.Node):
    """``|a - b|**2 / 2`` up to a bound, beyond it the tangent there."""

    __slots__ = ()


class BentOver(nd.Node):
    """The same divided by the bound."""

    __slots__ = ()


class SquaredError(nd.Node):
    """``(a - b)**2``."""

    __slots__ = ()


class FlatClip(nd.Node):
    """``Clip`` with slope 0 at the bounds."""

    __slots__ = ()


class TimesBentSlope(FusedStep):
    """The first argument times the slope of ``BentOver``, of which the others are."""

    __slots__ = ()


def without_branches(program: Program) -> Program:
    """A program whose choices at a bound are clamps, where they can be."""
    rank = max((len(a.axes) for a in program.inputs if a.kind == "real"), default=0)
    made = {x.name: x for x in program.statements if x.op == "map" and not x.extents}
    out: list[Statement] = []
    for x in program.statements:
        if x.op in ("map", "sum", "mean") and len({*x.free, *x.bound}) >= rank and not x.extents:
            unbent = _Unbent(program, made, frozenset((*x.free, *x.bound)))
            x = replace(x, body=unbent(x.body))
        out.append(x)
    return replace(program, statements=tuple(out))


class _Unbent:
    def __init__(
        self, program: Program, made: Mapping[str, Statement], scope: frozenset[Letter]
    ) -> None:
        self.program, self.made, self.scope = program, made, scope

    def __call__(self, expr: sp.Expr) -> sp.Expr:
        if not expr.args or isinstance(expr, Read):
            return expr
        if isinstance(expr, sp.Mul) and (clipped := self._clipped(expr)) is not None:
            return clipped
        if isinstance(expr, sp.Mul) and any(map(_is_square, expr.args)):
            for switch in (f for f in expr.args if isinstance(f, Where) and is_static(f.args[0])):
                rest = sp.Mul(*(f for f in expr.args if f is not switch))
                condition, yes, no = switch.args
                return Where(condition, self(rest * yes), self(rest * no))
        # A square that is multiplied is joined with what it meets: alone it may be out of range.
        joined = isinstance(expr, sp.Mul)
        expr = rebuild(expr, [a if joined and _is_square(a) else self(a) for a in expr.args])
        if isinstance(expr, Where) and not is_static(expr.args[0]):
            return self._bent(expr)
        if _is_square(expr) and (pair := self._gap(expr.base)):
            return SquaredError(*pair)
        return expr

    def _gap(self, expr: sp.Expr) -> tuple[sp.Expr, sp.Expr] | None:
        """``a`` and ``b`` of ``a - b``, both of them laid out in full."""
        terms = sp.Add.make_args(expr)
        plus = [t for t in terms if isinstance(t, Read)]
        minus = [-t for t in terms if isinstance(-t, Read)]
        if len(terms) != 2 or len(plus) != 1 or len(minus) != 1:
            return None
        return (plus[0], minus[0]) if all(map(self._whole, (*plus, *minus))) else None

    def _whole(self, read: sp.Expr) -> bool:
        return type(read) is Read and {*read.subscripts} == self.scope

    def _size_of(self, expr: sp.Expr) -> sp.Expr | None:
        """``z`` of ``|z|``, which may have a name."""
        if isinstance(expr, Read) and expr.name in self.made:
            x = self.made[expr.name]
            expr = x.body if expr.subscripts == x.free else expr
        return expr.arg if isinstance(expr, nd.Abs) else None

    def _bound(self, condition: sp.Basic) -> tuple[sp.Expr, sp.Expr] | None:
        """What a condition wants below which number."""
        if not isinstance(condition, Compare) or condition.op not in ("<", "<="):
            return None
        x, bound = condition.left, condition.right
        return (x, bound) if is_scalar(bound) and free_letters(x) == self.scope else None

    def _bent(self, expr: Where) -> sp.Expr:
        """A parabola and its tangents, as torch's function of that shape."""
        condition, yes, no = expr.args
        found = self._bound(condition)
        inside = self._size_of(found[0]) if found else None
        pair = self._gap(inside) if inside is not None else None
        if found is None or pair is None:
            return expr
        u, d = found
        for node, below, above in (
            (Bent, u**2 / 2, d * (u - d / 2)),
            (BentOver, u**2 / (2 * d), u - d / 2),
        ):
            if yes == below and sp.expand(no - above) == 0:
                return node(*pair, d)
        return expr

    def _clipped(self, expr: sp.Mul) -> sp.Expr | None:
        """``where(|z| <= d, |z|, d)*sign(z)`` with other factors, the first perhaps by its name."""
        for sign in (f for f in expr.args if isinstance(f, nd.Sign)):
            for factor in expr.args:
                rest = sp.Mul(*(f for f in expr.args if f is not sign and f is not factor))
                inner = self._inlined(factor)
                if isinstance(inner, Where) and is_static(inner.args[0]):
                    condition, yes, no = inner.args
                    sides = [self._against(sp.Mul.make_args(a), sign) for a in (yes, no)]
                    if any(s is not None for s in sides):
                        yes, no = (
                            rest * a * sign if s is None else self._step(rest * s)
                            for a, s in zip((yes, no), sides, strict=True)
                        )
                        return Where(condition, yes, no)
                clipped = self._against(sp.Mul.make_args(inner), sign)
                if clipped is not None:
                    return self._step(rest * clipped)
        return None

    def _step(self, expr: sp.Expr) -> sp.Expr:
        """``g*flat_clip((a - b)/d, -1, 1)`` as one step."""
        for factor in sp.Mul.make_args(expr):
            if isinstance(factor, FlatClip) and factor.args[2] == 1:
                scales = [f for f in sp.Mul.make_args(factor.args[0]) if is_scalar(f)]
                pair = self._gap(sp.Mul(factor.args[0], *(1 / f for f in scales)))
                if pair is not None:
                    rest = sp.Mul(*(f for f in sp.Mul.make_args(expr) if f is not factor))
                    return TimesBentSlope(rest, *pair, 1 / sp.Mul(*scales))
        return expr

    def _inlined(self, factor: sp.Expr) -> sp.Expr:
        """What a name stands for that is read here alone."""
        if not isinstance(factor, Read) or factor.name not in self.made:
            return factor
        x = self.made[factor.name]
        reads = sum(
            occurrences(e, x.name) for y in self.program.statements for e in y.expressions()
        )
        alone = reads == 1 and x.name not in self.program.results
        return x.body if alone and factor.subscripts == x.free else factor

    def _against(self, factors: tuple[sp.Expr, ...], sign: nd.Sign) -> sp.Expr | None:
        for factor in factors:
            if not isinstance(factor, Where) or (found := self._bound(factor.args[0])) is None:
                continue
            u, d = found
            condition, yes, no = factor.args
            slope = sp.Mul(*(f for f in sp.Mul.make_args(yes) if f != u))
            scaled = u in sp.Mul.make_args(yes) and is_scalar(slope) and is_scalar(no)
            if scaled and self._size_of(u) == sign.arg and sp.expand(slope * d - no) == 0:
                node = nd.Clip if condition.op == "<=" else FlatClip
                others = sp.Mul(*(f for f in factors if f is not factor))
                return others * node(slope * sign.arg, -no, no)
        return None


def _is_square(expr: sp.Basic) -> bool:
    return isinstance(expr, sp.Pow) and bool(expr.exp == 2)
