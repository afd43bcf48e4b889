/* log(|gamma(x)|), by the library. */
inlined real real_lgamma(real x)
{
    return lgamma((double)x);
}

/* The slope of lgamma, in double: from 10 on its asymptotic series, below by the recurrence
 * digamma(x) = digamma(x + 1) - 1 / x, of negative numbers by reflection. */
inlined real real_digamma(real argument)
{
    const double pi = 3.14159265358979323846;
    double x = argument, sum = 0;
    if (x == 0) return copysign(INFINITY, -x);
    if (x < 0) {
        double rest = x - floor(x + 0.5);
        if (rest == 0 || rest != rest) return NAN;
        sum = -pi / tan(pi * rest);
        x = 1 - x;
    }
    for (; x < 10; x += 1) sum -= 1 / x;
    double z = 1 / (x * x);
    double series = ((((((1.0 / 12 * z - 691.0 / 32760) * z + 1.0 / 132) * z - 1.0 / 240) * z
        + 1.0 / 252) * z - 1.0 / 120) * z + 1.0 / 12) * z;
    return x < INFINITY ? sum + (log(x) - 0.5 / x - series) : x;
}

/* The slope of digamma, by its own series, recurrence and reflection: from 13 on. */
inlined real real_trigamma(real argument)
{
    const double pi = 3.14159265358979323846;
    double x = argument, sum = 0, sign = 1;
    if (x <= 0) {
        double sine = sin(pi * (x - floor(x + 0.5)));
        sum = pi / sine * (pi / sine);
        sign = -1;
        x = 1 - x;
    }
    double below = 0;
    for (; x < 13; x += 1) below += 1 / x * (1 / x);
    double y = 1 / x, z = y * y;
    double series = ((((((7.0 / 6 * z - 691.0 / 2730) * z + 5.0 / 66) * z - 1.0 / 30) * z
        + 1.0 / 42) * z - 1.0 / 30) * z + 1.0 / 6) * z;
    return sum + sign * (below + (y + 0.5 * z + y * series));
}
