/* How the ranks of this job sum messages fastest. All ranks make the same choice. */
#ifndef FMD_DIST_REDUCE_CHOICE_H
#define FMD_DIST_REDUCE_CHOICE_H

#include "dist/reduce/reduction.h"

typedef struct fmd_allreduce_choice {
    fmd_allreduce allreduce; /* never FMD_ALLREDUCE_AUTO */
    bool measured;
    double shared_seconds, mpi_seconds; /* of a message */
} fmd_allreduce_choice;

/* Collective. Measures some messages of `n_values` values, of 4 MB at most. In native mode the order of
 * additions would follow the clock, and without several ranks on a node there is nothing to choose: it
 * is `shared` then, and nothing is measured. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_allreduce_choose(fmd_allreduce_choice *out, fmd_comm *c,
                                            fmd_reduction_mode mode, size_t n_values);

#endif
