/* What a number close to the product a * b lacks of it, without rounding. */
inlined real product_rest(real a, real b, real close)
{
#if defined(__FMA__) || defined(__FP_FAST_FMA) || defined(__aarch64__)
    return fma(a, b, -close);
#else
    /* Halves of the digits, whose products are exact. */
    const word upper = ~(word)0 << (REAL_DIGITS / 2 + 1);
    real a_high = from_word(to_word(a) & upper), a_low = a - a_high;
    real b_high = from_word(to_word(b) & upper), b_low = b - b_high;
    return ((a_high * b_high - close) + a_high * b_low + a_low * b_high) + a_low * b_low;
#endif
}

/* A number as the sum of two, the second beyond the last digit of the first. */
typedef struct {
    real high, low;
} pair;

/* The sum of two, of which the first is the larger, or 0. */
inlined pair pair_sum(real large, real small)
{
    real high = large + small;
    pair sum = {high, (large - high) + small};
    return sum;
}

inlined real pair_value(pair x)
{
    return x.high + x.low;
}

inlined pair pair_product(pair a, pair b)
{
    real high = a.high * b.high;
    real low = product_rest(a.high, b.high, high) + (a.high * b.low + a.low * b.high);
    return pair_sum(high, low);
}
