/* 1 / (1 + e**-x), as e / (1 + e) for e = e**-|x| = scale * (1 + r + tail).  What the divisor and
 * its inverse lack goes into the last sum: each rounding would show in the result. */
static inline real real_sigmoid(real x)
{
    exp_parts at = exp_reduce(exp_clamp(-real_abs(x)));
    real tail = at.r * at.r * exp_tail(at.r), scale = at.scale * at.other;
    real e = scale + scale * (at.r + tail), divisor = 1 + e, inverse = 1 / divisor;
    real lack = (1 - inverse * divisor) - inverse * (e - (divisor - 1));
    real share = x < 0 ? inverse * at.scale : inverse;
    return (share + share * (x < 0 ? at.r + (tail + lack) : lack)) * (x < 0 ? at.other : 1);
}

/* log(1 + e**x) for x <= 0.  Where e**x is large, the half of 1 + e**x is one close to 1. */
static inline real log1p_exp_negative(real x)
{
    exp_parts at = exp_reduce(exp_clamp(x));
    int large = x > (real)-0.8813736;
    real tail = at.r * at.r * exp_tail(at.r), half = (real)0.5 * at.scale * at.other;
    real f = (half - (real)0.5) + half * (at.r + tail);
    return log_sum(large ? 1 : 0, large ? f : exp_sum(at, tail));
}

/* log(1 + e**x). */
static inline real real_softplus(real x)
{
    return (x < 0 ? 0 : x) + log1p_exp_negative(-real_abs(x));
}

/* log(1 / (1 + e**-x)). */
static inline real real_log_sigmoid(real x)
{
    return (x > 0 ? 0 : x) - log1p_exp_negative(-real_abs(x));
}

/* The hyperbolic tangent: near 0 a minimax polynomial, else 1 - 2 / (e**(2 * |x|) + 1). */
static inline real real_tanh(real x)
{
    real size = real_abs(x), z = x * x;
#if REAL_IS_DOUBLE
    real tail = (((((((((((1.8324059961444182e-6 * z + 3.8697877555465568e-6) * z - 2.9877294385582990e-5) * z
        + 9.2417334564397704e-5) * z - 2.3771331353190811e-4) * z + 5.8972404988703853e-4) * z
        - 1.4557896105405869e-3) * z + 3.5921235135326509e-3) * z - 8.8632352246507222e-3) * z
        + 0.021869488523023600) * z - 0.053968253967922680) * z + 0.13333333333332914) * z
        - 0.33333333333333331;
#else
    real tail = ((((2.13027815e-3f * z - 8.18237942e-3f) * z + 0.0217080619f) * z - 0.0539487675f) * z
        + 0.133332253f) * z - 0.333333313f;
#endif
    real near = x + x * z * tail;
    real far = 1 - 2 / (real_exp(2 * size) + 1);
    return size < (real)0.55 ? near : copysign(far, x);
}
