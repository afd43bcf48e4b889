"""Expressions as LaTeX.

In: an expression over our nodes, as the author wrote it or as a program's statement holds it.  Out: LaTeX that
says exactly that.  What a symbol cannot say (0/0 counts as 0, a value held constant) is noted in words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import sympy as sp
from sympy.printing.latex import LatexPrinter

from lossgen import nodes as nd
from lossgen.axes import shifted_letter
from lossgen.mathdoc.symbols import Symbols, part_of, upright
from lossgen.nodes import TRUE, Letter, Where, free_letters, is_scalar
from lossgen.program import Extent

# How tightly an expression holds together: what is weaker than its place asks goes into parentheses.
TEST, SUM, PRODUCT, POWER, ATOM = range(5)

CALLS: Mapping[type[nd.Node], str] = {
    nd.Exp: "\\exp",
    nd.Log: "\\log",
    nd.Sign: "\\operatorname{sign}",
    nd.Sigmoid: "\\sigma",
    nd.LogSigmoid: "\\log\\sigma",
    nd.Softplus: "\\operatorname{softplus}",
    nd.LogCosh: "\\log\\cosh",
    nd.Tanh: "\\tanh",
    nd.Sin: "\\sin",
    nd.Cos: "\\cos",
    nd.Acos: "\\arccos",
    nd.Atan: "\\arctan",
    nd.Erf: "\\operatorname{erf}",
    nd.Lgamma: "\\log\\Gamma",
    nd.Digamma: "\\psi",
    nd.Max: "\\max",
    nd.Min: "\\min",
    nd.Clip: "\\operatorname{clip}",
    nd.StopGradient: "\\operatorname{sg}",
}
RELATIONS = {"==": "=", "!=": "\\neq", "<": "<", "<=": "\\le", ">": ">", ">=": "\\ge"}
OPEN_ENDED = ("sum", "mean", "amax", "amin", "logsumexp")

NOTES: Mapping[str, str] = {
    "bracket": ":math:`[\\,\\cdot\\,]` is 1 where its condition holds; elsewhere it is 0, and so is what it multiplies.",
    "sg": ":math:`\\operatorname{sg}` has slope 0: its argument is held constant in the gradient.",
    "st": ":math:`\\operatorname{st}(a; b)` has the value of a and the gradient of b.",
    "ratio": "A quotient by a norm that is 0 counts as 0.",
    "slope": "A power whose base is 0 counts as 0, and as 1 where its exponent is 0.",
    "xlogy": ":math:`0 \\log 0` counts as 0.",
    "padded": "What is read outside its range counts as 0.",
    "norm": ":math:`\\lVert \\cdot \\rVert_{2}` is the Euclidean norm over the letters after the 2.",
}


def tall(text: str) -> bool:
    """Whether LaTeX sets a text higher than a line."""
    return any(word in text for word in ("\\frac", "\\sum", "\\begin", "\\sqrt", "\\max_", "\\min_", "mean}_"))


def grouped(text: str) -> str:
    """A text in parentheses of its height."""
    return f"\\left({text}\\right)" if tall(text) else f"({text})"


def negative(expr: sp.Basic) -> bool:
    """Whether an expression is written with a leading minus."""
    return bool(expr.is_Number and expr.is_negative) or (
        isinstance(expr, sp.Mul) and bool(expr.args[0].is_Number and expr.args[0].is_negative)
    )


def bracketed(expr: sp.Basic) -> sp.Basic:
    """A choice against 0, as a term or factor: what is chosen, times the bracket of its condition."""
    if isinstance(expr, Where) and expr.args[2] == 0 and expr.args[1] != 1:
        return sp.Mul(Where(expr.args[0], 1, 0), *sp.Mul.make_args(bracketed(expr.args[1])))
    return expr


class Latex(LatexPrinter):
    """Prints one loss's expressions, and collects what must be said in words.

    Attributes:
        notes: keys of ``NOTES`` that what was printed needs.
        absent: optional tensors that were read with what they count as when they are not given.
    """

    def __init__(self, symbols: Symbols) -> None:
        super().__init__()
        self.symbols = symbols
        self.notes: dict[str, None] = {}
        self.absent: dict[str, str] = {}
        self.extents: Callable[[Sequence[sp.Expr]], Mapping[Letter, Extent]] = lambda _: {}

    def text(self, expr: sp.Basic, least: int = TEST) -> str:
        """The expression, in parentheses where it holds together less than asked."""
        text = str(self._print(expr))
        return text if self.strength(expr) >= least else grouped(text)

    def strength(self, expr: sp.Basic) -> int:
        """How tightly an expression holds together."""
        if isinstance(expr, (nd.Compare, nd.And, nd.Not, Where, nd.Given)) and not self._is_bracket(expr):
            if isinstance(expr, Where):
                return ATOM if self._optional(expr) else PRODUCT
            return TEST
        if isinstance(expr, (sp.Add, nd.Expm1)) or negative(expr) or expr.is_Float:
            return SUM
        if isinstance(expr, (sp.Mul, nd.Reduce, nd.Along, nd.Xlogy)):
            closed = isinstance(expr, nd.Reduce) and expr.op == "norm" and expr.where is TRUE
            return ATOM if closed else PRODUCT
        if isinstance(expr, (sp.Pow, nd.PowerSlope, nd.Log, nd.LogSigmoid, nd.Log1p, nd.LogAddExp, nd.Ratio)):
            return PRODUCT if isinstance(expr, nd.Ratio) or expr.is_Pow and expr.exp.is_negative else POWER
        if isinstance(expr, sp.Rational) and not expr.is_Integer:
            return PRODUCT
        if isinstance(expr, (nd.Read, nd.Let)):
            return POWER if "^" in self._symbol(expr) or "'" in self._symbol(expr) else ATOM
        return ATOM

    # --- arithmetic -------------------------------------------------------------------------

    def terms(self, expr: sp.Basic) -> list[str]:
        """The terms of a sum, each after the first with its sign."""
        parts = expr.args if isinstance(expr, sp.Add) else (expr,)
        parts = tuple(map(bracketed, parts)) if len(parts) > 1 else parts
        ordered = sorted(parts, key=lambda t: (negative(t), is_scalar(t), -len(free_letters(t))))
        out: list[str] = []
        for k, term in enumerate(ordered):
            minus = negative(term)
            text = self.text(-term if minus else term, PRODUCT)
            sign = "-" if minus else "+"
            out.append(f"{sign} {text}" if k else f"-{text}" if minus else self.text(term, SUM) if len(parts) > 1 else text)
        return out if len(parts) > 1 else [str(self._print(expr))]

    def _print_Add(self, expr: sp.Add, order: object = None) -> str:
        return " ".join(self.terms(expr))

    def _print_Mul(self, expr: sp.Mul) -> str:
        expr = sp.Mul(*map(bracketed, expr.args))
        if not isinstance(expr, sp.Mul):
            return str(self._print(expr))
        coefficient, factors = expr.as_coeff_mul()
        sign = "-" if coefficient.is_negative else ""
        p, q = sp.fraction(abs(coefficient))
        above: list[sp.Basic] = [] if p == 1 else [p]
        below: list[sp.Basic] = [] if q == 1 else [q]
        for factor in factors:
            inverse = isinstance(factor, sp.Pow) and negative(factor.exp)
            (below if inverse else above).append(1 / factor if inverse else factor)
        last = [f for f in above if self._runs_on(f)]
        above = [f for f in above if f not in last]
        if not below:
            return sign + self._product([*above, *last])
        if len(last) == 1 and isinstance(last[0], nd.Reduce):
            return f"{sign}\\frac{{{self._product(above)}}}{{{self._product(below)}}} {self._print(last[0])}"
        return f"{sign}\\frac{{{self._product([*above, *last])}}}{{{self._product(below)}}}"

    def _product(self, factors: Sequence[sp.Basic]) -> str:
        if not factors:
            return "1"
        if len(factors) == 1:
            return str(self._print(factors[0]))
        ordered = sorted(factors, key=self._place)
        out = ""
        for k, factor in enumerate(ordered):
            text = self.text(factor, PRODUCT)
            text = grouped(text) if k + 1 < len(ordered) and self._runs_on(factor) else text
            close = not out or factor is sp.pi and ordered[k - 1].is_Number
            out += text if close else f"\\,{text}"
        return out

    def _place(self, factor: sp.Basic) -> tuple[bool, ...] | tuple[object, ...]:
        bracket = isinstance(factor, Where) and not self._runs_on(factor)
        return (self._runs_on(factor), not factor.is_Number, not bracket, not is_scalar(factor), len(free_letters(factor)))

    def _runs_on(self, expr: sp.Basic) -> bool:
        """Whether what follows an expression would be read as part of it."""
        if isinstance(expr, Where):
            return not self._optional(expr) and not self._is_bracket(expr)
        return isinstance(expr, nd.Xlogy) or isinstance(expr, nd.Reduce) and expr.op in OPEN_ENDED

    def _print_Pow(self, expr: sp.Pow) -> str:
        base, exponent = expr.base, expr.exp
        if negative(exponent):
            return f"\\frac{{1}}{{{self._print(sp.Pow(base, -exponent))}}}"
        if exponent == sp.S.Half:
            return f"\\sqrt{{{self._print(base)}}}"
        return f"{self.text(base, ATOM)}^{{{self._print(exponent)}}}"

    def _print_Float(self, expr: sp.Float) -> str:
        return f"{float(expr):g}" if float(f"{float(expr):g}") == float(expr) else repr(float(expr))

    # --- names ------------------------------------------------------------------------------

    def letter(self, letter: Letter) -> str:
        """An index letter; one that was made to be different has primes."""
        stem = letter.name.rstrip("_")
        return stem + "'" * (len(letter.name) - len(stem))

    def subscript(self, places: Sequence[sp.Basic]) -> str:
        """``_{ncs}``, with commas where a place is more than a letter."""
        texts = [self.letter(p) if isinstance(p, Letter) else str(self._print(p)) for p in places]
        letters = all(isinstance(p, Letter) and len(p.name) == 1 for p in places)
        return f"_{{{('' if letters else ',').join(texts)}}}" if texts else ""

    def _symbol(self, expr: sp.Basic) -> str:
        if isinstance(expr, nd.Let):
            return self.symbols.parts.get(part_of(expr)) or upright(expr.name)
        return self.symbols.arrays.get(expr.name) or upright(expr.name)

    def _print_Letter(self, expr: Letter) -> str:
        return self.letter(expr)

    def _print_Param(self, expr: nd.Param) -> str:
        return self.symbols.options.get(expr.name) or upright(expr.name)

    def _print_Read(self, expr: nd.Read) -> str:
        return self._symbol(expr) + self.subscript(expr.subscripts)

    def _print_Padded(self, expr: nd.Padded) -> str:
        if any(p is not None and p[1] for p in map(shifted_letter, expr.subscripts)):
            self.notes["padded"] = None
        return self._print_Read(expr)

    def _print_Let(self, expr: nd.Let) -> str:
        return self._symbol(expr) + self.subscript([a for _, a in self.arguments(expr)])

    def arguments(self, expr: nd.Let) -> list[tuple[Letter, sp.Expr]]:
        """A part's letters in the program's order, each with what stands in its place."""
        order = {x: k for k, x in enumerate(self.symbols.order)}
        pairs = zip(expr.params, expr.at, strict=True)
        return sorted(pairs, key=lambda p: order.get(p[0], len(order)))

    def _print_Size(self, expr: nd.Size) -> str:
        return self.symbols.axes.get(expr.letter, expr.letter).name.upper()

    # --- conditions -------------------------------------------------------------------------

    def _print_Compare(self, expr: nd.Compare) -> str:
        return f"{self.text(expr.left, SUM)} {RELATIONS[expr.op]} {self.text(expr.right, SUM)}"

    def _print_And(self, expr: nd.And) -> str:
        return " \\text{ and } ".join(self._clause(a, nd.Or) for a in expr.args)

    def _print_Or(self, expr: nd.Or) -> str:
        return " \\text{ or } ".join(self._clause(a, nd.And) for a in expr.args)

    def _clause(self, expr: sp.Basic, other: type[nd.And]) -> str:
        text = str(self._print(expr))
        return grouped(text) if type(expr) is other else text

    def _print_Not(self, expr: nd.Not) -> str:
        inner = expr.args[0]
        if isinstance(inner, nd.Compare):
            return str(self._print(nd.Compare(nd.MIRROR[inner.op], inner.left, inner.right)))
        if isinstance(inner, nd.Given):
            return f"\\text{{{self._code(inner.name)} is not given}}"
        return f"\\text{{not }} {self._clause(inner, nd.And)}"

    def _print_Given(self, expr: nd.Given) -> str:
        return f"\\text{{{self._code(expr.name)} is given}}"

    def _code(self, name: str) -> str:
        return name.replace("_", "\\_")

    def _print_BooleanTrue(self, expr: sp.Basic) -> str:
        return "\\text{true}"

    def _print_BooleanFalse(self, expr: sp.Basic) -> str:
        return "\\text{false}"

    def _is_bracket(self, expr: sp.Basic) -> bool:
        return isinstance(expr, Where) and expr.args[1:] == (1, 0)

    def _optional(self, expr: Where) -> str:
        """What an optional tensor's element counts as when it is not given, if this is one."""
        condition, yes, no = expr.args
        named = isinstance(condition, nd.Given) and isinstance(yes, nd.Read) and condition.name == yes.name
        return str(no) if named and (no.is_Number or no is TRUE) else ""

    def _print_Where(self, expr: Where) -> str:
        if neutral := self._optional(expr):
            self.absent[expr.args[1].name] = neutral.lower()
            return str(self._print(expr.args[1]))
        if self._is_bracket(expr):
            self.notes["bracket"] = None
            return f"[{self._print(expr.args[0])}]"
        rows = [f"{self._print(value)} & \\text{{if }} {self._print(when)}" for value, when in self.rows(expr)[:-1]]
        rows.append(f"{self._print(self.rows(expr)[-1][0])} & \\text{{otherwise}}")
        return "\\begin{cases} " + " \\\\ ".join(rows) + " \\end{cases}"

    def rows(self, expr: sp.Basic) -> list[tuple[sp.Basic, sp.Basic]]:
        """Nested choices as rows of (value, condition); the last one holds otherwise."""
        if not isinstance(expr, Where) or self._optional(expr) or self._is_bracket(expr):
            return [(expr, TRUE)]
        condition, yes, no = expr.args
        first = [(v, nd.And(condition, c)) for v, c in self.rows(yes)]
        rest = self.rows(no)
        if len(first) > 1 and rest == [(first[-1][0], TRUE)]:
            # What the inner choice leaves over is what the outer one leaves over.
            first.pop()
        return [*first, *rest]

    # --- functions --------------------------------------------------------------------------

    def _print_Node(self, expr: nd.Node) -> str:
        if type(expr) not in CALLS:
            raise TypeError(f"{type(expr).__name__} has no form in LaTeX")
        if isinstance(expr, nd.StopGradient):
            self.notes["sg"] = None
        arguments = expr.args[:2] if isinstance(expr, nd.Max) else expr.args
        return CALLS[type(expr)] + grouped(", ".join(map(self._print, arguments)))

    _print_Max = _print_Min = _print_Node

    def _print_Sqrt(self, expr: nd.Sqrt) -> str:
        return f"\\sqrt{{{self._print(expr.arg)}}}"

    def _print_Abs(self, expr: nd.Abs) -> str:
        return f"\\left\\lvert {self._print(expr.arg)} \\right\\rvert"

    def _print_Floor(self, expr: nd.Floor) -> str:
        return f"\\left\\lfloor {self._print(expr.arg)} \\right\\rfloor"

    def _print_Log1p(self, expr: nd.Log1p) -> str:
        return f"\\log{grouped(f'1 + {self.text(expr.arg, PRODUCT)}')}"

    def _print_Expm1(self, expr: nd.Expm1) -> str:
        return f"\\exp{grouped(str(self._print(expr.arg)))} - 1"

    def _print_Xlogy(self, expr: nd.Xlogy) -> str:
        self.notes["xlogy"] = None
        return f"{self.text(expr.args[0], PRODUCT)} \\log{grouped(str(self._print(expr.args[1])))}"

    def _print_LogAddExp(self, expr: nd.LogAddExp) -> str:
        first, second = (f"\\exp{grouped(str(self._print(a)))}" for a in expr.args)
        return f"\\log{grouped(f'{first} + {second}')}"

    def _print_Ratio(self, expr: nd.Ratio) -> str:
        self.notes["ratio"] = None
        return f"\\frac{{{self._print(expr.args[0])}}}{{{self._print(expr.args[1])}}}"

    def _print_PowerSlope(self, expr: nd.PowerSlope) -> str:
        self.notes["slope"] = None
        return f"{self.text(expr.args[0], ATOM)}^{{{self._print(expr.args[1] - 1)}}}"

    def _print_StraightThrough(self, expr: nd.StraightThrough) -> str:
        self.notes["st"] = None
        return f"\\operatorname{{st}}{grouped('; '.join(map(self._print, expr.args)))}"

    # --- over letters -----------------------------------------------------------------------

    def _print_Reduce(self, expr: nd.Reduce) -> str:
        extents = self.extents((expr.body, expr.where))
        if expr.op == "mean" and expr.empty is not sp.nan:
            self.notes[f"A mean over nothing is {self._print(expr.empty)}."] = None
        return self.reduction(expr.op, expr.body, expr.where, expr.bound, extents)

    def reduction(
        self, op: str, body: sp.Basic, where: sp.Basic, bound: Sequence[Letter], extents: Mapping[Letter, Extent]
    ) -> str:
        """``op`` of a body over letters, its mask under the sign."""
        under = self.range(bound, extents)
        if op in ("any", "count"):
            condition = str(self._print(nd.And(body, where)))
            return f"\\exists\\, {under} : {condition}" if op == "any" else f"\\#\\{{{under} : {condition}\\}}"
        if op in ("sum", "norm") and self._zero_elsewhere(body):
            where, body = nd.And(where, body.args[0]), body.args[1]
        mask = "" if where is TRUE else f" \\,:\\, {self._print(where)}"
        if op == "norm":
            if mask:
                return f"\\sqrt{{\\sum_{{{under}{mask}}} {self.text(body, ATOM)}^{{2}}}}"
            self.notes["norm"] = None
            return f"\\left\\lVert {self._print(body)} \\right\\rVert_{{2,{under}}}"
        inner = self.text(body, PRODUCT)
        if op == "logsumexp":
            return f"\\log \\sum_{{{under}{mask}}} \\exp{grouped(str(self._print(body)))}"
        sign = {"sum": "\\sum", "mean": "\\operatorname*{mean}", "amax": "\\max", "amin": "\\min"}[op]
        return f"{sign}_{{{under}{mask}}} {inner}"

    def _zero_elsewhere(self, body: sp.Basic) -> bool:
        return isinstance(body, Where) and body.args[2] == 0 and not self._is_bracket(body)

    def range(self, letters: Sequence[Letter], extents: Mapping[Letter, Extent]) -> str:
        """Letters, those that do not run over their whole axis with their bounds."""
        texts: list[str] = []
        for letter in letters:
            low, trim = extents.get(letter, (0, 0))
            text = self.letter(letter)
            text = f"{low} \\le {text}" if low else text
            texts.append(f"{text} < {self._print(nd.Size(letter))} - {trim}" if trim else text)
        return ",".join(texts)

    def _print_Along(self, expr: nd.Along) -> str:
        text = self.along(expr.op, expr.body, expr.letter)
        if expr.position == expr.letter:
            return text
        return f"\\left. {text} \\right|_{{{self.letter(expr.letter)} = {self._print(expr.position)}}}"

    def along(self, op: str, body: sp.Basic, letter: Letter) -> str:
        """Softmax, or its logarithm, of a body along a letter."""
        log = "\\log" if op == "log_softmax" else ""
        return f"{log}\\operatorname{{softmax}}_{{{self.letter(letter)}}}{grouped(str(self._print(body)))}"
