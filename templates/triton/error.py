@triton.jit
def _erfcx_positive(x):
    """e**(x**2) * erfc(x) for x >= 0: a minimax polynomial over 1/2 + x, the quotient in
    two parts.
    """
    LARGEST: tl.constexpr = (
        1.7976931348623157e308 if x.dtype == tl.float64 else 3.4028234663852886e38
    )
    t = tl.where(x < float("inf"), (x - 3.5) / (x + 3.5), tl.where(x == x, 1, x))
    scaled = 0.5 * _erfcx_scaled(t)
    divisor = x + 0.5
    back = divisor - x
    lack = x - (divisor - back) + (0.5 - back)
    inverse = 1 / divisor
    quotient = scaled * inverse
    rest = -_product_rest(quotient, divisor, scaled) - quotient * lack
    result_high = quotient
    result_low = tl.where(x < LARGEST / 4, rest * inverse, 0)
    return result_high, result_low


@triton.jit
def _exp_minus_square(x, factor_high, factor_low):
    """e**(-x**2) * factor: the square with half as many digits again, and one rounding
    of a result below the least normal number.
    """
    square = x * x
    high = _exp_clamp(-square)
    at_r, at_low, at_scale, at_other = _exp_reduce(high)
    low = at_low - tl.where(high == -square, _product_rest(x, x, square), 0)
    tail = at_r * at_r * _exp_tail(at_r)
    one = 1 + at_r
    rest = at_r - (one - 1) + (tail + low * (one + tail))
    main = one * factor_high
    rest = _product_rest(one, factor_high, main) + (rest * factor_high + one * factor_low)
    return at_scale * (main + rest) * at_other


@triton.jit
def _erf(x):
    """The error function: a minimax polynomial up to 1, else by the complement."""
    size = tl.abs(x)
    near = x + x * _erf_tail(x * x)
    scaled_high, scaled_low = _erfcx_positive(size)
    far = 1 - _exp_minus_square(size, scaled_high, scaled_low)
    return tl.where(size < 1, near, _copysign(far, x))


@triton.jit
def _erfc(x):
    """1 - erf(x), and its tail as e**(-x**2) times a minimax polynomial of (x - 3.5) /
    (x + 3.5).
    """
    size = tl.abs(x)
    near = 1 - x - x * _erf_tail(x * x)
    scaled_high, scaled_low = _erfcx_positive(size)
    far = _exp_minus_square(size, scaled_high, scaled_low)
    return tl.where(size < 0.85, near, tl.where(x < 0, 2 - far, far))


@triton.jit
def _erfcx(x):
    """e**(x**2) * erfc(x): near 0 by the error function, and the rest of negative
    numbers by erfc(-x) = 2 - erfc(x).
    """
    square = x * x
    positive_high, positive_low = _erfcx_positive(tl.abs(x))
    positive = positive_high + positive_low
    exponent_high = square
    exponent_low = _product_rest(x, x, square)
    rest_high, rest_low = _pair_sum(1, -(x + x * _erf_tail(square)))
    growth = _exp_pair(exponent_high, exponent_low)
    near = growth * rest_high + growth * rest_low
    far = tl.where(x < 0, 2 * growth - positive, positive)
    return tl.where(tl.abs(x) < 0.5, near, far)


@triton.jit
def _log_erfc(x):
    """log(1 - erf(x)), also where 1 - erf(x) is below the least number: of erf(x), then
    of 1 - erf(x), and of erfcx(x) from where that is below 1/2, where its digits are
    finer.
    """
    size = tl.abs(x)
    rest = x * _erf_tail(x * x)
    scaled_high, scaled_low = _erfcx_positive(size)
    middle_high, middle_low = _pair_sum(1, -x)
    high_high, high_low = _pair_sum(middle_high, -rest)
    high_low += middle_low
    far = 1 - _exp_minus_square(size, scaled_high, scaled_low)
    tail = x > 0.78
    small = x < 0.3
    low_k, low_f, _ = _log1p_reduce(-tl.where(size < 1, x + rest, _copysign(far, x)))
    value = tl.where(tail, scaled_high, high_high)
    rounded = tl.where(tail, scaled_low, high_low) / value
    at_k, at_f = _log_reduce_any(value)
    lack = tl.where(small, 0, rounded)
    y = _log_sum_lacking(tl.where(small, low_k, at_k), tl.where(small, low_f, at_f), lack)
    y -= tl.where(tail, x * x, 0)
    return tl.where(x < float("inf"), y, -x)


@triton.jit
def _gauss(x, rate, rest):
    """e**(-rate * (x + rest)**2), ``rest`` no more than what x was rounded by, as large as
    for x = 64 if x is larger still; the exponent with half as many digits again.
    """
    near = tl.where(x < -64, -64.0, tl.where(x > 64, 64.0, x))
    square = near * near
    rate = tl.zeros_like(x) + rate  # one for each element
    high = -rate * square
    lack = _product_rest(near, near, square) + 2 * near * rest
    low = _product_rest(-rate, square, high) - rate * lack
    kept = _exp_clamp(high)
    at_r, at_low, at_scale, at_other = _exp_reduce(kept)
    at_low += tl.where(kept == high, low, 0.0)
    tail = at_r * at_r * _exp_tail(at_r)
    return _exp_sum(at_r, at_low, at_scale, at_other, tail + at_low * (1 + at_r + tail))
