// How a tensor's elements are stored: as they are, or in the upper half or as half of a float.
#if SCALAR_IS_BFLOAT16
typedef uint16_t scalar;
static inline real load(const scalar *place)
{
    uint32_t bits = (uint32_t)*place << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
static inline void store(scalar *place, real value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    // To the nearest, ties to even; NaN stays NaN.
    uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    *place = (uint16_t)(value != value ? 0x7fc0 : rounded);
}
#elif SCALAR_IS_HALF
typedef _Float16 scalar;
static inline real load(const scalar *place) { return (real)*place; }
static inline void store(scalar *place, real value) { *place = (scalar)value; }
#else
typedef real scalar;
static inline real load(const scalar *place) { return *place; }
static inline void store(scalar *place, real value) { *place = value; }
#endif

// Memory that is only written is written past the caches, which would read it first.
#if STREAMED && defined(__SSE2__) && !SHORT
#include <emmintrin.h>
static inline void stream(scalar *restrict place, const scalar *restrict from, int64_t count)
{
    const int64_t line = 64 / sizeof(scalar);
    int64_t k = 0;
    for (; k < count && (uintptr_t)(place + k) % 64; k++)
        place[k] = from[k];
    for (; k + line <= count; k += line)
        for (int64_t part = 0; part < line; part += line / 4)
            _mm_stream_si128((__m128i *)(place + k + part),
                _mm_loadu_si128((const __m128i *)(from + k + part)));
    for (; k < count; k++)
        place[k] = from[k];
}
static inline void streams_done(void) { _mm_sfence(); }
#else
#undef STREAMED
#define STREAMED 0
static inline void stream(scalar *place, const scalar *from, int64_t count) {}
static inline void streams_done(void) {}
#endif

// Has memory that is written after the next loop come while that computes: a write waits for it.
static inline void written_soon(const scalar *place, int64_t count)
{
#if defined(__GNUC__)
    for (int64_t k = 0; k < count; k += 64 / (int64_t)sizeof(scalar))
        __builtin_prefetch(place + k, 1, 2);
#endif
}

enum { NO_MEMORY = 1, BAD_LABEL = 2 };
enum { BLOCK = 1024 }; // elements that one run of a loop takes, at most
enum { SPACED = BLOCK + 208 }; // an array of them: a page apart, two would meet in the cache
enum { GRAIN = 16384 }; // elements from which threads gain more than it costs to wake them

static inline void fail(int *status, int why)
{
    __atomic_store_n(status, why, __ATOMIC_RELAXED);
}

// A label as an index; one that no class has is noted, and read as the first.
static inline int64_t in_range(int64_t label, int64_t size, int *status)
{
    if (label >= 0 && label < size)
        return label;
    fail(status, BAD_LABEL);
    return 0;
}

static inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

// How many elements there are on one side, as far as anybody looks.
static inline int32_t within_reach(int64_t count) { return (int32_t)smaller(count, 1 << 30); }

// The larger of two numbers, for which the compiler has an instruction.
static inline real real_larger(real a, real b) { return a > b ? a : b; }

// The smaller of two numbers.
static inline real real_smaller(real a, real b) { return a < b ? a : b; }

// A label in 32 bits; one that needs more is that of no class.
static inline int32_t narrowed(int64_t label)
{
    return label == (int32_t)label ? (int32_t)label : -1;
}

// How many neighbours to take at once: enough of each class to read ahead, as long as those of all
// classes stay in the processor's cache.
static inline int64_t block_width(int64_t classes)
{
    int64_t width = 65536 / (classes ? classes : 1) / 16 * 16;
    return width < 32 ? 32 : width > 128 ? 128 : width;
}

// What lies in rows, in columns: the element [a, b] of `from` becomes the element [b, a] of `to`.
// A square of numbers is turned in registers, as often taking turns between its halves as it has
// doublings; the last squares of a side overlap those before them.
enum { TILE = 4096 + 208 }; // 31 classes of 128 neighbours; as with `SPACED`, no whole pages
#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#if REAL_IS_DOUBLE
typedef uint64_t turned_bits;
#elif SCALAR_IS_BFLOAT16 || SCALAR_IS_HALF
typedef uint16_t turned_bits;
#else
typedef uint32_t turned_bits;
#endif
#ifdef __AVX512F__
enum { WIDEST = 64 / sizeof(real) };
#elif defined(__AVX__)
enum { WIDEST = 32 / sizeof(real) };
#else
enum { WIDEST = 16 / sizeof(real) };
#endif
#define PAIR_2(side, k) k, side + k
#define PAIR_4(side, k) PAIR_2(side, k), PAIR_2(side, k + 1)
#define PAIR_8(side, k) PAIR_4(side, k), PAIR_4(side, k + 2)
#define PAIR_16(side, k) PAIR_8(side, k), PAIR_8(side, k + 4)
#define TURNS_SQUARES(side) \
    static inline void turn_##side(scalar *restrict to, int64_t to_step, \
        const scalar *restrict from, int64_t from_step, int64_t rows, int64_t columns) \
    { \
        typedef turned_bits vector __attribute__((vector_size(side * sizeof(turned_bits)))); \
        for (int64_t row = 0; row < rows; row += side) \
            for (int64_t column = 0; column < columns; column += side) { \
                const int64_t a = smaller(row, rows - side), b = smaller(column, columns - side); \
                vector lines[side], zipped[side]; \
                for (int k = 0; k < side; k++) \
                    memcpy(lines + k, from + (a + k) * from_step + b, sizeof(vector)); \
                for (int size = 1; size < side; size *= 2) { \
                    for (int k = 0; k < side / 2; k++) { \
                        const vector one = lines[k], other = lines[k + side / 2]; \
                        zipped[2 * k] = __builtin_shufflevector(one, other, PAIR_##side(side, 0)); \
                        zipped[2 * k + 1] = \
                            __builtin_shufflevector(one, other, PAIR_##side(side, side / 2)); \
                    } \
                    memcpy(lines, zipped, sizeof(lines)); \
                } \
                for (int k = 0; k < side; k++) \
                    memcpy(to + (b + k) * to_step + a, lines + k, sizeof(vector)); \
            } \
    }
TURNS_SQUARES(4)
TURNS_SQUARES(8)
TURNS_SQUARES(16)
#endif
#endif
static inline void turn(scalar *restrict to, int64_t to_step, const scalar *restrict from,
    int64_t from_step, int64_t rows, int64_t columns)
{
#ifdef TURNS_SQUARES
    const int64_t side = smaller(WIDEST, smaller(rows, columns));
    if (side >= 16)
        return turn_16(to, to_step, from, from_step, rows, columns);
    if (side >= 8)
        return turn_8(to, to_step, from, from_step, rows, columns);
    if (side >= 4 && WIDEST <= 8)
        return turn_4(to, to_step, from, from_step, rows, columns);
#endif
    if (rows > columns) {
        for (int64_t column = 0; column < columns; column++)
            for (int64_t row = 0; row < rows; row++)
                to[column * to_step + row] = from[row * from_step + column];
    } else {
        for (int64_t row = 0; row < rows; row++)
            for (int64_t column = 0; column < columns; column++)
                to[column * to_step + row] = from[row * from_step + column];
    }
}

// How far apart neighbours of a lane are: one, unless they are rows too short to take one by one.
static inline int64_t lane_step(int64_t stride) { return ROWS && SHORT ? stride : 1; }

// How many runs a task provides for at once where its gradient is so large that the C library
// maps memory for it anew, else none. Page by page, with a fault for each, it takes longer to come
// than most losses take to fill it.
static inline int64_t runs_ahead(int64_t elements, int64_t runs)
{
    const int64_t large = 1 << 25, once = 1 << 18;
    return elements * (int64_t)sizeof(scalar) < large ? 0 : once / (elements / runs + 1) + 1;
}

// Has the system provide `count` elements from `first` on, as far as there are so many.
enum { SPAN = 64 }; // runs at once where each writes a part for each class
#if defined(__linux__)
#include <sys/mman.h>
static inline void populate(scalar *tensor, int64_t first, int64_t count, int64_t elements)
{
    const int populate_write = 23; // MADV_POPULATE_WRITE, which older headers lack
    const uintptr_t page = 4096, start = (uintptr_t)(tensor + first) & -page;
    const uintptr_t end = (uintptr_t)(tensor + smaller(first + count, elements));
    const uintptr_t middle = (start + (end - start) / 2) & -page;
    unsigned char there = 0;
    // Memory that is there already would only be looked at.
    if (mincore((void *)middle, page, &there) == 0 && !(there & 1))
        madvise((void *)start, end - start, populate_write);
}
#else
static inline void populate(scalar *tensor, int64_t first, int64_t count, int64_t elements) {}
#endif

// Into how many parts the work is cut. It does not depend on the number of threads, so that a sum
// is the same however many there are.
static inline int64_t chunk_count(int64_t splits, int64_t runs, int64_t elements)
{
    int64_t pieces = elements < 64 * GRAIN / 4 ? elements / (GRAIN / 4) + 1 : 64;
    int64_t wanted = splits ? (pieces + splits - 1) / splits : 1;
    return wanted < runs ? wanted : runs ? runs : 1;
}

// The power of two by which numbers up to `largest` are scaled before they are squared.
static inline real norm_scale(real largest)
{
#if REAL_IS_DOUBLE
    return largest > 0x1p384 ? 0x1p-768 : largest < 0x1p-384 ? 0x1p768 : 1;
#else
    return largest > 0x1p48f ? 0x1p-96f : largest < 0x1p-48f ? 0x1p96f : 1;
#endif
}

// The power of two by which rows of numbers up to `largest` are made shorter before they are
// squared; they stay so long that what is added to their square is below its last digit.
static inline real fitting_scale(real largest)
{
#if REAL_IS_DOUBLE
    return largest > 0x1p768 ? 0x1p-700 : largest > 0x1p448 ? 0x1p-384 : 1;
#else
    return largest > 0x1p96f ? 0x1p-80f : largest > 0x1p56f ? 0x1p-41f : 1;
#endif
}

// x**2 * y and x**2 / y: the square alone may be out of range where these are not.
static inline real real_square_times(real x, real y)
{
    return x * (x * y);
}

static inline real real_square_over(real x, real y)
{
    return x * (x / y);
}

static inline real real_whole_power(real x, int exponent)
{
    return exponent == 2 ? x * x : exponent == 3 ? x * x * x : x * x * (x * x);
}
