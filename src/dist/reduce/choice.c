#include "dist/reduce/choice.h"

#include "base/timer.h"
#include "dist/comm.h"
#include "dist/comm_private.h"
#include "dist/reduce/summation.h"

/* Values of the largest message that is measured, and messages in turn. */
enum { MOST_VALUES = 1 << 20, ROUNDS = 5 };

/* Collective. The shortest time of a message, on the slowest rank. */
static fmd_status measure(fmd_comm *c, fmd_allreduce allreduce, size_t n_values, double *seconds)
{
    fmd_reduction *r = NULL;
    double shortest = 0;
    FMD_TRY(fmd_reduction_create(&r, FMD_REDUCE_EXACT, allreduce, false, 0, c, &n_values, 1, 0));
    for (int i = 0; i <= ROUNDS; i++) { /* the first one opens connections */
        fmd_reduction_begin_step(r, fmd_comm_size(c), 0);
        fmd_comm_barrier(c);
        const double start = fmd_now();
        (void)fmd_reduction_finish(r, NULL);
        double took = fmd_now() - start;
        fmd_comm_max(c, &took, 1);
        if (i == 1 || (i > 1 && took < shortest))
            shortest = took;
    }
    fmd_reduction_destroy(r);
    *seconds = shortest;
    return FMD_OK;
}

fmd_status fmd_allreduce_choose(fmd_allreduce_choice *out, fmd_comm *c, fmd_reduction_mode mode,
                                size_t n_values)
{
    fmd_allreduce_choice choice = {.allreduce = FMD_ALLREDUCE_SHARED};
    const size_t n = n_values < MOST_VALUES ? n_values : MOST_VALUES;
    choice.measured = mode == FMD_REDUCE_EXACT && fmd_summation_can_share(c);
    if (choice.measured) {
        FMD_TRY(measure(c, FMD_ALLREDUCE_SHARED, n, &choice.shared_seconds));
        FMD_TRY(measure(c, FMD_ALLREDUCE_MPI, n, &choice.mpi_seconds));
        if (choice.mpi_seconds < choice.shared_seconds)
            choice.allreduce = FMD_ALLREDUCE_MPI;
    }
    *out = choice;
    return FMD_OK;
}
