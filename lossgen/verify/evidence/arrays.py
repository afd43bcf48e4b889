"""Torch's rearranging operations on NumPy arrays of objects."""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

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


def diagonal(x: Any, offset: int = 0, a: int = 0, b: int = 1) -> Array:
    """A view of the diagonal: what is written into it is written into the array."""
    found = np.diagonal(array(x), offset, a, b)
    if array(x).flags.writeable:
        found.flags.writeable = True
    return found


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


def total(terms: Sequence[Any]) -> Any:
    return functools.reduce(operator.add, terms, 0)


def along(x: Array, dim: int, change: Callable[[list[Any]], list[Any]]) -> Array:
    """Change the rows along a dimension."""
    x = array(x)
    moved = np.moveaxis(x, dim, -1) if x.ndim else x.reshape(1)
    result = np.empty(moved.shape, dtype=object)
    for place in np.ndindex(*moved.shape[:-1]):
        result[place] = change(list(moved[place]))
    return np.moveaxis(result, -1, dim) if x.ndim else result.reshape(())


def where(condition: Any, yes: Any, no: Any) -> Array:
    return each(lambda c, a, b: a if c else b)(condition, yes, no)


def gather(x: Array, dim: int, index: Array) -> Array:
    result = np.empty(index.shape, dtype=object)
    for place in np.ndindex(*index.shape):
        source = list(place)
        source[dim % x.ndim] = int(index[place])
        result[place] = x[tuple(source)]
    return result


def scatter(x: Array, dim: int, index: Array, source: Any, add: bool = False) -> Array:
    result = array(x).copy()
    values = np.broadcast_to(array(source), index.shape) if array(source).ndim == 0 else source
    for place in np.ndindex(*index.shape):
        where = list(place)
        where[dim % result.ndim] = int(index[place])
        old = result[tuple(where)]
        result[tuple(where)] = old + values[place] if add else values[place]
    return result


def slice_of(x: Array, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Array:
    index: list[Any] = [slice(None)] * x.ndim
    index[dim] = slice(start, None if end is not None and end > x.shape[dim] else end, step)
    return x[tuple(index)]


def index_of(x: Array, indices: Sequence[Any]) -> Array:
    picked: list[Any] = []
    for i in indices:
        picked.append(slice(None) if i is None else _plain(i))
    return array(x[tuple(picked)])


def _plain(index: Array) -> Any:
    kinds = {type(v) for v in index.flat}
    return index.astype(bool) if kinds <= {bool, np.bool_} and kinds else index.astype(np.int64)


def index_put(x: Array, indices: Sequence[Any], values: Any, accumulate: bool = False) -> Array:
    result = array(x).copy()
    picked = tuple(slice(None) if i is None else _plain(i) for i in indices)
    if accumulate:
        np.add.at(result, cast(Any, picked), array(values))
    else:
        result[picked] = array(values)
    return result


def squeeze(x: Array, dim: Any = None) -> Array:
    x = array(x)
    if dim is None:
        return x.reshape([s for s in x.shape if s != 1])
    axes = [d for d in _axes(dim, x.ndim) if x.ndim and x.shape[d] == 1]
    return x.reshape([s for k, s in enumerate(x.shape) if k not in axes])


def unsqueeze(x: Array, dim: int) -> Array:
    return np.expand_dims(array(x), dim)


def expand(x: Array, size: Sequence[int], **_: Any) -> Array:
    x = array(x)
    lead = len(size) - x.ndim
    whole = [x.shape[k - lead] if s == -1 else s for k, s in enumerate(size)]
    return np.broadcast_to(x, whole)


def view(x: Array, size: Sequence[int], **_: Any) -> Array:
    return array(x).reshape(list(size))


def permute(x: Array, dims: Sequence[int]) -> Array:
    return array(x).transpose(*dims)


def full(size: Sequence[int], value: Any, **_: Any) -> Array:
    result = np.empty(tuple(size), dtype=object)
    result.fill(array(value).item() if isinstance(value, np.ndarray) else value)
    return result


def arange(*bounds: Any, **_: Any) -> Array:
    return array(np.array(list(range(*map(int, bounds))), dtype=object))


def eye(rows: int, columns: int | None = None, **_: Any) -> Array:
    wide = rows if columns is None else columns
    return np.array([[int(i == j) for j in range(wide)] for i in range(rows)], dtype=object)


def matmul(a: Array, b: Array) -> Array:
    rows, inner = a.shape
    result = np.empty((rows, b.shape[1]), dtype=object)
    for i, j in itertools.product(range(rows), range(b.shape[1])):
        result[i, j] = total([a[i, k] * b[k, j] for k in range(inner)])
    return result


def select_scatter(x: Array, source: Array, dim: int, index: int) -> Array:
    result = array(x).copy()
    place: list[Any] = [slice(None)] * result.ndim
    place[dim] = index
    result[tuple(place)] = source
    return result


def slice_scatter(
    x: Array, source: Array, dim: int = 0, start: Any = None, end: Any = None, step: int = 1
) -> Array:
    result = array(x).copy()
    place: list[Any] = [slice(None)] * result.ndim
    place[dim] = slice(start, None if end is not None and end > result.shape[dim] else end, step)
    result[tuple(place)] = source
    return result


def best(sign: int) -> Callable[..., tuple[Array, Array]]:
    """max and min along a dimension: the first at a tie."""

    def rule(x: Array, dim: int, keepdim: bool = False) -> tuple[Array, Array]:
        def place(terms: list[Any]) -> int:
            best = 0
            for k, term in enumerate(terms):
                if sign * term > sign * terms[best]:
                    best = k
            return best

        at = folded(x, dim, True, place)
        found = gather(array(x), dim, at)
        return (found, at) if keepdim else (np.squeeze(found, dim), np.squeeze(at, dim))

    return rule
