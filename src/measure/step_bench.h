/* Whole steps of training, timed: how fast, where the time goes, and how fast it could be.
 *
 * The rate comes from steps as training makes them. The split comes from more steps, with a barrier
 * before the collective, so that waiting for the last rank is told apart from the message
 * itself. */
#ifndef FMD_MEASURE_STEP_BENCH_H
#define FMD_MEASURE_STEP_BENCH_H

#include "fmd/trainer.h"
#include "measure/microbench.h"

typedef struct fmd_bench_args {
    size_t warmup, steps, repetitions; /* steps before, steps to a repetition */
} fmd_bench_args;

/* What one rank measured; plain bytes. */
typedef struct fmd_bench_rank {
    fmd_phase_seconds phases; /* of a step */
    double step;              /* seconds of a step while they were told apart */
    double flops;             /* of its samples in forward and backward of a step */
    double peak;              /* flops a second of the fastest product found */
    double bandwidth;         /* bytes a second of a plain loop over as much memory as an update */
    double allreduce;         /* seconds, median, of a message as long as a step's */
} fmd_bench_rank;

typedef struct fmd_bench_result {
    size_t batch, message_bytes;
    double update_bytes;   /* read and written */
    double *seconds;       /* of each repetition, on the slowest rank */
    fmd_bench_rank *ranks; /* all of them */
    fmd_product fastest;   /* what rank 0 has its peak from */
    bool fastest_is_ours;  /* not a plain call of BLAS */
} fmd_bench_result;

/* What a step cannot be faster than, in seconds. */
typedef struct fmd_roofline {
    double compute, update, allreduce;
} fmd_roofline;

/* Collective. Trains the model for a while, as fmd_fit with these arguments would, but in whole
 * batches only. *result is complete on rank 0, and released with fmd_bench_release everywhere. As
 * fmd_fit; FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_bench_steps(fmd_comm *c, fmd_model *m, fmd_optimizer *o,
                                       const fmd_fit_args *fit, const fmd_bench_args *args,
                                       fmd_bench_result *result);
void fmd_bench_release(fmd_bench_result *result);

/* Collective. The bytes of the one message of a step, and the rows of its matrix products on rank
 * 0. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_bench_sizes(fmd_comm *c, fmd_model *m, fmd_optimizer *o,
                                       const fmd_fit_args *fit, size_t *message_bytes,
                                       size_t *rows);

/* Local. Of each part the slowest rank's: matrix products at the peak, an update at the
 * memory's rate, the message alone. */
fmd_roofline fmd_roofline_of(const fmd_bench_result *r, int size);

#endif
