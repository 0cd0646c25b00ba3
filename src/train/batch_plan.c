#include "train/batch_plan.h"

#include "data/sampler.h"
#include "train/evaluation/evaluate.h"

enum { LARGEST_MICROBATCH = 32, FEWEST_MICROBATCHES = 8 };

size_t fmd_microbatch_size(int64_t asked, size_t batch_size, bool batch_statistics)
{
    if (asked != FMD_UNSET_INT)
        return (size_t)asked < batch_size ? (size_t)asked : batch_size;
    const size_t microbatch = batch_statistics
                                  ? batch_size
                                  : (batch_size + FEWEST_MICROBATCHES - 1) / FEWEST_MICROBATCHES;
    return microbatch < LARGEST_MICROBATCH ? microbatch : LARGEST_MICROBATCH;
}

/* A native sum has one microbatch of all samples of the rank, unless the model needs smaller ones. */
size_t fmd_fit_samples(const fmd_fit_args *args, int size, const fmd_model_size *model)
{
    const size_t batch = args->batch_size < args->train.n ? args->batch_size : args->train.n;
    const size_t microbatches = (batch + args->microbatch_size - 1) / args->microbatch_size;
    const size_t evaluate =
        fmd_model_size_group(model, FMD_EVALUATE_MICROBATCH, FMD_EVALUATE_SAMPLES);
    size_t train = fmd_share(microbatches, 0, size).count * args->microbatch_size;
    if (args->reduce == FMD_REDUCE_EXACT || model->batch_statistics)
        train = fmd_model_size_group(model, args->microbatch_size, train);
    return train > evaluate ? train : evaluate;
}
