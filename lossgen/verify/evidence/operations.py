"""Torch's operations on arrays of exact numbers.

``OPERATIONS`` names the ATen operations that ``rules`` has: functions of NumPy arrays of objects,
which are numbers of an algebra, integers or truth values. Written from torch's documentation; what
is missing here is decomposed by torch into what is here, or refused.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lossgen.verify.evidence.arrays import (
    Array,
    Operation,
    Unsupported,
    along,
    arange,
    array,
    best,
    diagonal,
    each,
    expand,
    eye,
    folded,
    full,
    gather,
    index_of,
    index_put,
    matmul,
    permute,
    scatter,
    select_scatter,
    slice_of,
    slice_scatter,
    squeeze,
    total,
    unsqueeze,
    view,
    where,
)
from lossgen.verify.truth.functions import Functions
from lossgen.verify.truth.tape import Algebra


class Arithmetic:
    """The operations over one algebra."""

    def __init__(self, algebra: Algebra) -> None:
        self.algebra = algebra
        self.functions = Functions(algebra)

    def number(self, x: Any) -> Any:
        """A Python number as the algebra has it; integers and truth values stay."""
        return self.algebra.mpf(x) if isinstance(x, float) else x

    def unary(self, name: str) -> Callable[[Any], Array]:
        rule = self.functions.unary[name]
        return each(lambda x: rule(self.real(x))[0])

    def real(self, x: Any) -> Any:
        return self.algebra.mpf(x) if isinstance(x, (int, float)) else x

    def power(self, a: Any, b: Any) -> Any:
        if isinstance(a, int) and isinstance(b, int) and b >= 0:
            return a**b
        return self.functions.power(self.real(a), self.real(b))[0]

    def mean(self, terms: Sequence[Any]) -> Any:
        return self.real(total(terms)) / len(terms)

    def variance(self, terms: Sequence[Any], correction: Any) -> Any:
        middle = self.mean(terms)
        squares = self.real(total([(x - middle) * (x - middle) for x in terms]))
        return squares / (len(terms) - self.real(correction))

    def norm(self, terms: Sequence[Any], order: float) -> Any:
        if order == float("inf"):
            return max(map(abs, terms))
        if order == 2:
            return self.functions.unary["Sqrt"](self.real(total([x * x for x in terms])))[0]
        if order == 1:
            return total([abs(x) for x in terms])
        powers = [self.power(abs(x), order) for x in terms]
        return self.power(total(powers), 1 / order)

    def softmax(self, terms: Sequence[Any]) -> list[Any]:
        top = max(terms)
        parts = [self.algebra.exp(x - top) for x in terms]
        mass = total(parts)
        return [p / mass for p in parts]

    def log_softmax(self, terms: Sequence[Any]) -> list[Any]:
        top = max(terms)
        mass = self.algebra.log(total([self.algebra.exp(x - top) for x in terms]))
        return [x - top - mass for x in terms]


# Rules that need no algebra; the others are methods of ``rules``.
_SHAPES: Mapping[str, Operation] = {
    "view": view,
    "_unsafe_view": view,
    "reshape": view,
    "expand": expand,
    "squeeze": squeeze,
    "unsqueeze": unsqueeze,
    "permute": permute,
    "t": lambda x: array(x).T,
    "transpose": lambda x, a, b: array(x).swapaxes(a, b),
    "select": lambda x, dim, index: array(np.take(x, index, axis=dim)),
    "slice": slice_of,
    "cat": lambda xs, dim=0: np.concatenate([array(x) for x in xs], axis=dim),
    "stack": lambda xs, dim=0: np.stack([array(x) for x in xs], axis=dim),
    "gather": lambda x, dim, index, **_: gather(array(x), dim, array(index)),
    "scatter": lambda x, dim, index, value, **_: scatter(x, dim, array(index), value),
    "scatter_add": lambda x, dim, index, value: scatter(x, dim, array(index), value, True),
    "index_select": lambda x, dim, index: np.take(array(x), index.astype(np.int64), axis=dim),
    "index": index_of,
    "index_put": index_put,
    "_unsafe_index_put": index_put,
    "select_scatter": select_scatter,
    "slice_scatter": slice_scatter,
    "clone": lambda x, **_: array(x).copy(),
    "detach": array,
    "alias": array,
    "lift_fresh_copy": lambda x: array(x).copy(),
    "lift_fresh": array,
    "_local_scalar_dense": lambda x: array(x).item(),
    "contiguous": lambda x, **_: array(x),
    "full": full,
    "full_like": lambda x, value, **_: full(array(x).shape, value),
    "zeros": lambda size, **_: full(size, 0),
    "ones": lambda size, **_: full(size, 1),
    "zeros_like": lambda x, **_: full(array(x).shape, 0),
    "ones_like": lambda x, **_: full(array(x).shape, 1),
    "new_zeros": lambda x, size, **_: full(size, 0),
    "new_ones": lambda x, size, **_: full(size, 1),
    "new_full": lambda x, size, value, **_: full(size, value),
    "empty_like": lambda x, **_: full(array(x).shape, 0),
    "scalar_tensor": lambda x, **_: array(x),
    "arange": arange,
    "eye": eye,
    "flip": lambda x, dims: np.flip(array(x), axis=tuple(dims)),
    "diagonal": diagonal,
    "where": where,
    "masked_fill": lambda x, mask, value: where(mask, value, x),
    "eq": each(lambda a, b: bool(a == b)),
    "ne": each(lambda a, b: bool(a != b)),
    "lt": each(lambda a, b: bool(a < b)),
    "le": each(lambda a, b: bool(a <= b)),
    "gt": each(lambda a, b: bool(a > b)),
    "ge": each(lambda a, b: bool(a >= b)),
    "isnan": each(lambda a: bool(a != a)),
    "logical_and": each(lambda a, b: bool(a) and bool(b)),
    "logical_or": each(lambda a, b: bool(a) or bool(b)),
    "logical_not": each(lambda a: not a),
    "bitwise_and": each(lambda a, b: a & b),
    "bitwise_or": each(lambda a, b: a | b),
    "bitwise_not": each(lambda a: (not a) if isinstance(a, bool) else ~a),
    "any": lambda x, dim=None, keep=False: folded(x, dim, keep, lambda t: any(map(bool, t))),
    "all": lambda x, dim=None, keep=False: folded(x, dim, keep, lambda t: all(map(bool, t))),
    "sum": lambda x, dim=None, keep=False, **_: folded(x, dim, keep, total),
    "prod": lambda x, dim=None, keep=False, **_: folded(
        x, dim, keep, lambda t: functools.reduce(operator.mul, t, 1)
    ),
    "amax": lambda x, dim=None, keep=False: folded(x, dim, keep, max),
    "amin": lambda x, dim=None, keep=False: folded(x, dim, keep, min),
    "max": lambda x, *a, **k: best(1)(x, *a, **k) if a or k else folded(x, None, False, max),
    "min": lambda x, *a, **k: best(-1)(x, *a, **k) if a or k else folded(x, None, False, min),
    "argmax": lambda x, dim=None, keep=False: best(1)(x, dim, keep)[1],
    "add": lambda a, b, alpha=1: each(lambda x, y: x + y * alpha if alpha != 1 else x + y)(a, b),
    "sub": lambda a, b, alpha=1: each(lambda x, y: x - y * alpha if alpha != 1 else x - y)(a, b),
    "rsub": lambda a, b, alpha=1: each(lambda x, y: y - x * alpha)(a, b),
    "mul": each(lambda a, b: a * b),
    "neg": each(lambda a: -a),
    "abs": each(abs),
    "relu": each(lambda a: a if a > 0 else 0),
    "maximum": each(lambda a, b: a if a >= b else b),
    "minimum": each(lambda a, b: a if a <= b else b),
    "clamp_min": each(lambda a, low: a if a >= low else low),
    "clamp_max": each(lambda a, high: a if a <= high else high),
    "mm": lambda a, b: matmul(array(a), array(b)),
    "addmm": lambda c, a, b, **_: array(c) + matmul(array(a), array(b)),
    "bmm": lambda a, b: np.stack([matmul(x, y) for x, y in zip(a, b, strict=True)]),
    "mv": lambda a, b: matmul(array(a), array(b)[:, None])[:, 0],
    "dot": lambda a, b: array(total([x * y for x, y in zip(a, b, strict=True)])),
}


def rules(algebra: Algebra) -> dict[str, Operation]:
    """All rules over an algebra."""
    a = Arithmetic(algebra)
    real = each(a.real)

    def clamp(x: Any, low: Any = None, high: Any = None, **k: Any) -> Array:
        low, high = k.get("min", low), k.get("max", high)
        x = array(x)
        x = x if low is None else _SHAPES["clamp_min"](x, low)
        return x if high is None else _SHAPES["clamp_max"](x, high)

    def divide(x: Any, y: Any, rounding_mode: Any = None) -> Array:
        if rounding_mode is not None:
            raise Unsupported("div with rounding")
        return each(lambda p, q: a.real(p) / q)(x, y)

    def cast(x: Any, dtype: Any = None, **_: Any) -> Array:
        kind = str(dtype)
        if "float" in kind:
            return real(x)
        if "bool" in kind:
            return each(lambda v: bool(v != 0))(x)
        return each(int)(x) if "int" in kind else array(x)

    return {
        **_SHAPES,
        "_to_copy": cast,
        "convert_element_type": cast,
        "clamp": clamp,
        "div": divide,
        "reciprocal": each(lambda x: 1 / a.real(x)),
        "pow": each(a.power),
        "square": each(lambda x: x * x),
        "exp": a.unary("Exp"),
        "expm1": a.unary("Expm1"),
        "log": a.unary("Log"),
        "log1p": a.unary("Log1p"),
        "log2": each(lambda x: algebra.log(a.real(x)) / algebra.log(algebra.mpf(2))),
        "log10": each(lambda x: algebra.log(a.real(x)) / algebra.log(algebra.mpf(10))),
        "sqrt": a.unary("Sqrt"),
        "rsqrt": each(lambda x: 1 / a.functions.unary["Sqrt"](a.real(x))[0]),
        "sigmoid": a.unary("Sigmoid"),
        "tanh": a.unary("Tanh"),
        "sign": a.unary("Sign"),
        "sgn": a.unary("Sign"),
        "floor": a.unary("Floor"),
        "sin": a.unary("Sin"),
        "cos": a.unary("Cos"),
        "acos": a.unary("Acos"),
        "atan": a.unary("Atan"),
        "erf": a.unary("Erf"),
        "erfc": a.unary("Erfc"),
        "lgamma": a.unary("Lgamma"),
        "digamma": a.unary("Digamma"),
        "softplus": lambda x, beta=1, threshold=20: a.unary("Softplus")(array(x) * beta) / beta,
        "mean": lambda x, dim=None, keep=False, **_: folded(x, dim, keep, a.mean),
        "var": lambda x, dim=None, correction=1, keep=False, **_: folded(
            x, dim or None, keep, lambda t: a.variance(t, 1 if correction is None else correction)
        ),
        "_softmax": lambda x, dim, half: along(real(x), dim, a.softmax),
        "_log_softmax": lambda x, dim, half: along(real(x), dim, a.log_softmax),
        "linalg_vector_norm": lambda x, order=2, dim=None, keep=False, **_: folded(
            x, dim, keep, lambda t: a.norm(t, float(order))
        ),
    }


OPERATIONS = frozenset(_SHAPES) | {
    *("_to_copy", "clamp", "div", "reciprocal", "pow", "exp", "expm1", "log", "log1p", "log2"),
    *("log10", "sqrt", "rsqrt", "sigmoid", "tanh", "sign", "sgn", "floor", "sin", "cos", "acos"),
    *(
        "atan",
        "erf",
        "erfc",
        "lgamma",
        "digamma",
        "mean",
        "var",
        "_softmax",
        "_log_softmax",
        "linalg_vector_norm",
        "softplus",
    ),
}
