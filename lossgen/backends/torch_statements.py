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

from collections.abc import Sequence
from dataclasses import dataclass, replace

import sympy as sp

from lossgen import nodes as nd
from lossgen.backends.layout import shape_comment
from lossgen.backends.torch_classes import Classes
from lossgen.backends.torch_context import operand
from lossgen.backends.torch_expressions import Expressions
from lossgen.backends.torch_padding import Padding
from lossgen.backends.torch_positions import Positions
from lossgen.backends.torch_products import Products
from lossgen.backends.torch_reductions import Reductions
from lossgen.backends.wholes import Real, whole
from lossgen.brackets import bare
from lossgen.nodes import Letter, free_letters, is_scalar
from lossgen.program import Statement
from lossgen.schedule import Block, Branch

_WIDTH, _DEPTH = 88, 8  # of a formatted line; of the deepest body


@dataclass(frozen=True, slots=True)
class TorchStatements(Products, Positions, Reductions, Padding, Classes):
    """Prints the statements of one program."""

    def lines(self, blocks: Sequence[Block], indent: str = "") -> list[str]:
        """All blocks as lines."""
        out: list[str] = []
        for block in blocks:
            if isinstance(block, Branch):
                out += self._branch(block, indent)
            else:
                out += self._assignment(block, indent)
        return out

    def _assignment(self, x: Statement, indent: str) -> list[str]:
        """``name = value  # shape``; the comment stands above a line that will be broken."""
        if x.op == "nll" and any(_makes(y, x) for y in self.program.statements):
            return []  # its slope's line makes it
        start, steps = self.padded_sum(x)
        names = f"{x.target[1].name}, {x.name}" if x.op == "nll_slope" else x.name
        line = f"{indent}{names} = {bare(self.value(replace(x, body=start) if steps else x))}"
        steps = [f"{indent}{step}" for step in steps]
        axes = [self.names.axes.get(y, y) for y in x.free]
        if not axes or any(y.name == "e" for y in axes):
            return [line, *steps]
        comment = shape_comment(axes)
        if x.op == "nll_slope":
            comment = (
                f"{shape_comment([self.names.axes.get(y, y) for y in _letters(x)])}, {comment}"
            )
        told = f"{line}  # {comment}"
        if len(told) + _DEPTH > _WIDTH:
            return [f"{indent}# {comment}", line, *steps]
        return [told, *steps]

    def _branch(self, branch: Branch, indent: str) -> list[str]:
        added = self._added(branch, indent)
        if added is not None:
            return added
        then, otherwise = (self.lines(b, indent + "    ") for b in (branch.then, branch.otherwise))
        printer = Expressions(self.names, (), {})
        test = bare(printer.code(branch.condition))
        if not then:
            test = printer.opposite(branch.condition)
            then, otherwise = otherwise, []
        if not then:
            return []
        out = [f"{indent}if {test}:", *then]
        if not otherwise:
            return _joined(out, indent)
        if len(branch.otherwise) == 1 and otherwise[0].startswith(f"{indent}    if "):
            chained = [line.removeprefix("    ") for line in otherwise]
            return [*out, f"{indent}el{chained[0].strip()}", *chained[1:]]
        return [*out, f"{indent}else:", *otherwise]

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
        return [*self.lines([less], indent), f"{indent}if {test}:", step]

    # --- one statement ----------------------------------------------------------------------

    def value(self, x: Statement) -> str:
        """The right-hand side."""
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
            code = f"{operand(code)}.expand({self.shape(x.free)})"
            if x.name in self.full:
                code = f"{code}.clone()"  # torch.func writes into what a Function returns
        return code

    def _constant(self, x: Statement, code: str) -> str:
        """A body without tensors (under a static condition), as a tensor of the right shape."""
        if x.kind == "boolean":
            like = self.names.like
            return (
                f"torch.full({self.shape(x.free)}, {code}, dtype=torch.bool, device={like}.device)"
            )
        if x.name in self.unused_ones and x.body == 1:
            return f"{self.names.like}.new_ones(())"
        return f"{self.names.like}.new_full({self.shape(x.free)}, {code})"


def _letters(slope: Statement) -> list[Letter]:
    """Those of the value that a slope's line makes, too."""
    return [y for y in slope.free if y in slope.target[1].subscripts]


def _makes(x: Statement, value: Statement) -> bool:
    """Whether a statement's line makes the value of another with its own."""
    return x.op == "nll_slope" and x.target[1].name == value.name


def _joined(lines: list[str], indent: str) -> list[str]:
    """``if a:`` holding nothing but ``if b:`` as ``if a and b:``."""
    inner = f"{indent}    "
    outer = [line for line in lines[1:] if not line.startswith(f"{inner} ")]
    tests = [lines[0].strip()[3:-1], lines[1].strip()[3:-1]]
    if len(outer) != 1 or not outer[0].startswith(f"{inner}if "):
        return lines
    tests = [f"({t})" if " or " in t else t for t in tests]
    inside = [line.removeprefix("    ") for line in lines[2:]]
    return [f"{indent}if {' and '.join(tests)}:", *inside]
