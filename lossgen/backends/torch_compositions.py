"""Helpers of a generated module for functions that lose digits or range step by step.

In: nothing.  Out: definitions by the text that calls for each, a part of ``torch_helpers``.

    COMPOSITIONS["_log1mexp("]  →  the definition of _log1mexp

It refuses nothing.
"""

from __future__ import annotations

COMPOSITIONS: dict[str, str] = {
    "_log1mexp(": '''def _log1mexp(x: Tensor) -> Tensor:
    """``log(1 - exp(x))`` for x below 0; at 0 its slope is 0, where torch's times 0 is NaN."""
    if not _recorded():
        return _log1mexp_below(x)
    end = x == 0
    return _log1mexp_below(x.masked_fill(end, -1.0)).masked_fill(end, -math.inf)''',
    "_log1mexp_below(": '''def _log1mexp_below(x: Tensor) -> Tensor:
    """``log(1 - exp(x))``, each form where it loses no digits."""
    small = x > -math.log(2.0)
    near = torch.log(-torch.expm1(torch.where(small, x, -1.0)))
    far = torch.log1p(-torch.exp(torch.where(small, -1.0, x)))
    return torch.where(small, near, far)''',
    "_log_erfc(": '''def _log_erfc(x: Tensor) -> Tensor:
    """``log(1 - erf(x))``, also where the complement is below the smallest number."""
    far = _at_least(x, 0.5)
    tail = torch.log(torch.special.erfcx(far)) - far.square()
    return torch.where(x < 0.5, torch.log1p(-torch.erf(x.clamp(max=0.5))), tail)''',
    "_hypot(": '''def _hypot(a: Tensor, b: Tensor) -> Tensor:
    """``sqrt(a**2 + b**2)`` without overflow; where both are 0 its slope is 0."""
    zero = (a == 0) & (b == 0)
    return torch.hypot(a, torch.where(zero, 1.0, b)).masked_fill(zero, 0.0)''',
    "_angle(": '''def _angle(a: Tensor, b: Tensor) -> Tensor:
    """``atan(a / b)``, whose slopes are in range wherever those of the angle are."""
    if not _recorded():
        return torch.atan(a / b)
    # It depends on the direction alone: what both are divided by is held constant.
    x, y = a.detach(), b.detach()
    size = torch.hypot(x, y).clamp(max=torch.finfo(x.dtype).max).copysign(y)
    return torch.atan2(a / size, b / size)''',
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
    within = _at_most(x, 88.0)
    more = share * torch.expm1(within)
    if share <= 0.5:
        result = torch.log1p(more)
    else:
        far = torch.log(1 - share + share * torch.exp(within))
        result = torch.where(more < -0.5, far, torch.log1p(_at_least(more, -0.5)))
    return result + (x - 88.0).relu_()''',
    "_finite(": '''def _finite(x: Tensor) -> Tensor:
    """``x``, the largest number in place of infinity: multiplied by 0 it must be 0."""
    far = torch.finfo(x.dtype).max
    if not torch.is_grad_enabled():
        return x.clamp(-far, far)
    return _in_place_of(x, x.detach().clamp(-far, far))''',
    "_over_length(": '''def _over_length(x: Tensor, length: Tensor, dim: int) -> Tensor:
    """Rows over their lengths, and 0 where that is 0."""
    usual = 2.0 ** (3 * round(math.log2(torch.finfo(x.dtype).max)) // 8)
    if _all_within(length.detach(), 1 / usual, usual):
        return x / length.unsqueeze(dim)
    return _unit(x, length, dim)''',
    "_unit(": '''def _unit(x: Tensor, length: Tensor, dim: int) -> Tensor:
    """Rows over their lengths, whose slopes are in range wherever those of the direction are."""
    unit = x / _or_infinite(length.detach()).unsqueeze(dim)
    if not _recorded():
        return unit
    # A row of length 1 has the same direction, and what is along the row is left out of its slopes
    # before they are divided.
    square = unit.square().sum(dim, keepdim=True)
    square = square.masked_fill(square == 0, 1.0)
    return unit * (square / square.detach()).rsqrt()''',
    "_unit_slope(": '''def _unit_slope(
    grad: Tensor, unit: Tensor, length: Tensor, dim: int
) -> Tensor:
    """What comes back through rows over their lengths: what is across the row, over the length."""
    length = length.unsqueeze(dim)
    if not torch.is_grad_enabled():
        return _across(grad, unit, dim).div_(_or_infinite(length))
    # Half of the length and then the other, and across the row twice: what comes back meets these
    # in turn, and is infinite only where the result is.
    limits = torch.finfo(length.dtype)
    half = length.detach().clamp(limits.tiny, limits.max).sqrt()
    across = _across(_across(grad / half, unit, dim), unit, dim)
    return across / _or_infinite(length / half)''',
    "_across(": '''def _across(x: Tensor, unit: Tensor, dim: int) -> Tensor:
    """Rows without what is along others of length 1."""
    along = (x * unit).sum(dim, keepdim=True)
    return torch.addcmul(x, along, unit, value=-1)''',
    "_in_place_of(": '''def _in_place_of(x: Tensor, value: Tensor) -> Tensor:
    """A value with the slope of ``x``, which may be infinite."""
    made = x.clone()
    made.detach().copy_(value)
    return made''',
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
    return _chosen(near, (1.0 + x) ** power - 1.0, _positive(1.0 - exponent.abs()))''',
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
}
