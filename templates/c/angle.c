#if REAL_IS_DOUBLE
#define HALF_PI 0x1.921fb54442d18p0
#define HALF_PI_LOW 0x1.1a62633145c07p-54
#else
#define HALF_PI 0x1.921fb6p0f
#define HALF_PI_LOW -0x1.777a5cp-25f
#endif

/* The arc tangent: 0, pi/4 or pi/2, and the arc tangent of at most tan(pi/8) by a minimax
 * polynomial. */
inlined real real_atan(real x)
{
    real size = fabs(x);
    int small = size < (real)0.41421356, large = size > (real)2.4142135;
    real part = (small ? size : large ? -1 : size - 1) / (small ? 1 : large ? size : size + 1);
    real high = small ? 0 : large ? HALF_PI : (real)0.5 * HALF_PI;
    real low = small ? 0 : large ? HALF_PI_LOW : (real)0.5 * HALF_PI_LOW;
    real z = part * part;
    return copysign(high + (part + (part * z * atan_tail(z) + low)), x);
}

/* The arc cosine: pi/2 less the arc sine, by a minimax polynomial; beyond 1/2 twice the arc sine of
 * sqrt((1 - |x|) / 2), which keeps all digits near 1. */
inlined real real_acos(real x)
{
    real size = fabs(x), rest = (real)0.5 * (1 - size), root = sqrt(rest);
    int middle = size < (real)0.5;
    real part = middle ? x : root, z = middle ? x * x : rest;
    real less = part * z * asin_tail(z);
    real near = HALF_PI - (part + (less - HALF_PI_LOW));
    real above = 2 * (part + less), below = 2 * (HALF_PI - (part + (less - HALF_PI_LOW)));
    return middle ? near : x > 0 ? above : below;
}

/* The sine and the cosine are the library's: exact for large angles too, but not vectorised. */
inlined real real_sin(real x)
{
    return sin(x);
}

inlined real real_cos(real x)
{
    return cos(x);
}

/* sqrt(1 + x**2) - 1 as x**2 / (sqrt(1 + x**2) + 1); what the square and the divisor lack goes
 * into the last sum. */
inlined real real_hypotm1(real x)
{
    real size = fabs(x), square = x * x, length = sqrt(1 + square), divisor = length + 1;
    real inverse = 1 / divisor, quotient = square * inverse;
    real lack = product_rest(x, x, square) - product_rest(quotient, divisor, square);
    lack -= quotient * (1 - (divisor - length));
    return size > (real)0x1p60 ? size : x == x ? quotient + lack * inverse : x;
}

/* log(x + sqrt(1 + x**2)), of a large x as log(2 * x). */
inlined real real_asinh(real x)
{
    real size = fabs(x);
    log1p_parts near = log1p_reduce(size + real_hypotm1(size));
    log_parts far = log_reduce(size);
    int is_far = size > (real)0x1p60;
    real y = log_sum(is_far ? far.k + 1 : near.k, is_far ? far.f : near.f);
    int inside = (x != 0) & (size < INFINITY);
    return inside ? copysign(y, x) : x;
}
