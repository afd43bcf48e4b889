"""Arithmetic on values that nobody else has, in place.

In: what a line has computed so far, and the next operand.  Out: the line with one more step.

    (d_overlap[..., None] * target) and d_mass[..., None]
    →  (d_overlap[..., None] * target).add_(d_mass[..., None])

A value may be overwritten where it is all of this:

- made by this line, or by one above whose value nothing below this line reads;
- as large as the result, and as the largest input: a small one is not worth the reading;
- a multiple of the gradient that comes in. Of batched gradients each has its own, and what they
  share (what the forward kept) must not be written to by any;
- a function of every input that the next operand depends on. Forward mode over reverse mode, as in
  a Hessian, batches the tangents of one input: what has none cannot take one in.

In anything else, and in every forward, the step makes a new value.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import TRUE, Letter, Read, free_letters, is_scalar, walk
from lossgen.program import Program, Statement
from lossgen.schedule import Block


class FusedStep(nd.Node):
    """Base of the steps of ``torch_fused``: each makes a value and keeps only what it is given.

    Attributes:
        varying: through how many of its arguments it varies for certain, from the first.
    """

    __slots__ = ()
    varying: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class Ownership:
    """What the lines of a backward may overwrite.

    Attributes:
        rank: of the largest input.
        moving: the arrays that are multiples of the gradient that comes in.
        thin: the arrays that may be one number instead.
        roots, sure: the inputs through which each array may vary, and does for certain.
        consumed: by the identity of a statement, the arrays that it is the last to read.
    """

    rank: int
    moving: frozenset[str]
    thin: frozenset[str]
    roots: Mapping[str, frozenset[str]]
    sure: Mapping[str, frozenset[str]]
    consumed: Mapping[int, frozenset[str]]


def ownership(
    program: Program,
    blocks: Sequence[Block],
    forward: Program,
    numbers: frozenset[str] = frozenset(),
) -> Ownership:
    """What the lines of a backward program may overwrite.

    Args:
        program: the backward.
        blocks: its statements as they will run.
        forward: what made that which the backward reads.
        numbers: inputs that may be one number.
    """
    rank = max((len(a.axes) for a in program.inputs if a.kind == "real"), default=0)
    moving = {a.name for a in program.inputs if a.name.startswith("grad_")}
    thin = set(numbers)
    roots = {a.name: frozenset((a.name,)) for a in forward.inputs if a.kind == "real"}
    sure = dict(roots)
    for x in (*forward.statements, *in_order(blocks)):
        if x.kind == "real":
            roots[x.name] = roots.get(x.name, frozenset()) | roots_of(x.expressions(), roots)
            found = roots_of(x.expressions(), sure, surely=True)
            sure[x.name] = sure.get(x.name, found) & found
    makers: dict[str, list[Statement]] = {}
    last: dict[str, Statement] = {}
    readers: dict[str, list[Statement]] = {}
    for x in in_order(blocks):
        if x.op == "map" and not spanned(x.body, thin) >= {*x.free}:
            thin.add(x.name)
        if x.kind == "real" and x.reads() & moving:
            moving.add(x.name)
        makers.setdefault(x.name, []).append(x)
        last.update(dict.fromkeys(x.reads(), x))
        for name in x.reads():
            readers.setdefault(name, []).append(x)
    consumed: dict[int, set[str]] = {}
    for name, x in last.items():
        made = makers.get(name, [])
        fresh = bool(made) and all(y.op != "map" or makes_a_value(y.body) for y in made)
        large = all(len(y.free) >= rank for y in made)
        wanted = name in moving and name not in thin and name not in program.results
        # A product keeps what it reads for a second derivative; a sum does not.
        unseen = all(y is x or _only_adds(y, name) for y in readers[name])
        if fresh and large and wanted and unseen and _reads_once(x, name):
            consumed.setdefault(id(x), set()).add(name)
    last_reads = {k: frozenset(v) for k, v in consumed.items()}
    return Ownership(rank, frozenset(moving), frozenset(thin), roots, sure, last_reads)


# What torch may give no tangent whatever it is applied to; that of a sign is there, and 0.
_FLAT = (nd.Compare, nd.Junction, nd.Not, nd.StopGradient, nd.Step, nd.Floor)


def _may_be_flat(expr: sp.Basic) -> bool:
    """Whether an expression may be constant in what it reads, as a power of exponent 0 is."""
    power = isinstance(expr, (sp.Pow, nd.PowerSlope)) and not expr.args[1].is_number
    return power or isinstance(expr, _FLAT)


def roots_of(
    exprs: Iterable[sp.Basic], roots: Mapping[str, frozenset[str]], *, surely: bool = False
) -> frozenset[str]:
    """The inputs through which expressions vary; ``surely`` leaves out what may have no slope."""
    found: set[str] = set()
    for expr in exprs:
        if isinstance(expr, Read):
            found |= roots.get(expr.name, frozenset())
        elif isinstance(expr, nd.StopGradient) or (surely and _may_be_flat(expr)):
            continue
        elif surely and isinstance(expr, nd.Where) and nd.is_static(expr.args[0]):
            branches = [roots_of([a], roots, surely=True) for a in expr.args[1:]]
            found |= frozenset.intersection(*branches)
        elif surely and isinstance(expr, FusedStep):
            found |= roots_of(expr.args[: expr.varying], roots, surely=True)
        else:
            found |= roots_of(expr.args, roots, surely=surely)
    return frozenset(found)


def in_order(blocks: Sequence[Block]) -> Iterator[Statement]:
    """The statements of blocks in the order in which they run, one branch after the other."""
    for block in blocks:
        if isinstance(block, Statement):
            yield block
        else:
            yield from in_order(block.then)
            yield from in_order(block.otherwise)


def _only_adds(x: Statement, name: str) -> bool:
    """Whether a statement makes a sum of its own in which an array is a term."""
    if x.op in ("sum", "mean"):
        return x.where is TRUE and _is_term(x.body, name)
    terms = sp.Add.make_args(x.body) if x.op == "map" else ()
    return len(terms) > 1 and any(_is_term(a, name) for a in terms) and _reads_once(x, name)


def _is_term(expr: sp.Expr, name: str) -> bool:
    term = -expr if expr.could_extract_minus_sign() else expr
    return isinstance(term, Read) and term.name == name


def _reads_once(x: Statement, name: str) -> bool:
    return sum(occurrences(expr, name) for expr in x.expressions()) == 1


def occurrences(expr: sp.Basic, name: str) -> int:
    """How often an expression reads an array."""
    own = int(isinstance(expr, Read) and expr.name == name)
    return own + sum(occurrences(a, name) for a in expr.args)


def spanned(expr: sp.Basic, thin: Container[str]) -> frozenset[Letter]:
    """The letters along which the value of an expression is laid out for certain."""
    if isinstance(expr, Read):
        return frozenset() if expr.name in thin else free_letters(expr)
    return frozenset().union(*(spanned(a, thin) for a in expr.args))


def makes_a_value(expr: sp.Basic) -> bool:
    """Whether computing an expression makes a tensor that nothing else holds, nor will need."""
    # A function may keep its result for a second derivative; these keep what they are made of.
    made = isinstance(expr, (sp.Add, sp.Mul, nd.Where, nd.Padded, FusedStep))
    return made and not is_scalar(expr)


def moves(expr: sp.Basic, moving: Container[str]) -> bool:
    """Whether an expression is a multiple of the gradient that comes in."""
    return any(isinstance(x, Read) and x.name in moving for x in walk(expr))
