"""Torch's operations on arrays of exact numbers.

``OPERATIONS`` maps the name of an ATen operation to what it does to NumPy arrays of objects: numbers of an
algebra, integers, truth values. Written from torch's documentation; what is missing here is
decomposed by torch into what is here, or refused.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lossgen.verify.truth.functions import Functions
from lossgen.verify.truth.tape import Algebra

Array = NDArray[Any]
Operation = Callable[..., Any]


class Unsupported(Exception):
    """An operation that is not known here."""


def array(x: Any) -> Array:
    """Anything as an array of objects."""
    return x if isinstance(x, np.ndarray) else np.array(x, dtype=object)


def each(function: Callable[..., Any]) -> Callable[..., Array]:
    """An elementwise function on arrays that broadcast."""

    def apply(*args: Any) -> Array:
        return array(np.frompyfunc(function, len(args), 1)(*map(array, args)))

    return apply


def _axes(dim: Any, rank: int) -> tuple[int, ...]:
    if dim is None or (isinstance(dim, (list, tuple)) and not dim):
        return tuple(range(rank))
    return tuple(d % max(rank, 1) for d in (dim if isinstance(dim, (list, tuple)) else (dim,)))


def folded(x: Array, dim: Any, keep: bool, fold: Callable[[list[Any]], Any]) -> Array:
    """Fold along dimensions."""
    x = array(x)
    if x.ndim == 0:
        return array(fold([x.item()]))
    axes = _axes(dim, x.ndim)
    rest = [k for k in range(x.ndim) if k not in axes]
    moved = x.transpose(*rest, *axes).reshape(*(x.shape[k] for k in rest), -1)
    result = np.empty(moved.shape[:-1], dtype=object)
    for place in np.ndindex(*result.shape):
        result[place] = fold(list(moved[place]))
    if keep:
        result = result.reshape([1 if k in axes else s for k, s in enumerate(x.shape)])
    return result


def _total(terms: Sequence[Any]) -> Any:
    return functools.reduce(operator.add, terms, 0)


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
        return self.real(_total(terms)) / len(terms)

    def norm(self, terms: Sequence[Any], order: float) -> Any:
        if order == float("inf"):
            return max(map(abs, terms))
        if order == 2:
            return self.functions.unary["Sqrt"](self.real(_total([x * x for x in terms])))[0]
        if order == 1:
            return _total([abs(x) for x in terms])
        powers = [self.power(abs(x), order) for x in terms]
        return self.power(_total(powers), 1 / order)

    def softmax(self, terms: Sequence[Any]) -> list[Any]:
        top = max(terms)
        parts = [self.algebra.exp(x - top) for x in terms]
        mass = _total(parts)
        return [p / mass for p in parts]

    def log_softmax(self, terms: Sequence[Any]) -> list[Any]:
        top = max(terms)
        mass = self.algebra.log(_total([self.algebra.exp(x - top) for x in terms]))
        return [x - top - mass for x in terms]


def along(x: Array, dim: int, change: Callable[[list[Any]], list[Any]]) -> Array:
    """Change the rows along a dimension."""
    x = array(x)
    moved = np.moveaxis(x, dim, -1) if x.ndim else x.reshape(1)
    result = np.empty(moved.shape, dtype=object)
    for place in np.ndindex(*moved.shape[:-1]):
        result[place] = change(list(moved[place]))
    return np.moveaxis(result, -1, dim) if x.ndim else result.reshape(())


def _where(condition: Any, yes: Any, no: Any) -> Array:
    return each(lambda c, a, b: a if c else b)(condition, yes, no)


def _gather(x: Array, dim: int, index: Array) -> Array:
    result = np.empty(index.shape, dtype=object)
    for place in np.ndindex(*index.shape):
        source = list(place)
        source[dim % x.ndim] = int(index[place])
        result[place] = x[tuple(source)]
    return result


def _scatter(x: Array, dim: int, index: Array, source: Any, add: bool = False) -> Array:
    result = array(x).copy()
    values = np.broadcast_to(array(source), index.shape) if array(source).ndim == 0 else source
    for place in np.ndindex(*index.shape):
        where = list(place)
        where[dim % result.ndim] = int(index[place])
        old = result[tuple(where)]
        result[tuple(where)] = old + values[place] if add else values[place]
    return result


def _slice(x: Array, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Array:
    index: list[Any] = [slice(None)] * x.ndim
    index[dim] = slice(start, None if end is not None and end > x.shape[dim] else end, step)
    return x[tuple(index)]


def _index(x: Array, indices: Sequence[Any]) -> Array:
    picked: list[Any] = []
    for i in indices:
        picked.append(slice(None) if i is None else _plain(i))
    return array(x[tuple(picked)])


def _plain(index: Array) -> Any:
    kinds = {type(v) for v in index.flat}
    return index.astype(bool) if kinds <= {bool, np.bool_} and kinds else index.astype(np.int64)


def _index_put(x: Array, indices: Sequence[Any], values: Any, accumulate: bool = False) -> Array:
    result = array(x).copy()
    picked = tuple(slice(None) if i is None else _plain(i) for i in indices)
    if accumulate:
        np.add.at(result, picked, array(values))
    else:
        result[picked] = array(values)
    return result


def _squeeze(x: Array, dim: Any = None) -> Array:
    x = array(x)
    if dim is None:
        return x.reshape([s for s in x.shape if s != 1])
    axes = [d for d in _axes(dim, x.ndim) if x.ndim and x.shape[d] == 1]
    return x.reshape([s for k, s in enumerate(x.shape) if k not in axes])


def _unsqueeze(x: Array, dim: int) -> Array:
    return np.expand_dims(array(x), dim)


def _expand(x: Array, size: Sequence[int], **_: Any) -> Array:
    x = array(x)
    lead = len(size) - x.ndim
    whole = [x.shape[k - lead] if s == -1 else s for k, s in enumerate(size)]
    return np.broadcast_to(x, whole)


def _view(x: Array, size: Sequence[int], **_: Any) -> Array:
    return array(x).reshape(list(size))


def _permute(x: Array, dims: Sequence[int]) -> Array:
    return array(x).transpose(*dims)


def _full(size: Sequence[int], value: Any, **_: Any) -> Array:
    result = np.empty(tuple(size), dtype=object)
    result.fill(array(value).item() if isinstance(value, np.ndarray) else value)
    return result


def _arange(*bounds: Any, **_: Any) -> Array:
    return array(np.array(list(range(*map(int, bounds))), dtype=object))


def _eye(rows: int, columns: int | None = None, **_: Any) -> Array:
    wide = rows if columns is None else columns
    return np.array([[int(i == j) for j in range(wide)] for i in range(rows)], dtype=object)


def _matmul(a: Array, b: Array) -> Array:
    rows, inner = a.shape
    result = np.empty((rows, b.shape[1]), dtype=object)
    for i, j in itertools.product(range(rows), range(b.shape[1])):
        result[i, j] = _total([a[i, k] * b[k, j] for k in range(inner)])
    return result


def _select_scatter(x: Array, source: Array, dim: int, index: int) -> Array:
    result = array(x).copy()
    place: list[Any] = [slice(None)] * result.ndim
    place[dim] = index
    result[tuple(place)] = source
    return result


def _slice_scatter(
    x: Array, source: Array, dim: int = 0, start: Any = None, end: Any = None, step: int = 1
) -> Array:
    result = array(x).copy()
    place: list[Any] = [slice(None)] * result.ndim
    place[dim] = slice(start, None if end is not None and end > result.shape[dim] else end, step)
    result[tuple(place)] = source
    return result


def _best(sign: int) -> Callable[..., tuple[Array, Array]]:
    """max and min along a dimension: the first at a tie."""

    def rule(x: Array, dim: int, keepdim: bool = False) -> tuple[Array, Array]:
        def place(terms: list[Any]) -> int:
            best = 0
            for k, term in enumerate(terms):
                if sign * term > sign * terms[best]:
                    best = k
            return best

        at = folded(x, dim, True, place)
        found = _gather(array(x), dim, at)
        return (found, at) if keepdim else (np.squeeze(found, dim), np.squeeze(at, dim))

    return rule


# Rules that need no algebra; the others are methods of ``rules``.
_SHAPES: Mapping[str, Operation] = {
    "view": _view,
    "_unsafe_view": _view,
    "reshape": _view,
    "expand": _expand,
    "squeeze": _squeeze,
    "unsqueeze": _unsqueeze,
    "permute": _permute,
    "t": lambda x: array(x).T,
    "transpose": lambda x, a, b: array(x).swapaxes(a, b),
    "select": lambda x, dim, index: array(np.take(x, index, axis=dim)),
    "slice": _slice,
    "cat": lambda xs, dim=0: np.concatenate([array(x) for x in xs], axis=dim),
    "stack": lambda xs, dim=0: np.stack([array(x) for x in xs], axis=dim),
    "gather": lambda x, dim, index, **_: _gather(array(x), dim, array(index)),
    "scatter": lambda x, dim, index, value, **_: _scatter(x, dim, array(index), value),
    "scatter_add": lambda x, dim, index, value: _scatter(x, dim, array(index), value, True),
    "index_select": lambda x, dim, index: np.take(array(x), index.astype(np.int64), axis=dim),
    "index": _index,
    "index_put": _index_put,
    "_unsafe_index_put": _index_put,
    "select_scatter": _select_scatter,
    "slice_scatter": _slice_scatter,
    "clone": lambda x, **_: array(x).copy(),
    "detach": array,
    "alias": array,
    "lift_fresh_copy": lambda x: array(x).copy(),
    "lift_fresh": array,
    "_local_scalar_dense": lambda x: array(x).item(),
    "contiguous": lambda x, **_: array(x),
    "full": _full,
    "full_like": lambda x, value, **_: _full(array(x).shape, value),
    "zeros": lambda size, **_: _full(size, 0),
    "ones": lambda size, **_: _full(size, 1),
    "zeros_like": lambda x, **_: _full(array(x).shape, 0),
    "ones_like": lambda x, **_: _full(array(x).shape, 1),
    "new_zeros": lambda x, size, **_: _full(size, 0),
    "new_ones": lambda x, size, **_: _full(size, 1),
    "new_full": lambda x, size, value, **_: _full(size, value),
    "empty_like": lambda x, **_: _full(array(x).shape, 0),
    "scalar_tensor": lambda x, **_: array(x),
    "arange": _arange,
    "eye": _eye,
    "flip": lambda x, dims: np.flip(array(x), axis=tuple(dims)),
    "diagonal": lambda x, offset=0, a=0, b=1: array(np.diagonal(array(x), offset, a, b)),
    "where": _where,
    "masked_fill": lambda x, mask, value: _where(mask, value, x),
    "eq": each(lambda a, b: bool(a == b)),
    "ne": each(lambda a, b: bool(a != b)),
    "lt": each(lambda a, b: bool(a < b)),
    "le": each(lambda a, b: bool(a <= b)),
    "gt": each(lambda a, b: bool(a > b)),
    "ge": each(lambda a, b: bool(a >= b)),
    "logical_and": each(lambda a, b: bool(a) and bool(b)),
    "logical_or": each(lambda a, b: bool(a) or bool(b)),
    "logical_not": each(lambda a: not a),
    "bitwise_and": each(lambda a, b: a & b),
    "bitwise_or": each(lambda a, b: a | b),
    "bitwise_not": each(lambda a: (not a) if isinstance(a, bool) else ~a),
    "any": lambda x, dim=None, keep=False: folded(x, dim, keep, lambda t: any(map(bool, t))),
    "all": lambda x, dim=None, keep=False: folded(x, dim, keep, lambda t: all(map(bool, t))),
    "sum": lambda x, dim=None, keep=False, **_: folded(x, dim, keep, _total),
    "prod": lambda x, dim=None, keep=False, **_: folded(
        x, dim, keep, lambda t: functools.reduce(operator.mul, t, 1)
    ),
    "amax": lambda x, dim=None, keep=False: folded(x, dim, keep, max),
    "amin": lambda x, dim=None, keep=False: folded(x, dim, keep, min),
    "max": lambda x, *a, **k: _best(1)(x, *a, **k) if a or k else folded(x, None, False, max),
    "min": lambda x, *a, **k: _best(-1)(x, *a, **k) if a or k else folded(x, None, False, min),
    "argmax": lambda x, dim=None, keep=False: _best(1)(x, dim, keep)[1],
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
    "mm": lambda a, b: _matmul(array(a), array(b)),
    "addmm": lambda c, a, b, **_: array(c) + _matmul(array(a), array(b)),
    "bmm": lambda a, b: np.stack([_matmul(x, y) for x, y in zip(a, b, strict=True)]),
    "mv": lambda a, b: _matmul(array(a), array(b)[:, None])[:, 0],
    "dot": lambda a, b: array(_total([x * y for x, y in zip(a, b, strict=True)])),
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
        "lgamma": a.unary("Lgamma"),
        "softplus": lambda x, beta=1, threshold=20: a.unary("Softplus")(array(x) * beta) / beta,
        "mean": lambda x, dim=None, keep=False, **_: folded(x, dim, keep, a.mean),
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
        "lgamma",
        "mean",
        "_softmax",
        "_log_softmax",
        "linalg_vector_norm",
        "softplus",
    ),
}
