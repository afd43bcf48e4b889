"""A loss as plain Python over scalars: the independent statement of its formula.

In: a ``LossSpec``.  Out: the source of a function that builds the items from elements held as SymPy
symbols, one local function per named part, with sums over ``range`` where the spec reduces over a
letter.  It reads the spec's expression only: nothing of the compiler's rewrites, its adjoint or its
printers has a say in it.  What a word of the formula means at a point (which side of a maximum,
what slope at a tie) is decided by the functions of the same name in the generated test.
"""

from __future__ import annotations

import builtins
import keyword
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import sympy as sp
from sympy.printing.precedence import PRECEDENCE
from sympy.printing.str import StrPrinter

from lossgen import nodes
from lossgen.axes import shifted_letter
from lossgen.nodes import Letter, free_letters
from lossgen.spec import LossSpec

_RENAMED = {
    "Exp": "exp",
    "Log": "log",
    "Sqrt": "sqrt",
    "Abs": "absolute",
    "Sign": "sign",
    "Sigmoid": "sigmoid",
    "LogSigmoid": "log_sigmoid",
    "Softplus": "softplus",
    "Log1p": "log1p",
    "Expm1": "expm1",
    "LogCosh": "log_cosh",
    "Tanh": "tanh",
    "Sin": "sin",
    "Cos": "cos",
    "Acos": "acos",
    "Atan": "atan",
    "Erf": "erf",
    "Lgamma": "loggamma",
    "Digamma": "digamma",
    "Floor": "floor",
    "Xlogy": "xlogy",
    "LogAddExp": "logaddexp",
    "Ratio": "ratio",
    "Max": "larger",
    "Min": "smaller",
    "Clip": "clip",
    "StopGradient": "stop_gradient",
    "StraightThrough": "straight_through",
}
_REDUCED = {
    "sum": "total",
    "mean": "mean",
    "amax": "largest",
    "amin": "smallest",
    "logsumexp": "logsumexp",
    "norm": "norm",
}
WORDS = frozenset(_RENAMED.values()) | frozenset(_REDUCED.values()) | {"softmax", "log_softmax"}
_TAKEN = (
    WORDS
    | {"part", "value", "exact", "sp", "mp", "torch", "pi", "items", "over", "divisors", "sizes"}
    | frozenset(dir(builtins))
    | frozenset(keyword.kwlist)
)


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula as source.

    Attributes:
        name: of the function.
        arguments: tensors, then parameters.
        body: its lines, indented from column 0.
        words: the words of ``WORDS`` that it uses, with those that these use.
    """

    name: str
    arguments: tuple[str, ...]
    body: tuple[str, ...]
    words: frozenset[str]


def formula(spec: LossSpec, name: str = "formula") -> Formula:
    """State the loss as a function of its elements.

    The function returns the items by position, what the mean divides by (or None), and the further
    divisors by name.
    """
    return _Statement(spec, name).build()


def size_name(axis: Letter) -> str:
    """The name that holds the size of an axis: ``N`` for ``n``; a literal axis is its number."""
    return axis.name if axis.name.isdigit() else axis.name.upper()


def result_letters(spec: LossSpec) -> tuple[Letter, ...]:
    """The letters of the unreduced loss, in the order of its axes."""
    order = {axis: k for k, axis in reversed(list(enumerate(_axes(spec))))}
    letters = free_letters(spec.item)
    return tuple(sorted(letters, key=lambda x: (order[spec.axes[x]], x.name)))


def _axes(spec: LossSpec) -> list[Letter]:
    return [axis for tensor in spec.tensors for axis in tensor.axes]


def extent(expr: sp.Basic, letter: Letter) -> tuple[int, int]:
    """How far a letter's subscripts reach below and above it: ``x[h + 1]`` gives (0, 1)."""
    shifts = {0, *_shifts(expr, letter)}
    return -min(shifts), max(shifts)


def _shifts(expr: sp.Basic, letter: Letter) -> Iterator[int]:
    if letter not in free_letters(expr):
        return
    if isinstance(expr, nodes.Read):
        for subscript in expr.subscripts:
            place = shifted_letter(subscript)
            if place is not None and place[0] == letter:
                yield place[1]
            elif place is None:
                yield from _shifts(subscript, letter)
    elif isinstance(expr, nodes.Let):
        for param, arg in zip(expr.params, expr.at, strict=True):
            place = shifted_letter(arg)
            if place is not None and place[0] == letter:
                yield from (place[1] + inner for inner in _shifts(expr.body, param))
            elif place is None:
                yield from _shifts(arg, letter)
    elif isinstance(expr, nodes.Along) and expr.position == letter:
        yield from _shifts(expr.body, expr.letter)
    else:
        for arg in expr.args:
            yield from _shifts(arg, letter)


def kind(expr: sp.Basic, spec: LossSpec) -> str:
    """What an expression is at the sample point: ``boolean``, ``integer`` or ``real``."""
    if isinstance(expr, nodes.Let):
        return kind(expr.body, spec)
    if isinstance(expr, nodes.Where):
        kinds = {kind(expr.args[1], spec), kind(expr.args[2], spec)}
        return kinds.pop() if len(kinds) == 1 else "real"
    if isinstance(expr, nodes.Read):
        return spec.tensor(expr.name).role.kind
    if isinstance(expr, nodes.Param):
        return next(p.role.kind for p in spec.parameters if p.name == expr.name)
    if isinstance(
        expr, (nodes.Compare, nodes.And, nodes.Not, nodes.Given, sp.logic.boolalg.BooleanAtom)
    ):
        return "boolean"
    if isinstance(expr, nodes.Reduce):
        return {"any": "boolean", "count": "integer"}.get(expr.op, "real")
    if isinstance(expr, (nodes.Size, Letter, sp.Integer)):
        return "integer"
    if isinstance(expr, (sp.Add, sp.Mul)) and all(kind(a, spec) == "integer" for a in expr.args):
        return "integer"
    return "real"


@dataclass
class _Statement:
    """Builds one formula: collects its named parts, then prints them in order of use."""

    spec: LossSpec
    name: str
    parts: dict[tuple[Any, ...], str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    words: set[str] = field(default_factory=set)

    def build(self) -> Formula:
        spec = self.spec
        printer = _Printer(self)
        letters = result_letters(spec)
        item = printer.doprint(spec.item)
        over = self._table(printer, spec.over) if spec.over is not None else "None"
        named = [(key, self._table(printer, value)) for key, value in spec.divisors]
        items = f"items = {{{_key(letters)}: {item} {self.loops(spec.item, letters)}}}"
        if not letters:
            items = f"items = {{(): {item}}}"
        divisors = "{" + ", ".join(f'"{key}": {text}' for key, text in named) + "}"
        body = [*self._header(), *self.lines, items, f"return items, {over}, {divisors}"]
        arguments = tuple(a.name for a in (*spec.tensors, *spec.parameters))
        return Formula(self.name, arguments, tuple(body), frozenset(_closure(self.words)))

    def _table(self, printer: _Printer, expr: sp.Expr) -> str:
        """A divisor: summed over its letters, each by the position it belongs to."""
        order = result_letters(self.spec)
        letters = sorted(free_letters(expr), key=order.index)
        text = printer.doprint(expr)
        if not letters:
            return text
        self.words.add("total")
        return f"total({text} {self.loops(self.spec.item, letters)})"

    def _header(self) -> Iterator[str]:
        """The sizes of the axes, and what absent tensors read as."""
        known: set[str] = set()
        for tensor in self.spec.tensors:
            names = [size_name(axis) for axis in tensor.axes]
            new = [x for x in names if not x.isdigit() and x not in known]
            if new and not tensor.optional:
                used = [x if x in new else "_" for x in names]
                yield f"{', '.join(used)}{',' if len(used) == 1 else ''} = {tensor.name}.shape"
                known.update(new)
        for tensor in self.spec.tensors:
            neutral = tensor.role.neutral
            if tensor.optional and neutral is not None and tensor.name not in self.asked:
                yield f"if {tensor.name} is None:"
                yield f"    {tensor.name} = Absent({neutral!r})"

    @cached_property
    def asked(self) -> frozenset[str]:
        """Tensors whose presence the formula asks for beyond reading their neutral value."""
        exprs = [self.spec.item, *(x for x in (self.spec.over,) if x is not None)]
        return frozenset(_asked(sp.Tuple(*exprs, *(v for _, v in self.spec.divisors)), self.spec))

    def loops(self, expr: sp.Basic, letters: Iterable[Letter]) -> str:
        return " ".join(self.loop(expr, letter) for letter in letters)

    def loop(self, expr: sp.Basic, letter: Letter) -> str:
        """``for s in range(S)``, shorter where subscripts reach beyond the letter."""
        below, above = extent(expr, letter)
        top = size_name(self.spec.axes[letter])
        stop = f"{top} - {above}" if above else top
        return f"for {letter} in range({f'{below}, ' if below else ''}{stop})"

    def named(self, let: nodes.Let) -> str:
        """The local function for a named part, defined at its first use."""
        key = (let.name, let.params, let.body)
        if key not in self.parts:
            printer = _Printer(self)
            body = printer.doprint(let.body)
            name = self._free_name(let.name)
            self.parts[key] = name
            if kind(let.body, self.spec) == "real":
                self.lines.append("@part")
            self.lines.append(f"def {name}({', '.join(p.name for p in let.params)}):")
            self.lines.append(f"    return {_bare(body)}")
            self.lines.append("")
        return self.parts[key]

    def _free_name(self, wanted: str) -> str:
        arguments = {a.name for a in (*self.spec.tensors, *self.spec.parameters)}
        letters = {x.name for x in self.spec.axes}
        sizes = {size_name(x) for x in self.spec.axes}
        taken = _TAKEN | arguments | letters | sizes | set(self.parts.values())
        if wanted in _TAKEN | arguments | letters | sizes:
            wanted = f"the_{wanted}"
        name, count = wanted, 1
        while name in taken:
            count += 1
            name = f"{wanted}_{count}"
        return name


def _bare(text: str) -> str:
    """Without the parentheses that enclose all of it."""
    if not (text.startswith("(") and text.endswith(")")):
        return text
    depth = 0
    for place, sign in enumerate(text):
        depth += (sign == "(") - (sign == ")")
        if depth == 0 and place < len(text) - 1:
            return text
    return text[1:-1]


def _key(letters: tuple[Letter, ...]) -> str:
    names = [x.name for x in letters]
    return names[0] if len(names) == 1 else f"({', '.join(names)})"


def _asked(expr: sp.Basic, spec: LossSpec) -> Iterator[str]:
    if isinstance(expr, nodes.Given):
        yield expr.name
    elif isinstance(expr, nodes.Where) and (read := _neutral_read(expr, spec)) is not None:
        yield from (name for place in read.subscripts for name in _asked(place, spec))
    else:
        for arg in expr.args:
            yield from _asked(arg, spec)


def _neutral_read(node: nodes.Where, spec: LossSpec) -> nodes.Read | None:
    """The read of an optional tensor that has a neutral value, where a node is one."""
    condition, yes, no = node.args
    if isinstance(condition, nodes.Given) and isinstance(yes, nodes.Read):
        tensor = spec.tensor(yes.name)
        if condition.name == yes.name and tensor.role.neutral is not None:
            return yes if sp.sympify(tensor.role.neutral) == no else None
    return None


def _closure(words: set[str]) -> Iterator[str]:
    needs = {"mean": ("total",), "norm": ("total",), "logsumexp": ("total",), "softmax": ("total",)}
    needs |= {
        "log_softmax": ("logsumexp", "total"),
        "smallest": ("largest",),
        "smaller": ("larger",),
    }
    for word in words:
        yield word
        yield from needs.get(word, ())


class _Printer(StrPrinter):
    """Prints an expression as Python over scalars."""

    def __init__(self, statement: _Statement) -> None:
        super().__init__({"full_prec": False})
        self.statement, self.spec = statement, statement.spec

    def word(self, name: str, *args: str) -> str:
        self.statement.words.add(name)
        return f"{name}({', '.join(args)})"

    def _print_Letter(self, expr: Letter) -> str:
        return expr.name

    def _print_Size(self, expr: nodes.Size) -> str:
        return size_name(self.spec.axes[expr.letter])

    def _print_Read(self, expr: nodes.Read) -> str:
        if not expr.subscripts:
            return f"{expr.name}[()]"
        return f"{expr.name}[{', '.join(self._print(x) for x in expr.subscripts)}]"

    def _print_Given(self, expr: nodes.Given) -> str:
        return f"({expr.name} is not None)"

    def _print_Let(self, expr: nodes.Let) -> str:
        name = self.statement.named(expr)
        return f"{name}({', '.join(self._print(a) for a in expr.at)})"

    def _print_Where(self, expr: nodes.Where) -> str:
        read = _neutral_read(expr, self.spec)
        if read is not None and read.name not in self.statement.asked:
            return str(self._print(read))
        condition, yes, no = map(self._print, expr.args)
        return f"({yes} if {_bare(condition)} else {no})"

    def _print_Compare(self, expr: nodes.Compare) -> str:
        sides = [expr.left, expr.right]
        texts = [str(self._print(side)) for side in sides]
        if not nodes.is_static(expr) and any(kind(side, self.spec) == "real" for side in sides):
            texts = [
                t if s.is_Integer else f"value({t})" for s, t in zip(sides, texts, strict=True)
            ]
        return f"({texts[0]} {expr.op} {texts[1]})"

    def _print_And(self, expr: nodes.And) -> str:
        return "(" + " and ".join(map(self._print, expr.args)) + ")"

    def _print_Or(self, expr: nodes.Or) -> str:
        return "(" + " or ".join(map(self._print, expr.args)) + ")"

    def _print_Not(self, expr: nodes.Not) -> str:
        return f"(not {self._print(expr.args[0])})"

    def _print_Unary(self, expr: nodes.Unary) -> str:
        return self.word(_RENAMED[type(expr).__name__], *map(self._print, expr.args))

    _print_Xlogy = _print_LogAddExp = _print_Ratio = _print_Clip = _print_Unary
    _print_StraightThrough = _print_Unary

    def _print_Max(self, expr: nodes.Max) -> str:
        first, second = map(self._print, expr.args[:2])
        share = () if expr.share is nodes.HALF else (f"share={self._print(expr.share)}",)
        return self.word(_RENAMED[type(expr).__name__], first, second, *share)

    def _print_Reduce(self, expr: nodes.Reduce) -> str:
        both = sp.Tuple(expr.body, expr.where)
        loops = self.statement.loops(both, expr.bound)
        if expr.where is not sp.true:
            loops += f" if {_bare(self._print(expr.where))}"
        body = self._print(expr.body)
        if expr.op == "any":
            return f"any({body} {loops})"
        if expr.op == "count":
            return f"sum(1 {loops} if {body})"
        extra = (
            ()
            if expr.op != "mean" or expr.empty is sp.nan
            else (f"empty={self._print(expr.empty)}",)
        )
        self.statement.words.add(_REDUCED[expr.op])
        inner = f"({body} {loops})" if extra else f"{body} {loops}"
        return f"{_REDUCED[expr.op]}({', '.join((inner, *extra))})"

    def _print_Along(self, expr: nodes.Along) -> str:
        loop = self.statement.loop(expr.body, expr.letter)
        return self.word(expr.op, f"[{self._print(expr.body)} {loop}]", self._print(expr.position))

    def _print_Rational(self, expr: sp.Rational) -> str:
        return f"exact({expr.p}) / {expr.q}"

    _print_Half = _print_Rational

    def _print_Float(self, expr: sp.Float) -> str:
        return f"exact({float(expr)!r})"

    def _print_Infinity(self, expr: sp.Expr) -> str:
        return "sp.oo"

    def _print_NegativeInfinity(self, expr: sp.Expr) -> str:
        return "-sp.oo"

    def _print_NaN(self, expr: sp.Expr) -> str:
        return "sp.nan"

    def _print_Pi(self, expr: sp.Expr) -> str:
        return "sp.pi"

    def _print_BooleanTrue(self, expr: sp.Basic) -> str:
        return "True"

    def _print_BooleanFalse(self, expr: sp.Basic) -> str:
        return "False"

    def _print_Pow(self, expr: sp.Pow, rational: bool = False) -> str:
        base = self.parenthesize(expr.base, PRECEDENCE["Pow"], strict=False)
        if expr.exp is sp.S.NegativeOne:
            return f"1/{base}"
        return f"{base}**{self.parenthesize(expr.exp, PRECEDENCE['Pow'], strict=False)}"
