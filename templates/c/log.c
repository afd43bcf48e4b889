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

static inline word log_exponent(real x)
{
    return (to_word(x) + (ONE_BITS - ROOT_HALF)) >> REAL_DIGITS; /* k + REAL_BIAS */
}

/* Integer to floating point by its bits: there is no instruction for it in every vector set. */
static inline real exponent_value(word biased)
{
    const real base = (real)((word)1 << REAL_DIGITS);
    return from_word(to_word(base) | biased) - (base + REAL_BIAS);
}

static inline log_parts log_reduce(real x)
{
    word exponent = log_exponent(x);
    word rest = to_word(x) - ((exponent - REAL_BIAS) << REAL_DIGITS);
    log_parts parts = {exponent_value(exponent), from_word(rest) - 1};
    return parts;
}

/* k * log(2) + log(1 + f): a minimax polynomial; in double of s = f / (2 + f). */
static inline real log_sum(real k, real f)
{
    real half_square = (real)0.5 * f * f;
#if REAL_IS_DOUBLE
    real s = f / (2 + f), z = s * s;
    real tail = ((((((0.14799472598231972 * z + 0.15313778539207915) * z + 0.18183572880090268) * z
        + 0.22222198430690679) * z + 0.28571428743654126) * z + 0.39999999999409402) * z
        + 0.66666666666667351) * z;
    real rest = s * (half_square + tail);
#else
    real rest = ((((((((0.0626119003f * f - 0.114093557f) * f + 0.119387917f) * f - 0.124455839f) * f
        + 0.142197073f) * f - 0.166664928f) * f + 0.200020209f) * f - 0.250000119f) * f
        + 0.333333135f) * f * f * f;
#endif
    return k * LN2_HIGH + (f - (half_square - (rest + k * LN2_LOW)));
}

/* log(x). */
static inline real real_log(real x)
{
    int below = x < REAL_TINY;
    log_parts at = log_reduce(x * (below ? (word)1 << (REAL_DIGITS + 1) : 1));
    real y = log_sum(at.k - (below ? REAL_DIGITS + 1 : 0), at.f);
    y = x < INFINITY ? y : x;
    return x > 0 ? y : x == 0 ? -INFINITY : NAN;
}

/* log(1 + x). */
static inline real real_log1p(real x)
{
    word exponent = log_exponent(1 + x);
    /* 2**-k; in two steps, since for the largest k it is below the least normal number. */
    real scale = (real)0.25 * from_word(((word)(2 * REAL_BIAS + 2) - exponent) << REAL_DIGITS);
    real y = log_sum(exponent_value(exponent), x * scale + (scale - 1));
    y = x < INFINITY ? y : x;
    y = x == 0 ? x : y;
    return x > -1 ? y : x == -1 ? -INFINITY : NAN;
}
