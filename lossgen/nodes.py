"""The leaves and operations that a loss formula is made of, as SymPy expressions.

SymPy's own ``exp``, ``log``, ``Max`` and ``Sum`` rewrite themselves behind the author's back
(``exp(x - log(s))`` becomes ``exp(x)/s``, ``Max`` forgets which side of a tie has the gradient,
``Sum.diff`` captures bound indices), so a formula is held in nodes of our own that stay as they
were written.  Sums, products and powers are SymPy's.

Every node is an immutable ``sympy.Expr``: equal formulas are equal objects, which is what shares
statements later.  ``Letter`` objects are index letters; ``free_letters`` and ``substitute`` know
which nodes bind them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

import sympy as sp
from sympy.core.symbol import Str

TRUE, FALSE = sp.true, sp.false
ZERO, ONE, HALF = sp.S.Zero, sp.S.One, sp.S.Half


class Letter(sp.Symbol):
    """An index letter: it runs over one axis."""

    __slots__ = ()

    def __new__(cls, name: str) -> Letter:
        return sp.Symbol.__new__(cls, name, integer=True)


class Param(sp.Symbol):
    """A scalar option of the loss (a Python number when the generated code runs)."""

    __slots__ = ()

    def __new__(cls, name: str, **assumptions: bool) -> Param:
        return sp.Symbol.__new__(cls, name, **(assumptions or {"real": True}))


class Node(sp.Expr):
    """Base of every operation that is not plain arithmetic."""

    __slots__ = ()
    is_commutative = True
    is_real = True
    precedence = 1000  # printed as a call or in parentheses of its own

    def __new__(cls, *args: Any) -> Any:
        return sp.Basic.__new__(cls, *map(sp.sympify, args))


# --- leaves -----------------------------------------------------------------------------------


class Read(Node):
    """``name[subscripts]``: an element of an input tensor or of a statement's result.

    A subscript is a ``Letter``, a letter plus an integer (shift), an integer, or an integer
    expression over other reads (gather).
    """

    __slots__ = ()

    @property
    def name(self) -> str:
        return self.args[0].name

    @property
    def subscripts(self) -> tuple[sp.Expr, ...]:
        return self.args[1:]


class Padded(Read):
    """A read that is 0 outside the array: the adjoint of a shifted read."""

    __slots__ = ()


class Needs(Node):
    """Whether the gradient of an input is asked for: a static condition of the backward."""

    __slots__ = ()

    @property
    def name(self) -> str:
        return self.args[0].name


class Size(Node):
    """The number of positions along the axis a letter runs over; the letter is not free in it."""

    __slots__ = ()
    is_integer = True
    is_positive = True

    @property
    def letter(self) -> Letter:
        return self.args[0]


class Given(Node):
    """Whether an optional tensor was passed: a static condition."""

    __slots__ = ()

    @property
    def name(self) -> str:
        return self.args[0].name


# --- conditions -------------------------------------------------------------------------------

MIRROR = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_DECIDE = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


class Compare(Node):
    """``left op right`` with op one of ``== != < <= > >=``; decided at once between numbers."""

    __slots__ = ()

    def __new__(cls, op: str | Str, left: Any, right: Any) -> Any:
        op = op.name if isinstance(op, Str) else op
        left, right = sp.sympify(left), sp.sympify(right)
        if left.is_number and right.is_number:
            return TRUE if _DECIDE[op](left, right) else FALSE
        if left == right:
            return TRUE if op in ("==", "<=", ">=") else FALSE
        return sp.Basic.__new__(cls, Str(op), left, right)

    @property
    def op(self) -> str:
        return self.args[0].name

    @property
    def left(self) -> sp.Expr:
        return self.args[1]

    @property
    def right(self) -> sp.Expr:
        return self.args[2]


class And(Node):
    """Conjunction; flattens, drops true, collapses on false."""

    __slots__ = ()
    absorbing, neutral = FALSE, TRUE

    def __new__(cls, *args: Any) -> Any:
        flat: list[Any] = []
        for arg in map(sp.sympify, args):
            if arg is cls.absorbing:
                return cls.absorbing
            parts = arg.args if isinstance(arg, cls) else (arg,)
            flat += [p for p in parts if p is not cls.neutral and p not in flat]
        if len(flat) < 2:
            return flat[0] if flat else cls.neutral
        return sp.Basic.__new__(cls, *flat)


class Or(And):
    """Disjunction; flattens, drops false, collapses on true."""

    __slots__ = ()
    absorbing, neutral = TRUE, FALSE


class Not(Node):
    """Negation; comparisons are turned round, double negation disappears."""

    __slots__ = ()

    def __new__(cls, arg: Any) -> Any:
        arg = sp.sympify(arg)
        if arg in (TRUE, FALSE):
            return FALSE if arg is TRUE else TRUE
        if isinstance(arg, Not):
            return arg.args[0]
        if isinstance(arg, Compare) and arg.op in ("==", "!="):
            return Compare(MIRROR[arg.op], arg.left, arg.right)
        return sp.Basic.__new__(cls, arg)


class Where(Node):
    """``yes`` where the condition holds, ``no`` elsewhere."""

    __slots__ = ()

    def __new__(cls, condition: Any, yes: Any, no: Any) -> Any:
        condition, yes, no = map(sp.sympify, (condition, yes, no))
        if isinstance(yes, Where) and yes.args[0] == condition:
            yes = yes.args[1]
        if isinstance(no, Where) and no.args[0] == condition:
            no = no.args[2]
        if condition is TRUE or yes == no:
            return yes
        if condition is FALSE:
            return no
        return sp.Basic.__new__(cls, condition, yes, no)


# --- elementwise functions --------------------------------------------------------------------


class Unary(Node):
    """An elementwise function of one argument; ``exact`` lists values known without rounding."""

    __slots__ = ()
    exact: Mapping[Any, Any] = {}

    def __new__(cls, x: Any) -> Any:
        x = sp.sympify(x)
        return cls.exact[x] if x in cls.exact else sp.Basic.__new__(cls, x)

    @property
    def arg(self) -> sp.Expr:
        return self.args[0]


class Exp(Unary):
    __slots__ = ()
    exact = {ZERO: ONE}
    is_positive = True


class Log(Unary):
    __slots__ = ()
    exact = {ONE: ZERO}


class Sqrt(Unary):
    __slots__ = ()
    exact = {ZERO: ZERO, ONE: ONE}
    is_nonnegative = True


class Abs(Unary):
    __slots__ = ()
    exact = {ZERO: ZERO, ONE: ONE}
    is_nonnegative = True


class Sign(Unary):
    __slots__ = ()


class Sigmoid(Unary):
    __slots__ = ()
    is_positive = True


class LogSigmoid(Unary):
    __slots__ = ()


class Softplus(Unary):
    __slots__ = ()
    is_positive = True


class Log1p(Unary):
    __slots__ = ()
    exact = {ZERO: ZERO}


class Expm1(Unary):
    __slots__ = ()
    exact = {ZERO: ZERO}


class LogCosh(Unary):
    __slots__ = ()
    is_nonnegative = True


class Tanh(Unary):
    __slots__ = ()
    exact = {ZERO: ZERO}


class Sin(Unary):
    __slots__ = ()


class Cos(Unary):
    __slots__ = ()


class Acos(Unary):
    __slots__ = ()


class Atan(Unary):
    __slots__ = ()


class Erf(Unary):
    __slots__ = ()


class Lgamma(Unary):
    __slots__ = ()


class Digamma(Unary):
    __slots__ = ()


class Floor(Unary):
    __slots__ = ()


class Xlogy(Node):
    """``x * log(y)``, and 0 where x = 0 whatever y is."""

    __slots__ = ()


class LogAddExp(Node):
    """``log(exp(a) + exp(b))``."""

    __slots__ = ()


class Ratio(Node):
    """``a / b``, and 0 where b = 0: the derivative of a norm, whose singular point has slope 0."""

    __slots__ = ()


class PowerSlope(Node):
    """``base**(exponent - 1)``, but where base = 0: there 1 if the exponent is 1, else 0.

    The slope of a power at its singular point; a fractional one is infinite there and taken as 0.
    """

    __slots__ = ()


class Max(Node):
    """The larger of two; at a tie ``share`` of the gradient goes to the first, the rest to the second."""

    __slots__ = ()

    def __new__(cls, a: Any, b: Any, share: Any = HALF) -> Any:
        a, b, share = map(sp.sympify, (a, b, share))
        return a if a == b else sp.Basic.__new__(cls, a, b, share)

    @property
    def share(self) -> sp.Expr:
        return self.args[2]


class Min(Max):
    """The smaller of two, with the same tie rule."""

    __slots__ = ()


class Clip(Node):
    """``x`` held within ``[low, high]``; slope 1 on the closed interval, 0 outside."""

    __slots__ = ()


class StopGradient(Unary):
    """The value of its argument, with derivative zero."""

    __slots__ = ()


class StraightThrough(Node):
    """The value of the first argument with the gradient of the second."""

    __slots__ = ()


# --- nodes that bind letters ------------------------------------------------------------------


class Reduce(Node):
    """``op`` of ``body`` over ``bound`` letters, where a mask holds.

    Args: op (sum mean amax amin any all count logsumexp norm), body, where, empty (the value over
    nothing; NaN means torch's), and the bound letters as a ``Tuple``.
    """

    __slots__ = ()

    def __new__(cls, op: str | Str, body: Any, where: Any, empty: Any, bound: Any) -> Any:
        op = op if isinstance(op, Str) else Str(op)
        return sp.Basic.__new__(
            cls, op, sp.sympify(body), sp.sympify(where), sp.sympify(empty), sp.Tuple(*bound)
        )

    @property
    def op(self) -> str:
        return self.args[0].name

    @property
    def body(self) -> sp.Expr:
        return self.args[1]

    @property
    def where(self) -> sp.Expr:
        return self.args[2]

    @property
    def empty(self) -> sp.Expr:
        return self.args[3]

    @property
    def bound(self) -> tuple[Letter, ...]:
        return tuple(self.args[4])


class Along(Node):
    """``op`` (softmax, log_softmax) of ``body`` along the bound letter, read at ``position``."""

    __slots__ = ()

    def __new__(cls, op: str | Str, body: Any, letter: Any, position: Any) -> Any:
        op = op if isinstance(op, Str) else Str(op)
        return sp.Basic.__new__(cls, op, sp.sympify(body), letter, sp.sympify(position))

    @property
    def op(self) -> str:
        return self.args[0].name

    @property
    def body(self) -> sp.Expr:
        return self.args[1]

    @property
    def letter(self) -> Letter:
        return self.args[2]

    @property
    def position(self) -> sp.Expr:
        return self.args[3]


class Let(Node):
    """A named part of the formula, ``name[params] = body``, read at ``args``.

    The parameters are bound: reading the part elsewhere (``at``) changes only the arguments, so
    nothing can be captured.
    """

    __slots__ = ()

    def __new__(cls, name: str | Str, params: Any, body: Any, args: Any) -> Any:
        name = name if isinstance(name, Str) else Str(name)
        return sp.Basic.__new__(
            cls, name, sp.Tuple(*params), sp.sympify(body), sp.Tuple(*map(sp.sympify, args))
        )

    @property
    def name(self) -> str:
        return self.args[0].name

    @property
    def params(self) -> tuple[Letter, ...]:
        return tuple(self.args[1])

    @property
    def body(self) -> sp.Expr:
        return self.args[2]

    @property
    def at(self) -> tuple[sp.Expr, ...]:
        return tuple(self.args[3])


# --- letters ----------------------------------------------------------------------------------


@cache
def free_letters(expr: sp.Basic) -> frozenset[Letter]:
    """The letters an expression depends on (not those that it binds)."""
    if isinstance(expr, Letter):
        return frozenset((expr,))
    if isinstance(expr, Size) or not expr.args:
        return frozenset()
    if isinstance(expr, Let):
        return free_letters(expr.args[3])
    if isinstance(expr, Reduce):
        return (free_letters(expr.body) | free_letters(expr.where)) - frozenset(expr.bound)
    if isinstance(expr, Along):
        return (free_letters(expr.body) - {expr.letter}) | free_letters(expr.position)
    return frozenset().union(*map(free_letters, expr.args))


def fresh(letter: Letter, taken: Iterable[Letter]) -> Letter:
    """A letter named after another and not among those taken."""
    names = {t.name for t in taken}
    name = letter.name
    while name in names:
        name += "_"
    return Letter(name)


def substitute(expr: sp.Basic, mapping: Mapping[Letter, Any]) -> Any:
    """Replace letters, simultaneously, renaming what would otherwise be captured."""
    mapping = {k: v for k, v in mapping.items() if k != v}
    if not mapping or not (free_letters(expr) & mapping.keys()):
        return expr
    if isinstance(expr, Letter):
        return mapping[expr]
    if isinstance(expr, Let):
        return Let(expr.args[0], expr.params, expr.body, [substitute(a, mapping) for a in expr.at])
    if isinstance(expr, Reduce):
        bound, (body, where) = _rebind(expr.bound, (expr.body, expr.where), mapping)
        return Reduce(expr.args[0], body, where, expr.empty, bound)
    if isinstance(expr, Along):
        (letter,), (body,) = _rebind((expr.letter,), (expr.body,), mapping)
        return Along(expr.args[0], body, letter, substitute(expr.position, mapping))
    return expr.func(*[substitute(a, mapping) for a in expr.args])


def _rebind(
    bound: tuple[Letter, ...], parts: tuple[Any, ...], mapping: Mapping[Letter, Any]
) -> tuple[list[Letter], list[Any]]:
    inner = {k: v for k, v in mapping.items() if k not in bound}
    arriving = frozenset().union(*(free_letters(sp.sympify(v)) for v in inner.values()))
    taken = arriving.union(*map(free_letters, parts))
    renamed = {b: fresh(b, taken) if b in arriving else b for b in bound}
    return [renamed[b] for b in bound], [substitute(p, {**inner, **renamed}) for p in parts]


def walk(expr: sp.Basic) -> Iterator[sp.Basic]:
    """Every distinct node of an expression, parents before children, through names."""
    seen: set[sp.Basic] = set()
    stack = [expr]
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        yield node
        stack.extend(reversed(node.args))


def rebuild(expr: sp.Basic, children: Iterable[Any]) -> Any:
    """The same node over other children."""
    children = tuple(children)
    return expr if children == expr.args else expr.func(*children)


def is_static(condition: sp.Basic) -> bool:
    """Whether a condition is known before any element is read: only options and ``given``."""
    return not any(isinstance(n, (Read, Letter, Size)) for n in walk(condition))


def is_scalar(expr: sp.Basic) -> bool:
    """Whether an expression is a Python number when the generated code runs."""
    return not any(isinstance(n, (Read, Letter)) and not _in_size(n, expr) for n in walk(expr))


def _in_size(node: sp.Basic, expr: sp.Basic) -> bool:
    return isinstance(node, Letter) and node not in free_letters(expr)
