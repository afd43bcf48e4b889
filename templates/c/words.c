#include <stdint.h>
#include <string.h>
#include <tgmath.h>

/* However long a function is: a call would keep the loop around it from becoming vector code. */
#define inlined static inline __attribute__((always_inline))

/* The parts of a number: its bits as an unsigned integer of the same width. */
#if REAL_IS_DOUBLE
typedef uint64_t word;
#define REAL_DIGITS 52 /* of the fraction */
#define REAL_BIAS 1023 /* of the exponent */
#define REAL_TINY 0x1p-1022 /* the least normal number */
#define REAL_LARGEST 0x1.fffffffffffffp1023
#else
typedef uint32_t word;
#define REAL_DIGITS 23
#define REAL_BIAS 127
#define REAL_TINY 0x1p-126f
#define REAL_LARGEST 0x1.fffffep127f
#endif

inlined word to_word(real x)
{
    word bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

inlined real from_word(word bits)
{
    real x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* log(2) in two parts, of which the first times any exponent is exact. */
#if REAL_IS_DOUBLE
#define LN2_HIGH 0x1.62e42fefa3800p-1
#define LN2_LOW 0x1.ef35793c76730p-45
#else
#define LN2_HIGH 0x1.62e400p-1f
#define LN2_LOW 0x1.7f7d1cp-20f
#endif
