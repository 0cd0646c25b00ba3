#include "math/kernels.h"

const fmd_kernels *fmd_kernels_best(void)
{
#if defined(__x86_64__) && !defined(FMD_ISA_BASELINE)
#if !defined(FMD_ISA_AVX2)
    if (__builtin_cpu_supports("avx512f"))
        return &fmd_kernels_avx512;
#endif
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return &fmd_kernels_avx2;
#endif
    return &fmd_kernels_plain;
}
