/* The communication of a training step, for SimGrid's SMPI: simulated time, no training.
 *
 *   step ELEMENTS SUM mpi|shared CASE...    CASE: UNITS:COMPUTE:UPDATE, times in seconds
 *
 * In each case, each rank with one of the UNITS (microbatches or images) computes, all ranks sum the
 * message of ELEMENTS values, and all ranks update. SUM is the time to add one message on one rank.
 * Prints "STEP MESSAGE" for each case: milliseconds, maximum over the ranks. */
#include <mpi.h>
#include <smpi/smpi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct sum {
    int elements; /* of the message, or of this rank's slice */
    double seconds;
    MPI_Comm node, peers; /* node: MPI_COMM_NULL without memory that ranks share */
    uint32_t *message;
} sum;

/* As src/dist/reduce/node_shared.c: one slice per rank of a node, summed over the nodes. */
static void share(sum *s)
{
    int rank, ranks, mine;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &s->node);
    MPI_Comm_size(s->node, &ranks);
    MPI_Comm_rank(s->node, &mine);
    MPI_Comm_split(MPI_COMM_WORLD, mine, rank, &s->peers);
    const int elements = s->elements;
    s->elements = (int)((int64_t)elements * (mine + 1) / ranks - (int64_t)elements * mine / ranks);
}

/* SMPI does not model the arithmetic of a reduction; its time is added here. */
static void run(const sum *s)
{
    int size;
    MPI_Comm_size(s->peers, &size);
    if (s->node != MPI_COMM_NULL) {
        MPI_Barrier(s->node);
        smpi_execute(s->seconds);
    }
    if (size > 1)
        MPI_Allreduce(MPI_IN_PLACE, s->message, s->elements, MPI_UINT32_T, MPI_SUM, s->peers);
    if (s->node != MPI_COMM_NULL)
        MPI_Barrier(s->node);
    else if (size > 1)
        smpi_execute(s->seconds);
}

/* One step; a barrier before the message tells waiting from summing. */
static void step(const sum *s, const char *text)
{
    int rank, size, units;
    double compute, update, times[2], most[2];
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (sscanf(text, "%d:%lf:%lf", &units, &compute, &update) != 3)
        MPI_Abort(MPI_COMM_WORLD, 64);
    MPI_Barrier(MPI_COMM_WORLD);
    const double start = MPI_Wtime();
    if (rank < units)
        smpi_execute(compute);
    run(s);
    smpi_execute(update);
    times[0] = MPI_Wtime() - start;
    MPI_Barrier(MPI_COMM_WORLD);
    const double alone = MPI_Wtime();
    run(s);
    times[1] = MPI_Wtime() - alone;
    memcpy(most, times, sizeof most);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (size > 1) /* SMPI's own choice of algorithms crashes on one rank */
        MPI_Reduce(times, most, 2, MPI_DOUBLE, MPI_MAX, 0, MPI_COMM_WORLD);
    if (rank == 0)
        printf("%.9f %.9f\n", most[0] * 1e3, most[1] * 1e3);
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    if (argc < 5)
        MPI_Abort(MPI_COMM_WORLD, 64);
    sum s = {.elements = atoi(argv[1]),
             .seconds = atof(argv[2]),
             .node = MPI_COMM_NULL,
             .peers = MPI_COMM_WORLD};
    if (strcmp(argv[3], "shared") == 0)
        share(&s);
    s.message = calloc((size_t)s.elements + 1, sizeof *s.message);
    if (s.message == NULL)
        MPI_Abort(MPI_COMM_WORLD, 71);
    for (int i = 4; i < argc; i++)
        step(&s, argv[i]);
    free(s.message);
    MPI_Finalize();
    return 0;
}
