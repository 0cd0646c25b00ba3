#include "math/kernels.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* Any CPU: loops that the compiler vectorizes where it can. fmaf rounds once, in hardware or, slowly,
 * in software. */

enum {
    VL = 4,
    ROWS = 4,
    FIXED_ROWS = 2,
    BF16_ROWS = 2,
    PAIR_VECTORS = 4,
    TILE_PIXELS = 4,
    THREE_ROWS = 2,
    THREE_PIXELS = 4
};

typedef struct vec {
    float lane[VL];
} vec;
typedef struct ivec {
    uint32_t lane[VL];
} ivec;
typedef size_t mask;

#define EACH for (size_t i = 0; i < VL; i++)

static inline vec load_some(const float *x, size_t n)
{
    vec v = {{0}};
    memcpy(v.lane, x, n * sizeof *x);
    return v;
}

static inline ivec iload_some(const uint32_t *x, size_t n)
{
    ivec v = {{0}};
    memcpy(v.lane, x, n * sizeof *x);
    return v;
}

static inline vec spread(float x)
{
    vec v;
    EACH v.lane[i] = x;
    return v;
}

static inline vec fma_lanes(vec x, vec y, vec z)
{
    EACH z.lane[i] = fmaf(x.lane[i], y.lane[i], z.lane[i]);
    return z;
}

static inline vec mul(vec x, vec y)
{
    EACH x.lane[i] *= y.lane[i];
    return x;
}

static inline vec add_lanes(vec x, vec y)
{
    EACH x.lane[i] += y.lane[i];
    return x;
}

static inline vec subtract(vec x, vec y)
{
    EACH x.lane[i] -= y.lane[i];
    return x;
}

static inline ivec magnitude(vec x)
{
    ivec v;
    memcpy(&v, &x, sizeof v);
    EACH v.lane[i] &= 0x7fffffffu;
    return v;
}

static inline ivec imax(ivec x, ivec y)
{
    EACH x.lane[i] = x.lane[i] > y.lane[i] ? x.lane[i] : y.lane[i];
    return x;
}

static inline ivec iadd(ivec x, ivec y)
{
    EACH x.lane[i] += y.lane[i];
    return x;
}

static inline void store_bytes(uint8_t *to, size_t n, ivec v)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (uint8_t)v.lane[i];
}

static inline ivec load_bytes(const uint8_t *from, size_t n)
{
    ivec v = {{0}};
    for (size_t i = 0; i < n; i++)
        v.lane[i] = from[i];
    return v;
}

static inline vec where(ivec v, uint32_t k, vec x)
{
    EACH x.lane[i] = v.lane[i] == k ? x.lane[i] : 0;
    return x;
}

/* The conversion is undefined in C out of range; a step with such a value is repeated. */
static inline ivec round_lanes(vec x)
{
    ivec v;
    EACH v.lane[i] = fabsf(x.lane[i]) < 0x1p31f ? (uint32_t)(int32_t)rintf(x.lane[i]) : 0;
    return v;
}

static inline uint32_t largest_lane(ivec x)
{
    uint32_t largest = 0;
    EACH largest = x.lane[i] > largest ? x.lane[i] : largest;
    return largest;
}

static inline unsigned nonzero_lanes(vec x)
{
    unsigned bits = 0;
    EACH bits |= (unsigned)(x.lane[i] != 0) << i;
    return bits;
}

static inline void transpose(const float *from, size_t stride, float *to, size_t to_stride)
{
    for (size_t i = 0; i < VL; i++)
        for (size_t j = 0; j < VL; j++)
            to[i * to_stride + j] = from[j * stride + i];
}

static inline vec relu(vec x)
{
    EACH x.lane[i] = x.lane[i] < 0 ? 0 : x.lane[i]; /* NaN stays NaN */
    return x;
}

#define MASK(n)              (n)
#define LOAD(x)              load_some(x, VL)
#define STORE(x, v)          memcpy(x, (v).lane, sizeof(v))
#define ILOAD(x)             iload_some(x, VL)
#define ISTORE(x, v)         memcpy(x, &(ivec[]){v}, sizeof(ivec))
#define LOAD_SOME(x, n)      load_some(x, n)
#define STORE_SOME(x, n, v)  memcpy(x, (v).lane, (n) * sizeof(float))
#define ILOAD_SOME(x, n)     iload_some(x, n)
#define ISTORE_SOME(x, n, v) memcpy(x, &(ivec[]){v}, (n) * sizeof(uint32_t))
#define SPREAD(x)            spread(x)
#define FMA(x, y, z)         fma_lanes(x, y, z)
#define MUL(x, y)            mul(x, y)
#define PLUS(x, y)           add_lanes(x, y)
#define MINUS(x, y)          subtract(x, y)
#define MAGNITUDE(v)         magnitude(v)
#define IMAX(x, y)           imax(x, y)
#define IADD(x, y)           iadd(x, y)
#define ROUND(v)             round_lanes(v)
#define IZERO                ((ivec){{0}})
#define LARGEST(v)           largest_lane(v)
#define ONCE(v)              (void)(v)
#define LARGER(s, found, x, k)                                                                     \
    do {                                                                                           \
        const vec larger_x = (x);                                                                  \
        EACH if (larger_x.lane[i] > (s).lane[i] || larger_x.lane[i] != larger_x.lane[i])           \
        {                                                                                          \
            (s).lane[i] = larger_x.lane[i];                                                        \
            (found).lane[i] = (uint32_t)(k);                                                       \
        }                                                                                          \
    } while (0)
#define STORE_BYTES(to, n, v) store_bytes(to, n, v)
#define LOAD_BYTES(from, n)   load_bytes(from, n)
#define WHERE(v, k, x)        where(v, (uint32_t)(k), x)
#define NONZERO(v)            nonzero_lanes(v)

#define RELU(v)             relu(v)
#define ACCUMULATE(s, x, y) ((s) = FMA(x, y, s))
#define ADDRESS(p)          (void)(p)
#define EACH_TILE(T)        T(1) T(2) T(3) T(4)
#define EACH_THREE_TILE(T)  EACH_TILE(T)
#define EACH_THREE(T)       T(1) T(2)

#include "math/kernels_body.h"

#include "math/conv/conv_body.h"

#include "math/conv/conv_three_body.h"

#include "math/conv/conv_weights_body.h"

#include "math/conv/pool_body.h"

#include "math/conv/conv_winograd_body.h"

#include "math/conv/conv_sparse_body.h"

const fmd_kernels fmd_kernels_plain = {.name = "plain",
                                       .gemm = gemm,
                                       .gemm_bt = gemm_bt,
                                       .gemm_at = gemm_at,
                                       .gemm_at_fixed = gemm_at_fixed,
                                       .bf16 = bf16,
                                       .conv = &conv_kernels};
