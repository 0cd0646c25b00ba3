/* The optimizers, and the arguments that all of them take. */
#include "nn/optimizers/optimizer.h"

#define FMD_OPTIMIZER(name) extern const fmd_optimizer_ops fmd_optimizer_##name;
#include "nn/optimizers/optimizers.def"
#undef FMD_OPTIMIZER

static const fmd_optimizer_ops *const registry[] = {
#define FMD_OPTIMIZER(name) &fmd_optimizer_##name,
#include "nn/optimizers/optimizers.def"
#undef FMD_OPTIMIZER
};

#define FIELD(f) .offset = offsetof(fmd_optimizer_common, f)
static const fmd_option common_args[] = {
    {.name = "weight_decay",
     .kind = FMD_OPTION_FLOAT,
     FIELD(weight_decay),
     .initial = "none",
     .unset = "none",
     .min = 0,
     .max = 1000,
     .keras = "weight_decay",
     .help =
         "before each step, every parameter loses this share of itself times the learning rate"},
    {.name = "kernels_only",
     .kind = FMD_OPTION_BOOL,
     FIELD(kernels_only),
     .initial = "false",
     .help = "weight decay and trust ratio leave out biases and normalisation"},
    {.name = "clipnorm",
     .kind = FMD_OPTION_FLOAT,
     FIELD(clipnorm),
     .initial = "none",
     .unset = "none",
     .min = 1e-9,
     .max = 1e9,
     .keras = "clipnorm",
     .help = "largest norm of the gradient of each tensor"},
    {.name = "global_clipnorm",
     .kind = FMD_OPTION_FLOAT,
     FIELD(global_clipnorm),
     .initial = "none",
     .unset = "none",
     .min = 1e-9,
     .max = 1e9,
     .keras = "global_clipnorm",
     .help = "largest norm of the whole gradient"},
    {.name = "clipvalue",
     .kind = FMD_OPTION_FLOAT,
     FIELD(clipvalue),
     .initial = "none",
     .unset = "none",
     .min = 1e-9,
     .max = 1e9,
     .keras = "clipvalue",
     .help = "largest magnitude of a value of the gradient"},
    {.name = "use_ema",
     .kind = FMD_OPTION_BOOL,
     FIELD(use_ema),
     .initial = "false",
     .keras = "use_ema",
     .help = "keeps a moving average of the parameters, which training ends with"},
    {.name = "ema_momentum",
     .kind = FMD_OPTION_FLOAT,
     FIELD(ema_momentum),
     .initial = "0.99",
     .min = 0,
     .max = 1,
     .keras = "ema_momentum",
     .help = "share of the old average in the new one"},
    {.name = "ema_overwrite_frequency",
     .kind = FMD_OPTION_INT,
     FIELD(ema_overwrite_frequency),
     .initial = "none",
     .unset = "none",
     .min = 1,
     .max = 1e9,
     .keras = "ema_overwrite_frequency",
     .help = "steps after which the average replaces the parameters"},
};
const fmd_optimizer_ops *fmd_optimizer_ops_at(size_t i)
{
    return i < sizeof registry / sizeof *registry ? registry[i] : NULL;
}

const fmd_option *fmd_optimizer_common_args(size_t *n)
{
    *n = sizeof common_args / sizeof *common_args;
    return common_args;
}
