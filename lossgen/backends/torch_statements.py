"""Statements as lines of PyTorch.

In: scheduled blocks.  Out: indented lines, each ending in the shape of what it computes.

    Branch(given(w), [loss[n] = w[n]*a[n]], [loss[n] = a[n]])
    →  if w is not None:
           loss = w * a  # [N]
       else:
           loss = a  # [N]

It refuses nothing; a body without a PyTorch form is refused where it is printed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import sympy as sp

from lossgen import nodes as nd
from lossgen.backends.layout import shape_comment
from lossgen.backends.torch_branches import REASON, has_bounded_branch
from lossgen.backends.torch_classes import Classes
from lossgen.backends.torch_context import operand
from lossgen.backends.torch_expressions import Expressions
from lossgen.backends.torch_folded import folded
from lossgen.backends.torch_padding import Padding
from lossgen.backends.torch_positions import Positions
from lossgen.backends.torch_products import Products
from lossgen.backends.torch_reductions import Reductions
from lossgen.backends.torch_room import Release
from lossgen.backends.torch_written import Called
from lossgen.backends.wholes import Real, whole
from lossgen.brackets import atomic, bare, enclosed
from lossgen.nodes import Letter, free_letters, is_scalar
from lossgen.program import Statement
from lossgen.schedule import Block, Branch

_WIDTH, _DEPTH = 88, 8  # of a formatted line; of the deepest body


@dataclass(frozen=True, slots=True)
class TorchStatements(Products, Positions, Reductions, Padding, Classes):
    """Prints the statements of one program.

    Attributes:
        foldable: values that stand where they are read if that makes one line.
        folded: those that did: known once the lines are printed.
        with_slopes: likelihoods that the lines of their slopes make.
        going: what the lines let go of, by the identity of the statement below which they do.
    """

    foldable: frozenset[str] = frozenset()
    folded: set[str] = field(default_factory=set)
    with_slopes: frozenset[str] = frozenset()
    going: Mapping[int, Release] = field(default_factory=dict)

    def lines(self, blocks: Sequence[Block], indent: str = "") -> list[str]:
        """All blocks as lines."""
        out: list[str] = []
        waiting: list[Statement] = []
        for block in blocks:
            if isinstance(block, Branch):
                out += self._branch(block, indent)
            elif block.name in self.foldable:
                waiting.append(block)
            else:
                out += self._one(block, waiting, indent)
                waiting = []
        return [*out, *(line for x in waiting for line in self._one(x, (), indent))]

    def _one(self, x: Statement, waiting: Sequence[Statement], indent: str) -> list[str]:
        """The line of a statement, those above it folded into it if it stays one line."""
        reason = self.names.plain and has_bounded_branch(x.body)
        lines = [f"{indent}# {REASON}"] if reason else []
        short = self._folded(x, waiting, indent) if waiting else []
        if not short:
            lines = [line for y in waiting for line in self._one(y, (), indent)] + lines
        return [*lines, *(short or self._assignment(x, indent)), *self._room(x, indent)]

    def _folded(self, x: Statement, waiting: Sequence[Statement], indent: str) -> list[str]:
        """``name = value  # shape``, other values written where it reads them; if it is short."""
        values = {y.name: self.value(y) for y in waiting}
        code = folded(self.value(x), values)
        line = f"{indent}{x.name} = {code}{self._shape(x)}"
        if not code or len(line) + _DEPTH > _WIDTH:
            return []
        self.folded.update(values)
        return [line]

    def _room(self, x: Statement, indent: str) -> list[str]:
        """The line that lets go of what nothing below a statement reads."""
        going = self.going.get(id(x))
        if going is None:
            return []
        why = "  # makes room" if going.first else ""
        return [f"{indent}del {', '.join(going.names)}{why}"]

    def _assignment(self, x: Statement, indent: str) -> list[str]:
        """``name = value  # shape``; the comment stands above a line that will be broken."""
        if x.op == "nll" and x.name in self.with_slopes:
            return []
        if x.op == "map" and x.name in x.reads():
            rest = sp.Add(*(t for t in x.body.args if getattr(t, "name", "") != x.name))
            return [f"{indent}{x.name} = {self.printer(x, x.free).added(x.name, rest)}"]
        start, steps = self.padded_sum(x)
        names = f"{x.target[1].name}, {x.name}" if x.op == "nll_slope" else x.name
        if x.op == "call":
            names = ", ".join((x.name, *(y.name for y in x.target)))
        line = f"{indent}{names} = {bare(self.value(replace(x, body=start) if steps else x))}"
        steps = [f"{indent}{step}" for step in steps]
        axes = self.names.along(x.free)
        if not axes or any(y.name == "e" for y in axes):
            return [line, *steps]
        comment = shape_comment(axes)
        if x.op == "nll_slope":
            comment = f"{shape_comment(self.names.along(_letters(x)))}, {comment}"
        told = f"{line}  # {comment}"
        if len(told) + _DEPTH > _WIDTH:
            return [f"{indent}# {comment}", line, *steps]
        return [told, *steps]

    def _branch(self, branch: Branch, indent: str, opening: str = "if") -> list[str]:
        """A branch; ``if a:`` that holds nothing but ``if b:`` is ``if a and b:``."""
        if opening == "if":
            short = self._added(branch, indent) or self._chosen(branch, indent)
            short = short or self._multiplied(branch, indent)
            if short:
                return short
        tests, then, otherwise = self._sides(branch)
        while not otherwise and len(then) == 1 and isinstance(inner := then[0], Branch):
            more, inside, rest = self._sides(inner)
            if rest or self._added(inner, ""):
                break
            tests, then = [*tests, *more], inside
        if len(tests) > 1:
            tests = [f"({x})" if " or " in x else x for x in tests]
        lines = self.lines(then, f"{indent}    ")
        if not lines:
            return []
        out = [f"{indent}{opening} {' and '.join(tests)}:", *lines]
        if len(otherwise) == 1 and isinstance(last := otherwise[0], Branch):
            chained = [] if self._added(last, "") else self._branch(last, indent, "elif")
            if chained:
                return [*out, *chained]
        rest_lines = self.lines(otherwise, f"{indent}    ")
        return [*out, f"{indent}else:", *rest_lines] if rest_lines else out

    def _sides(self, branch: Branch) -> tuple[list[str], Sequence[Block], Sequence[Block]]:
        """The test of a branch and its sides, turned round where nothing stands below the first."""
        printer = Expressions(self.names, (), {})
        if self.lines(branch.then):
            return [bare(printer.code(branch.condition))], branch.then, branch.otherwise
        return [printer.opposite(branch.condition)], branch.otherwise, ()

    def _chosen(self, branch: Branch, indent: str) -> list[str] | None:
        """``x = a if c else b``, where that is short."""
        if len(branch.then) != 1 or len(branch.otherwise) != 1:
            return None
        yes, no = branch.then[0], branch.otherwise[0]
        if isinstance(yes, Branch) or isinstance(no, Branch) or yes.name != no.name:
            return None
        if yes.free != no.free or id(yes) in self.going or id(no) in self.going:
            return None
        lines = [self.lines([x]) for x in (yes, no)]
        if any(len(x) != 1 for x in lines) or "nll_slope" in (yes.op, no.op):
            return None
        test = bare(Expressions(self.names, (), {}).code(branch.condition))
        line = f"{yes.name} = {bare(self.value(yes))} if {test} else {bare(self.value(no))}"
        told = f"{indent}{line}{self._shape(yes)}"
        return [told] if len(told) + _DEPTH <= _WIDTH else None

    def _multiplied(self, branch: Branch, indent: str) -> list[str] | None:
        """``x = a * b if c, else a`` as ``x = a; if c: x = x * b``, where that is the same."""
        if len(branch.then) != 1 or len(branch.otherwise) != 1:
            return None
        more, less = branch.then[0], branch.otherwise[0]
        if isinstance(more, Branch) or isinstance(less, Branch) or more.name != less.name:
            return None
        if (more.op, less.op, more.free) != ("map", "map", less.free) or is_scalar(less.body):
            return None
        code, part = bare(self.value(more)), bare(self.value(less))
        rest = code.removeprefix(f"{enclosed(part)} * ").removeprefix(f"{part} * ")
        if rest == code or not atomic(rest) or atomic(part):
            return None
        test = bare(Expressions(self.names, (), {}).code(branch.condition))
        step = f"{indent}    {more.name} = {more.name} * {rest}"
        room = self._room(more, indent + "    ")
        return [*self.lines([less], indent), f"{indent}if {test}:", step, *room]

    def _shape(self, x: Statement) -> str:
        """The shape of a value as a comment at the end of its line."""
        axes = self.names.along(x.free)
        return "" if not axes or axes[0].name == "e" else f"  # {shape_comment(axes)}"

    def _added(self, branch: Branch, indent: str) -> list[str] | None:
        """``if c: x = a + b; else: x = a`` as ``x = a; if c: x = x + b``."""
        if len(branch.then) != 1 or len(branch.otherwise) != 1:
            return None
        more, less = branch.then[0], branch.otherwise[0]
        if (
            isinstance(more, Branch)
            or isinstance(less, Branch)
            or more.op != "map"
            or more.name != less.name
        ):
            return None
        terms, fewer = sp.Add.make_args(more.body), sp.Add.make_args(less.body)
        rest = [t for t in terms if t not in fewer]
        if less.body == 0 or len(rest) != len(terms) - len(fewer) or not set(fewer) <= set(terms):
            return None
        if less.op != "map" or less.free != more.free or is_scalar(less.body):
            return None
        printer = self.printer(more, more.free)
        test = bare(Expressions(self.names, (), {}).code(branch.condition))
        step = f"{indent}    {more.name} = {printer.added(more.name, sp.Add(*rest))}"
        return [
            *self.lines([less], indent),
            f"{indent}if {test}:",
            step,
            *self._room(more, indent + "    "),
        ]

    # --- one statement ----------------------------------------------------------------------

    def value(self, x: Statement) -> str:
        """The right-hand side."""
        if isinstance(x.body, Called):
            return f"{x.body.function}({', '.join(map(_given, x.body.given))})"
        if x.op == "stack":
            return self.stack(x)
        if x.op == "scatter":
            return self.scatter(x)
        if x.op == "place":
            return self.place(x)
        if x.op == "balance":
            return self.balance(x)
        if x.op == "nll_slope":
            return self.likelihood(x, x.target[1].subscripts, "_nll_and_slope")
        if x.op == "map":
            return self._map(x)
        contraction = self.contraction(x)
        if contraction is not None:
            return contraction
        return self.by_class(x, self.reduction(x))

    def _map(self, x: Statement) -> str:
        counted = x.kind == "real" and whole(x.body, self.names.kinds)
        code = self.printer(x, x.free).code(Real(x.body) if counted else x.body)
        if is_scalar(x.body):
            return self._constant(x, code)
        if x.name in self.full:
            cast = f".to({self.names.like}.dtype)"
            if x.kind != "real" and not code.endswith(cast):
                code = f"{operand(code)}{cast}"
            elif isinstance(x.body, nd.Read) and any(a.name == code for a in self.program.inputs):
                # A Function may not return an input as it is.
                code = f"{code}.view_as({code})"
        if set(x.free) - free_letters(x.body):
            code = f"{operand(code)}.expand({self.shape(x.free, x.extents)})"
            if x.name in self.full:
                code = f"{code}.clone()"  # torch.func writes into what a Function returns
        return code

    def _constant(self, x: Statement, code: str) -> str:
        """A body without tensors (under a static condition), as a tensor of the right shape."""
        shape = self.shape(x.free, x.extents)
        if x.kind == "boolean":
            kind = f"dtype=torch.bool, device={self.names.like}.device"
            return f"torch.full({shape}, {code}, {kind})"
        if x.name in self.unused_ones and x.body == 1:
            return f"{self.names.like}.new_ones(())"
        return f"{self.names.like}.new_full({shape}, {code})"


def _given(argument: nd.Read | nd.Param) -> str:
    """An argument of a call."""
    return str(argument.name)


def made_with_slopes(statements: Iterable[Statement]) -> frozenset[str]:
    """The likelihoods that the lines of their slopes make."""
    return frozenset(x.target[1].name for x in statements if x.op == "nll_slope")


def _letters(slope: Statement) -> list[Letter]:
    """Those of the value that a slope's line makes, too."""
    return [y for y in slope.free if y in slope.target[1].subscripts]
