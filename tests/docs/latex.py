"""Reads the LaTeX of a docstring and computes it, element by element.

It knows nothing of LossGen's expressions: only tokens, a grammar and Python floats. So what a
docstring says can be compared with what the code computes.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Index = tuple[int, ...]


@dataclass
class Scope:
    """What the symbols stand for.

    Attributes:
        arrays: elements by symbol and index; a symbol that is absent has no value at all.
        options: numbers by symbol.
        sizes: the length of the axis of each letter, and of each capital letter.
        given: for each optional tensor, whether it is there.
        neutral: what an element of a tensor that is not there counts as.
        padded: whether what is read outside its range is 0.
    """

    arrays: dict[str, dict[Index, float]]
    options: dict[str, float]
    sizes: dict[str, int]
    given: dict[str, bool] = field(default_factory=dict)
    neutral: dict[str, float] = field(default_factory=dict)
    padded: bool = False


Letters = Mapping[str, int]
Value = Callable[[Letters], float]


class Nothing(float):
    """A zero that makes zero whatever it multiplies, even NaN."""


NOTHING = Nothing(0.0)

TOKEN = re.compile(
    r"\\text\{[^{}]*\}|\\begin\{cases\}|\\end\{cases\}|\\operatorname\*?\{[a-z]+\}"
    r"|\\[a-zA-Z]+|\\[,#{}|_\\.]|\d+(?:\.\d+)?|\s+|."
)
GREEK = (
    *("\\alpha", "\\beta", "\\gamma", "\\delta", "\\epsilon", "\\varepsilon", "\\lambda"),
    *("\\tau", "\\sigma", "\\ell"),
)
RELATIONS: Mapping[str, Callable[[float, float], bool]] = {
    "=": lambda a, b: a == b,
    "\\neq": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "\\le": lambda a, b: a <= b,
    "\\ge": lambda a, b: a >= b,
}


def words(text: str) -> list[str]:
    """The tokens of LaTeX, the words of a text each by itself, spaces left out."""
    out: list[str] = []
    for token in TOKEN.findall(text):
        if token.startswith("\\text{"):
            inner = token[6:-1].replace("\\_", "_")
            for word in re.findall(r"\w+ is (?:not )?given|\w+", inner):
                out.append(f"text:{word}")
        elif token.strip() and token not in ("\\,", "\\left", "\\right", "\\quad", "&"):
            out.append(token)
    return out


@dataclass
class Equation:
    """``symbol[letters] = right``, where its conditions hold."""

    symbol: str
    letters: tuple[str, ...]
    right: Callable[[Letters], "float | bool | tuple[float, ...]"]
    within: Callable[[Letters], bool]
    when: Callable[[Letters], bool]


def equations(block: str, scope: Scope) -> list[Equation]:
    """The equations of a block of display mathematics."""
    text = re.sub(r"\\\\\s*&\\quad", " ", " ".join(block.split()))
    depth, parts, start = 0, [], 0
    for found in re.finditer(r"\\begin\{cases\}|\\end\{cases\}|\\\\", text):
        if found[0] == "\\\\":
            if depth == 0:
                parts.append(text[start : found.start()])
                start = found.end()
        else:
            depth += 1 if "begin" in found[0] else -1
    return [Reader(words(part), scope).equation() for part in (*parts, text[start:])]


def evaluate(block: str, scope: Scope) -> None:
    """Compute every equation of a block, in order, into the scope's arrays."""
    for equation in equations(block, scope):
        if not equation.when({}):
            scope.arrays.pop(equation.symbol, None)
            continue
        made: dict[Index, float] = {}
        for index, letters in positions(equation.letters, scope):
            if equation.within(letters):
                value = equation.right(letters)
                if isinstance(value, tuple):
                    made.update({(*index, k): float(v) for k, v in enumerate(value)})
                else:
                    made[index] = float(value)
        scope.arrays[equation.symbol] = made


def positions(letters: tuple[str, ...], scope: Scope) -> list[tuple[Index, dict[str, int]]]:
    """Every combination of positions of letters."""
    out: list[Index] = [()]
    for letter in letters:
        out = [(*index, k) for index in out for k in range(scope.sizes[letter.rstrip("'")])]
    return [(index, dict(zip(letters, index, strict=True))) for index in out]


class Reader:
    """A recursive descent over the tokens of one equation."""

    def __init__(self, tokens: list[str], scope: Scope) -> None:
        self.tokens, self.scope, self.at = tokens, scope, 0

    # --- tokens -----------------------------------------------------------------------------

    def peek(self, ahead: int = 0) -> str:
        at = self.at + ahead
        return self.tokens[at] if at < len(self.tokens) else ""

    def take(self, wanted: str = "") -> str:
        token = self.peek()
        if wanted and token != wanted:
            raise SyntaxError(f"{wanted!r} expected, got {self.tokens[self.at : self.at + 8]}")
        self.at += 1
        return token

    def accept(self, token: str) -> bool:
        if self.peek() == token:
            self.at += 1
            return True
        return False

    def raw_group(self) -> str:
        """What stands in braces, as text."""
        self.take("{")
        depth, out = 1, ""
        while depth:
            token = self.take()
            if not token:
                raise SyntaxError("unbalanced braces")
            depth += (token == "{") - (token == "}")
            out += token if depth else ""
        return out

    # --- equations --------------------------------------------------------------------------

    def equation(self) -> Equation:
        symbol = self.symbol()
        letters = tuple(self.letter_group()) if self.accept("_") else ()
        right: Callable[[Letters], float | bool | tuple[float, ...]]
        if self.accept("\\iff"):
            right = self.condition()
        else:
            self.take("=")
            right = self.tuple_or_sum()
        within: Callable[[Letters], bool] = always
        when: Callable[[Letters], bool] = always
        if self.accept(","):
            within = self.ranges()[1]
        if self.accept("text:if"):
            when = self.condition()
        if self.peek():
            raise SyntaxError(f"left over: {self.tokens[self.at :]}")
        return Equation(symbol, letters, right, within, when)

    def tuple_or_sum(self) -> Callable[[Letters], "float | tuple[float, ...]"]:
        start = self.at
        if self.accept("("):
            parts = [self.sum()]
            while self.accept(","):
                parts.append(self.sum())
            if len(parts) > 1:
                self.take(")")
                return lambda letters: tuple(p(letters) for p in parts)
        self.at = start
        return self.sum()

    def letter_group(self) -> list[str]:
        """The letters of a subscript, each with its primes."""
        return re.findall(r"[a-z]'*", self.raw_group())

    # --- sums and products ------------------------------------------------------------------

    def sum(self) -> Value:
        negative = self.accept("-")
        parts = [(-1.0 if negative else 1.0, self.product())]
        while self.peek() in ("+", "-"):
            sign = -1.0 if self.take() == "-" else 1.0
            parts.append((sign, self.product()))
        if len(parts) == 1 and not negative:
            return parts[0][1]
        return lambda letters: sum_of([s * p(letters) for s, p in parts])

    def product(self) -> Value:
        factors = [self.power()]
        while self.begins_factor():
            factors.append(self.power())
        if len(factors) == 1:
            return factors[0]

        def multiplied(letters: Letters) -> float:
            result = 1.0
            for factor in factors:
                value = factor(letters)
                if isinstance(value, Nothing):
                    return NOTHING
                result *= value
            return result

        return multiplied

    def begins_factor(self) -> bool:
        token = self.peek()
        if token in ("\\lvert", "\\lVert", "\\cdot"):
            return True
        stops = ("", "+", "-", ")", "]", "}", ",", ";", ":", "\\\\", "\\end{cases}", "|", "\\iff")
        closing = ("\\rvert", "\\rVert", "\\rfloor", "\\}")
        return not (
            token in stops or token in closing or token in RELATIONS or token.startswith("text:")
        )

    def power(self) -> Value:
        base = self.atom()
        if not self.accept("^"):
            return base
        exponent = self.group()

        def raised(letters: Letters) -> float:
            low, high = base(letters), exponent(letters)
            if low == 0 and high < 0:
                return 0.0
            return 1.0 if low == 0 and high == 0 else low**high

        return raised

    def group(self) -> Value:
        self.take("{")
        inner = self.sum()
        self.take("}")
        return inner

    # --- atoms ------------------------------------------------------------------------------

    def atom(self) -> Value:
        token = self.peek()
        if token == "\\cdot":
            self.take()
            return self.atom()
        if re.fullmatch(r"\d+(\.\d+)?", token):
            self.take()
            return lambda _: float(token)
        if token in ("\\pi", "\\infty"):
            self.take()
            return lambda _: math.pi if token == "\\pi" else math.inf
        handlers: Mapping[str, Callable[[], Value]] = {
            "(": self.parenthesised,
            "[": self.bracket,
            "\\frac": self.fraction,
            "\\sqrt": self.root,
            "\\log": self.logarithm,
            "\\sum": lambda: self.reduction(sum_of),
            "\\operatorname*{mean}": lambda: self.reduction(mean_of),
            "\\max": lambda: self.extreme(max, -math.inf),
            "\\min": lambda: self.extreme(min, math.inf),
            "\\begin{cases}": self.cases,
            "\\lvert": self.absolute,
            "\\lVert": self.norm,
            "\\#": self.count,
            "\\.": self.read_at,
            ".": self.read_at,
            "\\operatorname{softmax}": lambda: self.softmax(math.exp),
            "\\operatorname{sg}": lambda: self.call(lambda x: x),
            "\\operatorname{st}": self.straight,
            "\\operatorname{clip}": lambda: self.call(lambda x, low, high: min(max(x, low), high)),
        }
        if token in handlers:
            if token not in ("(", "["):
                self.take()
            return handlers[token]()
        if token in FUNCTIONS and self.peek(1) == "(":
            self.take()
            return self.call(FUNCTIONS[token])
        return self.element()

    def parenthesised(self) -> Value:
        self.take("(")
        inner = self.sum()
        self.take(")")
        return inner

    def arguments(self, separator: str = ",") -> list[Value]:
        self.take("(")
        found = [self.sum()]
        while self.accept(separator):
            found.append(self.sum())
        self.take(")")
        return found

    def call(self, function: Callable[..., float]) -> Value:
        given = self.arguments()
        return lambda letters: function(*(g(letters) for g in given))

    def straight(self) -> Value:
        return self.arguments(";")[0]

    def fraction(self) -> Value:
        above, below = self.group(), self.group()

        def divided(letters: Letters) -> float:
            top = above(letters)
            if isinstance(top, Nothing):
                return NOTHING
            bottom = below(letters)
            # A quotient by 0 counts as 0 wherever a docstring allows one.
            return top / bottom if bottom else 0.0

        return divided

    def root(self) -> Value:
        inner = self.group()
        return lambda letters: math.sqrt(inner(letters))

    def logarithm(self) -> Value:
        if self.peek() == "\\operatorname{softmax}":
            self.take()
            return self.softmax(lambda x: x)
        if self.peek() == "\\Gamma":
            self.take()
            return self.call(math.lgamma)
        inner = self.power()

        def log(letters: Letters) -> float:
            value = inner(letters)
            return math.log(value) if value > 0 else -math.inf if value == 0 else math.nan

        return log

    def absolute(self) -> Value:
        inner = self.sum()
        self.take("\\rvert")
        return lambda letters: abs(inner(letters))

    def bracket(self) -> Value:
        self.take("[")
        condition = self.condition()
        self.take("]")
        return lambda letters: 1.0 if condition(letters) else NOTHING

    def cases(self) -> Value:
        rows: list[tuple[Value, Callable[[Letters], bool]]] = []
        while True:
            value = self.sum()
            if self.accept("text:otherwise"):
                rows.append((value, always))
            else:
                self.take("text:if")
                rows.append((value, self.condition()))
            if not self.accept("\\\\"):
                break
        self.take("\\end{cases}")
        return lambda letters: next(value for value, when in rows if when(letters))(letters)

    # --- over letters -----------------------------------------------------------------------

    def ranges(self) -> tuple[list[str], Callable[[Letters], bool]]:
        """Letters, with the bounds of those that have some."""
        names: list[str] = []
        tests: list[Callable[[Letters], bool]] = []
        while True:
            start = self.at
            if re.fullmatch(r"\d+", self.peek()):
                self.take()
                self.take("\\le")
            names.append(self.letter())
            if self.peek() in ("<", "\\le") or self.at - start > 2:
                self.at = start
                tests.append(self.relation())
            if not self.accept(","):
                return names, lambda letters: all(test(letters) for test in tests)

    def letter(self) -> str:
        name = self.take()
        while self.accept("'"):
            name += "'"
        return name

    def under(self) -> tuple[list[str], Callable[[Letters], bool]]:
        self.take("_")
        self.take("{")
        names, within = self.ranges()
        mask: Callable[[Letters], bool] = always
        if self.accept(":"):
            mask = self.condition()
        self.take("}")
        return names, lambda letters: within(letters) and mask(letters)

    def inside(
        self, names: list[str], holds: Callable[[Letters], bool], letters: Letters
    ) -> list[dict[str, int]]:
        found = ({**letters, **here} for _, here in positions(tuple(names), self.scope))
        return [here for here in found if holds(here)]

    def reduction(self, combine: Callable[[list[float]], float]) -> Value:
        names, holds = self.under()
        body = self.product()
        return lambda letters: combine([body(x) for x in self.inside(names, holds, letters)])

    def extreme(self, combine: Callable[..., float], over_nothing: float) -> Value:
        if self.peek() == "_":
            return self.reduction(lambda values: combine([*values, over_nothing]))
        return self.call(combine)

    def softmax(self, finish: Callable[[float], float]) -> Value:
        names, _ = self.under()
        body = self.parenthesised()

        def share(letters: Letters) -> float:
            every = self.inside(names, always, letters)
            return finish(body(letters) - math.log(sum(math.exp(body(x)) for x in every)))

        return share

    def norm(self) -> Value:
        body = self.sum()
        self.take("\\rVert")
        self.take("_")
        self.take("{")
        self.take("2")
        self.take(",")
        names, holds = self.ranges()
        self.take("}")
        return lambda letters: math.sqrt(
            sum(body(x) ** 2 for x in self.inside(names, holds, letters))
        )

    def count(self) -> Value:
        self.take("\\{")
        names, within = self.ranges()
        self.take(":")
        condition = self.condition()
        self.take("\\}")
        return lambda letters: float(sum(condition(x) for x in self.inside(names, within, letters)))

    def read_at(self) -> Value:
        inner = self.sum()
        self.take("|")
        self.take("_")
        self.take("{")
        name = self.letter()
        self.take("=")
        place = self.sum()
        self.take("}")
        return lambda letters: inner({**letters, name: int(place(letters))})

    # --- names ------------------------------------------------------------------------------

    def symbol(self) -> str:
        token = self.take()
        if token in ("\\mathrm", "\\bar", "\\overline"):
            name = f"{token}{{{self.raw_group()}}}"
        elif token in GREEK or re.fullmatch(r"[a-zA-Z]", token):
            name = token
        else:
            raise SyntaxError(f"{token!r} is no symbol: {self.tokens[self.at - 3 : self.at + 5]}")
        while self.accept("'"):
            name += "'"
        if self.peek() == "^" and self.peek(1) == "{" and self.peek(2) == "(":
            self.take()
            name += f"^{{{self.raw_group()}}}"
        return name

    def element(self) -> Value:
        name = self.symbol()
        if self.peek() == "_":
            after = self.at
            self.take()
            whole = f"{name}_{{{self.raw_group()}}}"
            if whole in self.scope.options:
                return lambda _: self.scope.options[whole]
            self.at = after
            return self.indexed(name)
        if name in self.scope.options:
            return lambda _: self.scope.options[name]
        if len(name.rstrip("'")) == 1 and name.isupper():
            return lambda _: float(self.scope.sizes[name])
        if len(name.rstrip("'")) == 1 and name not in self.scope.arrays:
            return lambda letters: float(letters[name])
        return lambda _: self.look_up(name, ())

    def indexed(self, name: str) -> Value:
        self.take("_")
        start = self.at
        text = self.raw_group()
        if re.fullmatch(r"([a-z]'*)+", text):
            letters = re.findall(r"[a-z]'*", text)
            return lambda at: self.look_up(name, tuple(at[x] for x in letters))
        self.at = start
        self.take("{")
        places = [self.sum()]
        while self.accept(","):
            places.append(self.sum())
        self.take("}")
        return lambda at: self.look_up(name, tuple(int(p(at)) for p in places))

    def look_up(self, name: str, index: Index) -> float:
        if name in self.scope.neutral and name not in self.scope.arrays:
            return self.scope.neutral[name]
        elements = self.scope.arrays[name]
        if index not in elements and self.scope.padded:
            return 0.0
        return elements[index]

    # --- conditions -------------------------------------------------------------------------

    def condition(self) -> Callable[[Letters], bool]:
        parts = [self.conjunction()]
        while self.accept("text:or"):
            parts.append(self.conjunction())
        return parts[0] if len(parts) == 1 else lambda at: any(p(at) for p in parts)

    def conjunction(self) -> Callable[[Letters], bool]:
        parts = [self.clause()]
        while self.accept("text:and"):
            parts.append(self.clause())
        return parts[0] if len(parts) == 1 else lambda at: all(p(at) for p in parts)

    def clause(self) -> Callable[[Letters], bool]:
        token = self.peek()
        if self.accept("text:not"):
            inner = self.clause()
            return lambda at: not inner(at)
        if token.startswith("text:") and token.endswith(" given"):
            self.take()
            name, _, how = token.removeprefix("text:").partition(" is ")
            return lambda _: self.scope.given[name] == (how == "given")
        if token == "\\exists":
            self.take()
            names, within = self.ranges()
            self.take(":")
            holds = self.condition()
            return lambda at: any(holds(x) for x in self.inside(names, within, at))
        if token == "(":
            start = self.at
            self.take()
            try:
                inner = self.condition()
                self.take(")")
            except SyntaxError:
                self.at = start
            else:
                if self.peek() not in RELATIONS and not self.begins_factor():
                    return inner
                self.at = start
        return self.relation()

    def relation(self) -> Callable[[Letters], bool]:
        parts = [self.sum()]
        tests: list[Callable[[float, float], bool]] = []
        while self.peek() in RELATIONS:
            tests.append(RELATIONS[self.take()])
            parts.append(self.sum())
        if not tests:
            return lambda at: bool(parts[0](at))

        def holds(at: Letters) -> bool:
            values = [p(at) for p in parts]
            return all(t(*values[k : k + 2]) for k, t in enumerate(tests))

        return holds


def always(_: Letters) -> bool:
    return True


def sum_of(values: list[float]) -> float:
    return sum(values, 0.0)


def mean_of(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def digamma(x: float) -> float:
    step = 1e-5
    return (math.lgamma(x + step) - math.lgamma(x - step)) / (2 * step)


FUNCTIONS: Mapping[str, Callable[..., float]] = {
    "\\exp": math.exp,
    "\\sigma": sigmoid,
    "\\tanh": math.tanh,
    "\\cosh": math.cosh,
    "\\sin": math.sin,
    "\\cos": math.cos,
    "\\arccos": math.acos,
    "\\arctan": math.atan,
    "\\psi": digamma,
    "\\operatorname{softplus}": lambda x: math.log1p(math.exp(x)),
    "\\operatorname{sign}": lambda x: float((x > 0) - (x < 0)),
    "\\operatorname{erf}": math.erf,
}
