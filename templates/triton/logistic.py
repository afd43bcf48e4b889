@triton.jit
def _sigmoid(x):
    """1 / (1 + e**-x), as e / (1 + e) for e = e**-|x| = scale * (1 + r + tail). What the
    divisor and its inverse lack goes into the last sum: each rounding would show in
    the result.
    """
    at_r, _, at_scale, at_other = _exp_reduce(_exp_clamp(-tl.abs(x)))
    tail = at_r * at_r * _exp_tail(at_r)
    scale = at_scale * at_other
    e = scale + scale * (at_r + tail)
    divisor = 1 + e
    inverse = 1 / divisor
    lack = 1 - inverse * divisor - inverse * (e - (divisor - 1))
    share = tl.where(x < 0, inverse * at_scale, inverse)
    return (share + share * tl.where(x < 0, at_r + (tail + lack), lack)) * tl.where(
        x < 0, at_other, 1
    )


@triton.jit
def _log1p_exp_negative(x):
    """log(1 + e**x) for x <= 0. Where e**x is large, the half of 1 + e**x is one close
    to 1.
    """
    at_r, at_low, at_scale, at_other = _exp_reduce(_exp_clamp(x))
    large = x > -0.8813736
    tail = at_r * at_r * _exp_tail(at_r)
    half = 0.5 * at_scale * at_other
    f = half - 0.5 + half * (at_r + tail)
    return _log_sum(
        tl.where(large, 1.0, 0.0),
        tl.where(large, f, _exp_sum(at_r, at_low, at_scale, at_other, tail)),
    )


@triton.jit
def _softplus(x):
    """log(1 + e**x)."""
    return tl.where(x < 0, 0, x) + _log1p_exp_negative(-tl.abs(x))


@triton.jit
def _log_sigmoid(x):
    """log(1 / (1 + e**-x))."""
    return tl.where(x > 0, 0, x) - _log1p_exp_negative(-tl.abs(x))


@triton.jit
def _tanh(x):
    """The hyperbolic tangent: near 0 a minimax polynomial, else 1 - 2 / (e**(2 * |x|) +
    1).
    """
    size = tl.abs(x)
    z = x * x
    near = x + x * z * _tanh_tail(z)
    far = 1 - 2 / (_exp(2 * size) + 1)
    return _copysign(tl.where(size < 0.55, near, far), x)


@triton.jit
def _log_cosh(x):
    """log(cosh(x)): near 0 a minimax polynomial, else |x| + log(1 + e**(-2 * |x|)) -
    log(2).
    """
    LN2_HIGH: tl.constexpr = 0.6931471805598903 if x.dtype == tl.float64 else 0.693145751953125
    LN2_LOW: tl.constexpr = (
        5.497923018708371e-14 if x.dtype == tl.float64 else 1.428606765330187e-06
    )
    size = tl.abs(x)
    z = x * x
    near = 0.5 * z + z * z * _log_cosh_tail(z)
    far = size - LN2_HIGH + (_log1p_exp_negative(-2 * size) - LN2_LOW)
    return tl.where(size < 1, near, far)


@triton.jit
def _log_add_exp(a, b):
    """log(e**a + e**b)."""
    gap = tl.where(a == b, 0, a - b)
    return _larger(a, b) + _log1p_exp_negative(-tl.abs(gap))


@triton.jit
def _log_mixture(x, share, rest):
    """log(rest + share * e**x), where rest + share = 1; exact to rounding near x = 0, too."""
    within = _smaller(88.0, x)
    more = share * _expm1(within)
    far = _log(rest + share * _exp(within))
    return tl.where(more < -0.5, far, _log1p(more)) + tl.where(x > 88, x - 88, 0)
