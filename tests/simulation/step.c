/* Communication of training steps, for SimGrid's SMPI: simulated time, no training. A process is a node.
 *
 *   step STEPS RANKS NOISE SLOW CASE...    CASE: FORWARD:UPDATE:BUCKET,BUCKET...    BUCKET: ELEMENTS/BACKWARD/SUM
 *
 * The RANKS of a node compute FORWARD, then for each bucket BACKWARD until it is complete and SUM, their
 * slices of the node's sum; meanwhile the buckets are summed over the nodes, one after the other, as
 * fast as the network allows. Then they compute UPDATE. Computing takes longer by NOISE times a normal
 * number that each rank draws for each step, and on one node by SLOW times itself. Times in seconds.
 * Prints "STEP EXPOSED" for each case: milliseconds, means over the steps; exposed is the time from the end
 * of backward on the last node to the sum. */
#include <math.h>
#include <mpi.h>
#include <smpi/smpi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUCKETS = 64 };

typedef struct work {
    double forward, update;
    int n, elements[BUCKETS];
    double backward[BUCKETS], sum[BUCKETS];
} work;

static int rank, size;

/* Normal, by Box and Muller; the same for each case. */
static double normal(uint64_t *state)
{
    double u[2];
    for (int i = 0; i < 2; i++) {
        *state = *state * 6364136223846793005u + 1442695040888963407u;
        u[i] = ((double)(*state >> 11) + 0.5) * 0x1p-53;
    }
    return sqrt(-2 * log(u[0])) * cos(6.283185307179586 * u[1]);
}

/* The slowest of the ranks of a node. */
static double factor(uint64_t *state, int ranks, double noise, double slow)
{
    double most = -HUGE_VAL;
    for (int i = 0; i < ranks; i++)
        most = fmax(most, normal(state));
    return 1 + noise * most + (rank == size / 3 ? slow : 0);
}

static void exchange(char *message, int first, int n, int other_first, int other_n, int peer)
{
    MPI_Sendrecv(message + 4L * first, 4 * n, MPI_BYTE, peer, 0, message + 4L * other_first,
                 4 * other_n, MPI_BYTE, peer, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

/* Rabenseifner's allreduce on a power of two of nodes, the next ones first, as libnbc does. */
static void allreduce(char *message, int n)
{
    int first[32], count[32], at = 0, left = n, rounds = 0;
    for (int mask = 1; mask < size; mask <<= 1, rounds++) {
        const int low = left / 2, high = left - low, upper = (rank & mask) != 0;
        first[rounds] = at;
        count[rounds] = left;
        if (upper)
            exchange(message, at, low, at + low, high, rank ^ mask);
        else
            exchange(message, at + low, high, at, low, rank ^ mask);
        at += upper ? low : 0;
        left = upper ? high : low;
    }
    while (rounds-- > 0) {
        const int low = count[rounds] / 2, high = count[rounds] - low, begin = first[rounds];
        if ((rank & (1 << rounds)) != 0)
            exchange(message, begin + low, high, begin, low, rank ^ (1 << rounds));
        else
            exchange(message, begin, low, begin + low, high, rank ^ (1 << rounds));
    }
}

/* Seconds of one step on this node, and those after the end of its backward. */
static void step(const work *w, double slower, char *message, double *seconds, double *exposed)
{
    double ready[BUCKETS], computed = w->forward * slower;
    const double start = MPI_Wtime();
    for (int i = 0; i < w->n; i++)
        ready[i] = computed += w->backward[i] * slower + w->sum[i];
    for (int i = 0; i < w->n; i++) {
        const double now = MPI_Wtime() - start;
        if (ready[i] > now)
            smpi_execute(ready[i] - now);
        allreduce(message, w->elements[i]);
    }
    *exposed += MPI_Wtime() - start - computed;
    smpi_execute(w->update);
    *seconds += MPI_Wtime() - start;
}

static work read_case(char *text)
{
    work w = {0};
    int used = 0;
    if (sscanf(text, "%lf:%lf:%n", &w.forward, &w.update, &used) != 2)
        MPI_Abort(MPI_COMM_WORLD, 64);
    for (text += used; *text != '\0' && w.n < BUCKETS; text += used, w.n++)
        if (sscanf(text, "%d/%lf/%lf%n", &w.elements[w.n], &w.backward[w.n], &w.sum[w.n], &used) !=
            3)
            MPI_Abort(MPI_COMM_WORLD, 64);
        else
            used += text[used] == ',';
    return w;
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (argc < 6)
        MPI_Abort(MPI_COMM_WORLD, 64);
    const int steps = atoi(argv[1]), ranks = atoi(argv[2]);
    for (int i = 5; i < argc; i++) {
        const work w = read_case(argv[i]);
        double mine[2] = {0}, all[2];
        uint64_t state = (uint64_t)rank * 0x9e3779b97f4a7c15u + 1;
        int most = 0;
        for (int k = 0; k < w.n; k++)
            most = w.elements[k] > most ? w.elements[k] : most;
        char *message = calloc((size_t)most + 1, 4);
        if (message == NULL)
            MPI_Abort(MPI_COMM_WORLD, 71);
        MPI_Barrier(MPI_COMM_WORLD);
        for (int k = 0; k < steps; k++)
            step(&w, factor(&state, ranks, atof(argv[3]), atof(argv[4])), message, &mine[0],
                 &mine[1]);
        MPI_Reduce(&mine[0], &all[0], 1, MPI_DOUBLE, MPI_MAX, 0, MPI_COMM_WORLD);
        MPI_Reduce(&mine[1], &all[1], 1, MPI_DOUBLE, MPI_MIN, 0, MPI_COMM_WORLD);
        if (rank == 0)
            printf("%.9f %.9f\n", all[0] * 1e3 / steps, all[1] * 1e3 / steps);
        free(message);
    }
    MPI_Finalize();
    return 0;
}
