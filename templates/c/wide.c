/* The bits of a double. */
inlined uint64_t to_wide_word(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

inlined double from_wide_word(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* log(x) of a float above 0, to half as many digits again as a float has; as log_reduce does it. */
inlined double wide_log(double x)
{
    uint64_t exponent = (to_wide_word(x) + 0x00095f619980c433) >> 52;
    double k = from_wide_word(0x4330000000000000 | exponent) - (0x1p52 + 1023);
    double f = from_wide_word(to_wide_word(x) - ((exponent - 1023) << 52)) - 1;
    double s = f / (2 + f), z = s * s;
    return k * 0x1.62e42fefa39efp-1 + s * (2 + z * wide_log_tail(z));
}

/* e**x for |x| < 700, to the digits that a float needs; as exp_reduce does it. */
inlined double wide_exp(double x)
{
    double shift = 0x1.8p52 + 1023, shifted = x * 0x1.71547652b82fep+0 + shift;
    double r = x - (shifted - shift) * 0x1.62e42fefa39efp-1;
    return from_wide_word(to_wide_word(shifted) << 52) * (1 + (r + r * r * wide_exp_tail(r)));
}
