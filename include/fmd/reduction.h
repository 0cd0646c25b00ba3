/* Sums of gradients over the leaves of a batch and over the ranks: the one collective of a step.
 *
 * A reduction sees a gradient as segments of values (one for each parameter tensor) and knows
 * nothing of layers, so no layer can be forgotten in it. In `exact` mode the sums do not depend on
 * which rank computed which leaf, nor on the order in which MPI adds. */
#ifndef FMD_REDUCTION_H
#define FMD_REDUCTION_H

#include "fmd/comm.h"
#include "fmd/error.h"

#include <stddef.h>
#include <stdint.h>

typedef struct fmd_reduction fmd_reduction;

/* What came out of a step's reduction; every rank sees the same. */
typedef enum fmd_reduced {
    FMD_REDUCED,           /* the sums are in place */
    FMD_REDUCED_REPEAT,    /* a value left the grid, which is now wider: compute the step again */
    FMD_REDUCED_NOT_FINITE /* some gradient was NaN or infinite; there is no sum */
} fmd_reduced;

/* Names for option tables, and their order. */
#define FMD_REDUCTION_NAMES "exact|native"
typedef enum fmd_reduction_mode { FMD_REDUCE_EXACT, FMD_REDUCE_NATIVE } fmd_reduction_mode;

/* Local. `segment_counts` has the number of values of each of
 * `n_segments` segments; `n_counters` 64-bit counters travel in the same message. */
FMD_CHECKED fmd_status fmd_reduction_create(fmd_reduction **out, fmd_reduction_mode mode,
                                            fmd_comm *comm, const size_t *segment_counts,
                                            size_t n_segments, int n_counters);
void fmd_reduction_destroy(fmd_reduction *r);

/* Local. The state that a checkpoint holds: for each segment the exponent of its grid. */
int32_t *fmd_reduction_grid(fmd_reduction *r);

/* Local. True if each leaf is to be added by itself; false if a rank may treat all its rows as one
 * leaf. */
int fmd_reduction_by_leaf(const fmd_reduction *r);

/* Local. Starts a step whose batch has `leaves` leaves over all ranks. */
void fmd_reduction_begin(fmd_reduction *r, int leaves);

/* Local. Room for values `offset` to `offset` + `n` - 1 of a segment's gradient sum over one leaf;
 * the caller fills it (it holds garbage) and then adds it. At most one room is out at a time. */
float *fmd_reduction_room(fmd_reduction *r, size_t segment, size_t offset, size_t n);
void fmd_reduction_add(fmd_reduction *r, size_t segment, size_t offset, size_t n);

/* Collective. One MPI_Allreduce. `counters` are summed in place, exactly. `sums` receives the
 * gradient sums times `scale`, segment after segment. */
fmd_reduced fmd_reduction_finish(fmd_reduction *r, int64_t *counters, double scale, float *sums);

/* Seconds in the collective, and before it until the last rank has come. */
typedef struct fmd_reduction_seconds {
    double wait, allreduce;
} fmd_reduction_seconds;

/* Local. From now on adds the seconds of each step to *seconds (NULL: no more), on all ranks alike. A
 * barrier before the collective tells the two apart, so that this costs a little. */
void fmd_reduction_time(fmd_reduction *r, fmd_reduction_seconds *seconds);

/* Local. The bytes of a step's message. */
size_t fmd_reduction_bytes(const fmd_reduction *r);

/* Local. Steps repeated since create. */
int64_t fmd_reduction_repeats(const fmd_reduction *r);

#endif
