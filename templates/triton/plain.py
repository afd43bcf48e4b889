@triton.jit
def _bits(x):
    """The bits of a number, as an integer."""
    if x.dtype == tl.float64:
        return x.to(tl.int64, bitcast=True)
    else:
        return x.to(tl.int32, bitcast=True)


@triton.jit
def _from_bits(bits):
    """The number that has these bits."""
    if bits.dtype == tl.int64:
        return bits.to(tl.float64, bitcast=True)
    else:
        return bits.to(tl.float32, bitcast=True)


@triton.jit
def _copysign(size, x):
    """The size of a number with the sign of another."""
    SIGN: tl.constexpr = -(1 << (63 if x.dtype == tl.float64 else 31))
    # By bits: the negative of 0 is 0 in Triton up to 3.6.
    return _from_bits(_bits(tl.abs(size)) | (_bits(x) & SIGN))


@triton.jit
def _sqrt(x):
    """The square root, correctly rounded."""
    if x.dtype == tl.float64:
        return tl.sqrt(x)
    else:
        return tl.sqrt_rn(x)


@triton.jit
def _larger(a, b):
    """The larger of two; NaN where one is."""
    return tl.where((a > b) | (a != a), a, b)


@triton.jit
def _smaller(a, b):
    """The smaller of two; NaN where one is."""
    return tl.where((a < b) | (a != a), a, b)


@triton.jit
def _sign(x):
    """-1, 0 or 1; 0 for NaN, as torch has it."""
    return tl.where(x > 0, 1.0, tl.where(x < 0, -1.0, 0.0)).to(x.dtype)


@triton.jit
def _step(x):
    """1 where x is positive, 1/2 where it is 0, else 0."""
    return 0.5 * _sign(x) + 0.5


@triton.jit
def _ratio(a, b):
    """a / b, and 0 where b is 0."""
    return tl.where(b == 0, 0.0, a / b)


@triton.jit
def _square_times(x, y):
    """x**2 * y: the square alone may be out of range where this is not."""
    return x * (x * y)


@triton.jit
def _square_over(x, y):
    """x**2 / y: the square alone may be out of range where this is not."""
    return x * (x / y)


@triton.jit
def _remainder(a, b):
    """What rounding takes from a - b."""
    gap = a - b
    back = gap - a
    rest = (a - (gap - back)) - (b + back)
    return tl.where(rest == rest, rest, 0.0)


@triton.jit
def _finite(x):
    """x, held between the largest numbers."""
    LARGEST: tl.constexpr = (
        1.7976931348623157e308 if x.dtype == tl.float64 else 3.4028234663852886e38
    )
    return _smaller(_larger(x, -LARGEST), LARGEST)


@triton.jit
def _norm_scale(size):
    """The power of two by which numbers up to ``size`` are scaled before they are squared."""
    if size.dtype == tl.float64:
        low, high, far = 3.8725919148493183e-121, 3.3519519824856493e153, 5.260135901548374e210
    else:
        low, high, far = 9.094947017729282e-13, 4.611686018427388e18, 1.2676506002282294e30
    scale = tl.where(size < low, far, tl.where(size > high, 1.0 / far, 1.0))
    return scale.to(size.dtype)


@triton.jit
def _fitting_scale(size):
    """The power of two by which rows of numbers up to ``size`` are made shorter before they are
    squared; they stay so long that what is added to their square is below its last digit.
    """
    if size.dtype == tl.float64:
        usual, less = 7.268387242956069e134, 2.5379418373156492e-116
        far, least = 1.5525180923007089e231, 1.90109156629516e-211
    else:
        usual, less = 7.205759403792794e16, 4.547473508864641e-13
        far, least = 7.922816251426434e28, 8.271806125530277e-25
    scale = tl.where(size > far, least, tl.where(size > usual, less, 1.0))
    return scale.to(size.dtype)


@triton.jit
def _hypot(a, b):
    """sqrt(a**2 + b**2); numbers whose squares are out of range are scaled by a power of
    two.
    """
    if a.dtype == tl.float64:
        low = 3.8725919148493183e-121
        high = 3.3519519824856493e153
        far = 5.260135901548374e210
    else:
        low = 9.094947017729282e-13
        high = 4.611686018427388e18
        far = 1.2676506002282294e30
    first = tl.abs(a)
    second = tl.abs(b)
    size = tl.where(first > second, first, second)
    scale = tl.where(size < low, far, tl.where(size > high, 1 / far, 1))
    back = tl.where(size < low, 1 / far, tl.where(size > high, far, 1))
    first *= scale
    second *= scale
    length = _sqrt(first * first + second * second) * back
    return tl.where((first == float("inf")) | (second == float("inf")), float("inf"), length)


@triton.jit
def _largest(values, valid):
    """The largest value of each row; NaN where one is."""
    top = tl.max(tl.where(valid, values, float("-inf")), 1, keep_dims=True)
    faults = tl.sum(tl.where(valid & (values != values), 1.0, 0.0), 1, keep_dims=True)
    return tl.where(faults > 0, float("nan"), top)


@triton.jit
def _smallest(values, valid):
    """The smallest value of each row; NaN where one is."""
    return -_largest(-values, valid)


@triton.jit
def _product_rest(a, b, close):
    """What a number close to the product a * b lacks of it: halves of the digits have
    exact products.
    """
    UPPER: tl.constexpr = -1 << (27 if a.dtype == tl.float64 else 12)
    a_high, b_high = _from_bits(_bits(a) & UPPER), _from_bits(_bits(b) & UPPER)
    a_low, b_low = a - a_high, b - b_high
    return ((a_high * b_high - close) + a_high * b_low + a_low * b_high) + a_low * b_low


@triton.jit
def _pair_sum(large, small):
    """The sum of two, of which the first is the larger, or 0, and what it lacks."""
    high = large + small
    return high, large - high + small


@triton.jit
def _pair_product(a_high, a_low, b_high, b_low):
    """The product of two numbers that are sums of two."""
    high = a_high * b_high
    low = _product_rest(a_high, b_high, high) + (a_high * b_low + a_low * b_high)
    return _pair_sum(high, low)


@triton.jit
def _pair_scaled(a_high, a_low, b_high, b_low):
    """The product of two pairs, of which an infinite one stays infinite; not normalised."""
    product_high = a_high * b_high
    product_low = a_high * b_low + a_low * b_high
    product_low += _product_rest(a_high, b_high, product_high)
    return product_high, product_low
