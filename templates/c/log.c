/* x = 2**k * (1 + f) with 1 + f between sqrt(1/2) and sqrt(2), for a normal x > 0. */
typedef struct {
    real k, f;
} log_parts;

#if REAL_IS_DOUBLE
#define ROOT_HALF 0x3fe6a09e667f3bcd /* the bits of sqrt(1/2) */
#else
#define ROOT_HALF 0x3f3504f3
#endif

/* The bits of 1. */
#define ONE_BITS ((word)REAL_BIAS << REAL_DIGITS)

inlined word log_exponent(real x)
{
    return (to_word(x) + (ONE_BITS - ROOT_HALF)) >> REAL_DIGITS; /* k + REAL_BIAS */
}

/* Integer to floating point by its bits: there is no instruction for it in every vector set. */
inlined real exponent_value(word biased)
{
    const real base = (real)((word)1 << REAL_DIGITS);
    return from_word(to_word(base) | biased) - (base + REAL_BIAS);
}

inlined log_parts log_reduce(real x)
{
    word exponent = log_exponent(x);
    word rest = to_word(x) - ((exponent - REAL_BIAS) << REAL_DIGITS);
    log_parts parts = {exponent_value(exponent), from_word(rest) - 1};
    return parts;
}

/* The same for any x > 0, also below the least normal number. */
inlined log_parts log_reduce_any(real x)
{
    int below = x < REAL_TINY;
    log_parts at = log_reduce(x * (below ? (word)1 << (REAL_DIGITS + 1) : 1));
    at.k -= below ? REAL_DIGITS + 1 : 0;
    return at;
}

/* The same of 1 + x, without rounding 1 + x; `lack` is what f lacks of its exact value. */
typedef struct {
    real k, f, lack;
} log1p_parts;

inlined log1p_parts log1p_reduce(real x)
{
    word exponent = log_exponent(1 + x);
    /* 2**-k; in two steps, since for the largest k it is below the least normal number. */
    real scale = (real)0.25 * from_word(((word)(2 * REAL_BIAS + 2) - exponent) << REAL_DIGITS);
    real one = scale - 1, part = x * scale, f = one + part, added = f - one;
    log1p_parts parts = {exponent_value(exponent), f, (one - (f - added)) + (part - added)};
    return parts;
}

/* k * log(2) + log(1 + f) + lack: in float a polynomial of f, in double of f / (2 + f). */
inlined real log_sum_lacking(real k, real f, real lack)
{
    real half_square = (real)0.5 * f * f;
#if REAL_IS_DOUBLE
    real s = f / (2 + f), z = s * s;
    real rest = s * (half_square + z * log_tail(z));
#else
    real rest = f * f * f * log_tail(f);
#endif
    return k * LN2_HIGH + (f - (half_square - (rest + (k * LN2_LOW + lack))));
}

inlined real log_sum(real k, real f)
{
    return log_sum_lacking(k, f, 0);
}

/* log(x). */
inlined real real_log(real x)
{
    log_parts at = log_reduce_any(x);
    real y = log_sum(at.k, at.f);
    y = x < INFINITY ? y : x;
    return x > 0 ? y : x == 0 ? -INFINITY : NAN;
}

/* log(1 + x). */
inlined real real_log1p(real x)
{
    log1p_parts at = log1p_reduce(x);
    real y = log_sum(at.k, at.f);
    y = x < INFINITY ? y : x;
    y = x == 0 ? x : y;
    return x > -1 ? y : x == -1 ? -INFINITY : NAN;
}

/* x * log(y), and 0 where x is 0. */
inlined real real_xlogy(real x, real y)
{
    real product = x * real_log(y);
    return (x == 0) & (y == y) ? 0 : product;
}

/* log(p / q) for p and q of at least 0: the quotient of the fractions less 1 is free of
 * cancellation where p is near q, and in range where p / q is not. */
inlined real real_log_ratio(real p, real q)
{
    log_parts above = log_reduce_any(p), below = log_reduce_any(q);
    real a = 1 + above.f, b = 1 + below.f, k = above.k - below.k;
    int large = a > (real)1.4142135 * b, small = a < (real)0.70710678 * b;
    a *= large ? (real)0.5 : small ? 2 : 1;
    k += large ? 1 : small ? -1 : 0;
    real f = (a - b) / b, lack = -product_rest(f, b, a - b) / a;
    real y = log_sum_lacking(k, f, lack);
    real p_end = p == 0 ? -INFINITY : p < 0 ? NAN : p, q_end = q == 0 ? -INFINITY : q < 0 ? NAN : q;
    real end = p_end - q_end;
    int inside = (p > 0) & (q > 0) & (p < INFINITY) & (q < INFINITY);
    return inside ? y : end;
}

/* p * log(p / q), and 0 where p is 0. */
inlined real real_rel_entropy(real p, real q)
{
    real product = p * real_log_ratio(p, q);
    return (p == 0) & (q == q) ? 0 : product;
}

/* log(1 - e**x) for x < 0: of e**x where it is at most 1/2, else of e**x - 1. */
inlined real real_log1mexp(real x)
{
    exp_parts at = exp_reduce(exp_clamp(x));
    real tail = at.r * at.r * exp_tail(at.r);
    real rest = fabs(x) < (real)0x1p-60 ? -x : -expm1_sum(at, tail + at.low);
    log1p_parts far = log1p_reduce(-exp_sum(at, tail));
    log_parts near = log_reduce_any(rest);
    int is_far = x < (real)-0.6931;
    real y = log_sum(is_far ? far.k : near.k, is_far ? far.f : near.f);
    return x < 0 ? y : x == 0 ? -INFINITY : NAN;
}

/* log(x + c) with what rounding takes from the sum, which counts where that is near 1. */
inlined real real_log_sum_of(real x, real c)
{
    real total = x + c, gap = total - x, rest = (x - (total - gap)) + (c - gap);
    return real_log(total) + rest / total;
}
