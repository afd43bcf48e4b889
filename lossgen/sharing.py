"""Values that are written several times, computed once.

In: statements.  Out: statements that compute the same, in which every dear expression that stood in
several places has a name and stands in one.

    a[e] = sigmoid(-x[e])*y[e]; b[e] = sigmoid(-x[e])**2
    →  sigmoid_neg_x[e] = sigmoid(-x[e]); a[e] = sigmoid_neg_x[e]*y[e]; b[e] = sigmoid_neg_x[e]**2

Before reverse mode this also shares adjoints: what reaches ``sigmoid_neg_x`` from both is added up
before it is multiplied by the slope.  It leaves alone what one pass over the elements computes, and
what is larger than all that it reads, which a matrix product may never lay out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace

import sympy as sp
from sympy.core.symbol import Str

from lossgen import nodes as nd
from lossgen.keep import cost
from lossgen.nodes import Letter, Read, Where, free_letters, rebuild, walk
from lossgen.program import Extent, Program, Statement, check, extents_of, kind_of
from lossgen.roles import Kind

DIVISOR = "denominator"
_DEAR = 2  # passes of plain arithmetic; what costs less is written again


def shared(
    statements: Sequence[Statement],
    arrays: dict[str, tuple[tuple[Letter, ...], Mapping[Letter, Extent]]],
    kinds: dict[str, Kind],
    order: Sequence[Letter],
    taken: Iterable[str],
    results: Container[str] = (),
) -> tuple[Statement, ...]:
    """The statements, each repeated dear expression named before its first use.

    Args:
        statements: in an order in which each reads only what stands before it.
        arrays: letters and extents of all that is read or made; the new names are added.
        kinds: what the elements of each are; the new names are added.
        order: all letters.
        taken: names that must not be used.
        results: statements that must not stand for a value that others read.
    """
    rank = max((len(letters) for letters, _ in arrays.values()), default=0)
    divisors = _divisors(statements)
    clips = {p for x in statements for e in x.expressions() for p in walk(e) if type(p) is nd.Clip}
    short = {x for x in divisors | clips if len(free_letters(x)) < rank}
    repeated = _repeated(statements, short)
    if not repeated:
        return tuple(statements)
    named = _Naming(repeated, divisors, arrays, kinds, order, {*taken, *arrays}, results)
    return named.run(statements)


def share(program: Program, taken: Iterable[str]) -> Program:
    """A program whose repeated dear expressions have names."""
    arrays: dict[str, tuple[tuple[Letter, ...], Mapping[Letter, Extent]]] = {
        a.name: (a.axes, dict(a.extents)) for a in program.inputs
    }
    kinds: dict[str, Kind] = {a.name: a.kind for a in program.inputs}
    for x in program.statements:
        arrays[x.name] = (x.free, x.window)
        kinds[x.name] = x.kind
    done = shared(program.statements, arrays, kinds, program.order, taken)
    return check(replace(program, statements=done))


def children(expr: sp.Basic) -> tuple[sp.Basic, ...]:
    """The parts of an expression; the sign of a product is not one of its factors."""
    if _is_negative(expr):
        return (-expr,)
    return () if isinstance(expr, Read) else expr.args


def _with_children(expr: sp.Basic, parts: Sequence[sp.Basic]) -> sp.Basic:
    if _is_negative(expr):
        return -parts[0]
    return rebuild(expr, parts)


def _divisors(statements: Sequence[Statement]) -> set[sp.Basic]:
    """The sums that others are divided by."""
    parts = (part for x in statements for e in x.expressions() for part in walk(e))
    return {e.base for e in parts if is_reciprocal(e) and isinstance(e.base, sp.Add)}


def _repeated(statements: Sequence[Statement], short: Container[sp.Basic]) -> set[sp.Basic]:
    """The dear expressions that stand in several places, those inside larger ones counted once.

    Of what is ``short``, few elements that a name costs nothing, one step is dear enough.
    """
    uses: Counter[sp.Basic] = Counter()
    seen: set[sp.Basic] = set()
    barred: set[sp.Basic] = set()

    def visit(expr: sp.Basic) -> None:
        uses[expr] += 1
        if expr in seen and not is_reciprocal(expr):
            return
        seen.add(expr)
        # What stands behind a form is not computed, but for its slopes.
        for part in (expr.form,) if isinstance(expr, nd.Rewritten) else children(expr):
            visit(part)

    for x in statements:
        for expr in x.expressions():
            if x.extents:
                barred.update(walk(expr))
            else:
                visit(expr)
    return {
        e
        for e, count in uses.items()
        if count > 1 and e not in barred and not is_reciprocal(e)
        and worth_a_name(e, 1 if e in short else _DEAR)
    }  # fmt: skip


def is_reciprocal(expr: sp.Basic) -> bool:
    """Whether an expression divides: what it divides by has the name, as in ``a/s/s + b/s``."""
    return isinstance(expr, sp.Pow) and bool(expr.exp.is_number and expr.exp < 0)


def worth_a_name(expr: sp.Basic, least: int = _DEAR) -> bool:
    """Whether an expression is dear, and no larger than something that it reads."""
    if isinstance(expr, Read):
        return any(isinstance(x, Read) for place in expr.args[1:] for x in walk(place))
    if isinstance(expr, (Letter, Str)) or not expr.args or cost(expr) < least:
        return False
    if isinstance(expr, (nd.StopGradient, nd.StraightThrough, nd.Padded)):
        return False
    if isinstance(expr, nd.Ratio) and expr.args[0] == 1:
        return False  # to divide costs what a product does, and the square stays in range
    letters = free_letters(expr)
    if not letters:
        return False
    nested = list(walk(expr))
    return any(isinstance(e, Read) and free_letters(e) == letters for e in nested)


class _Naming:
    def __init__(
        self,
        repeated: set[sp.Basic],
        divisors: set[sp.Basic],
        arrays: dict[str, tuple[tuple[Letter, ...], Mapping[Letter, Extent]]],
        kinds: dict[str, Kind],
        order: Sequence[Letter],
        taken: set[str],
        results: Container[str],
    ) -> None:
        self.results = results
        self.repeated, self.arrays, self.kinds = repeated, arrays, kinds
        self.order, self.taken = order, taken
        self.divisors = repeated & divisors
        self.named: dict[sp.Basic, Read] = {}
        self.done: dict[sp.Basic, sp.Basic] = {}
        self.out: list[Statement] = []

    def run(self, statements: Sequence[Statement]) -> tuple[Statement, ...]:
        whole = {
            x.body: x
            for x in statements
            if x.op == "map" and not x.extents and x.body in self.repeated
            and x.name not in self.results and {*x.free} == free_letters(x.body)
        }  # fmt: skip
        for x in statements:
            if x.extents:
                self.out.append(x)
                continue
            if x.op == "map" and whole.get(x.body) is x and x.body not in self.named:
                # The statement itself is the name.
                body = _with_children(x.body, [self(e) for e in children(x.body)])
                self.named[x.body] = Read(Str(x.name), *x.free)
                self.out.append(replace(x, body=body))
                continue
            self.out.append(x.mapped(self))
        return tuple(self.out)

    def __call__(self, expr: sp.Basic) -> sp.Basic:
        if expr in self.named:
            return self.named[expr]
        if expr in self.done:
            return self.done[expr]
        parts = children(expr)
        result = _with_children(expr, [self(e) for e in parts]) if parts else expr
        if expr in self.repeated:
            result = self.named[expr] = self._name(expr, result)
        else:
            self.done[expr] = result
        return result

    def _name(self, expr: sp.Basic, body: sp.Basic) -> Read:
        inside = free_letters(expr)
        free = tuple(x for x in self.order if x in inside)
        stem, number = self._stem(expr), 2
        name = stem
        while name in self.taken:
            name, number = f"{stem}{number}", number + 1
        self.taken.add(name)
        extents = extents_of((body,), self.arrays)
        self.arrays[name] = (free, {k: v for k, v in extents.items() if k in free})
        self.kinds[name] = kind_of(body, self.kinds)
        self.out.append(Statement(name, free, body, kind=self.kinds[name], extents=extents))
        return Read(Str(name), *free)

    def _stem(self, expr: sp.Basic) -> str:
        if expr not in self.divisors:
            return described(expr)
        return f"{_operand(expr)}_{DIVISOR}" if len(self.divisors) > 1 else DIVISOR


_WORDS: dict[type[sp.Basic], str] = {
    sp.Add: "sum", sp.Mul: "product", sp.Pow: "power", nd.And: "both", nd.Or: "either",
    nd.Not: "no", nd.Where: "chosen", nd.Max: "larger", nd.Min: "smaller", nd.Clip: "clipped",
    nd.LogSigmoid: "log_sigmoid", nd.LogCosh: "log_cosh", nd.LogAddExp: "log_add_exp",
    nd.PowerSlope: "slope",
}  # fmt: skip
_COMPARED = {
    ">": "above", ">=": "reaches", "<": "below", "<=": "within", "==": "is", "!=": "is_not",
}  # fmt: skip


def described(expr: sp.Basic) -> str:
    """A name for an expression: its operation, and what it is applied to."""
    if isinstance(expr, Read):
        return f"{expr.name}_{_operand(expr.args[-1])}"
    if isinstance(expr, nd.Compare):
        bound = expr.right
        known = (bound.is_Integer and bound >= 0) or isinstance(bound, (Read, nd.Param))
        name = bound.name if isinstance(bound, (Read, nd.Param)) else str(bound)
        return "_".join((_operand(expr.left), _COMPARED[expr.op], *([name] if known else [])))
    if isinstance(expr, sp.Mul) and expr.args[0] == -1 and len(expr.args) == 2:
        return f"neg_{_operand(expr.args[1])}"
    if isinstance(expr, sp.Add):
        word = "gap" if any(_is_negative(a) for a in expr.args) else "sum"
        return f"{word}_{_operand(expr)}"
    if isinstance(expr, sp.Pow):
        word = {2: "square", -1: "inverse"}.get(expr.exp, "power")
        return f"{word}_{_operand(expr.base)}"
    if any(isinstance(x, Read) and x.name.startswith(("grad_", "d_")) for x in walk(expr)):
        return f"pull_{_operand(expr)}"
    if isinstance(expr, Where) and expr.args[1:] == (1, 0):
        return f"active_{_operand(expr)}"
    word = _WORDS.get(type(expr), type(expr).__name__.lower())
    return f"{word}_{_operand(expr.args[0] if isinstance(expr, nd.Unary) else expr)}"


def _operand(expr: sp.Basic) -> str:
    if isinstance(expr, sp.Mul) and expr.args[0] == -1 and isinstance(expr.args[-1], Read):
        return f"neg_{expr.args[-1].name}"
    names = [str(x.name) for x in walk(expr) if isinstance(x, Read)]
    plain = [x for x in names if not x.startswith(("grad_", "d_"))]
    return next(iter((*plain, *names)), "value")


def _is_negative(term: sp.Basic) -> bool:
    """Whether a minus stands in front."""
    number = term.args[0] if isinstance(term, sp.Mul) else sp.S.One
    return bool(number.is_Number and number.is_negative)
