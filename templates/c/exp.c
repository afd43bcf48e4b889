/* (e**r - 1 - r) / r**2 for |r| <= log(2) / 2: a minimax polynomial. */
static inline real exp_tail(real r)
{
#if REAL_IS_DOUBLE
    return (((((((((1.6175907826436799e-9 * r + 2.5100822709340996e-8) * r + 2.7572562074843645e-7) * r
        + 2.7557267083544732e-6) * r + 2.4801569536986049e-5) * r + 1.9841269864938831e-4) * r
        + 1.3888888897838692e-3) * r + 8.3333333333287189e-3) * r + 0.041666666666648422) * r
        + 0.16666666666666671) * r + 0.50000000000000011;
#else
    return ((((1.96628840e-4f * r + 1.39350514e-3f) * r + 8.33364390e-3f) * r + 0.0416664667f) * r
        + 0.166666657f) * r + 0.500000000f;
#endif
}

/* x = k * log(2) + r + low, and 2**k in two factors, so that a result below the least normal number is
 * rounded once.  Adding `shift` rounds to an integer, which then stands in the last bits; it also
 * brings the bias of both factors' exponents. */
typedef struct {
    real r, low, scale, other;
} exp_parts;

static inline exp_parts exp_reduce(real x)
{
    const real shift = (real)3 * ((word)1 << (REAL_DIGITS - 1)) + 2 * REAL_BIAS;
    real shifted = x * (real)0x1.71547652b82fep+0 + shift;
    real k = shifted - shift;
    word n = to_word(shifted), half = n >> 1;
    real near = x - k * LN2_HIGH, r = near - k * LN2_LOW;
    exp_parts parts = {
        r,
        (near - r) - k * LN2_LOW,
        from_word(half << REAL_DIGITS),
        from_word((n - half) << REAL_DIGITS),
    };
    return parts;
}

/* Beyond these e**x is 0 and infinite. */
#if REAL_IS_DOUBLE
#define EXP_LOWEST -746.0
#define EXP_HIGHEST 710.0
#else
#define EXP_LOWEST -104.0f
#define EXP_HIGHEST 89.0f
#endif

/* e**x from its parts and e**r - 1 - r; of 1 + r also the rounding error is added. */
static inline real exp_sum(exp_parts at, real tail)
{
    real high = 1 + at.r, low = at.r - (high - 1);
    return at.scale * (high + (low + tail)) * at.other;
}

/* x, but no lower than where e**x is 0. */
static inline real exp_clamp(real x)
{
    return x < EXP_LOWEST ? EXP_LOWEST : x;
}

/* e**x for x <= 0. */
static inline real exp_negative(real x)
{
    exp_parts at = exp_reduce(exp_clamp(x));
    return exp_sum(at, at.r * at.r * exp_tail(at.r));
}

/* e**x. */
static inline real real_exp(real x)
{
    return exp_negative(x > EXP_HIGHEST ? EXP_HIGHEST : x);
}
