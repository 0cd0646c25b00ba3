#include "support/values.h"

#include "support/fmd_test.h"

#include "base/rng.h"

#include <stdlib.h>

void *values_zero(size_t n)
{
    float *x = calloc(n + 1, sizeof *x);
    assert_non_null(x);
    return x;
}

float *values_random(size_t n, uint32_t stream)
{
    const fmd_rng rng = {.seed = 5, .purpose = FMD_RNG_INIT, .stream = stream};
    float *x = values_zero(n);
    for (size_t i = 0; i < n; i++) {
        uint32_t r[4];
        fmd_rng_block(&rng, i, r);
        x[i] = 2 * fmd_rng_unit(r[0]) - 1;
    }
    return x;
}
