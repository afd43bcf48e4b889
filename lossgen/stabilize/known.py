"""What is known of the values in a formula: from roles, from options' domains, from structure.

In: a loss's arguments, and the statements that it was lowered to, where there are some.  Out: the
range of an expression.  A rule asks for what its condition needs, and is refused, with the reason,
where that cannot be shown.

    Known(roles of x: Positive).of(1 + x**2)   →   Range(1, inf, True, True)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

import sympy as sp

from lossgen import nodes as nd
from lossgen.notation import plain
from lossgen.roles import Role
from lossgen.stabilize.matching import mixture
from lossgen.stabilize.ranges import (
    INF,
    NONNEGATIVE,
    OPEN_UNIT,
    POSITIVE,
    REAL,
    UNIT,
    Range,
    hull,
    point,
)


class Refused(Exception):
    """A rule's condition could not be shown; the text says which."""


def range_of_role(role: Role) -> Range:
    """The values that a role admits."""
    if role.choices:
        return Range(min(role.choices), max(role.choices))
    if role.kind == "boolean":
        return UNIT
    low = -INF if role.lower is None else role.lower
    high = INF if role.upper is None else role.upper
    return Range(low, high, role.open_lower or (low == -INF and not role.extended), high == INF)


# The values of each function of one argument.
UNARY: Mapping[type[nd.Unary], Callable[[Range], Range]] = {
    nd.Exp: lambda x: x.through(math.exp, 0.0, INF),
    nd.Log: lambda x: x.through(math.log, -INF, INF) if x.nonnegative else REAL,
    nd.Sqrt: lambda x: x.through(math.sqrt, -1.0, INF) if x.nonnegative else NONNEGATIVE,
    nd.Abs: Range.size,
    nd.Sign: lambda x: point(1.0) if x.positive else UNIT if x.nonnegative else Range(-1.0, 1.0),
    nd.Sigmoid: lambda x: OPEN_UNIT,
    nd.LogSigmoid: lambda x: -POSITIVE,
    nd.Softplus: lambda x: POSITIVE,
    nd.Log1p: lambda x: x.through(math.log1p, -INF, INF) if x.low >= -1 else REAL,
    nd.Expm1: lambda x: x.through(math.expm1, -1.0, INF),
    nd.LogCosh: lambda x: NONNEGATIVE,
    nd.Tanh: lambda x: x.through(math.tanh, -1.0, 1.0),
    nd.Sin: lambda x: Range(-1.0, 1.0),
    nd.Cos: lambda x: Range(-1.0, 1.0),
    nd.Acos: lambda x: Range(0.0, 3.2),
    nd.Atan: lambda x: x.through(math.atan, -1.6, 1.6),
    nd.Asinh: lambda x: x.through(math.asinh, -INF, INF),
    nd.Erf: lambda x: x.through(math.erf, -1.0, 1.0),
    nd.Erfc: lambda x: Range(0.0, 1.0 if x.nonnegative else 2.0, True, not x.nonnegative),
    nd.Erfcx: lambda x: POSITIVE,
    nd.LogErfc: lambda x: -NONNEGATIVE if x.nonnegative else REAL,
    nd.Log1mExp: lambda x: -POSITIVE,
    nd.HypotM1: lambda x: NONNEGATIVE,
    nd.Log1pSquare: lambda x: NONNEGATIVE,
    nd.StopGradient: lambda x: x,
    nd.Finite: lambda x: x,
}
_REDUCED: Mapping[str, Callable[[Range], Range]] = {
    "sum": lambda x: NONNEGATIVE if x.nonnegative else -NONNEGATIVE if x.nonpositive else REAL,
    "mean": lambda x: x,
    "amax": lambda x: x,
    "amin": lambda x: x,
    "norm": lambda x: NONNEGATIVE,
    "fitting": lambda x: UNIT,
    "count": lambda x: NONNEGATIVE,
    "softmax": lambda x: UNIT,
    "log_softmax": lambda x: -NONNEGATIVE,
    "nll": lambda x: NONNEGATIVE,
}
_SUMS = ("sum", "mean", "count")


class Known:
    """The ranges of tensors and options by name, and what follows from them."""

    def __init__(self, roles: Mapping[str, Role] | None = None) -> None:
        self._names = {name: range_of_role(role) for name, role in (roles or {}).items()}
        self._declared = frozenset(self._names)
        self._later: dict[str, Callable[[], Range]] = {}
        self._bodies: dict[str, sp.Basic] = {}
        self._done: dict[sp.Basic, Range] = {}
        self._sums: set[str] = set()

    def later(self, name: str, range_of: Callable[[], Range]) -> None:
        """Add how to find the range of a statement's result; it is found when it is asked for."""
        self._later[name] = range_of

    def add_body(self, name: str, body: sp.Basic) -> None:
        """Add what a statement computes from each element."""
        self._bodies[name] = body

    def body(self, name: str) -> sp.Basic | None:
        """What a statement computes from each element, if it is known and does."""
        return self._bodies.get(name)

    def add_sum(self, name: str) -> None:
        """Add the name of a statement that is made of sums over letters."""
        self._sums.add(name)

    def declare(self, name: str, range_: Range) -> None:
        """Add an argument: what comes in from outside."""
        self._names[name] = range_
        self._declared |= {name}

    def declares(self, name: str) -> bool:
        """Whether a name is an argument of the loss."""
        return name in self._declared

    # --- what a rule may ask ----------------------------------------------------------------

    def positive(self, *exprs: sp.Expr) -> None:
        """Refuse the rule unless every expression is greater than 0."""
        self._ask(exprs, lambda r: r.positive, "greater than 0")

    def nonnegative(self, *exprs: sp.Expr) -> None:
        """Refuse the rule unless every expression is at least 0."""
        self._ask(exprs, lambda r: r.nonnegative, "at least 0")

    def negative(self, *exprs: sp.Expr) -> None:
        """Refuse the rule unless every expression is less than 0."""
        self._ask(exprs, lambda r: r.negative, "less than 0")

    def nonzero(self, *exprs: sp.Expr) -> None:
        """Refuse the rule unless no expression can be 0."""
        self._ask(exprs, lambda r: r.nonzero, "other than 0")

    def within(self, low: float, high: float, *exprs: sp.Expr) -> None:
        """Refuse the rule unless every expression lies in a closed interval."""
        self._ask(exprs, lambda r: r.within(low, high), f"in [{low:g}, {high:g}]")

    def bounded(self, *exprs: sp.Expr) -> None:
        """Refuse the rule unless every expression is bounded, or a sum over letters.

        A sum may overflow where its terms do, and nowhere else.
        """
        for expr in exprs:
            if not self.is_bounded(expr):
                raise Refused(f"{plain(expr)} is not known to be bounded, or a sum")

    def is_bounded(self, expr: sp.Basic) -> bool:
        """Whether an expression is bounded, or made of sums over letters."""
        if isinstance(expr, nd.Let):
            return self.is_bounded(expr.body)
        if isinstance(expr, nd.Reduce):
            return expr.op in _SUMS
        if nd.is_scalar(expr) or (isinstance(expr, nd.Read) and expr.name in self._sums):
            return True
        if isinstance(expr, (sp.Add, sp.Mul)):
            return all(map(self.is_bounded, expr.args))
        found = self.of(expr)
        return found.low > -INF and found.high < INF

    def _ask(self, exprs: Iterable[sp.Expr], holds: Callable[[Range], bool], what: str) -> None:
        for expr in exprs:
            if not holds(self.of(expr)):
                raise Refused(f"{plain(expr)} is not known to be {what}")

    # --- ranges -----------------------------------------------------------------------------

    def of(self, expr: sp.Basic) -> Range:
        """The range of an expression's values."""
        found = self._done.get(expr)
        if found is None:
            found = self._done[expr] = self._of(expr)
        return found

    def _of(self, expr: sp.Basic) -> Range:
        if expr.is_number and expr.is_extended_real and not expr.args:
            return point(float(expr))
        if isinstance(expr, (nd.Read, nd.Param)):
            return self._named(expr)
        if isinstance(expr, nd.Let):
            return self.of(expr.body)
        if isinstance(expr, (nd.Reduce, nd.Along)):
            inner = self.of(expr.body) if expr.op not in ("any", "count") else REAL
            found = reduced(expr.op, inner)
            stated = isinstance(expr, nd.Reduce) and expr.op == "mean" and expr.empty is not sp.nan
            return hull((found, self.of(expr.args[3]))) if stated else found
        if isinstance(expr, nd.Size):
            return NONNEGATIVE
        if isinstance(expr, nd.Unary):
            function = UNARY.get(type(expr))
            return REAL if function is None else function(self.of(expr.arg))
        if isinstance(expr, sp.Add):
            return self._sum(expr)
        if isinstance(expr, sp.Mul):
            product = point(1.0)
            for factor in expr.args:
                product *= self.of(factor)
            return product
        if isinstance(expr, sp.Pow):
            return self._power(expr)
        if isinstance(expr, nd.Where):
            return hull((self.of(expr.args[1]), self.of(expr.args[2])))
        if isinstance(expr, nd.Max):
            return self._extreme(expr)
        if isinstance(expr, nd.Clip):
            x, low, high = (self.of(a) for a in expr.args)
            return -_larger(-_larger(x, low), -high)
        if isinstance(expr, nd.StraightThrough):
            return self.of(expr.args[0])
        if isinstance(expr, nd.Rewritten):
            return self.of(expr.formula)
        if isinstance(expr, (nd.Gauss, nd.GaussM1)):
            return UNIT if isinstance(expr, nd.Gauss) else Range(-1.0, 0.0)
        if isinstance(expr, nd.Hypot):
            never_zero = isinstance(expr, nd.Radius) or any(self.of(a).nonzero for a in expr.args)
            return POSITIVE if never_zero else NONNEGATIVE
        if expr.is_number and expr.is_extended_real:
            return point(float(expr))
        return REAL

    def _sum(self, expr: sp.Add) -> Range:
        mixed = mixture(expr)
        if mixed is not None and self.of(mixed[0]).within(0.0, 1.0):
            return hull(self.of(part) for part in mixed[1::2])
        total = point(0.0)
        for term in expr.args:
            total += self.of(term)
        return total

    def _named(self, expr: sp.Basic) -> Range:
        if expr.name in self._later:
            self._names[expr.name] = self._later.pop(expr.name)()
        if expr.name in self._names:
            return self._names[expr.name]
        if expr.is_positive:
            return POSITIVE
        return NONNEGATIVE if expr.is_nonnegative else REAL

    def _power(self, expr: sp.Pow) -> Range:
        base, exponent = self.of(expr.base), expr.exp
        if exponent.is_Integer:
            size = base.size() if exponent.is_even else base
            if exponent < 0 and not base.nonzero:
                return POSITIVE if exponent.is_even else NONNEGATIVE if base.nonnegative else REAL
            inner = base.reciprocal() if exponent < 0 else base
            if abs(exponent) == 1:
                return inner
            if abs(exponent) == 2:
                return inner.square()
            if size.nonnegative:
                return POSITIVE if size.nonzero else NONNEGATIVE
            return REAL
        if not base.nonnegative:
            return REAL
        small = base.high <= 1 and self.of(exponent).nonnegative
        return Range(0.0, 1.0 if small else INF, base.positive, not small)

    def _extreme(self, expr: nd.Max) -> Range:
        a, b = self.of(expr.args[0]), self.of(expr.args[1])
        if isinstance(expr, nd.Min):
            return -_larger(-a, -b)
        return _larger(a, b)


def _larger(a: Range, b: Range) -> Range:
    low = max((a.low, a.low_open), (b.low, b.low_open))
    high = max((a.high, not a.high_open), (b.high, not b.high_open))
    return Range(low[0], high[0], low[1], not high[1])


def reduced(op: str, body: Range) -> Range:
    """The range of a reduction's result, from that of its body."""
    function = _REDUCED.get(op)
    return REAL if function is None else function(body)
