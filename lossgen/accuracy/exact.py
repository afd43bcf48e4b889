"""A loss in many digits: the spec's expression, node by node, over given elements.

In: a ``LossSpec``, elements, options. Out: values of expressions, as numbers of a tape. It reads
the formula as mathematics does, and nothing that the compiler made of it: a softmax is a quotient,
a sum a loop. What a node means at a tie or a singular point is what docs/architecture.md says.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import sympy as sp
from mpmath import mp

from lossgen.accuracy import elementwise, reductions
from lossgen.accuracy.context import Elements, Environment, Handler
from lossgen.accuracy.tape import NOTHING, MorePrecision, Num, Tape, log2, plus
from lossgen.nodes import Letter, free_letters
from lossgen.spec import LossSpec
from lossgen.subscripts import extent

MOST_BITS = 5000
SPARE = 12  # bits by which bounds to first order may be short
DOUBT = 4  # within 2**DOUBT roundoffs of what is compared, code may decide otherwise
HANDLERS: Mapping[type, Handler] = {**elementwise.HANDLERS, **reductions.HANDLERS}


class Evaluator:
    """Evaluates the expressions of one loss on one set of elements.

    ``forced`` says how decisions are taken that rounding could turn round, by their number;
    ``doubtful`` counts those met.
    """

    def __init__(
        self,
        spec: LossSpec,
        tape: Tape,
        elements: Mapping[str, Elements],
        options: Mapping[str, Any],
        sizes: Mapping[str, int],
        forced: Mapping[int, int] | None = None,
    ) -> None:
        self.spec, self.tape, self.elements, self.sizes = spec, tape, elements, sizes
        self.options: Mapping[str, Any] = {
            name: value if isinstance(value, (bool, int)) else tape.constant(value)
            for name, value in options.items()
        }
        self.forced = forced or {}
        self.doubtful = 0
        self.singular = False
        self.known: dict[tuple[Any, ...], Any] = {}
        # By identity, which is quicker to compare; each is held, lest another takes its place.
        self.letters: dict[int, tuple[sp.Basic, tuple[Letter, ...]]] = {}

    def size(self, letter: Letter) -> int:
        return self.sizes[self.spec.axes[letter].name]

    def positions(self, expr: sp.Basic, letters: tuple[Letter, ...]) -> Iterator[Environment]:
        """Every position of the letters that the expression may be read at."""
        spans = []
        for letter in letters:
            below, above = extent(expr, letter)
            spans.append(range(below, self.size(letter) - above))
        for place in itertools.product(*spans):
            yield dict(zip(letters, place, strict=True))

    def number(self, expr: sp.Basic, here: Environment) -> Num:
        """The value of an expression as a number of the tape."""
        value = self.value(expr, here)
        return value if isinstance(value, Num) else self.tape.constant(int(value))

    def value(self, expr: sp.Basic, here: Environment) -> Any:
        """The value of an expression: a number, or an integer or truth value."""
        if id(expr) not in self.letters:
            self.letters[id(expr)] = expr, tuple(sorted(free_letters(expr), key=str))
        key = (id(expr), *[here[x] for x in self.letters[id(expr)][1]])
        if key not in self.known:
            self.known[key] = self._value(expr, here)
        return self.known[key]

    def _value(self, expr: sp.Basic, here: Environment) -> Any:
        for kind in type(expr).__mro__:
            if (handler := HANDLERS.get(kind)) is not None:
                return handler(self, expr, here)
        if expr in (sp.true, sp.false):
            return bool(expr)
        if expr.is_Integer:
            return int(expr)
        if expr.is_Rational:
            held = expr.q & (expr.q - 1) == 0
            return self.tape.constant(mp.mpf(int(expr.p)) / int(expr.q), held)
        if isinstance(expr, sp.Float):
            return self.tape.constant(float(expr))
        if expr in (sp.oo, -sp.oo):
            return self.tape.constant(mp.inf if expr is sp.oo else -mp.inf)
        if expr.is_number:
            return self.tape.constant(mp.mpf(str(sp.N(expr, mp.dps))), known=False)
        raise NotImplementedError(type(expr).__name__)

    def decide(self, a: Num, b: Num) -> int:
        """The sign of a - b; what the digits here cannot tell is asked for with more of them."""
        if mp.isnan(a.value) or mp.isnan(b.value):
            return 2  # no comparison holds
        difference = (
            mp.fsub(a.value, b.value, exact=True) if a.exact and b.exact else a.value - b.value
        )
        if mp.isnan(difference):
            return 0  # two infinities
        if mp.isinf(difference):
            return int(mp.sign(difference))
        noise = plus(a.noise, b.noise)
        gap = log2(difference)
        if not (a.exact and b.exact) and gap <= noise - mp.prec + SPARE and noise > NOTHING:
            if mp.prec < MOST_BITS:
                raise MorePrecision(2 * mp.prec)
            difference = mp.zero
        if noise > NOTHING and gap <= noise - self.tape.form.digits + DOUBT:
            number, self.doubtful = self.doubtful, self.doubtful + 1
            if number in self.forced:
                return self.forced[number]
        return int(mp.sign(difference))
