#include "math/bf16/bf16.h"

#if defined(__x86_64__) && !defined(FMD_ISA_BASELINE) && !defined(FMD_ISA_AVX2)
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TILE_LOAD(t, from, stride) _tile_loadd(t, from, stride)
#define TILE_STORE(t, to, stride)  _tile_stored(t, to, stride)
#define TILE_MULTIPLY(c, a, b)     _tile_dpbf16ps(c, a, b)

#include "math/bf16/amx_body.h"

/* The operand of LDTILECFG, palette 1. */
typedef struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_config;

static void multiply_by_tiles(const fmd_bf16_product *p)
{
    tile_config config = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        config.row_bytes[i] = FMD_BF16_TERMS * sizeof(uint16_t);
        config.rows[i] = SIDE;
    }
    _tile_loadconfig(&config);
    multiply(p);
    _tile_release();
}

fmd_bf16_kernel *fmd_bf16_amx(void)
{
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    enum { AMX_BF16 = 1 << 22, AMX_TILE = 1 << 24 }; /* of CPUID.7.0:EDX */
    unsigned a, b, c, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d & AMX_BF16) == 0 || (d & AMX_TILE) == 0)
        return NULL;
    /* Linux saves the tiles of processes that ask for it; older kernels know no tiles. */
    if (syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) != 0)
        return NULL;
    return multiply_by_tiles;
}
#else
fmd_bf16_kernel *fmd_bf16_amx(void)
{
    return NULL;
}
#endif
