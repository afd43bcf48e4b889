@triton.jit
def _log_pair(k, f):
    """k * log(2) + log(1 + f) with half as many digits again: of s = f / (2 + f) and z =
    s**2 it is s * (2 + z * (2/3 + z * polynomial(z))).
    """
    LN2_HIGH: tl.constexpr = 0.6931471805598903 if f.dtype == tl.float64 else 0.693145751953125
    LN2_LOW: tl.constexpr = (
        5.497923018708371e-14 if f.dtype == tl.float64 else 1.428606765330187e-06
    )
    THIRDS: tl.constexpr = 0.6666666666666666 if f.dtype == tl.float64 else 0.6666666865348816
    THIRDS_LOW: tl.constexpr = (
        3.700743415417188e-17 if f.dtype == tl.float64 else -1.9868215517249155e-08
    )
    divisor = 2 + f
    lack = f - (divisor - 2)
    inverse = 1 / divisor
    s_high = f * inverse
    s_low = -(_product_rest(s_high, divisor, f) + s_high * lack) * inverse
    z_high, z_low = _pair_product(s_high, s_low, s_high, s_low)
    factor_high, factor_low = _pair_sum(THIRDS, z_high * _log_pair_tail(z_high))
    factor_low += THIRDS_LOW
    factor_high, factor_low = _pair_product(z_high, z_low, factor_high, factor_low)
    rest = factor_low
    factor_high, factor_low = _pair_sum(2, factor_high)
    factor_low += rest
    log_rest_high, log_rest_low = _pair_product(s_high, s_low, factor_high, factor_low)
    sum_high, sum_low = _pair_sum(k * LN2_HIGH, log_rest_high)
    sum_low += log_rest_low + k * LN2_LOW
    return sum_high, sum_low


@triton.jit
def _exp_pair(x_high, x_low):
    """e**x of a sum of two."""
    HIGHEST: tl.constexpr = 710.0 if x_high.dtype == tl.float64 else 89.0
    high = tl.where(x_high > HIGHEST, HIGHEST, _exp_clamp(x_high))
    at_r, at_low, at_scale, at_other = _exp_reduce(high)
    low = at_low + tl.where(high == x_high, x_low, 0)
    tail = at_r * at_r * _exp_tail(at_r)
    return _exp_sum(at_r, at_low, at_scale, at_other, tail + low * (1 + at_r + tail))


@triton.jit
def _power_of_size(size, y_high, y_low):
    """size**y for size >= 0 and an exponent in two parts, by way of log(size) with half as
    many digits again.
    """
    at_k, at_f = _log_reduce_any(size)
    high, low = _log_pair(at_k, at_f)
    high = tl.where(size == 0, float("-inf"), tl.where(size < float("inf"), high, size))
    high, low = _pair_scaled(y_high, y_low, high, low)
    return tl.where((y_high == 0) | (size == 1), 1.0, _exp_pair(high, low))


@triton.jit
def _power_sign(base, exponent):
    """The sign of a power of a negative base, NaN where it has no power; 1 for other
    bases.
    """
    half = 0.5 * exponent
    whole = tl.floor(exponent) == exponent
    odd = whole & (tl.floor(half) != half)
    sign = tl.where(odd & (_bits(base) < 0), -1.0, 1.0).to(base.dtype)
    none = (base < 0) & ~whole & (base > float("-inf"))
    return tl.where(none, float("nan"), sign)


@triton.jit
def _pow(base, exponent):
    """base**exponent, in all cases as C's pow: of log(base) half as many digits again
    are kept.
    """
    base, exponent = tl.broadcast(base, exponent)  # one for each element
    power = _power_of_size(tl.abs(base), exponent, 0.0)
    sign = _power_sign(base, exponent)
    one = (base == -1) & (tl.abs(exponent) == float("inf"))
    power = tl.where(one, 1, power)
    return power * sign


@triton.jit
def _power_slope(base, exponent):
    """base**(exponent - 1) as the slope of a power: where base is 0 it is 1 for the
    exponent 1, else 0; where it would be infinite, the largest number.
    """
    LARGEST: tl.constexpr = (
        1.7976931348623157e308 if base.dtype == tl.float64 else 3.4028234663852886e38
    )
    base, exponent = tl.broadcast(base, exponent)  # one for each element
    high = exponent - 1
    back = high + 1
    y_high = high
    y_low = exponent - back + (back - high - 1)
    power = _power_of_size(tl.abs(base), y_high, y_low) * _power_sign(base, high)
    steep = (exponent < 1) & (exponent >= 0)  # below 0 the power is infinite, too
    zero = base == 0
    power = tl.where(steep & (power > LARGEST), LARGEST, power)
    power = tl.where(steep & zero, 0, power)
    return tl.where(exponent == 0, 0, power)


@triton.jit
def _pow1pm1(x, power):
    """(1 + x)**power - 1: e**y - 1 of y = power * log(1 + x) with half as many digits
    again.
    """
    HIGHEST: tl.constexpr = 710.0 if x.dtype == tl.float64 else 89.0
    power = tl.zeros_like(x) + power  # one for each element
    size = tl.where(x < -1, -2 - x, x)
    at_k, at_f, at_lack = _log1p_reduce(size)
    log_size_high, log_size_low = _log_pair(at_k, at_f)
    log_size_low += at_lack / (1 + at_f)
    log_size_high = tl.where(
        size == -1, float("-inf"), tl.where(size < float("inf"), log_size_high, size)
    )
    y_high, y_low = _pair_scaled(power, 0.0, log_size_high, log_size_low)
    high = tl.where(y_high > HIGHEST, HIGHEST, _exp_clamp(y_high))
    parts_r, parts_low, parts_scale, parts_other = _exp_reduce(high)
    low = parts_low + tl.where(high == y_high, y_low, 0)
    tail = parts_r * parts_r * _exp_tail(parts_r)
    less = _expm1_sum(
        parts_r, parts_low, parts_scale, parts_other, tail + low * (1 + parts_r + tail)
    )
    less = tl.where(tl.abs(high) < 8.673617379884035e-19, high + low, less)
    product = power * x
    less = tl.where((power == 0) | (x == 0), product, less)
    sign = _power_sign(1 + x, power)
    opposite = -2 - less
    return tl.where(sign > 0, less, tl.where(sign < 0, opposite, sign))


@triton.jit
def _whole_power(x, whole: tl.constexpr):
    """x**whole for 2, 3 or 4."""
    if whole == 2:
        return x * x
    elif whole == 3:
        return x * x * x
    else:
        return x * x * (x * x)


@triton.jit
def _power(x, y, whole: tl.constexpr):
    """x**y for x >= 0; ``whole`` is y where that is a whole number from 0 to 4, else -1."""
    if whole == 0:
        return tl.where(x == x, 1.0, 1.0).to(x.dtype)
    elif whole == 1:
        return x
    elif whole >= 2:
        return _whole_power(x, whole)
    else:
        return _pow(x, y)


@triton.jit
def _slope_of_power(x, y, whole: tl.constexpr):
    """x**(y - 1), and 0 rather than infinite where x is 0; ``whole`` as above."""
    if whole == 0:
        return tl.where(x == x, 0.0, 0.0).to(x.dtype)
    elif whole == 1:
        return tl.where(x == x, 1.0, 1.0).to(x.dtype)
    elif whole == 2:
        return x
    elif whole >= 3:
        return _whole_power(x, whole - 1)
    else:
        return _power_slope(x, y)
