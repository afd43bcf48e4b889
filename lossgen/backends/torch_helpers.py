"""The source of what several lines of a generated module call.

In: the text of a module.  Out: the helpers that it calls, in a fixed order.

    needed("loss = _log_cosh(x)")  →  the definition of _log_cosh

It refuses nothing.
"""

from __future__ import annotations

import re

from lossgen.backends.torch_parts import BLOCKS
from lossgen.backends.torch_steps import STEPS

# By the text that calls for each.
HELPERS: dict[str, str] = {
    "_power_slope(": '''def _power_slope(base: Tensor, exponent: float) -> Tensor:
    """``base ** (exponent - 1)``; rather than infinity, 0 where base is 0, and for exponent 0."""
    if exponent >= 1:
        return base ** (exponent - 1)
    if exponent == 0:
        return torch.zeros_like(base)
    zero = base == 0
    slope = base.masked_fill(zero, 1.0) ** (exponent - 1)
    # What multiplies it may be as small as the slope is large.
    return slope.masked_fill(zero, 0.0).clamp(max=torch.finfo(slope.dtype).max)''',
    "_step(": '''def _step(x: Tensor) -> Tensor:
    """1 where x is positive, 1/2 where it is 0, else 0."""
    return 0.5 * torch.sign(x) + 0.5''',
    **STEPS,
    "_in_autocast(": '''def _in_autocast(device_type: str) -> bool:
    """Whether autocast is on; the meta device has none."""
    return device_type != "meta" and torch.is_autocast_enabled(device_type)''',
    **BLOCKS,
    "_masked_logsumexp(": '''def _masked_logsumexp(
    x: Tensor, mask: Tensor, dim: int | tuple[int, ...]
) -> Tensor:
    """``logsumexp`` where a mask holds; over nothing it is -inf, with gradient 0."""
    some = mask.any(dim, keepdim=True)
    kept = torch.where(mask | ~some, x, -math.inf)
    return kept.logsumexp(dim).masked_fill(~some.squeeze(dim), -math.inf)''',
    "_log_cosh(": '''def _log_cosh(x: Tensor) -> Tensor:
    """``log(cosh(x))``, exact to rounding near 0, where the usual form cancels, and far from it."""
    size = x.abs()
    near = torch.log1p(2.0 * torch.sinh(0.5 * size.clamp(max=1.0)).square())
    far = size + torch.log1p(torch.exp(-2.0 * size)) - math.log(2.0)
    return torch.where(size < 1.0, near, far)''',
    "_square_over(": '''def _square_over(a: Tensor, b: Tensor | float) -> Tensor:
    """``a**2 / b``; the square alone may be out of range where the quotient is not."""
    return a * (a / b)''',
    "_square_times(": '''def _square_times(a: Tensor, b: Tensor) -> Tensor:
    """``a**2 * b``; the square alone may be out of range where the product is not."""
    return a * (a * b)''',
    "_norm(": '''def _norm(x: Tensor, dim: int | tuple[int, ...]) -> Tensor:
    """Euclidean length; the squares of very large and very small numbers are in range, too."""
    bits = round(math.log2(torch.finfo(x.dtype).max))
    usual, far = 2.0 ** (3 * bits // 8), 2.0 ** (3 * bits // 4)
    length: Tensor = torch.linalg.vector_norm(x, dim=dim, keepdim=True)
    size = length.detach()
    if _all_within(size, 1 / usual, usual):
        return length.squeeze(dim)
    # Powers of two: scaling by them rounds nothing.
    scale = torch.ones_like(size).masked_fill(size > usual, 1 / far)
    scale = scale.masked_fill(size < 1 / usual, far)
    length = torch.linalg.vector_norm(x * scale, dim=dim) / scale.amax(dim)
    return length''',
    "_largest(": '''def _largest(x: Tensor, dim: int | tuple[int, ...]) -> Tensor:
    """The largest magnitude, held constant; of nothing it is 0."""
    size = x.detach().abs()
    # torch's amax refuses an empty axis.
    return size.amax(dim) if size.numel() else size.sum(dim)''',
    "_all_within(": '''def _all_within(x: Tensor, low: float, high: float) -> bool:
    """Whether all numbers are between two, where that is seen at once: on a CPU, not compiled."""
    if torch.compiler.is_compiling() or not x.is_cpu or not x.numel():
        return False
    try:
        smallest, largest = x.aminmax()
        return bool(smallest >= low) and bool(largest <= high)
    except RuntimeError:
        return False  # a batch of torch.func.vmap, or what is traced, has no one answer''',
    "_log_softmax(": '''def _log_softmax(scores: Tensor, dim: int) -> Tensor:
    """``scores.log_softmax(dim)``, exact to rounding also where it is all but 0."""
    if not scores.numel():
        return scores.log_softmax(dim)  # torch's amax refuses an empty axis
    below = scores - scores.amax(dim, keepdim=True)
    powers = below.exp()
    total = powers.sum(dim, keepdim=True)
    others = powers.frac().sum(dim, keepdim=True)  # the power of one that leads is 1
    return below.sub_(torch.log1p(torch.where(total < 1.5, others, total - 1.0)))''',
    "_nll(": '''def _nll(scores: Tensor, label: Tensor, dim: int) -> Tensor:
    """``-scores.log_softmax(dim)`` at the label, exact to rounding also where it is all but 0."""
    at = label.unsqueeze(dim)
    prob = _softmax(scores, dim)
    others = prob.scatter(dim, at, 0.0).sum(dim, keepdim=True)
    return _likelihood(scores, prob, others, at, dim)''',
    "_nll_and_slope(": '''def _nll_and_slope(
    scores: Tensor, label: Tensor, dim: int
) -> tuple[Tensor, Tensor]:
    """``_nll`` and its slope in the scores: the softmax, less 1 at the label."""
    at = label.unsqueeze(dim)
    prob = _softmax(scores, dim)
    slope = prob.scatter(dim, at, 0.0)
    others = slope.sum(dim, keepdim=True)
    loss = _likelihood(scores, prob, others, at, dim)
    return loss, slope.scatter_add_(dim, at, -others)''',
    "_softmax(": '''def _softmax(scores: Tensor, dim: int) -> Tensor:
    """``scores.softmax(dim)``, along the last axis where it can be: torch vectorises that alone."""
    if scores.shape[dim] >= 16 and scores.shape[dim + 1 :] == (1,):
        return scores.squeeze(-1).softmax(-1).unsqueeze(-1)
    return scores.softmax(dim)''',
    "_likelihood(": '''def _likelihood(
    scores: Tensor, prob: Tensor, others: Tensor, at: Tensor, dim: int
) -> Tensor:
    """``-log(prob)`` at a class, from the sum of the others, which is small without cancelling."""
    if not others.numel():
        return scores.sum(dim)  # torch's amax refuses an empty axis
    # How far the class is below the leader, exact, and what the leader has beside it.
    below = scores.amax(dim, keepdim=True) - scores.gather(dim, at)
    top = prob.amax(dim, keepdim=True)
    rest = (others - (top - prob.gather(dim, at))) / top
    return (below + torch.log1p(rest)).squeeze(dim)''',
    "_fused_sigmoid(": '''def _fused_sigmoid(u: Tensor, sign: int = 1) -> Tensor:
    """``_sigmoid`` without a value that is read twice, which a compiler would write to memory."""
    return torch.where(sign * u < 0, torch.exp(-u.abs()), 1.0) / (1.0 + torch.exp(-u.abs()))''',
    "_fused_nll(": '''def _fused_nll(scores: Tensor, label: Tensor, dim: int) -> Tensor:
    """``_nll`` without writing to positions, which a compiler would not fuse."""
    at = label.unsqueeze(dim)
    shape = (-1, *(1,) * (scores.ndim - dim - 1))
    classes = torch.arange(scores.shape[dim], device=scores.device).reshape(shape)
    top = scores.amax(dim, keepdim=True)
    total = torch.exp(scores - top).sum(dim)
    # Anew rather than by name: what is used twice would be written to memory.
    share = torch.where(classes == at, 0.0, torch.exp(scores - top)).sum(dim) / total
    near = -torch.log1p(-share.clamp(max=0.5))
    below = top.squeeze(dim) - _at(scores, at, dim).squeeze(dim)
    return torch.where(share < 0.5, near, below + torch.log(total))''',
    "_at(": '''def _at(values: Tensor, index: Tensor, dim: int | None = None) -> Tensor:
    """The values at an index; NaN outside, where compiled code would end the process."""
    inside = index.clamp(0, values.shape[dim or 0] - 1)
    found = values[inside] if dim is None else values.gather(dim, inside)
    return torch.where(index == inside, found, math.nan) if found.is_floating_point() else found''',
    "_as_given(": '''def _as_given(
    gradient: Tensor | None, given: Tensor | None, onto: Tensor | None = None
) -> Tensor | None:
    """A gradient in the shape and the dtype of its tensor, which was expanded onto another."""
    if gradient is None or given is None:
        return None
    whole = gradient.reshape((given if onto is None else onto).shape)
    return whole.sum_to_size(given.shape).to(given.dtype)''',
    "_straight_through(": '''def _straight_through(value: Tensor, slope_of: Tensor) -> Tensor:
    """``value``, with the gradient of another."""
    if not (torch.is_grad_enabled() or torch.compiler.is_compiling()):
        return value
    return value.detach() + (slope_of - slope_of.detach())''',
    "_xlogx(": '''def _xlogx(x: Tensor) -> Tensor:
    """``x * log(x)``, and 0 at 0, where its slope is 0 as well: torch's is NaN."""
    if not (torch.is_grad_enabled() or torch.compiler.is_compiling()):
        return torch.xlogy(x, x)
    return torch.xlogy(x, x.masked_fill(x == 0, 1))''',
    "_xlogy(": '''def _xlogy(x: Tensor, y: Tensor) -> Tensor:
    """``x * log(y)``, and 0 where x = 0; where both are 0 its slope is 0: torch's is NaN."""
    return torch.xlogy(x, torch.where((x == 0) & (y == 0), 1, y))''',
    "_log1mexp(": '''def _log1mexp(x: Tensor) -> Tensor:
    """``log(1 - exp(x))`` for x below 0: each form where it loses no digits."""
    small = x > -math.log(2.0)
    near = torch.log(-torch.expm1(torch.where(small, x, -1.0)))
    far = torch.log1p(-torch.exp(torch.where(small, -1.0, x)))
    return torch.where(small, near, far)''',
    "_log_erfc(": '''def _log_erfc(x: Tensor) -> Tensor:
    """``log(1 - erf(x))``, also where the complement is below the smallest number."""
    far = x.clamp(min=0.5)
    tail = torch.log(torch.special.erfcx(far)) - far.square()
    return torch.where(x < 0.5, torch.log1p(-torch.erf(x.clamp(max=0.5))), tail)''',
    "_hypot(": '''def _hypot(a: Tensor, b: Tensor) -> Tensor:
    """``sqrt(a**2 + b**2)`` without overflow; where both are 0 its slope is 0."""
    zero = (a == 0) & (b == 0)
    return torch.hypot(a, torch.where(zero, 1.0, b)).masked_fill(zero, 0.0)''',
    "_hypot_minus_one(": '''def _hypot_minus_one(x: Tensor) -> Tensor:
    """``sqrt(1 + x**2) - 1``, which cancels near 0, without the difference."""
    return x * (x / (torch.hypot(x, x.new_ones(())) + 1.0))''',
    "_log1p_square(": '''def _log1p_square(x: Tensor) -> Tensor:
    """``log(1 + x**2)``, exact to rounding near 0 and in range wherever x is."""
    return 2.0 * torch.log1p(_hypot_minus_one(x))''',
    "_hypot_power_minus_one(": '''def _hypot_power_minus_one(x: Tensor, power: float) -> Tensor:
    """``sqrt(1 + x**2) ** power - 1``, exact to rounding near 0 and in range far from it."""
    return _pow1p_minus_one(_hypot_minus_one(x), power)''',
    "_hypot_power_slope(": '''def _hypot_power_slope(x: Tensor, power: float) -> Tensor:
    """``x * sqrt(1 + x**2) ** (power - 2)``; neither factor alone need be in range."""
    far = torch.finfo(x.dtype).max
    x = x.clamp(-far, far)
    length = torch.hypot(x, x.new_ones(()))
    return x / length * length ** (power - 1)''',
    "_log_sum(": '''def _log_sum(x: Tensor, c: float) -> Tensor:
    """``log(x + c)``; what rounding takes from the sum counts where that is near 1."""
    total = x + c
    # What is lost is exact if the larger is taken off first: at a sum near 1, c from 0.5 on.
    rest = c - (total - x) if c < 0.5 else x - (total - c)
    return torch.log(total) + rest / total''',
    "_log_mixture(": '''def _log_mixture(x: Tensor, share: float) -> Tensor:
    """``log(1 - share + share * exp(x))``, exact to rounding near 0, in range far from it."""
    within = x.clamp(max=88.0)
    more = share * torch.expm1(within)
    if share <= 0.5:
        result = torch.log1p(more)
    else:
        far = torch.log(1 - share + share * torch.exp(within))
        result = torch.where(more < -0.5, far, torch.log1p(more.clamp(min=-0.5)))
    return result + (x - 88.0).relu_()''',
    "_finite(": '''def _finite(x: Tensor) -> Tensor:
    """``x``, the largest number in place of infinity: multiplied by 0 it must be 0."""
    far = torch.finfo(x.dtype).max
    return x.clamp(-far, far)''',
    "_fitting(": '''def _fitting(x: Tensor, dim: int) -> Tensor:
    """How much shorter rows are made, for their squares to be in range; empty where all are."""
    x, far = x.detach(), torch.finfo(x.dtype).max
    usual: float = far**0.375
    if _all_within(torch.linalg.vector_norm(x, dim=dim), 0.0, usual):
        return x.new_empty(0)
    return (_norm(x, dim).clamp(usual, far) / usual).reciprocal()''',
    "_fitted(": '''def _fitted(x: Tensor, fitting: Tensor, dim: int) -> Tensor:
    """Rows, those whose squares would be out of range made shorter."""
    return x * fitting.unsqueeze(dim) if fitting.numel() else x''',
    "_gauss(": '''def _gauss(x: Tensor, rate: float, rest: Tensor | float = 0.0) -> Tensor:
    """``exp(-rate * (x + rest)**2)``; the first factor's argument is exact, the second's small."""
    x = x.clamp(-64.0, 64.0)
    near = torch.round(16.0 * x) / 16.0
    less = ((near - x) * (near + x) - 2.0 * x * rest).clamp(max=64.0)
    return torch.exp(-rate * near.square()) * torch.exp(rate * less)''',
    "_remainder(": '''def _remainder(a: Tensor, b: Tensor) -> Tensor:
    """What rounding takes from ``a - b``."""
    gap = a - b
    back = gap - a
    return ((a - (gap - back)) - (b + back)).nan_to_num(0.0)''',
    "_gauss_minus_one(": '''def _gauss_minus_one(x: Tensor, rate: float) -> Tensor:
    """``exp(-rate * x**2) - 1``, exact to rounding near 0."""
    return torch.expm1(-rate * x.clamp(-64.0, 64.0).square())''',
    "_pow1p_minus_one(": '''def _pow1p_minus_one(x: Tensor, power: Tensor | float) -> Tensor:
    """``(1 + x) ** power - 1``, exact to rounding where the difference cancels."""
    exponent = power * torch.log1p(x)
    near = torch.expm1(exponent.clamp(-1.0, 1.0))
    return torch.where(exponent.abs() < 1.0, near, (1.0 + x) ** power - 1.0)''',
    "_rel_entropy(": '''def _rel_entropy(p: Tensor, q: Tensor) -> Tensor:
    """``p * log(p / q)``, exact to rounding where p is near q; 0 where p is 0."""
    return p * _log_ratio(torch.where(p == 0, q, p), q)''',
    "_log_ratio(": '''def _log_ratio(p: Tensor, q: Tensor) -> Tensor:
    """``log(p / q)``, exact to rounding where p is near q or the quotient overflows."""
    near = (p > 0.5 * q) & (p < 2.0 * q)
    ratio = torch.where(near, 1.0, p / q)
    usual = (ratio > torch.finfo(ratio.dtype).tiny) & (ratio < math.inf)
    close = torch.log1p(torch.where(near, (p - q) / q, 0.0))
    far = torch.where(usual, torch.log(torch.where(usual, ratio, 1.0)), torch.log(p) - torch.log(q))
    return torch.where(near, close, far)''',
    "_masked_amax(": '''def _masked_amax(
    x: Tensor, mask: Tensor, dim: int | tuple[int, ...]
) -> Tensor:
    """The largest where a mask holds; over nothing it is -inf."""
    kept = torch.where(mask, x, -math.inf)
    # torch's own amax refuses an empty axis.
    return kept.amax(dim) if kept.numel() else kept.sum(dim) - math.inf''',
    "_masked_amin(": '''def _masked_amin(
    x: Tensor, mask: Tensor, dim: int | tuple[int, ...]
) -> Tensor:
    """The smallest where a mask holds; over nothing it is inf."""
    kept = torch.where(mask, x, math.inf)
    # torch's own amin refuses an empty axis.
    return kept.amin(dim) if kept.numel() else kept.sum(dim) + math.inf''',
    "_broadcasts(": '''def _broadcasts(shape: torch.Size, onto: torch.Size) -> bool:
    """Whether a shape broadcasts onto another without enlarging it."""
    pairs = zip(reversed(shape), reversed(onto), strict=False)
    return len(shape) <= len(onto) and all(x in (1, y) for x, y in pairs)''',
    "_aligns(": '''def _aligns(shape: torch.Size, onto: torch.Size) -> bool:
    """Whether two shapes are equal but for at most one dimension, which is 1 in the first."""
    different = [x for x, y in zip(shape, onto, strict=False) if x != y]
    return len(shape) == len(onto) and different in ([], [1])''',
    "_widened(": '''def _widened(x: Tensor) -> Tensor:
    """Half precision as float32."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x''',
    "_common_dtype(": '''def _common_dtype(*tensors: Tensor | None) -> torch.dtype:
    """The promoted dtype of the tensors that are there."""
    dtypes = {x.dtype for x in tensors if x is not None}
    return functools.reduce(torch.promote_types, dtypes)''',
    "_INTEGERS": "_INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)",
}


def needed(text: str) -> list[str]:
    """The helpers that a module's text calls, and those that these call."""
    found: dict[str, str] = {}
    while more := {k: v for k, v in HELPERS.items() if k not in found and _calls(text, k)}:
        found |= more
        text = "\n".join(more.values())
    return [body for mark, body in HELPERS.items() if mark in found]


def _calls(text: str, mark: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(mark)}", text) is not None
