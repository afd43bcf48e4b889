"""The losses as scalar mathematics, in the conventions that torch documents.

Each formula takes arrays of `Exact` (floats) and of Python integers (class indices), in the shapes
torch documents, and returns the unreduced items and what the mean divides by. Where torch states a
convention (clamped logs, a variance clamped straight through) the formula states it too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np

from tests.parity import scalar
from tests.parity.scalar import Exact, lift

Array = np.ndarray[Any, np.dtype[Any]]
Items = tuple[Array, Any]
Formula = Callable[..., Items]

FORMULAS: dict[str, Formula] = {}
_exp, _log = np.frompyfunc(scalar.exp, 1, 1), np.frompyfunc(scalar.log, 1, 1)
_max, _min = np.frompyfunc(scalar.maximum, 2, 1), np.frompyfunc(scalar.minimum, 2, 1)


def _formula(function: Formula) -> Formula:
    FORMULAS[function.__name__] = function
    return function


def _counted(items: Any) -> Items:
    return np.asarray(items, dtype=object), np.size(items)


def _chosen(condition: Any, yes: Any, no: Any) -> Array:
    """Elementwise choice that never touches the branch not taken."""
    shape = np.broadcast_shapes(np.shape(condition), np.shape(yes), np.shape(no))
    spread = [np.broadcast_to(np.asarray(part, dtype=object), shape) for part in (yes, no)]
    out = np.empty(shape, dtype=object)
    flags = np.broadcast_to(condition, shape)
    for at in np.ndindex(*shape):
        out[at] = lift(spread[0][at] if flags[at] else spread[1][at])
    return out


def _values(array: Any) -> Array:
    return np.asarray(np.frompyfunc(lambda x: lift(x).value, 1, 1)(array), dtype=object)


def _elementwise(item: Any, weight: Any, by_weight: bool) -> Items:
    if weight is None:
        return _counted(item)
    items, count = _counted(item * weight)
    return items, np.sum(weight) if by_weight else count


@_formula
def l1(input: Any, target: Any, weight: Any = None) -> Items:
    return _elementwise(abs(input - target), weight, by_weight=True)


@_formula
def mse(input: Any, target: Any, weight: Any = None) -> Items:
    return _elementwise((input - target) ** 2, weight, by_weight=True)


@_formula
def smooth_l1(input: Any, target: Any, beta: float = 1.0) -> Items:
    error = abs(input - target)
    if beta == 0:
        return _counted(error)
    small = _values(error) < beta
    return _counted(_chosen(small, error**2 / (2 * lift(beta)), error - lift(beta) / 2))


@_formula
def huber(input: Any, target: Any, delta: float = 1.0, weight: Any = None) -> Items:
    error = abs(input - target)
    linear = lift(delta) * (error - lift(delta) / 2)
    item = _chosen(_values(error) <= delta, error**2 / 2, linear)
    return _elementwise(item, weight, by_weight=False)


@_formula
def soft_margin(input: Any, target: Any) -> Items:
    return _counted(_log(1 + _exp(-(input * target))))


_NOMINAL = mp.mpf("1e-12")


def _clamped_log(x: Exact) -> Exact:
    """log clamped at -100, with the slope of the unclamped log."""
    number = scalar.log(x)
    if number.value >= -100:
        return number
    return Exact(mp.mpf(-100), number.slope, mp.mpf(100), number.slope_noise)


def _binary_item(p: Exact, t: Exact) -> Exact:
    """One item of binary cross entropy; an infinite slope is torch's `(p - t) / 1e-12`."""
    hit = _times_one(t, _clamped_log(p)) + _times_one(1 - t, _clamped_log(1 - p))
    if mp.isfinite(hit.slope):
        return -hit
    return Exact(-hit.value, p.slope * (p.value - t.value) / _NOMINAL, hit.noise)


@_formula
def binary_cross_entropy(input: Any, target: Any, weight: Any = 1) -> Items:
    return _counted(np.frompyfunc(_binary_item, 2, 1)(input, target) * weight)


def _times_one(a: Exact, b: Exact) -> Exact:
    return lift(0) if a.value == 0 and a.slope == 0 else a * b


_times = np.frompyfunc(_times_one, 2, 1)


@_formula
def binary_cross_entropy_with_logits(
    input: Any, target: Any, weight: Any = 1, pos_weight: Any = 1
) -> Items:
    hit, miss = _log(1 + _exp(-input)), _log(1 + _exp(input))
    return _counted((target * hit * pos_weight + (1 - target) * miss) * weight)


def _log_softmax(input: Any, axis: int) -> Any:
    top = np.max(_values(input), axis=axis, keepdims=True)
    total = np.sum(_exp(input - np.frompyfunc(lift, 1, 1)(top)), axis=axis, keepdims=True)
    return input - top - _log(total)


def _labelled(score: Array, target: Any, weight: Any, ignore: int) -> tuple[Array, Array, Array]:
    """The score at each label, that label's weight and the mask of kept labels."""
    moved = np.moveaxis(score, 1, -1)
    label = np.asarray(target)
    at_label, class_weight = np.empty(label.shape, object), np.empty(label.shape, object)
    for at in np.ndindex(*label.shape):
        kept = int(label[at]) != ignore
        at_label[at] = moved[at][int(label[at])] if kept else lift(0)
        known = weight[int(label[at])] if kept and weight is not None else 1
        class_weight[at] = lift(known if kept else 0)
    return at_label, class_weight, label != ignore


@_formula
def nll(input: Any, target: Any, weight: Any = None, ignore_index: int = -100) -> Items:
    if input.ndim == 1:
        items, divisor = nll(input[None], np.asarray(target).reshape(1), weight, ignore_index)
        return items[0, ...], divisor
    score, class_weight, _ = _labelled(input, target, weight, ignore_index)
    return _counted(-(score * class_weight))[0], np.sum(class_weight)


@_formula
def cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> Items:
    smoothing = lift(label_smoothing)
    if input.ndim == 1:
        batched = np.asarray(target)[None] if np.ndim(target) else np.asarray(target).reshape(1)
        items, divisor = cross_entropy(input[None], batched, weight, ignore_index, label_smoothing)
        return items[0, ...], divisor
    count = input.shape[1]
    log_prob = _log_softmax(input, 1)
    spread = lift(1) if weight is None else weight.reshape(-1, *[1] * (input.ndim - 2))
    if target.dtype == object:
        mixed = target * (1 - smoothing) + smoothing / count
        return _counted(-np.sum(log_prob * mixed * spread, axis=1))
    score, class_weight, kept = _labelled(log_prob, target, weight, ignore_index)
    soft = _chosen(kept, np.sum(log_prob * spread, axis=1) / count, 0)
    items, _ = _counted(-(score * class_weight * (1 - smoothing) + soft * smoothing))
    return items, np.sum(class_weight)


@_formula
def kl_div(input: Any, target: Any, log_target: bool = False) -> Items:
    if log_target:
        return _counted(_exp(target) * (target - input))
    return _counted(_times(target, _log(target)) - target * input)


@_formula
def poisson_nll(
    input: Any, target: Any, log_input: bool = True, full: bool = False, eps: float = 1e-8
) -> Items:
    item = _exp(input) - target * input if log_input else input - target * _log(input + eps)
    if not full:
        return _counted(item)
    big = _values(target) > 1
    safe = _chosen(big, target, 2)
    stirling = safe * _log(safe) - safe + _log(safe * (2 * lift(mp.pi))) / 2
    return _counted(item + _chosen(big, stirling, 0))


@_formula
def gaussian_nll(input: Any, target: Any, var: Any, full: bool = False, eps: float = 1e-6) -> Items:
    spread = lift(var) if isinstance(var, float) else var
    if not isinstance(var, float) and var.shape != input.shape and var.shape == input.shape[:-1]:
        spread = var[..., None]

    def straight(x: Exact) -> Exact:
        return Exact(max(x.value, mp.mpf(eps)), x.slope)

    held = np.frompyfunc(straight, 1, 1)(spread)
    item = (_log(held) + (input - target) ** 2 / held) / 2
    return _counted(item + _log(2 * lift(mp.pi)) / 2 if full else item)


@_formula
def margin_ranking(input1: Any, input2: Any, target: Any, margin: float = 0) -> Items:
    return _counted(_max(-(target * (input1 - input2)) + margin, 0))


@_formula
def hinge_embedding(input: Any, target: Any, margin: float = 1.0) -> Items:
    sign = _values(target)
    return _counted(
        _chosen(sign != 1, _max(lift(margin) - input, 0), 0) + _chosen(sign != -1, input, 0)
    )


@_formula
def multilabel_margin(input: Any, target: Any) -> Items:
    if input.ndim < 2:
        items, _ = multilabel_margin(input.reshape(1, -1), np.asarray(target).reshape(1, -1))
        return items[0, ...], 1
    items = np.empty(len(input), dtype=object)
    for n, row in enumerate(input):
        labels: list[int] = []
        for label in target[n]:
            if label < 0:
                break
            labels.append(int(label))
        items[n] = lift(0)
        for label in labels:
            for c in sorted(set(range(len(row))) - set(labels)):
                items[n] = items[n] + scalar.maximum(1 - row[label] + row[c], 0)
        items[n] = items[n] / len(row)
    return items, len(input)


@_formula
def multilabel_soft_margin(input: Any, target: Any, weight: Any = 1) -> Items:
    hit = -(target * _log(1 + _exp(-input)) + (1 - target) * _log(1 + _exp(input)))
    return _counted(-np.sum(hit * weight, axis=-1) / lift(input.shape[-1]))


@_formula
def multi_margin(
    input: Any, target: Any, p: int = 1, margin: float = 1.0, weight: Any = None
) -> Items:
    rows, labels = input.reshape(-1, input.shape[-1] if input.ndim else 1), np.asarray(target)
    items = np.empty(len(rows), dtype=object)
    for n, row in enumerate(rows):
        label = int(labels.reshape(-1)[n])
        gaps = [scalar.maximum(lift(margin) - row[label] + row[c], 0) for c in range(len(row))]
        total = sum((gap**p for c, gap in enumerate(gaps) if c != label), lift(0))
        items[n] = total / len(row) * (1 if weight is None else weight[label])
    return items.reshape(labels.shape), len(rows)


@_formula
def cosine_embedding(input1: Any, input2: Any, target: Any, margin: float = 0) -> Items:
    squares = [np.sum(x**2, axis=-1) + 1e-12 for x in (input1, input2)]
    cosine = np.sum(input1 * input2, axis=-1) / (squares[0] * squares[1]) ** 0.5
    sign = _values(target)
    near = _chosen(sign == 1, 1 - cosine, 0)
    return _counted(near + _chosen(sign == -1, _max(cosine - lift(margin), 0), 0))


@_formula
def triplet_margin(
    anchor: Any,
    positive: Any,
    negative: Any,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
) -> Items:
    def distance(a: Any, b: Any) -> Any:
        gap = abs(a - b + eps)
        if math.isinf(p):
            return np.asarray(_max.reduce(gap, axis=-1), dtype=object)
        return np.asarray(np.sum(gap**p, axis=-1), dtype=object) ** (1 / mp.mpf(p))

    far = distance(anchor, negative)
    if swap:
        far = _min(far, distance(positive, negative))
    return _counted(_max(distance(anchor, positive) - far + margin, 0))
