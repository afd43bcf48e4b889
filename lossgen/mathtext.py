"""From one line of mathematics to a spec's formula: the parser behind ``--expr``.

In: text such as ``sqrt((input - target)**2 + eps**2)``, the parameters and the tensors' roles.
Out: a frozen :class:`Formula`, whose text is in LossGen's language (``input[e]`` for ``input``).

The grammar: numbers, ``pi``, names of tensors and parameters, ``+ - * / **``, the functions of
:data:`FUNCTIONS`, and inside a condition ``< <= > >= == != and or not``. Everything else is
refused by name and column. The text is parsed, never run: Python's parser gives a syntax tree, and
only what the grammar lists is carried over from it.
"""

import ast
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field

from lossgen.errors import LossgenError, suggest
from lossgen.literals import is_literal, magnitude

MAX_LENGTH = 2000
MAX_DEPTH = 100
MAX_EXPONENT = 100

# name as typed -> (the language's word, fewest and most arguments)
FUNCTIONS: dict[str, tuple[str, int, int]] = {
    **{
        word: (word, 1, 1)
        for word in (
            *(
                "exp",
                "log",
                "sqrt",
                "sigmoid",
                "log_sigmoid",
                "softplus",
                "log1p",
                "expm1",
                "log1mexp",
            ),
            *("tanh", "cosh", "log_cosh", "sin", "cos", "acos", "atan", "erf", "erfc"),
            *("lgamma", "digamma"),
            *("sign", "Abs", "stop_gradient"),
        )
    },
    "abs": ("Abs", 1, 1),
    "xlogy": ("xlogy", 2, 2),
    "hypot": ("hypot", 2, 2),
    "Max": ("Max", 2, 9),
    "max": ("Max", 2, 9),
    "Min": ("Min", 2, 9),
    "min": ("Min", 2, 9),
    "clip": ("clip", 3, 3),
    "where": ("where", 3, 3),
}

_ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow)
_COMPARISONS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)

_HINTS: dict[type[ast.AST], str] = {
    ast.BitXor: "'^' is not a power here: write **",
    ast.MatMult: "'@' needs axes, which a line of --expr has not: write a spec file",
    ast.FloorDiv: "'//' has no useful gradient: write /",
    ast.Mod: "'%' is not in the grammar",
    ast.IfExp: "'a if c else b' is written where(c, a, b)",
    ast.Attribute: "attributes ('a.b') are not in the grammar: write sqrt(x), not torch.sqrt(x)",
    ast.Subscript: "subscripts need axes, which a line of --expr has not: write a spec file",
    ast.Lambda: "'lambda' is not in the grammar",
    ast.List: "lists are not in the grammar",
    ast.Tuple: "a loss is one expression: there is a comma outside a function's arguments",
    ast.Compare: "a comparison belongs into where(condition, a, b)",
    ast.BoolOp: "'and' and 'or' belong into the condition of where(condition, a, b)",
    ast.Not: "'not' belongs into the condition of where(condition, a, b)",
    ast.NamedExpr: "':=' is not in the grammar",
    ast.JoinedStr: "text is not in the grammar",
    ast.Starred: "'*' before an argument is not in the grammar",
}


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula that was understood.

    Attributes:
        source: as typed, on one line.
        text: in LossGen's language, every tensor read at the letter ``e``.
        tensors: names of the tensors that it reads, with their roles.
        parameters: name, role and default of each parameter.
        words: what it uses of ``lossgen.language``, roles and letters included.
    """

    source: str
    text: str
    tensors: tuple[tuple[str, str], ...]
    parameters: tuple[tuple[str, str, str], ...]
    words: tuple[str, ...]


def parse_formula(
    text: str, tensors: Mapping[str, str], parameters: Mapping[str, tuple[str, str]]
) -> Formula:
    """Understand `text`.

    Args:
        text: the formula as typed.
        tensors: role of each tensor that it may read.
        parameters: role and default of each parameter that it must read.

    Raises:
        LossgenError: where the text is outside the grammar; it shows where and what to write.
    """
    source = " ".join(text.split())
    reader = _Reader(source, frozenset(tensors), frozenset(parameters))
    rewritten = reader.number(_parse(source), 0)
    unread = sorted(set(parameters) - reader.read)
    if unread:
        raise LossgenError(
            f"--param {unread[0]}: the formula does not use '{unread[0]}'. "
            "Leave it out, or use it in --expr."
        )
    used = tuple((name, role) for name, role in tensors.items() if name in reader.read)
    if not used:
        raise LossgenError(
            f"--expr: the formula reads no tensor, so it is a constant: {source}. "
            f"A loss reads {' and '.join(tensors)}."
        )
    options = tuple((name, *parameters[name]) for name in parameters)
    roles = {role for _, role in used} | {role for _, role, _ in options}
    return Formula(
        source=source,
        text=ast.unparse(rewritten),
        tensors=used,
        parameters=options,
        words=tuple(sorted(reader.words | roles | {"e", "loss"})),
    )


def _parse(source: str) -> ast.expr:
    if not source:
        raise LossgenError('--expr is empty. Write a formula: --expr "(input - target)**2"')
    if len(source) > MAX_LENGTH:
        raise LossgenError(
            f"--expr has {len(source)} characters, more than {MAX_LENGTH}. "
            "A formula of that size belongs into a spec file: lossgen new NAME --blank"
        )
    for column, sign in enumerate(source):
        # Quotes and comments would end up inside the spec's docstring.
        if not sign.isascii() or not sign.isprintable() or sign in "#\"'\\":
            raise LossgenError(_pointed(source, column, f"{sign!r} is not in the grammar."))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source, mode="eval").body
    except SyntaxError as fault:
        column = max((fault.offset or 1) - 1, 0)
        raise LossgenError(_pointed(source, column, f"{fault.msg}.")) from None
    except (RecursionError, MemoryError, ValueError):
        raise LossgenError(_too_deep()) from None


@dataclass(slots=True)
class _Reader:
    """Carries over what the grammar lists, and notes what it met."""

    source: str
    tensors: frozenset[str]
    parameters: frozenset[str]
    read: set[str] = field(default_factory=set)
    words: set[str] = field(default_factory=set)

    def number(self, node: ast.expr, depth: int) -> ast.expr:
        if depth > MAX_DEPTH:
            raise LossgenError(_too_deep())
        match node:
            case ast.Constant():
                return self._literal(node)
            case ast.Name(id=name):
                return self._name(node, name)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
                return ast.UnaryOp(node.op, self.number(operand, depth + 1))
            case ast.BinOp(left=left, op=op, right=right) if isinstance(op, _ARITHMETIC):
                self._check_literals(node, right)
                return ast.BinOp(self.number(left, depth + 1), op, self.number(right, depth + 1))
            case ast.Call():
                return self._call(node, depth)
        raise self._refusal(node)

    def condition(self, node: ast.expr, depth: int) -> ast.expr:
        if depth > MAX_DEPTH:
            raise LossgenError(_too_deep())
        match node:
            case ast.BoolOp(op=op, values=values):
                return ast.BoolOp(op, [self.condition(value, depth + 1) for value in values])
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return ast.UnaryOp(ast.Not(), self.condition(operand, depth + 1))
            case ast.Compare(left=left, ops=ops, comparators=sides):
                if not all(isinstance(op, _COMPARISONS) for op in ops):
                    raise self._refusal(node, "'in' and 'is' are not in the grammar")
                parts = [self.number(side, depth + 1) for side in (left, *sides)]
                return ast.Compare(parts[0], ops, parts[1:])
        raise self._refusal(node, "where() needs a condition first, such as input > target")

    def _literal(self, node: ast.Constant) -> ast.expr:
        value = node.value
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self._refusal(node, f"{value!r} is not a real number")
        if magnitude(node) is None:
            raise self._refusal(node, "the number is too large")
        return ast.Constant(value)

    def _name(self, node: ast.Name, name: str) -> ast.expr:
        if name in self.tensors:
            self.read.add(name)
            return ast.Subscript(ast.Name(name), ast.Name("e"))
        if name in self.parameters:
            self.read.add(name)
            return ast.Name(name)
        if name == "pi":
            self.words.add(name)
            return ast.Name(name)
        if name in FUNCTIONS:
            raise self._refusal(node, f"'{name}' is a function: write {name}(…)")
        near = suggest(name, {*self.tensors, *self.parameters, "pi"})
        if near:
            raise self._refusal(node, f"'{name}' is neither a tensor nor a parameter. {near}")
        raise self._refusal(
            node,
            f"'{name}' is neither a tensor ({', '.join(sorted(self.tensors))}) nor a parameter. "
            f"If it is a parameter, give its default: --param {name}=1.0",
        )

    def _call(self, node: ast.Call, depth: int) -> ast.expr:
        if not isinstance(node.func, ast.Name):
            raise self._refusal(
                node.func, _HINTS.get(type(node.func), "only a named function can be called")
            )
        name = node.func.id
        if name not in FUNCTIONS:
            hint = _ELSEWHERE.get(name.lower()) or suggest(name, FUNCTIONS)
            hint = hint or f"There are {', '.join(sorted(FUNCTIONS))}."
            raise self._refusal(node, f"'{name}' is not a function of the grammar. {hint}")
        word, fewest, most = FUNCTIONS[name]
        if node.keywords:
            raise self._refusal(node, f"{name}() takes no named arguments here")
        if not fewest <= len(node.args) <= most:
            count = str(fewest) if fewest == most else f"{fewest} or more"
            plural = "argument" if most == 1 else "arguments"
            raise self._refusal(node, f"{name}() takes {count} {plural}, not {len(node.args)}")
        self.words.add(word)
        first, *rest = node.args
        read = self.condition if word == "where" else self.number
        args = [read(first, depth + 1), *(self.number(arg, depth + 1) for arg in rest)]
        return ast.Call(ast.Name(word), args, [])

    def _check_literals(self, node: ast.BinOp, right: ast.expr) -> None:
        if isinstance(node.op, ast.Pow) and is_literal(right):
            exponent = magnitude(right)
            if exponent is None or abs(exponent) > MAX_EXPONENT:
                raise self._refusal(right, f"the exponent is beyond ±{MAX_EXPONENT}")
        if is_literal(node) and magnitude(node) is None:
            raise self._refusal(node, "this has no finite real value")

    def _refusal(self, node: ast.expr, reason: str = "") -> LossgenError:
        operator: ast.AST = getattr(node, "op", node)
        reason = reason or _HINTS.get(type(operator)) or _HINTS.get(type(node), "")
        reason = reason or f"{type(node).__name__.lower()} is not in the grammar"
        column = node.col_offset
        raise LossgenError(
            _pointed(self.source, column, reason if reason[-1] in ".?" else f"{reason}.")
        )


_REDUCED = (
    "A line is what each element costs, and the reduction is chosen where the loss is called: "
    "leave it out. For sums inside a formula write a spec: lossgen new NAME --blank"
)
# Functions that people write, and what stands for them in a line.
_ELSEWHERE = {
    **dict.fromkeys(("mean", "sum"), _REDUCED),
    "softmax": "What meets along an axis takes a spec: lossgen new NAME --blank",
    "ln": "Write log(x).",
    "relu": "Write max(0, x).",
    "clamp": "Write clip(x, low, high).",
    "pow": "Write x**y.",
}


def _pointed(source: str, column: int, reason: str) -> str:
    """Return `reason` over the line it is about, cut around the column, with a caret below."""
    start = max(0, column - 50)
    piece = "".join(sign if sign.isprintable() else "?" for sign in source[start : start + 78])
    return f"--expr, column {column + 1}: {reason}\n    {piece}\n    {' ' * (column - start)}^"


def _too_deep() -> str:
    return (
        f"--expr is nested deeper than {MAX_DEPTH} levels. "
        "Name its parts in a spec file instead: lossgen new NAME --blank"
    )
