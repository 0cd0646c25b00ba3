/* LD_PRELOAD for tests: counts the sums of gradients, one a step, that each rank has begun and ended,
 * in a file that outlives a kill -9: reductions of MPI_UINT32_T, or, in memory of the node, the two
 * barriers around each sum. FMD_STEP_PROBE names the file, 64 bytes a rank: process id, begun, ended,
 * other calls begun, other calls ended. FMD_STEP_PAUSE: microseconds to sleep before each sum, for a
 * training that lasts without computing. */
#include <fcntl.h>
#include <mpi.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { PID, BEGUN, ENDED, OTHER_BEGUN, OTHER_ENDED, SLOT = 8, RANKS = 64 };

/* Windows so far: the first has the data, the second the messages. Barriers since the last one. */
static unsigned windows, begun, ended;
static MPI_Request meeting = MPI_REQUEST_NULL;

static volatile uint64_t *slot(void)
{
    static uint64_t nowhere[SLOT], *mine;
    if (mine != NULL)
        return mine;
    const char *path = getenv("FMD_STEP_PROBE"), *rank = getenv("OMPI_COMM_WORLD_RANK");
    if (rank == NULL)
        rank = getenv("PMIX_RANK");
    const int r = rank != NULL ? atoi(rank) : 0;
    const int fd = path != NULL && r < RANKS ? open(path, O_RDWR | O_CLOEXEC) : -1;
    mine = nowhere;
    if (fd < 0)
        return mine;
    const size_t bytes = RANKS * SLOT * sizeof(uint64_t);
    void *all = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (all != MAP_FAILED)
        mine = (uint64_t *)all + r * SLOT;
    for (int i = 0; i < SLOT; i++)
        mine[i] = 0; /* a process before this one may have counted */
    mine[PID] = (uint64_t)getpid();
    return mine;
}

static void rest(void)
{
    static long pause = -1;
    if (pause < 0) {
        const char *text = getenv("FMD_STEP_PAUSE");
        pause = text != NULL ? atol(text) : 0;
    }
    const struct timespec time = {.tv_sec = pause / 1000000, .tv_nsec = pause % 1000000 * 1000};
    if (pause > 0)
        nanosleep(&time, NULL);
}

int MPI_Allreduce(const void *in, void *out, int n, MPI_Datatype type, MPI_Op op, MPI_Comm comm)
{
    const int other = type == MPI_UINT32_T && windows < 2 ? 0 : OTHER_BEGUN - BEGUN;
    volatile uint64_t *s = slot();
    if (other == 0)
        rest();
    s[BEGUN + other]++;
    const int code = PMPI_Allreduce(in, out, n, type, op, comm);
    s[ENDED + other]++;
    return code;
}

int MPI_Bcast(void *data, int n, MPI_Datatype type, int root, MPI_Comm comm)
{
    volatile uint64_t *s = slot();
    s[OTHER_BEGUN]++;
    const int code = PMPI_Bcast(data, n, type, root, comm);
    s[OTHER_ENDED]++;
    return code;
}

int MPI_Win_allocate_shared(MPI_Aint size, int unit, MPI_Info info, MPI_Comm comm, void *base,
                            MPI_Win *win)
{
    windows++;
    begun = ended = 0;
    return PMPI_Win_allocate_shared(size, unit, info, comm, base, win);
}

static void begin_meeting(void)
{
    if (windows < 2)
        return;
    if (begun % 2 == 0) {
        rest();
        slot()[BEGUN]++;
    }
    begun++;
}

static void end_meeting(void)
{
    if (windows >= 2 && ++ended % 2 == 0)
        slot()[ENDED]++;
}

int MPI_Barrier(MPI_Comm comm)
{
    begin_meeting();
    const int code = PMPI_Barrier(comm);
    end_meeting();
    return code;
}

int MPI_Ibarrier(MPI_Comm comm, MPI_Request *request)
{
    begin_meeting();
    const int code = PMPI_Ibarrier(comm, request);
    meeting = *request;
    return code;
}

int MPI_Test(MPI_Request *request, int *flag, MPI_Status *status)
{
    const int ours = *request == meeting && meeting != MPI_REQUEST_NULL;
    const int code = PMPI_Test(request, flag, status);
    if (ours && *flag) {
        meeting = MPI_REQUEST_NULL;
        end_meeting();
    }
    return code;
}
