/* What a number close to the product a * b lacks of it, without rounding. */
static inline real product_rest(real a, real b, real close)
{
#if defined(__FMA__) || defined(__FP_FAST_FMA) || defined(__aarch64__)
    return fma(a, b, -close);
#else
    /* Halves of the digits, whose products are exact. */
    const word upper = ~(word)0 << (REAL_DIGITS / 2 + 1);
    real a_high = from_word(to_word(a) & upper), a_low = a - a_high;
    real b_high = from_word(to_word(b) & upper), b_low = b - b_high;
    return ((a_high * b_high - close) + a_high * b_low + a_low * b_high) + a_low * b_low;
#endif
}

/* A number as the sum of two, the second beyond the last digit of the first. */
typedef struct {
    real high, low;
} pair;

/* The sum of two, of which the first is the larger, or 0. */
static inline pair pair_sum(real large, real small)
{
    real high = large + small;
    pair sum = {high, (large - high) + small};
    return sum;
}

static inline pair pair_product(pair a, pair b)
{
    real high = a.high * b.high;
    real low = product_rest(a.high, b.high, high) + (a.high * b.low + a.low * b.high);
    return pair_sum(high, low);
}

/* k * log(2) + log(1 + f) with half as many digits again: of s = f / (2 + f) and z = s**2 it is
 * s * (2 + z * (2/3 + z * polynomial(z))). */
static inline pair log_pair(real k, real f)
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
#if REAL_IS_DOUBLE
    real tail = (((((0.13197574573646659 * z.high + 0.13256681595483399) * z.high
        + 0.15386763283656346) * z.high + 0.18181784235507492) * z.high + 0.22222222521444290) * z.high
        + 0.28571428570091145) * z.high + 0.40000000000002273;
#else
    real tail = (0.234197542f * z.high + 0.285470873f) * z.high + 0.400001526f;
#endif
    pair factor = pair_sum(third.high, z.high * tail);
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
static inline real exp_pair(pair x)
{
    real high = x.high > EXP_HIGHEST ? EXP_HIGHEST : exp_clamp(x.high);
    exp_parts at = exp_reduce(high);
    real low = at.low + (high == x.high ? x.low : 0);
    real tail = at.r * at.r * exp_tail(at.r);
    return exp_sum(at, tail + low * (1 + at.r + tail));
}

/* size**y for size >= 0, the exponent in two parts. */
static inline real power_of_size(real size, pair y)
{
    int below = size < REAL_TINY;
    log_parts at = log_reduce(size * (below ? (word)1 << (REAL_DIGITS + 1) : 1));
    pair log_size = log_pair(at.k - (below ? REAL_DIGITS + 1 : 0), at.f);
    log_size.high = size == 0 ? -INFINITY : size < INFINITY ? log_size.high : size;
    pair power_log = {y.high * log_size.high, y.high * log_size.low + y.low * log_size.high};
    power_log.low += product_rest(y.high, log_size.high, power_log.high);
    real power = exp_pair(power_log);
    return y.high == 0 || size == 1 ? 1 : power;
}

/* base**exponent, in all cases as C's pow has it: of log(base) half as many digits again are kept. */
static inline real real_pow(real base, real exponent)
{
    real size = fabs(base), half = (real)0.5 * exponent;
    pair y = {exponent, 0};
    real power = power_of_size(size, y);
    int whole = floor(exponent) == exponent, odd = whole && floor(half) != half;
    power = size == 1 && fabs(exponent) == INFINITY ? 1 : power;
    power = base < 0 && !whole && size < INFINITY && power == power ? NAN : power;
    return odd ? copysign(power, base) : power;
}
