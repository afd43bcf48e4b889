@triton.jit
def _atan(x):
    """The arc tangent: 0, pi/4 or pi/2, and the arc tangent of at most tan(pi/8) by a
    minimax polynomial.
    """
    HALF_PI: tl.constexpr = 1.5707963267948966 if x.dtype == tl.float64 else 1.5707963705062866
    HALF_PI_LOW: tl.constexpr = (
        6.123233995736766e-17 if x.dtype == tl.float64 else -4.371138828673793e-08
    )
    size = tl.abs(x)
    small = size < 0.41421356
    large = size > 2.4142135
    part = tl.where(small, size, tl.where(large, -1, size - 1)) / tl.where(
        small, 1, tl.where(large, size, size + 1)
    )
    turns = tl.where(small, 0.0, tl.where(large, 1.0, 0.5)).to(x.dtype)
    z = part * part
    rest = part * z * _atan_tail(z) + HALF_PI_LOW * turns
    return _copysign(HALF_PI * turns + (part + rest), x)


@triton.jit
def _acos(x):
    """The arc cosine: pi/2 less the arc sine, by a minimax polynomial; beyond 1/2 twice
    the arc sine of sqrt((1 - |x|) / 2), which keeps all digits near 1.
    """
    HALF_PI: tl.constexpr = 1.5707963267948966 if x.dtype == tl.float64 else 1.5707963705062866
    HALF_PI_LOW: tl.constexpr = (
        6.123233995736766e-17 if x.dtype == tl.float64 else -4.371138828673793e-08
    )
    size = tl.abs(x)
    rest = 0.5 * (1 - size)
    root = _sqrt(rest)
    middle = size < 0.5
    part = tl.where(middle, x, root)
    z = tl.where(middle, x * x, rest)
    less = part * z * _asin_tail(z)
    near = HALF_PI - (part + (less - HALF_PI_LOW))
    above = 2 * (part + less)
    below = 2 * (HALF_PI - (part + (less - HALF_PI_LOW)))
    return tl.where(middle, near, tl.where(x > 0, above, below))


@triton.jit
def _sin(x):
    """The sine, also of large angles."""
    return tl.sin(x)


@triton.jit
def _cos(x):
    """The cosine, also of large angles."""
    return tl.cos(x)


@triton.jit
def _hypotm1(x):
    """sqrt(1 + x**2) - 1 as x**2 / (sqrt(1 + x**2) + 1); what the square and the divisor
    lack goes into the last sum.
    """
    size = tl.abs(x)
    square = x * x
    length = _sqrt(1 + square)
    divisor = length + 1
    inverse = 1 / divisor
    quotient = square * inverse
    lack = _product_rest(x, x, square) - _product_rest(quotient, divisor, square)
    lack -= quotient * (1 - (divisor - length))
    return tl.where(
        size > 1.152921504606847e18, size, tl.where(x == x, quotient + lack * inverse, x)
    )


@triton.jit
def _asinh(x):
    """log(x + sqrt(1 + x**2)), of a large x as log(2 * x)."""
    size = tl.abs(x)
    near_k, near_f, _ = _log1p_reduce(size + _hypotm1(size))
    far_k, far_f = _log_reduce(size)
    is_far = size > 1.152921504606847e18
    y = _log_sum(tl.where(is_far, far_k + 1, near_k), tl.where(is_far, far_f, near_f))
    inside = (x != 0) & (size < float("inf"))
    return tl.where(inside, _copysign(y, x), x)
