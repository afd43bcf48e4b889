@triton.jit
def _exp_reduce(x):
    """r, low, and 2**k in two factors, for x = k * log(2) + r + low.

    Two factors, so that a result below the least normal number is rounded once. Adding
    ``shift`` rounds to an integer, which then stands in the last bits; it also brings the
    bias of both factors' exponents.
    """
    DIGITS: tl.constexpr = 52 if x.dtype == tl.float64 else 23
    BIAS: tl.constexpr = 1023 if x.dtype == tl.float64 else 127
    LN2_HIGH: tl.constexpr = 0.6931471805598903 if x.dtype == tl.float64 else 0.693145751953125
    LN2_LOW: tl.constexpr = (
        5.497923018708371e-14 if x.dtype == tl.float64 else 1.428606765330187e-06
    )
    shift = 3 * (1 << (DIGITS - 1)) + 2 * BIAS
    shifted = x * 1.4426950408889634 + shift
    k = shifted - shift
    n = _bits(shifted)
    half = n >> 1
    near = x - k * LN2_HIGH
    r = near - k * LN2_LOW
    low = near - r - k * LN2_LOW
    return r, low, _from_bits(half << DIGITS), _from_bits((n - half) << DIGITS)


@triton.jit
def _exp_sum(at_r, at_low, at_scale, at_other, tail):
    """e**x from its parts and e**r - 1 - r; of 1 + r also the rounding error is added."""
    high = 1 + at_r
    low = at_r - (high - 1)
    return at_scale * (high + (low + tail)) * at_other


@triton.jit
def _exp_clamp(x):
    """x, but no lower than where e**x is 0."""
    LOWEST: tl.constexpr = -746.0 if x.dtype == tl.float64 else -104.0
    return tl.where(x < LOWEST, LOWEST, x)


@triton.jit
def _exp_negative(x):
    """e**x for x <= 0."""
    at_r, at_low, at_scale, at_other = _exp_reduce(_exp_clamp(x))
    return _exp_sum(at_r, at_low, at_scale, at_other, at_r * at_r * _exp_tail(at_r))


@triton.jit
def _exp(x):
    """e**x."""
    HIGHEST: tl.constexpr = 710.0 if x.dtype == tl.float64 else 89.0
    return _exp_negative(tl.where(x > HIGHEST, HIGHEST, x))


@triton.jit
def _expm1_sum(at_r, at_low, at_scale, at_other, tail):
    """e**x - 1 from its parts: 2**k * (e**r - 1) and 2**k - 1 are added without rounding
    the larger one; by halves, since 2**k may be out of range.
    """
    half = 0.5 * at_scale * at_other
    whole = half - 0.5
    part = half * at_r
    high = whole + part
    low = part - (high - whole)
    return 2 * (high + (low + half * tail))


@triton.jit
def _expm1(x):
    """e**x - 1."""
    HIGHEST: tl.constexpr = 710.0 if x.dtype == tl.float64 else 89.0
    at_r, at_low, at_scale, at_other = _exp_reduce(_exp_clamp(tl.where(x > HIGHEST, HIGHEST, x)))
    y = _expm1_sum(at_r, at_low, at_scale, at_other, at_r * at_r * _exp_tail(at_r) + at_low)
    return tl.where(tl.abs(x) < 8.673617379884035e-19, x, y)


@triton.jit
def _exponentials(values, valid, top, ties, rest):
    """A block of values joined to the state of its rows.

    The state is the largest value so far, how often it occurs, and the sum of
    exp(value - largest) over all others: apart from the terms that are 1 exactly, the sum
    keeps its digits. Beside an infinite one all are NaN, as differences from it are.
    """
    best = tl.maximum(top, tl.max(tl.where(valid, values, float("-inf")), 1, keep_dims=True))
    is_best = valid & (values == best)
    powers = tl.where(valid & ~is_best, _exp(values - best), 0.0)
    same = top == best
    rest = tl.where(same, rest, (rest + ties) * _exp(top - best))
    rest = tl.where(best < float("inf"), rest + tl.sum(powers, 1, keep_dims=True), float("nan"))
    ties = tl.where(same, ties, 0.0) + tl.sum(tl.where(is_best, 1.0, 0.0), 1, keep_dims=True)
    return best, ties, rest
