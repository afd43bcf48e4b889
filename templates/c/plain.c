inlined real real_abs(real x)
{
    return fabs(x);
}

inlined real real_sqrt(real x)
{
    return sqrt(x);
}

inlined real real_floor(real x)
{
    return floor(x);
}

/* The larger of two; NaN where one is. */
inlined real real_max(real a, real b)
{
    real larger = a > b ? a : b; // one instruction, which takes b where one is NaN
    return a != a ? a : larger;
}

/* The smaller of two; NaN where one is. */
inlined real real_min(real a, real b)
{
    real smaller = a < b ? a : b;
    return a != a ? a : smaller;
}

/* The number itself, but the largest in place of infinity. */
inlined real real_finite(real x)
{
    const word sign = (word)1 << (8 * sizeof x - 1);
    real size = fabs(x), least = REAL_LARGEST < size ? REAL_LARGEST : size;
    return from_word(to_word(least) | (to_word(x) & sign));
}

/* -1, 0 or 1; 0 for NaN, as torch has it. */
inlined real real_sign(real x)
{
    return islessgreater(x, 0) ? copysign((real)1, x) : 0;
}

/* 1 where x is positive, 1/2 where it is 0, else 0. */
inlined real real_step(real x)
{
    return x > 0 ? 1 : x < 0 ? 0 : (real)0.5;
}

/* a / b, and 0 where b is 0. */
inlined real real_ratio(real a, real b)
{
    real quotient = a / b;
    return b == 0 ? 0 : quotient;
}

/* sqrt(a**2 + b**2); numbers whose squares are out of range are scaled by a power of two. */
inlined real real_hypot(real a, real b)
{
#if REAL_IS_DOUBLE
    const real low = 0x1p-400, high = 0x1p510, far = 0x1p700;
#else
    const real low = 0x1p-40f, high = 0x1p62f, far = 0x1p100f;
#endif
    real first = fabs(a), second = fabs(b), size = first > second ? first : second;
    real scale = size < low ? far : size > high ? 1 / far : 1;
    real back = size < low ? 1 / far : size > high ? far : 1;
    first *= scale;
    second *= scale;
    real length = sqrt(first * first + second * second) * back;
    return (first == INFINITY) | (second == INFINITY) ? INFINITY : length;
}
