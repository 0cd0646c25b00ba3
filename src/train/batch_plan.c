#include "train/batch_plan.h"

#include "data/sampler.h"
#include "train/evaluate.h"

enum { LARGEST_MICROBATCH = 32, FEWEST_MICROBATCHES = 8 };

size_t fmd_microbatch_size(int64_t asked, size_t batch_size)
{
    if (asked != FMD_UNSET_INT)
        return (size_t)asked < batch_size ? (size_t)asked : batch_size;
    const size_t microbatch = (batch_size + FEWEST_MICROBATCHES - 1) / FEWEST_MICROBATCHES;
    return microbatch < LARGEST_MICROBATCH ? microbatch : LARGEST_MICROBATCH;
}

size_t fmd_fit_samples(const fmd_fit_args *args, int size)
{
    const size_t batch = args->batch_size < args->train.n ? args->batch_size : args->train.n;
    const size_t microbatches = (batch + args->microbatch_size - 1) / args->microbatch_size;
    const size_t samples = fmd_share(microbatches, 0, size).count * args->microbatch_size;
    return samples > FMD_EVALUATE_SAMPLES ? samples : FMD_EVALUATE_SAMPLES;
}
