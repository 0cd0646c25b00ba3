#include "nn/layers/augmentation/augmentation.h"

#include "nn/convolution.h"

fmd_status fmd_augment_build(fmd_layer *l, fmd_plan *plan)
{
    (void)plan;
    l->out = l->in[0];
    return fmd_layer_check_image(l);
}

void fmd_augment_draw(const fmd_layer *l, const fmd_pass *p, uint64_t place,
                      float u[FMD_AUGMENT_NUMBERS])
{
    const fmd_rng r = {.seed = p->seed,
                       .purpose = FMD_RNG_AUGMENTATION,
                       .stream = (uint32_t)l->index,
                       .time = p->step};
    for (size_t i = 0; i < FMD_AUGMENT_NUMBERS; i += 4) {
        uint32_t x[4];
        fmd_rng_block(&r, (place * FMD_AUGMENT_NUMBERS + i) / 4, x);
        for (size_t j = 0; j < 4; j++)
            u[i + j] = fmd_rng_unit(x[j]);
    }
}

double fmd_augment_range(const fmd_numbers *range, double low, float u)
{
    const double from = range->n == 1 ? low * range->at[0] : range->at[0];
    return from + (double)u * (range->at[range->n - 1] - from);
}

fmd_cost fmd_augment_cost(const fmd_layer *l, size_t samples)
{
    const double in = (double)fmd_shape_count(l->in[0]), out = (double)fmd_shape_count(l->out);
    return (fmd_cost){.forward_flops = (double)samples * out,
                      .forward_bytes = (double)samples * (in + out) * sizeof(float)};
}
