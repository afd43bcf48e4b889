"""Statements as lines of PyTorch.

In: scheduled blocks.  Out: indented lines, each ending in the shape of what it computes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import sympy as sp

from lossgen import nodes as nd
from lossgen.axes import shifted_letter
from lossgen.backends.layout import aligned, dims, permuted, shape_comment
from lossgen.backends.torch_expressions import Expressions, Names, bare
from lossgen.nodes import TRUE, ZERO, Letter, Size, free_letters, is_scalar
from lossgen.program import Program, Statement
from lossgen.schedule import Block, Branch

_METHODS = {
    "sum": "sum",
    "mean": "mean",
    "amax": "amax",
    "amin": "amin",
    "any": "any",
    "count": "sum",
}
_OUTSIDE = {"sum": "0.0"}
_WIDTH, _DEPTH = 88, 8  # of a formatted line; of the deepest body


@dataclass(frozen=True, slots=True)
class TorchStatements:
    """Prints the statements of one program."""

    program: Program
    names: Names
    full: frozenset[str] = frozenset()  # results that must have their whole shape
    unused_ones: frozenset[str] = frozenset()  # divisors that nothing divides by when they are 1

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
        line = f"{indent}{x.name} = {bare(self.value(x))}"
        axes = [self.names.axes.get(y, y) for y in x.free]
        if not axes or any(y.name == "e" for y in axes):
            return [line]
        comment = shape_comment(axes)
        if len(line) + len(comment) + _DEPTH + 2 > _WIDTH:
            return [f"{indent}# {comment}", line]
        return [f"{line}  # {comment}"]

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
        printer = self._printer(more, more.free)
        test = bare(Expressions(self.names, (), {}).code(branch.condition))
        step = f"{indent}    {more.name} = {printer.added(more.name, sp.Add(*rest))}"
        return [*self.lines([less], indent), f"{indent}if {test}:", step]

    # --- one statement ----------------------------------------------------------------------

    def value(self, x: Statement) -> str:
        """The right-hand side."""
        if x.op == "stack":
            return self._stack(x)
        if x.op == "scatter":
            return self._scatter(x)
        if x.op == "map":
            return self._map(x)
        contraction = self._contraction(x)
        if contraction is not None:
            return contraction
        return self._reduction(x)

    def _printer(self, x: Statement, scope: Sequence[Letter]) -> Expressions:
        return Expressions(self.names, scope, x.extents)

    def _map(self, x: Statement) -> str:
        code = self._printer(x, x.free).code(x.body)
        if is_scalar(x.body):
            return self._constant(x, code)
        if x.name in self.full:
            if x.kind != "real":
                code = f"{_operand(code)}.to({self.names.like}.dtype)"
            elif isinstance(x.body, nd.Read) and any(a.name == code for a in self.program.inputs):
                # A Function may not return an input as it is.
                code = f"{code}.view_as({code})"
        if set(x.free) - free_letters(x.body):
            code = f"{_operand(code)}.expand({self._shape(x.free)})"
        return code

    def _constant(self, x: Statement, code: str) -> str:
        """A body without tensors (under a static condition) is still a tensor of the right shape."""
        if x.kind == "boolean":
            like = self.names.like
            return (
                f"torch.full({self._shape(x.free)}, {code}, dtype=torch.bool, device={like}.device)"
            )
        if x.name in self.unused_ones and x.body == 1:
            return f"{self.names.like}.new_ones(())"
        return f"{self.names.like}.new_full({self._shape(x.free)}, {code})"

    def _shape(self, letters: Sequence[Letter]) -> str:
        if any(y.name == "e" for y in letters):
            return f"{self.names.like}.shape"
        sizes = [self.names.size(y) for y in letters]
        return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"

    def _reduction(self, x: Statement) -> str:
        inside = free_letters(x.body) | free_letters(x.where)
        scope = self.program.sorted(inside)
        bound = [y for y in x.bound if y in inside]
        printer = self._printer(x, scope)
        idle = [y for y in x.bound if y not in inside]
        if not bound:
            return self._over_nothing(x, printer, idle)
        if split := self._split(x, scope, bound, idle):
            return split
        masked = x.where is not TRUE
        inner = printer.code(x.body)
        if masked and x.op == "logsumexp":
            axes = tuple(scope.index(y) - len(scope) for y in bound)
            where = bare(printer.code(x.where))
            return (
                f"_masked_logsumexp({bare(inner)}, {where}, {axes if len(axes) > 1 else axes[0]})"
            )
        if masked and x.op in ("amax", "amin"):
            axes = tuple(scope.index(y) - len(scope) for y in bound)
            where = bare(printer.code(x.where))
            return f"_masked_{x.op}({bare(inner)}, {where}, {axes if len(axes) > 1 else axes[0]})"
        if masked and x.op in _OUTSIDE:
            inner = f"torch.where({bare(printer.code(x.where))}, {inner}, {_OUTSIDE[x.op]})"
        where = dims(bound, scope)
        if x.op in ("softmax", "log_softmax"):
            code = f"{_operand(inner)}.{x.op}({where or 0})"
        elif x.op == "norm":
            code = f"torch.linalg.vector_norm({bare(inner)}{f', dim={where}' if where else ''})"
        elif x.op == "logsumexp":
            code = f"{_operand(inner)}.logsumexp({where or tuple(range(len(scope)))})"
        else:
            code = f"{_operand(inner)}.{_METHODS[x.op]}({where})"
        if idle and x.op in ("sum", "count"):
            code = f"{code} * {' * '.join(map(self.names.size, idle))}"
        return code

    def _split(self, x: Statement, scope: Sequence[Letter], bound: list[Letter], idle: list[Letter]) -> str:
        """The sum of ``a + b`` as two sums: ``a + b`` is then never laid out in memory."""
        terms = sp.Add.make_args(x.body)
        reads = all(isinstance(t, nd.Read) and free_letters(t) == {*scope} for t in terms)
        if x.op != "sum" or x.where is not TRUE or idle or len(terms) < 2 or not self.full or not reads:
            return ""
        printer, where = self._printer(x, scope), dims(bound, scope)
        return " + ".join(f"{printer.operand(t)}.sum({where})" for t in terms)

    def _over_nothing(self, x: Statement, printer: Expressions, idle: list[Letter]) -> str:
        """A reduction of what does not depend on its letters (a mask that is absent)."""
        count = printer.code(sp.Mul(*(Size(y) - sum(x.extents.get(y, (0, 0))) for y in idle)))
        if x.op == "count" or (x.op == "sum" and x.body == 1):
            shape = f"({', '.join('1' for _ in x.free)}{',' if len(x.free) == 1 else ''})"
            kind = ", dtype=torch.int64" if x.op == "count" else ""
            return f"{self.names.like}.new_full({shape}, {count}{kind})"
        return printer.code(x.body)

    # --- matrix products --------------------------------------------------------------------

    def _contraction(self, x: Statement) -> str | None:
        """A product of which no factor has all the letters is a matrix product, never formed whole."""
        if x.op not in ("sum", "mean") or x.where is not TRUE or not isinstance(x.body, sp.Mul):
            return None
        scope = {*x.free, *x.bound}
        operands = [f for f in x.body.args if free_letters(f)]
        scalars = [f for f in x.body.args if not free_letters(f)]
        if len(operands) < 2 or any(free_letters(f) >= scope for f in operands):
            return None
        operands = self._grouped(operands, x)
        if any(free_letters(f) >= scope for f in operands) or len(operands) < 2:
            return None
        if x.op == "mean":
            scalars += [1 / Size(y) for y in x.bound]
        code = self._product(x, operands)
        if not scalars:
            return code
        factor = sp.Mul(*scalars)
        numerator, denominator = sp.fraction(factor)
        printer = self._printer(x, ())
        if numerator != 1:
            code = (
                f"{printer.operand(numerator)} * {_operand(code)}"
                if numerator != -1
                else f"-{_operand(code)}"
            )
        return f"{_operand(code)} / {printer.operand(denominator)}" if denominator != 1 else code

    def _grouped(self, operands: list[sp.Expr], x: Statement) -> list[sp.Expr]:
        """Factors over the same letters, or over fewer, multiply before the product."""
        groups: list[sp.Expr] = []
        for factor in sorted(operands, key=lambda f: -len(free_letters(f))):
            host = next(
                (k for k, g in enumerate(groups) if free_letters(g) >= free_letters(factor)), None
            )
            if host is None:
                groups.append(factor)
            else:
                groups[host] = groups[host] * factor
        return groups

    def _product(self, x: Statement, operands: list[sp.Expr]) -> str:
        if len(operands) == 2 and len(x.bound) == 1:
            k = x.bound[0]
            outer = [[y for y in x.free if y in free_letters(f)] for f in operands]
            if all(len(o) == 1 for o in outer) and outer[0] != outer[1]:
                first, second = operands if x.free[0] == outer[0][0] else reversed(operands)
                return f"{self._matrix(x, first, k, last=True)} @ {self._matrix(x, second, k, last=False)}"
        letters: dict[Letter, str] = {
            y: chr(ord("a") + p) for p, y in enumerate(self.program.order)
        }
        parts: list[tuple[str, frozenset[Letter]]] = []
        for factor in operands:
            scope = self.program.sorted(free_letters(factor))
            parts.append((bare(self._printer(x, scope).code(factor)), frozenset(scope)))

        def joined(pair: list[tuple[str, frozenset[Letter]]], kept: Sequence[Letter]) -> str:
            terms = ["".join(letters[y] for y in self.program.sorted(p[1])) for p in pair]
            result = "".join(letters[y] for y in kept)
            return f'torch.einsum("{",".join(terms)}->{result}", {", ".join(p[0] for p in pair)})'

        while len(parts) > 2:
            # einsum takes more than two from the left, whatever size that makes: pair them here.
            def left(pair: tuple[int, int]) -> frozenset[Letter]:
                others = frozenset(x.free).union(
                    *(p[1] for k, p in enumerate(parts) if k not in pair)
                )
                return (parts[pair[0]][1] | parts[pair[1]][1]) & others

            best = min(
                combinations(range(len(parts)), 2),
                key=lambda pair: (len(left(pair)), -len(parts[pair[0]][1] & parts[pair[1]][1])),
            )
            kept = self.program.sorted(left(best))
            made = joined([parts[k] for k in best], kept), frozenset(kept)
            parts = [made, *(p for k, p in enumerate(parts) if k not in best)]
        return joined(parts, x.free)

    def _matrix(self, x: Statement, factor: sp.Expr, bound: Letter, *, last: bool) -> str:
        other = next(y for y in free_letters(factor) if y != bound)
        wanted = [other, bound] if last else [bound, other]
        if isinstance(factor, nd.Read) and not isinstance(factor, nd.Padded):
            return self._printer(x, wanted).operand(factor)
        scope = self.program.sorted({*wanted})
        return permuted(_operand(self._printer(x, scope).code(factor)), scope, wanted)

    # --- writing to positions ---------------------------------------------------------------

    def _stack(self, x: Statement) -> str:
        axis = x.bound[0]
        rest = [y for y in x.free if y != axis]
        present = {y for part in x.target for y in free_letters(part)}
        full = next((p for p in x.target if set(rest) <= free_letters(p)), None)
        codes = []
        for part in x.target:
            code = bare(self._printer(x, rest).code(part))
            if set(rest) <= free_letters(part):
                codes.append(code)
            elif full is not None:
                codes.append(f"torch.full_like({bare(self._printer(x, rest).code(full))}, {code})")
            else:
                codes.append(f"{self.names.like}.new_full({self._shape(rest)}, {code})")
        del present
        place = x.free.index(axis)
        where = "-1" if place == len(x.free) - 1 else str(place)
        return f"torch.stack(({', '.join(codes)}), {where})"

    def _scatter(self, x: Statement) -> str:
        places = [shifted_letter(t) for t in x.target]
        gathers = [k for k, p in enumerate(places) if p is None]
        base = self._base(x)
        if x.body == 0:
            return base
        if len(x.free) == 1:
            scope = self.program.sorted(free_letters(x.target[0]) | free_letters(x.body))
            printer = self._printer(x, scope)
            index, source = printer.code(x.target[0]), printer.code(x.body)
            if not set(scope) <= free_letters(x.target[0]):
                index = f"{_operand(index)}.expand({self._shape(scope)})"
            if not set(scope) <= free_letters(x.body):
                source = f"{_operand(source)}.expand({self._shape(scope)})"
            if len(scope) > 1:
                index, source = f"{_operand(index)}.reshape(-1)", f"{_operand(source)}.reshape(-1)"
            return f"{base}.index_add(0, {bare(index)}, {bare(source)})"
        plain = [p[0] for p in places if p is not None]
        extra = list(x.bound)
        if (
            len(gathers) == 1
            and len(set(plain)) == len(plain) == len(x.free) - 1
            and len(extra) <= 1
        ):
            axis = gathers[0]
            standing = [*plain[:axis], *extra, *plain[axis:]]
            index = self._whole(x, x.target[axis], standing)
            source = self._whole(x, x.body, standing)
            if not extra:
                index, source = (f"{_operand(c)}.unsqueeze({axis})" for c in (index, source))
            return f"{base}.scatter_add({axis}, {bare(index)}, {bare(source)})"
        scope = self.program.sorted(free_letters(sp.Tuple(*x.target)) | free_letters(x.body))
        printer = self._printer(x, scope)
        indices = ", ".join(bare(printer.code(t)) for t in x.target)
        return (
            f"{base}.index_put(({indices}), {bare(self._whole(x, x.body, scope))}, accumulate=True)"
        )

    def _whole(self, x: Statement, expr: sp.Expr, scope: Sequence[Letter]) -> str:
        code = self._printer(x, scope).code(expr)
        if set(scope) <= free_letters(expr):
            return code
        return f"{_operand(code)}.expand({self._shape(scope)})"

    def _base(self, x: Statement) -> str:
        if x.base == ZERO:
            source = x.name.removeprefix("d_").rstrip("0123456789")
            if any(a.name == source for a in self.program.inputs):
                return f"torch.zeros_like({source})"
            return f"{self.names.like}.new_zeros({self._shape(x.free)})"
        code = self._printer(x, x.free).code(x.base)
        if set(x.free) <= free_letters(x.base):
            return _operand(code)
        return f"{_operand(code)}.expand({self._shape(x.free)})"


def _joined(lines: list[str], indent: str) -> list[str]:
    """``if a:`` holding nothing but ``if b:`` as ``if a and b:``."""
    inner = f"{indent}    "
    outer = [line for line in lines[1:] if not line.startswith(f"{inner} ")]
    tests = [lines[0].strip()[3:-1], lines[1].strip()[3:-1]]
    if len(outer) != 1 or not outer[0].startswith(f"{inner}if ") or any(" or " in t for t in tests):
        return lines
    return [f"{indent}if {' and '.join(tests)}:", *(line.removeprefix("    ") for line in lines[2:])]


def _operand(code: str) -> str:
    """``code`` fit for a method call."""
    code = bare(code)
    depth = 0
    for char in code:
        depth += (char in "([{") - (char in ")]}")
        if depth == 0 and char in " -~":
            return f"({code})"
    return code


def gradient_shapes(statements: Iterable[Statement]) -> dict[str, tuple[Letter, ...]]:
    """The letters on which each statement's result really depends."""
    return {x.name: x.free for x in statements}


__all__ = ["TorchStatements", "aligned", "gradient_shapes"]
