/* Splits a global batch into microbatches, and assigns the microbatches to ranks. */
#ifndef FMD_TRAIN_BATCH_PLAN_H
#define FMD_TRAIN_BATCH_PLAN_H

#include "train/fit_args.h"

/* Local. Samples of a microbatch: `asked`, or for FMD_UNSET_INT min(32, ceil(batch / 8)); for a model
 * with batch statistics min(32, batch). */
size_t fmd_microbatch_size(int64_t asked, size_t batch_size, bool batch_statistics);

/* Local. The size of a pass, in samples, for training and evaluation on one of `size` ranks: a
 * group of microbatches (fmd_model_size_group). */
size_t fmd_fit_samples(const fmd_fit_args *args, int size, const fmd_model_size *model);

#endif
