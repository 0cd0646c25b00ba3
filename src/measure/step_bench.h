/* Times of whole training steps, their breakdown, and the roofline bound.
 *
 * The rate comes from unchanged training steps, the breakdown from further steps. */
#ifndef FMD_MEASURE_STEP_BENCH_H
#define FMD_MEASURE_STEP_BENCH_H

#include "measure/layer_bench.h"
#include "measure/microbench.h"
#include "train/loop.h"

typedef struct fmd_bench_args {
    size_t warmup, steps, repetitions; /* steps before; steps in each repetition */
    bool profile;                      /* also the time of each layer */
} fmd_bench_args;

/* The measurements of one rank; plain bytes. */
typedef struct fmd_bench_rank {
    fmd_phase_seconds phases; /* of a step */
    double step;              /* seconds of a step, measured with the breakdown */
    double flops;             /* of its samples in forward and backward of a step */
    double peak;              /* FLOP per second of the fastest product */
    double bandwidth;         /* bytes per second of a plain loop over the memory of an update */
    double cache_bandwidth;   /* of one over as much memory as a group of microbatches has */
    double compute, memory;   /* shortest seconds of the layers that these limit */
    double allreduce;         /* median seconds of a message of the same size */
} fmd_bench_rank;

typedef struct fmd_bench_result {
    size_t batch, message_bytes;
    double update_bytes;       /* read and written */
    double *seconds;           /* of each repetition, on the slowest rank */
    fmd_bench_rank *ranks;     /* all of them */
    fmd_layer_seconds *layers; /* of a step, means over the ranks; zeros without `profile` */
    fmd_peak peak;             /* on rank 0 */
} fmd_bench_result;

/* The roofline bound: no step is faster. Seconds. */
typedef struct fmd_roofline {
    double compute, memory, update, allreduce;
} fmd_roofline;

/* Collective. Trains the model as fmd_fit would, in whole batches only. *result is complete on rank 0;
 * every rank releases it with fmd_bench_release. FMD_ENOMEM, or the status of fmd_fit. */
FMD_CHECKED fmd_status fmd_bench_steps(fmd_comm *c, fmd_model *m, fmd_optimizer *o,
                                       const fmd_fit_args *fit, const fmd_bench_args *args,
                                       fmd_bench_result *result);
void fmd_bench_release(fmd_bench_result *result);

/* Collective. The bytes of the one message of a step, and the rows of its matrix products on rank
 * 0. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_bench_sizes(fmd_comm *c, fmd_model *m, fmd_optimizer *o,
                                       const fmd_fit_args *fit, size_t *message_bytes,
                                       size_t *rows);

/* Local. The bound of each part on the slowest rank: layers at peak rate or, if that takes longer,
 * with their inputs and outputs at the bandwidth of the cache; an update at memory bandwidth; the
 * message alone. */
fmd_roofline fmd_roofline_of(const fmd_bench_result *r, int size);

/* Communication of a step in seconds. `alone`: the sum of a message of the same size while no rank
 * computes. `exposed`: the part of a step that sums take, without waiting for the slowest rank; mean
 * over the ranks. */
typedef struct fmd_communication {
    double alone, exposed, hidden;
} fmd_communication;

/* Local. Hidden is the rest of `alone`. */
fmd_communication fmd_communication_of(const fmd_bench_result *r, int size);

#endif
