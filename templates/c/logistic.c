/* The parts of e**-size for size >= 0, as of a number below 0. */
inlined falling_parts exp_reduce_size(real size)
{
    const real shift = (real)3 * ((word)1 << (REAL_DIGITS - 1)) + (REAL_BIAS + EXP_LIFT);
    real least = -EXP_LOWEST < size ? -EXP_LOWEST : size; // in this order it is one instruction
    real shifted = shift - least * (real)0x1.71547652b82fep+0, k = shift - shifted;
    falling_parts parts = {
        (k * LN2_HIGH - least) + k * LN2_LOW,
        from_word(to_word(shifted) << REAL_DIGITS),
    };
    return parts;
}

/* The smaller of 1 / (1 + e**-x) and what it lacks of 1, e / (1 + e) for e = e**-|x|
 * = scale * (1 + r + tail). What the inverse of 1 + e lacks, in which 1 - inverse is exact, goes into
 * the last sum: its rounding would show in the result. */
inlined real lesser_sigmoid(real x)
{
    falling_parts at = exp_reduce_size(fabs(x));
    real tail = at.r * at.r * exp_rest(at.r), scale = at.lifted * EXP_DROP;
    real e = scale + scale * (at.r + tail), inverse = 1 / (1 + e);
    real lack = (1 - inverse) - inverse * e, share = inverse * scale;
    return share + share * (at.r + (tail + lack));
}

/* The same with the sign of x. */
inlined real real_sigmoid_share(real x)
{
    return copysign(lesser_sigmoid(x), x);
}

/* The sigmoid that such a share is of; of minus the share, that of minus x. */
inlined real real_sigmoid_of_share(real share)
{
    return to_word(share) >> (8 * sizeof share - 1) ? -share : 1 - share;
}

/* 1 / (1 + e**-x). */
inlined real real_sigmoid(real x)
{
    real lesser = lesser_sigmoid(x);
    return x < 0 ? lesser : 1 - lesser;
}

/* log(1 + e**-size) for size >= 0.  Where that is large, half of 1 + e**-size is one close to 1. */
inlined real log1p_exp_size(real size)
{
    falling_parts at = exp_reduce_size(size);
    int large = size < (real)0.8813736;
    real tail = at.r * at.r * exp_rest(at.r), scale = at.lifted * EXP_DROP;
    real half = (real)0.5 * scale, f = (half - (real)0.5) + half * (at.r + tail);
    real e = scale + scale * (at.r + tail);
    return log_sum(large ? 1 : 0, large ? f : e);
}

/* log(1 + e**x). */
inlined real real_softplus(real x)
{
    return (x < 0 ? 0 : x) + log1p_exp_size(fabs(x));
}

/* log(1 / (1 + e**-x)). */
inlined real real_log_sigmoid(real x)
{
    return (x < 0 ? x : 0) - log1p_exp_size(fabs(x));
}

/* The hyperbolic tangent: near 0 a minimax polynomial, else 1 - 2 / (1 + e**(2 * |x|)). */
inlined real real_tanh(real x)
{
    real size = fabs(x), z = x * x;
    real near = x + x * z * tanh_tail(z);
    real far = 1 - 2 * lesser_sigmoid(2 * size);
    return copysign(size < (real)0.55 ? near : far, x);
}

/* log(cosh(x)): near 0 a minimax polynomial, else |x| + log(1 + e**(-2 * |x|)) - log(2). */
inlined real real_log_cosh(real x)
{
    real size = fabs(x), z = x * x;
    real near = (real)0.5 * z + z * z * log_cosh_tail(z);
    real far = (size - LN2_HIGH) + (log1p_exp_size(2 * size) - LN2_LOW);
    return size < 1 ? near : far;
}

/* log(e**a + e**b). */
inlined real real_log_add_exp(real a, real b)
{
    real gap = a == b ? 0 : a - b;
    return real_max(a, b) + log1p_exp_size(fabs(gap));
}

/* log(rest + share * e**x), where rest + share = 1: of e**x - 1 where it is above -1/2. */
inlined real real_log_mixture(real x, real share, real rest)
{
    exp_parts at = exp_reduce(exp_clamp(x > 88 ? 88 : x));
    real tail = at.r * at.r * exp_tail(at.r);
    real more = share * (fabs(x) < (real)0x1p-60 ? x : expm1_sum(at, tail + at.low));
    log1p_parts near = log1p_reduce(more);
    log_parts far = log_reduce_any(rest + share * exp_sum(at, tail));
    int is_far = more < (real)-0.5;
    real y = log_sum(is_far ? far.k : near.k, is_far ? far.f : near.f);
    return y + (x < 88 ? 0 : x - 88);
}
