/* x**y for x >= 0; `whole` is y where that is a whole number from 0 to 4, else -1, and known when this
 * is compiled. */
inlined real real_power(real x, real y, int whole)
{
    switch (whole) {
    case 0:
        return 1;
    case 1:
        return x;
    case 2:
        return x * x;
    case 3:
        return x * x * x;
    case 4:
        return x * x * (x * x);
    default:
        return real_pow(x, y);
    }
}

/* x**(y - 1), and 0 rather than infinite where x is 0; `whole` as above. */
inlined real real_slope_of_power(real x, real y, int whole)
{
    switch (whole) {
    case 0:
        return 0;
    case 1:
        return 1;
    case 2:
        return x;
    case 3:
        return x * x;
    case 4:
        return x * x * x;
    default:
        return real_power_slope(x, y);
    }
}
