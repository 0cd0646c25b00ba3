#include "math/bf16/bf16.h"

#include "math/kernels.h"

static bool on;
static fmd_bf16_kernel *kernel;
static const char *instructions = "";

void fmd_bf16_choose(fmd_precision precision)
{
    on = precision == FMD_BF16;
    if (!on)
        return;
    kernel = fmd_bf16_amx();
    instructions = "AMX";
    if (kernel != NULL)
        return;
    kernel = fmd_kernels_best()->bf16;
    instructions = fmd_kernels_best()->name;
}

bool fmd_bf16_is_on(void)
{
    return on;
}

const char *fmd_bf16_instructions(void)
{
    return instructions;
}

/* Sums too long for a kernel to round: some rows at a time go through floats. */
static void round_long_parts(const fmd_bf16_product *p)
{
    enum { VALUES = 65536 }; /* at least one row: layers have no more units */
    static float sums[VALUES];
    const size_t most = VALUES / p->n;
    for (size_t first = 0; first < p->k; first += p->part)
        for (size_t i = 0; i < p->m; i += most) {
            fmd_bf16_product some = *p;
            some.m = p->m - i < most ? p->m - i : most;
            some.k = p->part;
            some.a += p->a_transposed ? first * p->lda + i : i * p->lda + first;
            some.b += p->b_transposed ? first : first * p->ldb;
            some.fixed = NULL;
            some.c = sums;
            some.ldc = p->n;
            kernel(&some);
            fmd_fixed_add(p->fixed, p->offset + i * p->n, some.m * p->n, sums);
        }
}

void fmd_bf16_multiply(const fmd_bf16_product *p)
{
    if (p->fixed != NULL && p->part > FMD_BF16_LONGEST_PART)
        round_long_parts(p);
    else
        kernel(p);
}
