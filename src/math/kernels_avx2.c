#if defined(__x86_64__)
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

typedef __m256 vec;
typedef __m256i ivec;
typedef __m256i mask;

/* Quarters of rows r and r + 4 side by side, then 4 x 4 in each half. */
static inline void transpose(const float *from, size_t stride, float *to, size_t to_stride)
{
    for (size_t h = 0; h < 8; h += 4) {
        vec x[4];
#pragma GCC unroll 4
        for (size_t r = 0; r < 4; r++)
            x[r] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(from + r * stride + h)),
                                        _mm_loadu_ps(from + (r + 4) * stride + h), 1);
        const vec a = _mm256_unpacklo_ps(x[0], x[1]), b = _mm256_unpackhi_ps(x[0], x[1]),
                  c = _mm256_unpacklo_ps(x[2], x[3]), d = _mm256_unpackhi_ps(x[2], x[3]);
        _mm256_storeu_ps(to + h * to_stride, _mm256_shuffle_ps(a, c, 0x44));
        _mm256_storeu_ps(to + (h + 1) * to_stride, _mm256_shuffle_ps(a, c, 0xee));
        _mm256_storeu_ps(to + (h + 2) * to_stride, _mm256_shuffle_ps(b, d, 0x44));
        _mm256_storeu_ps(to + (h + 3) * to_stride, _mm256_shuffle_ps(b, d, 0xee));
    }
}

enum {
    VL = 8,
    ROWS = 6,
    FIXED_ROWS = 2,
    BF16_ROWS = 2,
    PAIR_VECTORS = 4,
    TILE_PIXELS = 6,
    THREE_ROWS = 4,
    THREE_PIXELS = 10
};

/* The first n lanes, read from a sliding window over ones and zeros. */
static inline mask first_lanes(size_t n)
{
    static const int32_t ones[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
    return _mm256_loadu_si256((const __m256i *)(const void *)(ones + 8 - n));
}

static inline uint32_t largest_lane(ivec v)
{
    uint32_t lane[8], largest = 0;
    _mm256_storeu_si256((__m256i *)(void *)lane, v);
    for (int i = 0; i < 8; i++)
        largest = lane[i] > largest ? lane[i] : largest;
    return largest;
}

static inline unsigned nonzero_lanes(vec v)
{
    return (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(v, _mm256_setzero_ps(), _CMP_NEQ_UQ));
}

static inline void store_bytes(uint8_t *to, size_t n, ivec v)
{
    const __m128i words =
        _mm_packus_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    const __m128i bytes = _mm_packus_epi16(words, words);
    memcpy(to, &bytes, n);
}

static inline ivec load_bytes(const uint8_t *from, size_t n)
{
    __m128i bytes = _mm_setzero_si128();
    memcpy(&bytes, from, n);
    return _mm256_cvtepu8_epi32(bytes);
}

#define MASK(n)                first_lanes(n)
#define LOAD(x)                _mm256_loadu_ps(x)
#define STORE(x, v)            _mm256_storeu_ps(x, v)
#define ILOAD(x)               _mm256_loadu_si256((const __m256i *)(const void *)(x))
#define ISTORE(x, v)           _mm256_storeu_si256((__m256i *)(void *)(x), v)
#define LOAD_SOME(x, use)      _mm256_maskload_ps(x, use)
#define STORE_SOME(x, use, v)  _mm256_maskstore_ps(x, use, v)
#define ILOAD_SOME(x, use)     _mm256_maskload_epi32((const int *)(x), use)
#define ISTORE_SOME(x, use, v) _mm256_maskstore_epi32((int *)(x), use, v)
#define SPREAD(x)              _mm256_set1_ps(x)
#define FMA(x, y, z)           _mm256_fmadd_ps(x, y, z)
#define MUL(x, y)              _mm256_mul_ps(x, y)
#define PLUS(x, y)             _mm256_add_ps(x, y)
#define MINUS(x, y)            _mm256_sub_ps(x, y)
#define MAGNITUDE(v)           _mm256_and_si256(_mm256_castps_si256(v), _mm256_set1_epi32(0x7fffffff))
#define IMAX(x, y)             _mm256_max_epu32(x, y)
#define IADD(x, y)             _mm256_add_epi32(x, y)
#define ROUND(v)               _mm256_cvtps_epi32(v)
#define IZERO                  _mm256_setzero_si256()
#define LARGEST(v)             largest_lane(v)
#define ONCE(v)                __asm__("" : "+x"(v))
#define NONZERO(v)             nonzero_lanes(v)

#define RELU(v)             _mm256_max_ps(_mm256_setzero_ps(), v) /* NaN stays NaN */
#define ACCUMULATE(s, x, y) __asm__("vfmadd231ps %2, %1, %0" : "+x"(s) : "x"(x), "x"(y))
#define ADDRESS(p)          __asm__("" : "+r"(p))
#define LARGER(s, found, x, k)                                                                     \
    do {                                                                                           \
        const vec larger_x = (x);                                                                  \
        const vec larger = _mm256_or_ps(_mm256_cmp_ps(larger_x, s, _CMP_GT_OQ),                    \
                                        _mm256_cmp_ps(larger_x, larger_x, _CMP_UNORD_Q));          \
        (s) = _mm256_blendv_ps(s, larger_x, larger);                                               \
        (found) = _mm256_blendv_epi8(found, _mm256_set1_epi32(k), _mm256_castps_si256(larger));    \
    } while (0)
#define STORE_BYTES(to, n, v) store_bytes(to, n, v)
#define LOAD_BYTES(from, n)   load_bytes(from, n)
#define WHERE(v, k, x)                                                                             \
    _mm256_and_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(v, _mm256_set1_epi32(k))), x)
#define EACH_TILE(T)       T(1) T(2) T(3) T(4) T(5) T(6)
#define EACH_THREE_TILE(T) EACH_TILE(T) T(7) T(8) T(9) T(10)
#define EACH_THREE(T)      T(1) T(2) T(3) T(4)

#include "math/kernels_body.h"

#include "math/conv/conv_body.h"

#include "math/conv/conv_three_body.h"

#include "math/conv/conv_weights_body.h"

#include "math/conv/pool_body.h"

#include "math/conv/conv_winograd_body.h"

#include "math/conv/conv_sparse_body.h"

const fmd_kernels fmd_kernels_avx2 = {.name = "AVX2",
                                      .gemm = gemm,
                                      .gemm_bt = gemm_bt,
                                      .gemm_at = gemm_at,
                                      .gemm_at_fixed = gemm_at_fixed,
                                      .bf16 = bf16,
                                      .conv = &conv_kernels};
#endif
