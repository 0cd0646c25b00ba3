/* The arguments of optimizers with two moments: adam and those that follow it. */
#ifndef FMD_NN_OPTIMIZERS_MOMENTS_H
#define FMD_NN_OPTIMIZERS_MOMENTS_H

#include "nn/optimizers/optimizer.h"

typedef struct fmd_moments {
    double beta_1, beta_2, epsilon;
} fmd_moments;

/* Rows of a table of arguments, for a struct that begins with fmd_moments. `SECOND` and `DIVISOR` say
 * in the help what beta_2 and epsilon belong to. */
#define FMD_MOMENTS_OPTIONS(SECOND, DIVISOR)                                                       \
    {.name = "beta_1",                                                                             \
     .kind = FMD_OPTION_FLOAT,                                                                     \
     .offset = offsetof(fmd_moments, beta_1),                                                      \
     .initial = "0.9",                                                                             \
     .min = 0,                                                                                     \
     .max = 0.999999,                                                                              \
     .keras = "beta_1",                                                                            \
     .help = "decay of the first moment"},                                                         \
        {.name = "beta_2",                                                                         \
         .kind = FMD_OPTION_FLOAT,                                                                 \
         .offset = offsetof(fmd_moments, beta_2),                                                  \
         .initial = "0.999",                                                                       \
         .min = 0,                                                                                 \
         .max = 0.999999,                                                                          \
         .keras = "beta_2",                                                                        \
         .help = (SECOND)},                                                                        \
    {                                                                                              \
        .name = "epsilon", .kind = FMD_OPTION_FLOAT, .offset = offsetof(fmd_moments, epsilon),     \
        .initial = "1e-07", .min = 0, .max = 1, .keras = "epsilon", .help = (DIVISOR)              \
    }

#endif
