#if defined(__x86_64__)
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

typedef __m512 vec;
typedef __m512i ivec;
typedef __mmask16 mask;

/* Quarters of rows r, r + 4, r + 8 and r + 12 side by side, then 4 x 4 in each quarter. */
static inline void transpose(const float *from, size_t stride, float *to, size_t to_stride)
{
    for (size_t h = 0; h < 16; h += 4) {
        vec x[4];
#pragma GCC unroll 4
        for (size_t r = 0; r < 4; r++) {
            const float *row = from + r * stride + h;
            vec v = _mm512_castps128_ps512(_mm_loadu_ps(row));
            v = _mm512_insertf32x4(v, _mm_loadu_ps(row + 4 * stride), 1);
            v = _mm512_insertf32x4(v, _mm_loadu_ps(row + 8 * stride), 2);
            x[r] = _mm512_insertf32x4(v, _mm_loadu_ps(row + 12 * stride), 3);
        }
        const vec a = _mm512_unpacklo_ps(x[0], x[1]), b = _mm512_unpackhi_ps(x[0], x[1]),
                  c = _mm512_unpacklo_ps(x[2], x[3]), d = _mm512_unpackhi_ps(x[2], x[3]);
        _mm512_storeu_ps(to + h * to_stride, _mm512_shuffle_ps(a, c, 0x44));
        _mm512_storeu_ps(to + (h + 1) * to_stride, _mm512_shuffle_ps(a, c, 0xee));
        _mm512_storeu_ps(to + (h + 2) * to_stride, _mm512_shuffle_ps(b, d, 0x44));
        _mm512_storeu_ps(to + (h + 3) * to_stride, _mm512_shuffle_ps(b, d, 0xee));
    }
}

enum {
    VL = 16,
    ROWS = 8,
    FIXED_ROWS = 4,
    BF16_ROWS = 4,
    PAIR_VECTORS = 8,
    TILE_PIXELS = 14,
    THREE_ROWS = 8,
    THREE_PIXELS = 14
};

/* The first n bytes, n at most 16. */
static inline __m128i some_bytes(const uint8_t *x, size_t n)
{
    __m128i bytes = _mm_setzero_si128();
    memcpy(&bytes, x, n);
    return bytes;
}

#define MASK(n)                ((mask)((1u << (n)) - 1))
#define LOAD(x)                _mm512_loadu_ps(x)
#define STORE(x, v)            _mm512_storeu_ps(x, v)
#define ILOAD(x)               _mm512_loadu_si512(x)
#define ISTORE(x, v)           _mm512_storeu_si512(x, v)
#define LOAD_SOME(x, use)      _mm512_maskz_loadu_ps(use, x)
#define STORE_SOME(x, use, v)  _mm512_mask_storeu_ps(x, use, v)
#define ILOAD_SOME(x, use)     _mm512_maskz_loadu_epi32(use, x)
#define ISTORE_SOME(x, use, v) _mm512_mask_storeu_epi32(x, use, v)
#define SPREAD(x)              _mm512_set1_ps(x)
#define FMA(x, y, z)           _mm512_fmadd_ps(x, y, z)
#define MUL(x, y)              _mm512_mul_ps(x, y)
#define PLUS(x, y)             _mm512_add_ps(x, y)
#define MINUS(x, y)            _mm512_sub_ps(x, y)
#define MAGNITUDE(v)           _mm512_and_si512(_mm512_castps_si512(v), _mm512_set1_epi32(0x7fffffff))
#define IMAX(x, y)             _mm512_max_epu32(x, y)
#define IADD(x, y)             _mm512_add_epi32(x, y)
#define ROUND(v)               _mm512_cvtps_epi32(v)
#define IZERO                  _mm512_setzero_si512()
#define LARGEST(v)             ((uint32_t)_mm512_reduce_max_epu32(v))
#define ONCE(v)                __asm__("" : "+v"(v))
#define NONZERO(v)             _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_NEQ_UQ)

#define RELU(v)             _mm512_max_ps(_mm512_setzero_ps(), v) /* NaN stays NaN */
#define ACCUMULATE(s, x, y) __asm__("vfmadd231ps %2, %1, %0" : "+v"(s) : "v"(x), "v"(y))
#define ADDRESS(p)          __asm__("" : "+r"(p))
#define LARGER(s, found, x, k)                                                                     \
    do {                                                                                           \
        const vec larger_x = (x);                                                                  \
        const mask larger = (mask)(_mm512_cmp_ps_mask(larger_x, s, _CMP_GT_OQ) |                   \
                                   _mm512_cmp_ps_mask(larger_x, larger_x, _CMP_UNORD_Q));          \
        (s) = _mm512_mask_mov_ps(s, larger, larger_x);                                             \
        (found) = _mm512_mask_set1_epi32(found, larger, k);                                        \
    } while (0)
#define STORE_BYTES(to, n, v) _mm512_mask_cvtepi32_storeu_epi8(to, MASK(n), v)
#define LOAD_BYTES(from, n)                                                                        \
    _mm512_cvtepu8_epi32((n) == VL ? _mm_loadu_si128((const __m128i *)(const void *)(from))        \
                                   : some_bytes(from, n))
#define WHERE(v, k, x)     _mm512_maskz_mov_ps(_mm512_cmpeq_epi32_mask(v, _mm512_set1_epi32(k)), x)
#define EACH_TILE(T)       T(1) T(2) T(3) T(4) T(5) T(6) T(7) T(8) T(9) T(10) T(11) T(12) T(13) T(14)
#define EACH_THREE_TILE(T) EACH_TILE(T)
#define EACH_THREE(T)      T(1) T(2) T(3) T(4) T(5) T(6) T(7) T(8)

#include "math/kernels_body.h"

#include "math/conv/conv_body.h"

#include "math/conv/conv_three_body.h"

#include "math/conv/conv_weights_body.h"

#include "math/conv/pool_body.h"

#include "math/conv/conv_winograd_body.h"

#include "math/conv/conv_sparse_body.h"

const fmd_kernels fmd_kernels_avx512 = {.name = "AVX-512",
                                        .gemm = gemm,
                                        .gemm_bt = gemm_bt,
                                        .gemm_at = gemm_at,
                                        .gemm_at_fixed = gemm_at_fixed,
                                        .bf16 = bf16,
                                        .conv = &conv_kernels};
#endif
