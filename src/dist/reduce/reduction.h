/* Sums of gradients over the microbatches of a batch and over the ranks: what the ranks tell each other
 * in a step.
 *
 * A reduction sees a gradient as tensors of values (one for each parameter tensor) and knows
 * nothing of layers, so no layer can be forgotten in it. In `exact` mode the sums do not depend on
 * which rank computed which microbatch, nor on the order in which MPI adds. */
#ifndef FMD_DIST_REDUCE_REDUCTION_H
#define FMD_DIST_REDUCE_REDUCTION_H

#include "base/fixed.h"
#include "fmd/comm.h"
#include "fmd/error.h"

#include <stddef.h>
#include <stdint.h>

typedef struct fmd_reduction fmd_reduction;

/* What came out of a step's reduction; every rank sees the same. */
typedef enum fmd_reduced {
    FMD_REDUCED,           /* the sums are in place */
    FMD_REDUCED_REPEAT,    /* a value left the scale, which is now wider: compute the step again */
    FMD_REDUCED_NOT_FINITE /* some gradient was NaN or infinite; there is no sum */
} fmd_reduced;

/* Names for option tables, and their order. */
#define FMD_REDUCTION_NAMES "exact|native"
typedef enum fmd_reduction_mode { FMD_REDUCE_EXACT, FMD_REDUCE_NATIVE } fmd_reduction_mode;

/* How the ranks' messages are added: by one MPI_Allreduce; or the ranks of a node through memory
 * that they share, each a slice, which alone then goes through an MPI_Allreduce over the nodes. The
 * result of exact mode is the same. */
#define FMD_ALLREDUCE_NAMES "shared|mpi"
typedef enum fmd_allreduce { FMD_ALLREDUCE_SHARED, FMD_ALLREDUCE_MPI } fmd_allreduce;

/* Collective. `tensor_counts` has the number of values of each of `n_tensors` tensors;
 * `n_counters` 64-bit counters travel in the same message. Destroy is collective as well.
 * FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_reduction_create(fmd_reduction **out, fmd_reduction_mode mode,
                                            fmd_allreduce allreduce, fmd_comm *comm,
                                            const size_t *tensor_counts, size_t n_tensors,
                                            int n_counters);
void fmd_reduction_destroy(fmd_reduction *r);

/* Local. The state that a checkpoint holds: for each tensor the exponent of its scale. */
enum { FMD_SCALE_MIN = -100, FMD_SCALE_MAX = 100 };
int32_t *fmd_reduction_scales(fmd_reduction *r);

/* Local. True if each microbatch is to be added by itself; false if a rank may treat all its rows as one
 * microbatch. */
int fmd_reduction_by_microbatch(const fmd_reduction *r);

/* Local. Starts a step whose batch has `microbatches` microbatches over all ranks; `mine` of them are to come
 * from this rank, each whole. */
void fmd_reduction_begin_step(fmd_reduction *r, int microbatches, int mine);

/* Local. Room for values `offset` to `offset` + `n` - 1 of a tensor's gradient sum over one microbatch;
 * the caller fills it (it holds garbage) and then adds it. At most one room is out at a time. */
float *fmd_reduction_begin_range(fmd_reduction *r, size_t tensor, size_t offset, size_t n);
void fmd_reduction_commit_range(fmd_reduction *r, size_t tensor, size_t offset, size_t n);

/* Local. The lanes of a tensor, for those who round and add by themselves; NULL in native mode. */
fmd_fixed *fmd_reduction_fixed(fmd_reduction *r, size_t tensor);

/* Collective. Sums gradients and counters over the ranks; `counters` are summed in place,
 * exactly. */
fmd_reduced fmd_reduction_finish(fmd_reduction *r, int64_t *counters);

/* What is done with values `first` to `first` + `n` - 1 of the gradient. */
typedef void fmd_apply(void *self, size_t first, size_t n, const float *values);

/* Local. After FMD_REDUCED: hands out the gradient sums times `scale`, from the first to the last
 * value, in pieces that stay in the first cache; then lays out the scale of the next step. */
void fmd_reduction_apply(fmd_reduction *r, double scale, fmd_apply *apply, void *self);

/* Seconds in the collective, and before it until the last rank has come. */
typedef struct fmd_reduction_seconds {
    double wait, allreduce;
} fmd_reduction_seconds;

/* Local. From now on adds the seconds of each step to *seconds (NULL: no more), on all ranks alike.
 * A barrier before the collective tells the two apart, so that this costs a little. */
void fmd_reduction_time(fmd_reduction *r, fmd_reduction_seconds *seconds);

/* Local. The bytes of a step's message. */
size_t fmd_reduction_bytes(const fmd_reduction *r);

/* Local. Steps repeated since create. */
int64_t fmd_reduction_repeats(const fmd_reduction *r);

#endif
