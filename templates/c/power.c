/* The product of two pairs, of which an infinite one stays infinite; not normalised. */
inlined pair pair_scaled(pair a, pair b)
{
    pair product = {a.high * b.high, a.high * b.low + a.low * b.high};
    product.low += product_rest(a.high, b.high, product.high);
    return product;
}

/* k * log(2) + log(1 + f) with half as many digits again: of s = f / (2 + f) and z = s**2 it is
 * s * (2 + z * (2/3 + z * polynomial(z))). */
inlined pair log_pair(real k, real f)
{
#if REAL_IS_DOUBLE
    const pair third = {0x1.5555555555555p-1, 0x1.5555555555555p-55};
#else
    const pair third = {0x1.555556p-1f, -0x1.555556p-26f};
#endif
    real divisor = 2 + f, lack = f - (divisor - 2), inverse = 1 / divisor;
    pair s = {f * inverse, 0};
    s.low = -(product_rest(s.high, divisor, f) + s.high * lack) * inverse;
    pair z = pair_product(s, s);
    pair factor = pair_sum(third.high, z.high * log_pair_tail(z.high));
    factor.low += third.low;
    factor = pair_product(z, factor);
    real rest = factor.low;
    factor = pair_sum(2, factor.high);
    factor.low += rest;
    pair log_rest = pair_product(s, factor);
    pair sum = pair_sum(k * LN2_HIGH, log_rest.high);
    sum.low += log_rest.low + k * LN2_LOW;
    return sum;
}

/* e**x of a sum of two. */
inlined real exp_pair(pair x)
{
    real high = x.high > EXP_HIGHEST ? EXP_HIGHEST : exp_clamp(x.high);
    exp_parts at = exp_reduce(high);
    real low = at.low + (high == x.high ? x.low : 0);
    real tail = at.r * at.r * exp_tail(at.r);
    return exp_sum(at, tail + low * (1 + at.r + tail));
}

/* size**y for size >= 0 and an exponent in two parts, by way of log(size) with half as many digits
 * again, which a double has of a float.  It is 1 where either factor of y * log(size) is 0; here and
 * below numbers are chosen, not truths joined, since the exponent is the same for all elements and a
 * truth that is would keep a loop scalar. */
inlined real power_of_size(real size, pair y)
{
    y.high = size == 1 ? 0 : y.high;
    y.low = size == 1 ? 0 : y.low;
#if REAL_IS_DOUBLE
    log_parts at = log_reduce_any(size);
    pair log_size = log_pair(at.k, at.f);
    log_size.high = size == 0 ? -INFINITY : size < INFINITY ? log_size.high : size;
    log_size.high = y.high == 0 ? 0 : log_size.high;
    return exp_pair(pair_scaled(y, log_size));
#else
    double log_size = wide_log(size);
    log_size = size == 0 ? -INFINITY : size < INFINITY ? log_size : size;
    log_size = y.high == 0 ? 0 : log_size;
    double exponent = ((double)y.high + y.low) * log_size;
    exponent = exponent < -200 ? -200 : exponent;
    return wide_exp(exponent > 200 ? 200 : exponent);
#endif
}

/* The sign of a power of a negative base, NaN where it has no power; 1 for other bases. */
inlined real power_sign(real base, real exponent)
{
    real half = (real)0.5 * exponent;
    int whole = floor(exponent) == exponent;
    real odd = (real)(whole & (floor(half) != half)), none = whole ? 0 : NAN;
    real sign = 1 + odd * (copysign((real)1, base) - 1);
    return (base < 0) & (base > -INFINITY) ? sign + none : sign;
}

/* base**exponent, in all cases as C's pow: of log(base) half as many digits again are kept. */
inlined real real_pow(real base, real exponent)
{
    pair y = {exponent, 0};
    return power_of_size(fabs(base), y) * power_sign(base, exponent);
}

/* base**(exponent - 1) as the slope of a power: where base is 0 it is 1 for the exponent 1, else 0;
 * where it would be infinite, the largest number, but where the power is infinite itself. */
inlined real real_power_slope(real base, real exponent)
{
    real high = exponent - 1, back = high + 1;
    pair y = {high, (exponent - back) + ((back - high) - 1)};
    real power = power_of_size(fabs(base), y) * power_sign(base, high);
    real most = exponent < 1 ? REAL_LARGEST : INFINITY, at_zero = exponent < 1 ? 0 : power;
    at_zero = exponent < 0 ? INFINITY : at_zero;
    power = power > most ? most : power;
    power = base == 0 ? at_zero : power;
    return exponent == 0 ? 0 : power;
}

/* (1 + x)**power - 1: e**y - 1 of y = power * log(1 + x) with half as many digits again. */
inlined real real_pow1pm1(real x, real power)
{
    real size = x < -1 ? -2 - x : x;
    log1p_parts at = log1p_reduce(size);
    pair log_size = log_pair(at.k, at.f);
    log_size.low += at.lack / (1 + at.f);
    log_size.high = size == -1 ? -INFINITY : size < INFINITY ? log_size.high : size;
    log_size.high = power == 0 ? 0 : log_size.high;
    pair factor = {power, 0}, y = pair_scaled(factor, log_size);
    real high = y.high > EXP_HIGHEST ? EXP_HIGHEST : exp_clamp(y.high);
    exp_parts parts = exp_reduce(high);
    real low = parts.low + (high == y.high ? y.low : 0);
    real tail = parts.r * parts.r * exp_tail(parts.r);
    real less = expm1_sum(parts, tail + low * (1 + parts.r + tail));
    less = fabs(high) < (real)0x1p-60 ? high + low : less;
    real product = power * x;
    less = x == 0 ? product : less;
    real sign = power_sign(1 + x, power);
    real opposite = -2 - less;
    return sign > 0 ? less : sign < 0 ? opposite : sign;
}
