#include "base/rng.h"

#include <Random123/philox.h>

void fmd_rng_block(const fmd_rng *r, uint64_t block, uint32_t out[4])
{
    philox4x32_key_t key = {{(uint32_t)r->seed, (uint32_t)(r->seed >> 32)}};
    philox4x32_ctr_t counter = {{(uint32_t)block, (uint32_t)(block >> 32), r->time,
                                 (uint32_t)r->purpose << 24 | r->stream}};
    philox4x32_ctr_t x = philox4x32(counter, key);
    for (int i = 0; i < 4; i++)
        out[i] = x.v[i];
}
