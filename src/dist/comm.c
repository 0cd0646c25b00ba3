#include "dist/comm.h"

#include "base/mem.h"
#include "base/timer.h"
#include "dist/comm_private.h"
#include "dist/shared_room.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* Maximum bytes per broadcast: counts in MPI are ints. */
enum { BCAST_BYTES = 1 << 28, COMPARE_BYTES = 256, PAGE_BYTES = 1 << 13 };

void fmd_comm_check(fmd_comm *c, int code, const char *call)
{
    if (code == MPI_SUCCESS)
        return;
    char text[MPI_MAX_ERROR_STRING];
    int length = 0;
    MPI_Error_string(code, text, &length);
    fmd_error_set("%.60s...: %.*s", call, length, text);
    fmd_comm_abort(c, FMD_EINTERNAL);
}

void fmd_comm_abort(fmd_comm *c, fmd_status status)
{
    fprintf(stderr, "fmnist-dist: error: rank %d (%s): %s\n", c->rank, c->host,
            fmd_error_message());
    MPI_Abort(MPI_COMM_WORLD, (int)status);
    abort();
}

static int env_int(const char *name)
{
    const char *text = getenv(name);
    return text != NULL ? atoi(text) : 0;
}

/* With more ranks than cores, a waiting rank must yield its core. mpirun ensures this only if it
 * knows the number of cores. */
static void yield_when_crowded(void)
{
    if (env_int("OMPI_COMM_WORLD_LOCAL_SIZE") > sysconf(_SC_NPROCESSORS_ONLN))
        setenv("OMPI_MCA_mpi_yield_when_idle", "1", 0);
}

/* Whether the launcher, if there is one, has put all ranks on this node. */
static bool alone_on_node(void)
{
    const int size = env_int("OMPI_COMM_WORLD_SIZE");
    if (size > 0)
        return env_int("OMPI_COMM_WORLD_LOCAL_SIZE") == size;
    if (getenv("SLURM_PROCID") != NULL)
        return env_int("SLURM_STEP_NUM_NODES") == 1;
    return getenv("PMIX_RANK") == NULL && getenv("PMI_RANK") == NULL;
}

/* On one node, selects ob1, which uses shared memory. Searching for network hardware would take
 * 0.2 s. */
static void stay_on_node(void)
{
    if (alone_on_node())
        setenv("OMPI_MCA_pml", "ob1", 0);
}

/* Without a launcher, Open MPI starts a daemon in case the process spawns others. This program never
 * does. */
static void start_without_daemon(void)
{
    setenv("OMPI_MCA_ess_singleton_isolated", "1", 0);
}

/* Over TCP, Open MPI asks the other side before it sends more than 64 KB, which costs two latencies a
 * message, and progress while the ranks compute. A message of up to 1 MB is sent at once instead. */
static void send_at_once(void)
{
    static const char *const limits[] = {"OMPI_MCA_btl_tcp_eager_limit",
                                         "OMPI_MCA_btl_tcp_rndv_eager_limit",
                                         "OMPI_MCA_btl_tcp_max_send_size"};
    enum { LIMITS = sizeof limits / sizeof *limits };
    for (int i = 0; i < LIMITS; i++)
        if (getenv(limits[i]) != NULL)
            return;
    for (int i = 0; i < LIMITS; i++)
        setenv(limits[i], "1048576", 0);
}

/* For nonblocking sums in place, Open MPI's default sends the whole message up and down a binomial tree.
 * Rabenseifner's algorithm sends twice a message from each rank, on any number of ranks. */
static void sum_by_halves(void)
{
    setenv("OMPI_MCA_coll_libnbc_iallreduce_algorithm", "3", 0);
}

/* The launcher of another MPI starts several processes, each with an MPI_COMM_WORLD of one rank. Only
 * the first process prints the message. */
fmd_status fmd_comm_check_launcher(const fmd_comm *c)
{
    static const struct {
        const char *count, *rank, *cure;
    } launchers[] = {
        {"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "start it with the mpirun of that MPI"},
        {"PMI_SIZE", "PMI_RANK", "start it with the mpirun of that MPI"},
        {"SLURM_STEP_NUM_TASKS", "SLURM_PROCID",
         "use srun --mpi=pmix (srun --mpi=list shows what there is) or mpirun"},
    };
    for (size_t i = 0; c->size == 1 && i < sizeof launchers / sizeof *launchers; i++) {
        if (getenv(launchers[i].count) == NULL)
            continue;
        const int started = env_int(launchers[i].count);
        if (started <= 1)
            return FMD_OK;
        if (env_int(launchers[i].rank) != 0)
            return FMD_FAIL_SILENTLY(FMD_EUSAGE);
        return FMD_FAIL(FMD_EUSAGE,
                        "started as %d separate processes that do not see each other: the launcher "
                        "does not speak to the MPI of this program (%s); %s",
                        started, fmd_comm_library(), launchers[i].cure);
    }
    return FMD_OK;
}

/* Whether the process has a communicator: the first one to close would end MPI under the second. */
static bool is_open;

fmd_status fmd_comm_open(fmd_comm **out)
{
    const double began = fmd_now();
    int started, ended, provided;
    if (is_open)
        return FMD_FAIL(FMD_EUSAGE,
                        "the job is open already: a process has one fmd_comm at a time");
    MPI_Finalized(&ended);
    if (ended)
        return FMD_FAIL(FMD_EUSAGE,
                        "MPI has ended and cannot start again in the same process; to "
                        "open the job twice, call MPI_Init before and MPI_Finalize after");
    MPI_Initialized(&started);
    if (!started) {
        yield_when_crowded();
        stay_on_node();
        start_without_daemon();
        sum_by_halves();
        send_at_once();
        if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS)
            return FMD_FAIL(FMD_EINTERNAL, "MPI does not start");
    }
    fmd_comm *c = NULL;
    FMD_TRY(fmd_alloc(&c, 1, sizeof *c, "the communicator"));
    c->ends_mpi = !started;
    int length;
    MPI_Get_processor_name(c->host, &length);
    FMD_MPI(c, MPI_Comm_dup(MPI_COMM_WORLD, &c->world));
    FMD_MPI(c, MPI_Comm_set_errhandler(c->world, MPI_ERRORS_RETURN));
    FMD_MPI(c, MPI_Comm_rank(c->world, &c->rank));
    FMD_MPI(c, MPI_Comm_size(c->world, &c->size));
    FMD_MPI(c,
            MPI_Comm_split_type(c->world, MPI_COMM_TYPE_SHARED, c->rank, MPI_INFO_NULL, &c->node));
    FMD_MPI(c, MPI_Comm_rank(c->node, &c->node_rank));
    FMD_MPI(c, MPI_Comm_size(c->node, &c->node_size));
    const int leader = c->node_rank == 0;
    FMD_MPI(c, MPI_Comm_split(c->world, leader ? 0 : MPI_UNDEFINED, c->rank, &c->leaders));
    FMD_MPI(c, MPI_Allreduce(&leader, &c->nodes, 1, MPI_INT, MPI_SUM, c->world));
    c->crowded = c->node_size > fmd_comm_node_cores(c);
    FMD_MPI(c, MPI_Allreduce(MPI_IN_PLACE, &c->crowded, 1, MPI_INT, MPI_MAX, c->world));
    c->open_seconds = fmd_now() - began;
    is_open = true;
    *out = c;
    return FMD_OK;
}

void fmd_comm_close(fmd_comm *c)
{
    if (c == NULL)
        return;
    fmd_comm_unshare_all(c);
    if (c->leaders != MPI_COMM_NULL)
        MPI_Comm_free(&c->leaders);
    MPI_Comm_free(&c->node);
    MPI_Comm_free(&c->world);
    const bool ends_mpi = c->ends_mpi;
    free(c);
    is_open = false;
    if (ends_mpi)
        MPI_Finalize();
}

/* MPI waits by polling, which takes CPU time from other ranks on the core, even with yielding. */
void fmd_comm_await(fmd_comm *c, MPI_Comm ranks)
{
    const struct timespec nap = {.tv_nsec = 20000};
    int all_here = 0;
    MPI_Request barrier;
    if (!c->crowded) {
        FMD_MPI(c, MPI_Barrier(ranks));
        return;
    }
    FMD_MPI(c, MPI_Ibarrier(ranks, &barrier));
    for (;;) {
        FMD_MPI(c, MPI_Test(&barrier, &all_here, MPI_STATUS_IGNORE));
        if (all_here)
            return;
        nanosleep(&nap, NULL);
    }
}

void fmd_comm_await_all(fmd_comm *c)
{
    if (c->crowded)
        fmd_comm_await(c, c->world);
}

int fmd_comm_rank(const fmd_comm *c)
{
    return c->rank;
}

int fmd_comm_size(const fmd_comm *c)
{
    return c->size;
}

int fmd_comm_node_rank(const fmd_comm *c)
{
    return c->node_rank;
}

int fmd_comm_node_size(const fmd_comm *c)
{
    return c->node_size;
}

int fmd_comm_nodes(const fmd_comm *c)
{
    return c->nodes;
}

const char *fmd_comm_host(const fmd_comm *c)
{
    return c->host;
}

double fmd_comm_open_seconds(const fmd_comm *c)
{
    return c->open_seconds;
}

int fmd_comm_node_cores(fmd_comm *c)
{
    cpu_set_t cores;
    CPU_ZERO(&cores);
    sched_getaffinity(0, sizeof cores, &cores);
    FMD_MPI(c, MPI_Allreduce(MPI_IN_PLACE, &cores, sizeof cores, MPI_BYTE, MPI_BOR, c->node));
    return CPU_COUNT(&cores);
}

const char *fmd_comm_library(void)
{
    static char version[MPI_MAX_LIBRARY_VERSION_STRING];
    int length;
    MPI_Get_library_version(version, &length);
    version[strcspn(version, ",\n")] = '\0'; /* "Open MPI v4.1.4", without the packager's notes */
    return version;
}

void fmd_comm_barrier(fmd_comm *c)
{
    FMD_MPI(c, MPI_Barrier(c->world));
}

void fmd_comm_node_barrier(fmd_comm *c)
{
    atomic_thread_fence(memory_order_seq_cst);
    fmd_comm_await(c, c->node);
    atomic_thread_fence(memory_order_seq_cst);
}

/* Broadcasts from rank 0 of the communicator `over`. */
static void bcast(fmd_comm *c, MPI_Comm over, void *data, size_t bytes)
{
    for (char *at = data; bytes > 0;) {
        const size_t n = bytes < BCAST_BYTES ? bytes : BCAST_BYTES;
        FMD_MPI(c, MPI_Bcast(at, (int)n, MPI_BYTE, 0, over));
        at += n;
        bytes -= n;
    }
}

void fmd_comm_bcast(fmd_comm *c, void *data, size_t bytes)
{
    bcast(c, c->world, data, bytes);
}

void fmd_comm_mark(fmd_comm_place place)
{
    MPI_Pcontrol((int)place);
}

/* MPI counts in int. */
void fmd_comm_to_root(fmd_comm *c, int from, void *data, size_t bytes)
{
    const size_t most = (size_t)1 << 30;
    char *at = data;
    for (size_t left = bytes, n; left > 0 && (c->rank == 0 || c->rank == from); left -= n) {
        n = left < most ? left : most;
        if (c->rank == 0)
            FMD_MPI(c, MPI_Recv(at, (int)n, MPI_BYTE, from, 0, c->world, MPI_STATUS_IGNORE));
        else
            FMD_MPI(c, MPI_Send(at, (int)n, MPI_BYTE, 0, 0, c->world));
        at += n;
    }
}

void fmd_comm_sum_i64(fmd_comm *c, int64_t *values, int n)
{
    FMD_MPI(c, MPI_Allreduce(MPI_IN_PLACE, values, n, MPI_INT64_T, MPI_SUM, c->world));
}

void fmd_comm_mean(fmd_comm *c, double *values, int n)
{
    FMD_MPI(c, MPI_Allreduce(MPI_IN_PLACE, values, n, MPI_DOUBLE, MPI_SUM, c->world));
    for (int i = 0; i < n; i++)
        values[i] /= c->size;
}

void fmd_comm_max(fmd_comm *c, double *values, int n)
{
    FMD_MPI(c, MPI_Allreduce(MPI_IN_PLACE, values, n, MPI_DOUBLE, MPI_MAX, c->world));
}

void fmd_comm_min(fmd_comm *c, double *values, int n)
{
    FMD_MPI(c, MPI_Allreduce(MPI_IN_PLACE, values, n, MPI_DOUBLE, MPI_MIN, c->world));
}

fmd_status fmd_comm_agree(fmd_comm *c, fmd_status mine)
{
    struct {
        int status, rank;
    } worst, local = {(int)mine, c->rank};
    FMD_MPI(c, MPI_Allreduce(&local, &worst, 1, MPI_2INT, MPI_MAXLOC, c->world));
    if (worst.status == FMD_OK)
        return FMD_OK;
    char text[FMD_ERROR_BYTES] = "";
    if (c->rank == worst.rank && c->rank == 0)
        snprintf(text, sizeof text, "%s", fmd_error_message());
    else if (c->rank == worst.rank)
        snprintf(text, sizeof text, "rank %d (%s): %.700s", c->rank, c->host, fmd_error_message());
    FMD_MPI(c, MPI_Bcast(text, sizeof text, MPI_CHAR, worst.rank, c->world));
    return FMD_FAIL((fmd_status)worst.status, "%s", text);
}

fmd_status fmd_comm_same(fmd_comm *c, const void *data, size_t bytes, const char *what)
{
    char first[COMPARE_BYTES];
    if (bytes > sizeof first)
        return FMD_FAIL(FMD_EINTERNAL, "%s: %zu bytes are too many to compare", what, bytes);
    memcpy(first, data, bytes);
    bcast(c, c->world, first, bytes);
    int differs = memcmp(first, data, bytes) != 0 ? c->rank : c->size;
    FMD_MPI(c, MPI_Allreduce(MPI_IN_PLACE, &differs, 1, MPI_INT, MPI_MIN, c->world));
    if (differs < c->size)
        return FMD_FAIL(FMD_EDESYNC, "ranks 0 and %d differ in %s", differs, what);
    return FMD_OK;
}

/* Collective over the node. With too little space, Open MPI 4.1 fails on one rank and leaves the
 * others waiting, so the space is checked first. If the folder is not
 * writable, Open MPI uses its session folder instead. */
static fmd_status check_shared_room(fmd_comm *c, size_t bytes)
{
    uint64_t needed = bytes + PAGE_BYTES; /* the rank's part and its share of Open MPI's data */
    FMD_MPI(c, MPI_Allreduce(MPI_IN_PLACE, &needed, 1, MPI_UINT64_T, MPI_SUM, c->node));
    /* Each rank maps the parts of all. A limit of the process (ulimit -v) may forbid it. */
    void *const place =
        mmap(NULL, needed, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (place == MAP_FAILED)
        return FMD_FAIL(FMD_ENOMEM,
                        "out of memory: %s has no room for %.1f MB that its ranks share: a higher "
                        "limit (ulimit -v)",
                        c->host, (double)needed / 1e6);
    munmap(place, needed);
    return c->node_size == 1 ? FMD_OK : fmd_shared_room_check("", c->host, (double)needed);
}

/* Takes the pages of this rank's part now: the first access to one that the system does not have would
 * be a SIGBUS, and until then windows that are made later count its space as free. Linux before 5.14
 * does not know the request. */
static bool take_pages(void *base, size_t bytes)
{
#ifdef MADV_POPULATE_WRITE
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), at = (uintptr_t)base;
    const uintptr_t first = at / page * page;
    return bytes == 0 || madvise((void *)first, at + bytes - first, MADV_POPULATE_WRITE) == 0 ||
           errno == EINVAL;
#else
    (void)base;
    (void)bytes;
    return true;
#endif
}

static fmd_status too_small(const fmd_comm *c, size_t bytes)
{
    return FMD_FAIL(FMD_ENOMEM,
                    "the ranks of %s cannot share %.1f MB of memory: /dev/shm is too small (in a "
                    "container: --shm-size)",
                    c->host, (double)bytes / 1e6);
}

fmd_status fmd_comm_window(fmd_comm *c, size_t bytes, MPI_Win *window)
{
    void *base;
    FMD_TRY(fmd_comm_agree(c, check_shared_room(c, bytes)));
    const int code =
        MPI_Win_allocate_shared((MPI_Aint)bytes, 1, MPI_INFO_NULL, c->node, &base, window);
    FMD_TRY(fmd_comm_agree(c, code == MPI_SUCCESS ? FMD_OK : too_small(c, bytes)));
    const fmd_status st = fmd_comm_agree(
        c, c->node_size == 1 || take_pages(base, bytes) ? FMD_OK : too_small(c, bytes));
    if (st != FMD_OK)
        MPI_Win_free(window);
    return st;
}

fmd_status fmd_comm_shared(fmd_comm *c, size_t bytes, void **out)
{
    if (c->n_windows == FMD_COMM_WINDOWS)
        return FMD_FAIL(FMD_EINTERNAL, "more than %d shared windows", FMD_COMM_WINDOWS);
    MPI_Win *window = &c->windows[c->n_windows];
    MPI_Aint size;
    int unit;
    void *base;
    FMD_TRY(fmd_comm_window(c, c->node_rank == 0 ? bytes : 0, window));
    c->n_windows++;
    FMD_MPI(c, MPI_Win_shared_query(*window, 0, &size, &unit, &base));
    *out = bytes > 0 ? base : NULL;
    return FMD_OK;
}

void fmd_comm_share(fmd_comm *c, void *shared, size_t bytes)
{
    if (c->leaders != MPI_COMM_NULL)
        bcast(c, c->leaders, shared, bytes);
    FMD_MPI(c, MPI_Barrier(c->node));
}

void fmd_comm_unshare(fmd_comm *c)
{
    FMD_MPI(c, MPI_Win_free(&c->windows[--c->n_windows]));
}

void fmd_comm_unshare_all(fmd_comm *c)
{
    while (c->n_windows > 0)
        fmd_comm_unshare(c);
}

void fmd_comm_gather(fmd_comm *c, const void *mine, size_t bytes, void *all)
{
    FMD_MPI(c, MPI_Gather(mine, (int)bytes, MPI_BYTE, all, (int)bytes, MPI_BYTE, 0, c->world));
}
