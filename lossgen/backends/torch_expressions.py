"""Elementwise expressions as PyTorch: a table of functions, and precedence.

In: a body, the scope of letters it is computed over, and where arrays and sizes are to be found.  Out: one
Python expression.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp
from sympy.printing.precedence import PRECEDENCE
from sympy.printing.str import StrPrinter

from lossgen import nodes as nd
from lossgen.axes import shifted_letter
from lossgen.backends.layout import aligned
from lossgen.nodes import Letter, Read, free_letters, is_scalar, walk
from lossgen.program import Extent
from lossgen.roles import Kind

# Functions by node: over tensors, and over Python numbers.
FUNCTIONS: dict[type[sp.Basic], tuple[str, str]] = {
    nd.Exp: ("torch.exp", "math.exp"),
    nd.Log: ("torch.log", "math.log"),
    nd.Sqrt: ("torch.sqrt", "math.sqrt"),
    nd.Abs: ("torch.abs", "abs"),
    nd.Sign: ("torch.sign", ""),
    nd.Sigmoid: ("torch.sigmoid", ""),
    nd.LogSigmoid: ("F.logsigmoid", ""),
    nd.Log1p: ("torch.log1p", "math.log1p"),
    nd.Expm1: ("torch.expm1", "math.expm1"),
    nd.Tanh: ("torch.tanh", "math.tanh"),
    nd.Sin: ("torch.sin", "math.sin"),
    nd.Cos: ("torch.cos", "math.cos"),
    nd.Acos: ("torch.acos", "math.acos"),
    nd.Atan: ("torch.atan", "math.atan"),
    nd.Erf: ("torch.erf", "math.erf"),
    nd.Lgamma: ("torch.lgamma", "math.lgamma"),
    nd.Digamma: ("torch.digamma", ""),
    nd.Floor: ("torch.floor", "math.floor"),
    nd.Xlogy: ("torch.xlogy", ""),
    nd.LogAddExp: ("torch.logaddexp", ""),
}


@dataclass(frozen=True, slots=True)
class Names:
    """Where arrays and sizes are to be found.

    Attributes:
        arrays: the letters and extents of each array.
        kinds: what its elements are.
        sizes: the code for the size of each axis.
        axes: the axis of each letter.
        like: a tensor whose dtype and device new values take.
        numbers: arrays that may be one number, which is cheap to scale.
    """

    arrays: Mapping[str, tuple[tuple[Letter, ...], Mapping[Letter, Extent]]]
    kinds: Mapping[str, Kind]
    sizes: Mapping[Letter, str]
    axes: Mapping[Letter, Letter]
    like: str
    numbers: frozenset[str] = frozenset()

    def size(self, letter: Letter) -> str:
        """The size of the axis a letter runs over."""
        axis = self.axes.get(letter, letter)
        return axis.name if axis.name.isdigit() else self.sizes[axis]


class Expressions(StrPrinter):
    """Prints one body in one scope."""

    def __init__(
        self, names: Names, scope: Sequence[Letter], extents: Mapping[Letter, Extent]
    ) -> None:
        super().__init__()
        self.names, self.scope, self.extents = names, tuple(scope), extents

    def code(self, expr: sp.Basic) -> str:
        """The expression as Python."""
        return str(self._print(sp.sympify(expr)))

    def operand(self, expr: sp.Basic) -> str:
        """The expression, in parentheses unless it binds tightest: fit for a method call."""
        text = str(self.parenthesize(expr, PRECEDENCE["Atom"], strict=True))
        return f"({text})" if text[0] in "~-" else text

    def within(self, scope: Sequence[Letter]) -> Expressions:
        """The same printer in another scope."""
        return Expressions(self.names, scope, self.extents)

    # --- arithmetic -------------------------------------------------------------------------

    def _print_Add(self, expr: Any, order: Any = None) -> str:
        # Tensors before scalars: a small constant must not be lost in a partial sum. Where every
        # tensor is subtracted, the scalar opens the line: 1 - x.
        leading = any(not _negative(t) and not is_scalar(t) for t in expr.args)
        terms = sorted(
            expr.args,
            key=lambda t: (
                (is_scalar(t), _negative(t)) if leading else (_negative(t), is_scalar(t)),
                self._rank(t),
            ),
        )
        first, *rest = terms
        text = self.parenthesize(first, PRECEDENCE["Add"], strict=True)
        for term in rest:
            if _negative(term):
                text += f" - {self.parenthesize(_negate(term), PRECEDENCE['Add'])}"
            else:
                text += f" + {self.parenthesize(term, PRECEDENCE['Add'], strict=True)}"
        return text

    def added(self, name: str, term: sp.Expr) -> str:
        """``name + term``, or ``name - term``."""
        if not isinstance(term, sp.Add) and _negative(term):
            return f"{name} - {self.parenthesize(_negate(term), PRECEDENCE['Add'])}"
        return f"{name} + {self.code(term)}"

    def _rank(self, expr: sp.Basic) -> int:
        return -self._size(expr)

    def _size(self, expr: sp.Basic) -> int:
        """How many letters the value of an expression really has."""
        if isinstance(expr, Read) and expr.name in self.names.numbers:
            return 0
        return len(free_letters(expr))

    def _print_Mul(self, expr: Any) -> str:
        expr = _flipped(expr)
        if not isinstance(expr, sp.Mul):
            return str(self._print(expr))
        coefficient, factors = expr.as_coeff_mul()
        sign = "-" if coefficient.is_negative else ""
        above, below = list(factors), []
        if abs(coefficient) != 1:
            p, q = sp.fraction(abs(coefficient))
            if float(p / q) == p / q and all(
                isinstance(f, sp.Pow) and _negative_exponent(f.exp) for f in factors
            ):
                p, q = sp.Float(float(p / q)) if q != 1 else p, sp.S.One
            above += [] if p == 1 else [p]
            below += [] if q == 1 else [q]
        for factor in factors:
            if isinstance(factor, sp.Pow) and _negative_exponent(factor.exp):
                above.remove(factor)
                below.append(sp.Pow(factor.base, -factor.exp))
            if isinstance(factor, nd.Ratio):
                above.remove(factor)
                above += [] if factor.args[0] == 1 else [factor.args[0]]
                below.append(nd.Ratio(1, factor.args[1]))
        # Scalars and small arrays first: they combine before the large ones are touched.
        above.sort(
            key=lambda f: (
                not f.is_Rational,
                not f.is_number,
                not is_scalar(f),
                self._size(f),
                not _adjoint(f),
            )
        )
        below.sort(key=lambda f: (not is_scalar(f), self._size(f)))
        return sign + self._quotient(above, below)

    def _quotient(self, above: list[Any], below: list[Any]) -> str:
        parts = [(self._size(f), not is_scalar(f), 0, f) for f in above]
        parts += [(self._size(f), not is_scalar(f), 1, f) for f in below]
        small = [p for p in parts if p[:2] < max(q[:2] for q in parts)]
        large = [p for p in parts if p not in small]
        sequence = [*(p for p in small if p[2] == 0), *(p for p in small if p[2] == 1)]
        if not any(p[2] == 0 for p in small):
            sequence = [*(p for p in large if p[2] == 0), *sequence, *(p for p in large if p[2])]
        else:
            sequence += [*(p for p in large if p[2] == 0), *(p for p in large if p[2])]
        text = "" if sequence[0][2] == 0 else "1"
        for *_, inverse, factor in sequence:
            if inverse and isinstance(factor, nd.Ratio):
                item = self._without_zeros(factor.args[1])
            else:
                item = self.parenthesize(factor, PRECEDENCE["Mul"], strict=not inverse)
            text = item if not text else f"{text} / {item}" if inverse else f"{text} * {item}"
        return text

    def _print_Pow(self, expr: Any, rational: bool = False) -> str:
        base, exponent = expr.base, expr.exp
        if _negative_exponent(exponent):
            return f"1 / {self.parenthesize(sp.Pow(base, -exponent), PRECEDENCE['Pow'])}"
        tensor = not is_scalar(base)
        if exponent == 2 and tensor:
            return f"{self.operand(base)}.square()"
        if exponent == sp.S.Half and tensor:
            return f"torch.sqrt({self.code(base)})"
        power = self.parenthesize(exponent, PRECEDENCE["Pow"])
        return f"{self.operand(base)} ** {power}"

    def _print_Float(self, expr: Any) -> str:
        return repr(float(expr))

    def _print_Rational(self, expr: Any) -> str:
        return repr(float(expr)) if float(expr) == expr else f"{expr.p} / {expr.q}"

    def _print_Half(self, expr: Any) -> str:
        return "0.5"

    def _print_Pi(self, expr: Any) -> str:
        return "math.pi"

    def _print_Infinity(self, expr: Any) -> str:
        return "math.inf"

    def _print_NegativeInfinity(self, expr: Any) -> str:
        return "-math.inf"

    def _print_NaN(self, expr: Any) -> str:
        return "math.nan"

    def _print_Param(self, expr: Any) -> str:
        return str(expr.name)

    # --- reads ------------------------------------------------------------------------------

    def _print_Letter(self, expr: Any) -> str:
        low, trim = self.extents.get(expr, (0, 0))
        stop = self.names.size(expr) + (f" - {trim}" if trim else "")
        span = f"{low}, {stop}" if low else stop
        return aligned(f"torch.arange({span}, device={self.names.like}.device)", [expr], self.scope)

    def _print_Size(self, expr: Any) -> str:
        return self.names.size(expr.letter)

    def _print_Padded(self, expr: Any) -> str:
        letters, extents = self.names.arrays[expr.name]
        pads: list[int] = []
        for letter, place in zip(letters, expr.subscripts, strict=True):
            read, shift = shifted_letter(place) or (letter, 0)
            low, trim = extents.get(letter, (0, 0))
            have_low, have_trim = self.extents.get(read, (0, 0))
            pads = [low - shift - have_low, trim + shift - have_trim, *pads]
        while pads[-2:] == [0, 0]:
            pads = pads[:-2]
        read_letters = [
            (shifted_letter(p) or (x, 0))[0] for x, p in zip(letters, expr.subscripts, strict=True)
        ]
        return aligned(
            f"F.pad({expr.name}, ({', '.join(map(str, pads))}))", read_letters, self.scope
        )

    def _print_Read(self, expr: Any) -> str:
        letters, extents = self.names.arrays[expr.name]
        places = [shifted_letter(s) for s in expr.subscripts]
        if any(
            p is None and not s.is_Integer for p, s in zip(places, expr.subscripts, strict=True)
        ):
            return self._gather(expr)
        index: list[str] = []
        left: list[Letter] = []
        for letter, subscript, place in zip(letters, expr.subscripts, places, strict=True):
            if place is None:
                index.append(str(subscript))
                continue
            low, trim = extents.get(letter, (0, 0))
            want_low, want_trim = self.extents.get(place[0], (0, 0))
            start, stop = want_low + place[1] - low, want_trim - place[1] - trim
            index.append(f"{start or ''}:{-stop or ''}")
            left.append(place[0])
        while index and index[-1] == ":":
            index.pop()
        code = f"{expr.name}[{', '.join(index)}]" if index else expr.name
        code, left = self._diagonals(code, left)
        return aligned(code, left, self.scope)

    def _diagonals(self, code: str, letters: list[Letter]) -> tuple[str, list[Letter]]:
        for letter in dict.fromkeys(letters):
            while letters.count(letter) > 1:
                first = letters.index(letter)
                second = letters.index(letter, first + 1)
                where = "" if len(letters) == 2 else f"dim1={first}, dim2={second}"
                code = f"{code}.diagonal({where})"
                letters = [x for k, x in enumerate(letters) if k not in (first, second)] + [letter]
        return code, letters

    def _gather(self, expr: Any) -> str:
        places = [shifted_letter(s) for s in expr.subscripts]
        plain = [p[0] for p in places if p is not None and not p[1]]
        gathers = [k for k, p in enumerate(places) if p is None]
        if len(expr.subscripts) == 1:
            index = expr.subscripts[0]
            letters = self._letters(index)
            code = f"{expr.name}[{self.within(letters).code(index)}]"
            return aligned(code, letters, self.scope)
        if len(gathers) == 1 and len(plain) == len(places) - 1 and len(set(plain)) == len(plain):
            axis, index = gathers[0], expr.subscripts[gathers[0]]
            inside = self._letters(index)
            extra = [x for x in inside if x not in plain]
            if len(extra) <= 1 and set(plain) <= set(inside):
                standing = [*plain[:axis], *(extra or [Letter("_")]), *plain[axis:]]
                shown = (
                    self.within(standing).code(index) if extra else self._spread(index, plain, axis)
                )
                code = f"{expr.name}.gather({axis}, {shown})"
                if extra:
                    return aligned(code, standing, self.scope)
                return aligned(f"{code}.squeeze({axis})", plain, self.scope)
        # Anything else: index arrays broadcast against one another.
        letters = self._letters(expr)
        inner = self.within(letters)
        code = f"{expr.name}[{', '.join(inner.code(s) for s in expr.subscripts)}]"
        return aligned(code, letters, self.scope)

    def _spread(self, index: Any, plain: list[Letter], axis: int) -> str:
        return f"{self.within(plain).operand(index)}.unsqueeze({axis})"

    def _letters(self, expr: sp.Basic) -> list[Letter]:
        inside = free_letters(expr)
        order = [*self.scope, *sorted(inside - {*self.scope}, key=str)]
        return [x for x in order if x in inside]

    # --- conditions -------------------------------------------------------------------------

    def _print_Compare(self, expr: Any) -> str:
        left, right = expr.left, expr.right
        if isinstance(left, Letter) and isinstance(right, Letter) and expr.op in ("==", "!="):
            if self.names.axes.get(left) == self.names.axes.get(
                right
            ) and not self.extents.keys() & {left, right}:
                like = self.names.like
                eye = f"torch.eye({self.names.size(left)}, dtype=torch.bool, device={like}.device)"
                pair = [x for x in self.scope if x in (left, right)]
                return ("~" if expr.op == "!=" else "") + aligned(eye, pair, self.scope)
        level = PRECEDENCE["BitwiseOr"]
        return f"({self.parenthesize(left, level)} {expr.op} {self.parenthesize(right, level)})"

    def _print_And(self, expr: Any) -> str:
        word = " and " if is_scalar(expr) else " & "
        return f"({word.join(map(self.code, expr.args))})"

    def _print_Or(self, expr: Any) -> str:
        word = " or " if is_scalar(expr) else " | "
        return f"({word.join(map(self.code, expr.args))})"

    def _print_Not(self, expr: Any) -> str:
        return f"{'not ' if is_scalar(expr) else '~'}{self.code(expr.args[0])}"

    def opposite(self, condition: sp.Basic) -> str:
        """The test that a static condition fails."""
        if isinstance(condition, nd.Given):
            return f"{condition.name} is None"
        if isinstance(condition, nd.Compare):
            return bare(
                self.code(nd.Compare(nd.MIRROR[condition.op], condition.left, condition.right))
            )
        return f"not {self.operand(condition)}"

    def _print_Given(self, expr: Any) -> str:
        return f"{expr.name} is not None"

    def _print_Needs(self, expr: Any) -> str:
        return f"need_{expr.name}"

    def _print_BooleanTrue(self, expr: Any) -> str:
        return "True"

    def _print_BooleanFalse(self, expr: Any) -> str:
        return "False"

    # --- functions --------------------------------------------------------------------------

    def _print_Where(self, expr: Any) -> str:
        condition, yes, no = expr.args
        if is_scalar(condition):
            return f"({self.code(yes)} if {bare(self.code(condition))} else {self.code(no)})"
        test = bare(self.code(condition))
        numbers = [is_scalar(x) for x in (yes, no)]
        if all(numbers):
            # where(mask, 0.1, 0.2) is float32 whatever the inputs are.
            if (yes, no) == (1, 0):
                return f"{self.operand(condition)}.to({self.names.like}.dtype)"
            if (yes, no) == (0, 1):
                return f"{self.operand(nd.Not(condition))}.to({self.names.like}.dtype)"
            first = f"{self.names.like}.new_tensor({self.code(yes)})"
            return f"torch.where({test}, {first}, {self.code(no)})"
        return f"torch.where({test}, {bare(self.code(yes))}, {bare(self.code(no))})"

    def _print_Max(self, expr: Any) -> str:
        return self._extreme(expr, "maximum", "min", ">")

    def _print_Min(self, expr: Any) -> str:
        return self._extreme(expr, "minimum", "max", "<")

    def _extreme(self, expr: Any, both: str, clamp: str, beats: str) -> str:
        a, b, share = expr.args
        if is_scalar(a) and is_scalar(b):
            return f"{both[:3]}({self.code(a)}, {self.code(b)})"
        if is_scalar(a):
            a, b, share = b, a, 1 - share
        if is_scalar(b):
            return self._against(a, b, share, both, clamp, beats)
        if share == sp.S.Half:
            return f"torch.{both}({self.code(a)}, {self.code(b)})"
        test = f"{beats}=" if share == 1 else beats
        first, second = (
            self.parenthesize(a, PRECEDENCE["Add"]),
            self.parenthesize(b, PRECEDENCE["Add"]),
        )
        return f"torch.where({first} {test} {second}, {self.code(a)}, {self.code(b)})"

    def _against(self, a: Any, bound: Any, share: Any, both: str, clamp: str, beats: str) -> str:
        """A tensor against a number; each tie rule is that of the function printed."""
        if share == 1:
            return f"{self.operand(a)}.clamp({clamp}={self.code(bound)})"
        if share == 0 and bound == 0 and clamp == "min":
            return f"torch.relu({self.code(a)})"
        if share == sp.S.Half:
            return f"torch.{both}({self.code(a)}, {self.names.like}.new_tensor({self.code(bound)}))"
        first, limit = self.parenthesize(a, PRECEDENCE["Add"]), self.code(bound)
        return f"torch.where({first} {beats} {limit}, {self.code(a)}, {limit})"

    def _print_Clip(self, expr: Any) -> str:
        x, low, high = expr.args
        return f"{self.operand(x)}.clamp({self.code(low)}, {self.code(high)})"

    def _print_Softplus(self, expr: Any) -> str:
        # F.softplus turns linear at 20, where float64 still sees the difference.
        return f"(-F.logsigmoid({self.code(-expr.arg)}))"

    def _print_LogCosh(self, expr: Any) -> str:
        return f"_log_cosh({self.code(expr.arg)})"

    def _print_StopGradient(self, expr: Any) -> str:
        return f"{self.operand(expr.arg)}.detach()"

    def _print_StraightThrough(self, expr: Any) -> str:
        value, wrt = expr.args
        if isinstance(value, nd.Max):
            # The gradient is the other expression's, so the shortest form of the value will do.
            value = value.func(
                value.args[0], value.args[1], sp.S.One if is_scalar(value.args[1]) else sp.S.Zero
            )
        fixed = self.code(value) if is_scalar(value) else f"{self.operand(value)}.detach()"
        moving = self.operand(wrt)
        return f"({fixed} + ({moving} - {moving}.detach()))"

    def _print_Ratio(self, expr: Any) -> str:
        a, b = expr.args
        above = self.parenthesize(a, PRECEDENCE["Mul"], strict=True)
        return f"({above} / {self._without_zeros(b)})"

    def _without_zeros(self, divisor: Any) -> str:
        """A divisor whose zeros are infinite: the quotient is 0 there."""
        letters = self._letters(divisor)
        code = self.within(letters).operand(divisor)
        return aligned(f"{code}.masked_fill({code} == 0, math.inf)", letters, self.scope)

    def _print_PowerSlope(self, expr: Any) -> str:
        base, exponent = expr.args
        return f"_power_slope({bare(self.code(base))}, {self.code(exponent)})"

    def _print_Node(self, expr: Any) -> str:
        if type(expr) in FUNCTIONS:
            over_tensors, over_numbers = FUNCTIONS[type(expr)]
            name = over_numbers if is_scalar(expr) else over_tensors
            if name == "torch.abs":
                return f"{self.operand(expr.args[0])}.abs()"
            return f"{name}({', '.join(bare(self.code(a)) for a in expr.args)})"
        raise NotImplementedError(f"{type(expr).__name__} has no PyTorch form")


def bare(code: str) -> str:
    """``code`` without a pair of parentheses around all of it."""
    if not (code.startswith("(") and code.endswith(")")):
        return code
    depth = 0
    for position, char in enumerate(code):
        depth += (char == "(") - (char == ")")
        if depth == 0 and position < len(code) - 1:
            return code
    return code[1:-1]


def _adjoint(expr: sp.Basic) -> bool:
    """Whether a factor is what comes in from upstream: it leads the product."""
    return isinstance(expr, Read) and expr.name.startswith(("grad_", "d_"))


def _negative(expr: sp.Basic) -> bool:
    if isinstance(expr, sp.Mul):
        flipped = _flipped(expr)
        return bool(flipped.as_coeff_mul()[0].is_negative) if isinstance(flipped, sp.Mul) else False
    return bool(expr.is_number and expr.is_negative)


def _negate(expr: Any) -> sp.Expr:
    flipped = _flipped(expr) if isinstance(expr, sp.Mul) else expr
    if isinstance(flipped, sp.Mul):
        coefficient, factors = flipped.as_coeff_mul()
        return sp.Mul(-coefficient, *factors)
    return -flipped


def _flipped(expr: Any) -> sp.Expr:
    """``-(a - b)*c`` as ``(b - a)*c``."""
    coefficient, factors = expr.as_coeff_mul()
    if not coefficient.is_negative:
        return expr  # type: ignore[no-any-return]
    for k, factor in enumerate(factors):
        if isinstance(factor, sp.Add) and len(factor.args) == 2:
            signs = [_negative(a) for a in factor.args]
            if any(signs) and not all(signs):
                turned = sp.Add(*(-a for a in factor.args))
                return sp.Mul(-coefficient, *factors[:k], turned, *factors[k + 1 :])
    return expr  # type: ignore[no-any-return]


def _negative_exponent(exponent: sp.Basic) -> bool:
    if exponent.is_number:
        return bool(exponent.is_negative)
    return isinstance(exponent, sp.Mul) and bool(exponent.as_coeff_mul()[0].is_negative)


def reads_a_tensor(expr: sp.Basic) -> bool:
    """Whether an expression is a tensor when the code runs."""
    return any(isinstance(x, (Read, Letter)) for x in walk(expr)) and not is_scalar(expr)
