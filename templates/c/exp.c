/* x = k * log(2) + r + low, and 2**k in two factors, so that a result below the least normal number
 * is rounded once.  Adding `shift` rounds to an integer, which then stands in the last bits; it
 * also brings the bias of both factors' exponents. */
typedef struct {
    real r, low, scale, other;
} exp_parts;

inlined exp_parts exp_reduce(real x)
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
#define EXP_LIFT 512
#define EXP_DROP 0x1p-512
#else
#define EXP_LOWEST -104.0f
#define EXP_HIGHEST 89.0f
#define EXP_LIFT 64
#define EXP_DROP 0x1p-64f
#endif

/* e**x from its parts and e**r - 1 - r; of 1 + r also the rounding error is added. */
inlined real exp_sum(exp_parts at, real tail)
{
    real high = 1 + at.r, low = at.r - (high - 1);
    return at.scale * (high + (low + tail)) * at.other;
}

/* x, but no lower than where e**x is 0. */
inlined real exp_clamp(real x)
{
    return EXP_LOWEST > x ? EXP_LOWEST : x; // in this order it is one instruction
}

/* Whether e**x is 0.  Then it is chosen and e**0 computed: on its way below the least normal number
 * a result would take the processor twenty times as long. */
inlined int exp_vanishes(real x)
{
    return x < EXP_LOWEST;
}

/* e**x.  Infinity is chosen, not multiplied up to: a product that is joined to the difference it
 * stands in, as one instruction, would not leave the range. */
inlined real real_exp(real x)
{
    exp_parts at = exp_reduce(exp_vanishes(x) ? 0 : x);
    real y = exp_sum(at, at.r * at.r * exp_rest(at.r));
    y = x > EXP_HIGHEST ? INFINITY : y;
    return exp_vanishes(x) ? 0 : y;
}

/* The same of x <= 0: nothing is too large, so that 2**k is one factor, 2**EXP_LIFT times too large
 * since it may be below the least normal number.  EXP_DROP takes that off. */
typedef struct {
    real r, lifted;
} falling_parts;

inlined falling_parts exp_reduce_falling(real x)
{
    const real shift = (real)3 * ((word)1 << (REAL_DIGITS - 1)) + (REAL_BIAS + EXP_LIFT);
    real shifted = x * (real)0x1.71547652b82fep+0 + shift, k = shifted - shift;
    falling_parts parts = {
        (x - k * LN2_HIGH) - k * LN2_LOW,
        from_word(to_word(shifted) << REAL_DIGITS),
    };
    return parts;
}

/* e**x for x <= 0. */
inlined real real_exp_negative(real x)
{
    falling_parts at = exp_reduce_falling(exp_vanishes(x) ? 0 : x);
    real scale = at.lifted * EXP_DROP;
    real y = scale + scale * (at.r + at.r * at.r * exp_rest(at.r));
    return exp_vanishes(x) ? 0 : y;
}

/* e**x - 1 from its parts: 2**k * (e**r - 1) and 2**k - 1 are added without rounding the larger
 * one; by halves, since 2**k may be out of range. */
inlined real expm1_sum(exp_parts at, real tail)
{
    real half = (real)0.5 * at.scale * at.other, whole = half - (real)0.5, part = half * at.r;
    real high = whole + part, low = part - (high - whole);
    return 2 * (high + (low + half * tail));
}

/* e**x - 1, which is -1 from -40 down. */
inlined real real_expm1(real x)
{
    exp_parts at = exp_reduce(x > EXP_HIGHEST ? EXP_HIGHEST : x < -40 ? -40 : x);
    real y = expm1_sum(at, at.r * at.r * exp_tail(at.r) + at.low);
    return fabs(x) < (real)0x1p-60 ? x : y;
}
