/* e**(x**2) * erfc(x) for x >= 0: a minimax polynomial over 1/2 + x, the quotient in two parts. */
inlined pair erfcx_positive(real x)
{
    real t = x < INFINITY ? (x - (real)3.5) / (x + (real)3.5) : x == x ? 1 : x;
    real scaled = (real)0.5 * erfcx_scaled(t);
    real divisor = x + (real)0.5, back = divisor - x;
    real lack = (x - (divisor - back)) + ((real)0.5 - back);
    real inverse = 1 / divisor, quotient = scaled * inverse;
    real rest = -product_rest(quotient, divisor, scaled) - quotient * lack;
    pair result = {quotient, x < REAL_LARGEST / 4 ? rest * inverse : 0};
    return result;
}

/* e**(-x**2) * factor: the square with half as many digits again, and one rounding of a result
 * below the least normal number. */
inlined real exp_minus_square(real x, pair factor)
{
    real square = x * x, high = exp_clamp(-square);
    exp_parts at = exp_reduce(high);
    real low = at.low - (high == -square ? product_rest(x, x, square) : 0);
    real tail = at.r * at.r * exp_tail(at.r), one = 1 + at.r;
    real rest = (at.r - (one - 1)) + (tail + low * (one + tail)), main = one * factor.high;
    rest = product_rest(one, factor.high, main) + (rest * factor.high + one * factor.low);
    return at.scale * (main + rest) * at.other;
}

/* The error function: a minimax polynomial up to 1, else by the complement. */
inlined real real_erf(real x)
{
    real size = fabs(x), near = x + x * erf_tail(x * x);
    real far = 1 - exp_minus_square(size, erfcx_positive(size));
    return size < 1 ? near : copysign(far, x);
}

/* 1 - erf(x), and its tail as e**(-x**2) times a minimax polynomial of (x - 3.5) / (x + 3.5). */
inlined real real_erfc(real x)
{
    real size = fabs(x), near = (1 - x) - x * erf_tail(x * x);
    real far = exp_minus_square(size, erfcx_positive(size));
    return size < (real)0.85 ? near : x < 0 ? 2 - far : far;
}

/* e**(x**2) * erfc(x): near 0 by the error function, and the rest of negative numbers by
 * erfc(-x) = 2 - erfc(x). */
inlined real real_erfcx(real x)
{
    real square = x * x, positive = pair_value(erfcx_positive(fabs(x)));
    pair exponent = {square, product_rest(x, x, square)};
    pair rest = pair_sum(1, -(x + x * erf_tail(square)));
    real growth = exp_pair(exponent), near = growth * rest.high + growth * rest.low;
    real far = x < 0 ? 2 * growth - positive : positive;
    return fabs(x) < (real)0.5 ? near : far;
}

/* log(1 - erf(x)), also where 1 - erf(x) is below the least number: of erf(x), then of 1 - erf(x),
 * and of erfcx(x) from where that is below 1/2, where its digits are finer. */
inlined real real_log_erfc(real x)
{
    real size = fabs(x), rest = x * erf_tail(x * x);
    pair scaled = erfcx_positive(size), middle = pair_sum(1, -x);
    pair high = pair_sum(middle.high, -rest);
    high.low += middle.low;
    real far = 1 - exp_minus_square(size, scaled);
    int tail = x > (real)0.78, small = x < (real)0.3;
    log1p_parts low = log1p_reduce(-(size < 1 ? x + rest : copysign(far, x)));
    real value = tail ? scaled.high : high.high, rounded = (tail ? scaled.low : high.low) / value;
    log_parts at = log_reduce_any(value);
    real lack = small ? 0 : rounded;
    real y = log_sum_lacking(small ? low.k : at.k, small ? low.f : at.f, lack);
    y -= tail ? x * x : 0;
    return x < INFINITY ? y : -x;
}

/* What rounding takes from a - b. */
inlined real real_remainder(real a, real b)
{
    real gap = a - b, back = gap - a, rest = (a - (gap - back)) - (b + back);
    return rest == rest ? rest : 0;
}

/* e**(-rate * (x + rest)**2), `rest` no more than what x was rounded by, as large as for x = 64 if
 * x is larger still; the exponent with half as many digits again. */
inlined real real_gauss(real x, real rate, real rest)
{
    real near = x < -64 ? -64 : x > 64 ? 64 : x, square = near * near, high = -rate * square;
    real lack = product_rest(near, near, square) + 2 * near * rest;
    real low = product_rest(-rate, square, high) - rate * lack, kept = exp_clamp(high);
    exp_parts at = exp_reduce(kept);
    at.low += kept == high ? low : 0;
    real tail = at.r * at.r * exp_tail(at.r);
    return exp_sum(at, tail + at.low * (1 + at.r + tail));
}
