@triton.jit
def _log_exponent(x):
    """k + bias for x = 2**k * (1 + f) with 1 + f between sqrt(1/2) and sqrt(2)."""
    if x.dtype == tl.float64:
        return (_bits(x) + (0x3FF0000000000000 - 0x3FE6A09E667F3BCD)) >> 52
    else:
        return (_bits(x) + (0x3F800000 - 0x3F3504F3)) >> 23


@triton.jit
def _log_reduce(x):
    """k and f of x = 2**k * (1 + f), for a normal x > 0."""
    DIGITS: tl.constexpr = 52 if x.dtype == tl.float64 else 23
    BIAS: tl.constexpr = 1023 if x.dtype == tl.float64 else 127
    k = _log_exponent(x) - BIAS
    return k.to(x.dtype), _from_bits(_bits(x) - (k << DIGITS)) - 1


@triton.jit
def _log_reduce_any(x):
    """The same for any x > 0, also below the least normal number."""
    TINY: tl.constexpr = (
        2.2250738585072014e-308 if x.dtype == tl.float64 else 1.1754943508222875e-38
    )
    MORE: tl.constexpr = 53 if x.dtype == tl.float64 else 24
    below = x < TINY
    k, f = _log_reduce(tl.where(below, x * (1 << MORE), x))
    return tl.where(below, k - MORE, k), f


@triton.jit
def _log1p_reduce(x):
    """The same of 1 + x, without rounding 1 + x: the last is what f lacks of its exact value."""
    DIGITS: tl.constexpr = 52 if x.dtype == tl.float64 else 23
    BIAS: tl.constexpr = 1023 if x.dtype == tl.float64 else 127
    exponent = _log_exponent(1 + x)
    # 2**-k in two steps, since for the largest k it is below the least normal number.
    scale = 0.25 * _from_bits((2 * BIAS + 2 - exponent) << DIGITS)
    one = scale - 1
    part = x * scale
    f = one + part
    added = f - one
    return (exponent - BIAS).to(x.dtype), f, (one - (f - added)) + (part - added)


@triton.jit
def _log_sum_lacking(k, f, lack):
    """k * log(2) + log(1 + f) + lack: in float a polynomial of f, in double of f / (2 +
    f).
    """
    LN2_HIGH: tl.constexpr = 0.6931471805598903 if f.dtype == tl.float64 else 0.693145751953125
    LN2_LOW: tl.constexpr = (
        5.497923018708371e-14 if f.dtype == tl.float64 else 1.428606765330187e-06
    )
    k = k.to(f.dtype)
    half_square = 0.5 * f * f
    if f.dtype == tl.float64:
        s = f / (2 + f)
        z = s * s
        rest = s * (half_square + z * _log_tail(z))
    else:
        rest = f * f * f * _log_tail(f)
    return k * LN2_HIGH + (f - (half_square - (rest + (k * LN2_LOW + lack))))


@triton.jit
def _log_sum(k, f):
    """k * log(2) + log(1 + f)."""
    return _log_sum_lacking(k, f, 0)


@triton.jit
def _log(x):
    """log(x)."""
    at_k, at_f = _log_reduce_any(x)
    y = _log_sum(at_k, at_f)
    y = tl.where(x < float("inf"), y, x)
    return tl.where(x > 0, y, tl.where(x == 0, float("-inf"), float("nan")))


@triton.jit
def _log1p(x):
    """log(1 + x)."""
    at_k, at_f, _ = _log1p_reduce(x)
    y = _log_sum(at_k, at_f)
    y = tl.where(x < float("inf"), y, x)
    y = tl.where(x == 0, x, y)
    return tl.where(x > -1, y, tl.where(x == -1, float("-inf"), float("nan")))


@triton.jit
def _xlogy(x, y):
    """x * log(y), and 0 where x is 0."""
    product = x * _log(y)
    return tl.where((x == 0) & (y == y), 0, product)


@triton.jit
def _log_ratio(p, q):
    """log(p / q) for p and q of at least 0: the quotient of the fractions less 1 is free
    of cancellation where p is near q, and in range where p / q is not.
    """
    above_k, above_f = _log_reduce_any(p)
    below_k, below_f = _log_reduce_any(q)
    a = 1 + above_f
    b = 1 + below_f
    k = above_k - below_k
    large = a > 1.4142135 * b
    small = a < 0.70710678 * b
    a *= tl.where(large, 0.5, tl.where(small, 2.0, 1.0))
    k += tl.where(large, 1, tl.where(small, -1.0, 0.0))
    f = (a - b) / b
    lack = -_product_rest(f, b, a - b) / a
    y = _log_sum_lacking(k, f, lack)
    p_end = tl.where(p == 0, float("-inf"), tl.where(p < 0, float("nan"), p))
    q_end = tl.where(q == 0, float("-inf"), tl.where(q < 0, float("nan"), q))
    end = p_end - q_end
    inside = (p > 0) & (q > 0) & (p < float("inf")) & (q < float("inf"))
    return tl.where(inside, y, end)


@triton.jit
def _rel_entropy(p, q):
    """p * log(p / q), and 0 where p is 0."""
    product = p * _log_ratio(p, q)
    return tl.where((p == 0) & (q == q), 0, product)


@triton.jit
def _log1mexp(x):
    """log(1 - e**x) for x < 0: of e**x where it is at most 1/2, else of e**x - 1."""
    at_r, at_low, at_scale, at_other = _exp_reduce(_exp_clamp(x))
    tail = at_r * at_r * _exp_tail(at_r)
    rest = tl.where(
        tl.abs(x) < 8.673617379884035e-19,
        -x,
        -_expm1_sum(at_r, at_low, at_scale, at_other, tail + at_low),
    )
    far_k, far_f, _ = _log1p_reduce(-_exp_sum(at_r, at_low, at_scale, at_other, tail))
    near_k, near_f = _log_reduce_any(rest)
    is_far = x < -0.6931
    y = _log_sum(tl.where(is_far, far_k, near_k), tl.where(is_far, far_f, near_f))
    return tl.where(x < 0, y, tl.where(x == 0, float("-inf"), float("nan")))


@triton.jit
def _log_sum_of(x, c):
    """log(x + c), with what the sum of both has lost."""
    total = x + c
    gap = total - x
    return _log(total) + ((x - (total - gap)) + (c - gap)) / total
