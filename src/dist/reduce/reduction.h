/* Sums of gradients over the microbatches of a batch and over the ranks: the communication of a step.
 *
 * A reduction treats a gradient as tensors of values (one for each parameter tensor) and has no
 * notion of layers, so no layer can be left out. In `exact` mode the sums depend neither on the
 * assignment of microbatches to ranks nor on the order in which MPI adds. */
#ifndef FMD_DIST_REDUCE_REDUCTION_H
#define FMD_DIST_REDUCE_REDUCTION_H

#include "base/fixed.h"
#include "dist/comm.h"
#include "fmd/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fmd_reduction fmd_reduction;

/* Outcome of a step's reduction, the same on every rank. */
typedef enum fmd_reduced {
    FMD_REDUCED,        /* the sums are in place */
    FMD_REDUCED_REPEAT, /* a value was out of range; the scale is now wider: compute the step again */
    FMD_REDUCED_NOT_FINITE /* a gradient was NaN or infinite; there is no sum */
} fmd_reduced;

/* Names for option tables, and their order. */
#define FMD_REDUCTION_NAMES "exact|native"
typedef enum fmd_reduction_mode { FMD_REDUCE_EXACT, FMD_REDUCE_NATIVE } fmd_reduction_mode;

/* How messages are summed. `mpi`: MPI over all ranks. `shared`: each rank of a node sums one slice in
 * shared memory, then MPI sums the slices over the nodes. Exact mode gives the same result either
 * way. `auto` stands for one of them, chosen by fmd_allreduce_choose. */
#define FMD_ALLREDUCE_NAMES "shared|mpi|auto"
typedef enum fmd_allreduce {
    FMD_ALLREDUCE_SHARED,
    FMD_ALLREDUCE_MPI,
    FMD_ALLREDUCE_AUTO
} fmd_allreduce;

/* Collective. `tensor_counts` has the number of values of each of `n_tensors` tensors;
 * `n_counters` 64-bit counters travel in the same message. Messages between nodes are sent in buckets
 * of whole tensors, of about `bucket_bytes` or more, while the step still computes; 0: as one, at
 * the end. Exact mode gives the same result either way. `in_place`: saves the memory of a message per
 * node; no rank of a node may begin a step before all have applied the sums of the one before. Destroy
 * is collective too. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_reduction_create(fmd_reduction **out, fmd_reduction_mode mode,
                                            fmd_allreduce allreduce, bool in_place,
                                            size_t bucket_bytes, fmd_comm *comm,
                                            const size_t *tensor_counts, size_t n_tensors,
                                            int n_counters);
void fmd_reduction_destroy(fmd_reduction *r);

/* Local. The state that a checkpoint holds: for each tensor the exponent of its scale. */
enum { FMD_SCALE_MIN = -100, FMD_SCALE_MAX = 100 };
int32_t *fmd_reduction_scales(fmd_reduction *r);

/* Local. True if each microbatch must be added separately; false if a rank may treat all its
 * samples as one microbatch. */
int fmd_reduction_by_microbatch(const fmd_reduction *r);

/* Local. Starts a step. The batch has `microbatches` microbatches over all ranks; this rank adds
 * `mine` of them, each complete. */
void fmd_reduction_begin_step(fmd_reduction *r, int microbatches, int mine);

/* Local. Returns an uninitialized buffer for values `offset` to `offset` + `n` - 1 of a tensor's
 * gradient sum over one microbatch. The caller fills the buffer, then commits it. At most one range is
 * open at a time. */
float *fmd_reduction_begin_range(fmd_reduction *r, size_t tensor, size_t offset, size_t n);
void fmd_reduction_commit_range(fmd_reduction *r, size_t tensor, size_t offset, size_t n);

/* Local. This rank has added all its microbatches to `tensor` and the tensors behind it: their buckets
 * may be sent. Optional: finish completes the rest. */
void fmd_reduction_complete(fmd_reduction *r, size_t tensor);

/* Local. The fixed-point sums of a tensor, for callers that round and add themselves; NULL in native
 * mode. */
fmd_fixed *fmd_reduction_fixed(fmd_reduction *r, size_t tensor);

/* Collective. Sums gradients and counters over the ranks; `counters` are summed in place,
 * exactly. */
fmd_reduced fmd_reduction_finish(fmd_reduction *r, int64_t *counters);

/* Consumes values `first` to `first` + `n` - 1 of the gradient. */
typedef void fmd_apply(void *self, size_t first, size_t n, const float *values);

/* Values per call of `apply`: they stay in the L1 cache. */
enum { FMD_REDUCTION_PIECE = 2048 };

/* Local. The number of pieces. A piece belongs to one tensor. */
size_t fmd_reduction_n_pieces(const fmd_reduction *r);

/* Local. After FMD_REDUCED: passes the gradient sums times `scale` to `apply`, in order, for pieces
 * `first` to `end` - 1; several times, if need be. */
void fmd_reduction_apply(fmd_reduction *r, double scale, size_t first, size_t end, fmd_apply *apply,
                         void *self);

/* Local. The largest total of each tensor among the pieces applied so far in this step; merge adds
 * those of another rank. The next scales depend on all pieces. rescale makes the scales those of the
 * next step; next_scales only writes them to `scales`. */
const uint32_t *fmd_reduction_largest(const fmd_reduction *r);
void fmd_reduction_merge_largest(fmd_reduction *r, const uint32_t *largest);
void fmd_reduction_rescale(fmd_reduction *r);
void fmd_reduction_next_scales(const fmd_reduction *r, int32_t *scales);

/* Seconds spent on sums while the step computes (in fmd_reduction_complete), and from the complete
 * message to the total, which includes waiting for the last rank. */
typedef struct fmd_reduction_seconds {
    double progress, sum;
} fmd_reduction_seconds;

/* Local. From now on adds the seconds of each step to *seconds; NULL ends the measurement. */
void fmd_reduction_time(fmd_reduction *r, fmd_reduction_seconds *seconds);

/* Local. Size of a step's message in bytes. */
size_t fmd_reduction_bytes(const fmd_reduction *r);

/* Local. Steps repeated since create. */
int64_t fmd_reduction_repeats(const fmd_reduction *r);

#endif
