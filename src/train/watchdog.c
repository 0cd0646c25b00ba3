#include "train/watchdog.h"

#include "base/mem.h"
#include "base/timer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Seconds between checks of the clock. Seconds until a requested stop must have happened; otherwise
 * a rank is dead (Open MPI leaves one second between SIGTERM and SIGKILL). Seconds in one phase
 * before a warning. */
static const double poll_seconds = 0.05, grace_seconds = 0.1, warn_seconds = 60;
/* A gap between checks that indicates a suspended job. The delay of ranks that wait in a
 * collective, so that the rank that they wait for reports first. */
static const double suspended_seconds = 5, courtesy_seconds = 2;
/* A rank whose watchdog has not run for this long is stopped. The time to record a hang. */
static const double silent_seconds = 1.5, record_seconds = 3;

/* One rank's place on the board of its node. */
typedef struct slot {
    _Atomic double beat; /* the watchdog ran */
    int rank;
} slot;

typedef struct board {
    atomic_flag reported; /* a rank has reported the hang */
    slot slots[];
} board;

struct fmd_watchdog {
    pthread_t thread;
    pthread_mutex_t state; /* the lock on the state of the training */
    int rank;
    const char *host;
    double hang_seconds;
    _Atomic double since; /* the phase began */
    _Atomic(const char *) phase;
    atomic_bool files;
    atomic_bool end, waits; /* `waits`: the state is unlocked */
    bool (*write)(void *);  /* these three are protected by `state` */
    void *self;
    bool saved;             /* an emergency checkpoint was written since the state was unlocked */
    _Atomic(board *) board; /* of the node, in shared memory; NULL: none */
    int node_rank, node_size, nodes;
    void (*record)(void *, const char *); /* protected by `recording` */
    void *recorder;
    pthread_mutex_t recording;
    char message[512]; /* of the hang */
    atomic_bool recorded;
};

/* Global, since a handler has no argument; lock-free, since it may use nothing else. */
static atomic_int pending, terminated;
_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "a signal handler takes no lock");

static void note_signal(int signal)
{
    pending = signal;
    if (signal == SIGTERM)
        terminated = 1;
}

/* Makes write() fail with EPIPE or EFBIG. Programs that this one starts do not inherit a
 * handler. */
static void ignore_signal(int signal)
{
    (void)signal;
}

static bool has_default_action(int signal)
{
    struct sigaction now;
    return sigaction(signal, NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) &&
           now.sa_handler == SIG_DFL;
}

/* Changes neither a signal that is ignored, as SIGHUP under nohup, nor one that a library
 * handles. */
static void handle(int signal, void (*handler)(int), int flags)
{
    const struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART | flags};
    if (has_default_action(signal))
        sigaction(signal, &action, NULL);
}

/* Whether a signal asks the program to end. The others cannot be caught, report a fault of the
 * program, stop or continue it, or are ignored by default. */
static bool asks_to_end(int signal)
{
    static const int others[] = {SIGKILL, SIGSTOP, SIGILL, SIGTRAP, SIGABRT, SIGBUS,
                                 SIGFPE,  SIGSEGV, SIGSYS, SIGCHLD, SIGCONT, SIGTSTP,
                                 SIGTTIN, SIGTTOU, SIGURG, SIGWINCH};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (signal == others[i])
            return false;
    return true;
}

/* Signals from the keyboard end the program at the second press. */
static bool is_from_keyboard(int signal)
{
    return signal == SIGINT || signal == SIGQUIT;
}

void fmd_watchdog_prepare(void)
{
    sigset_t set;
    handle(SIGPIPE, ignore_signal, 0);
    handle(SIGXFSZ, ignore_signal, 0);
    for (int signal = 1; signal <= SIGRTMAX; signal++)
        if (asks_to_end(signal) && !is_from_keyboard(signal))
            handle(signal, note_signal, 0);
    /* The handler of SIGTERM is for the threads that libraries started before it was blocked. */
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/* The first surviving rank writes the checkpoint. mpirun ends the job as soon as one of them exits,
 * so they all wait to be killed. Where the state is locked, the next call is another try: on a busy
 * machine the training thread may take long for the end of a step. That may also come after a
 * checkpoint has been written, if the dead rank had done its part: then there is a newer state. */
static void emergency(fmd_watchdog *g)
{
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_nsec += 300000000;
    limit.tv_sec += limit.tv_nsec / 1000000000;
    limit.tv_nsec %= 1000000000;
    if (pthread_mutex_timedlock(&g->state, &limit) != 0)
        return;
    if (!g->saved)
        g->saved = g->write == NULL || g->write(g->self);
    pthread_mutex_unlock(&g->state);
}

/* The rank of this node that has been silent for longest, and its seconds; -1: none is silent. */
static int find_silent(const board *b, int n, double now, double *seconds)
{
    int silent = -1;
    *seconds = silent_seconds;
    for (int i = 0; i < n; i++) {
        const double age = now - b->slots[i].beat;
        if (age <= *seconds)
            continue;
        *seconds = age;
        silent = b->slots[i].rank;
    }
    return silent;
}

static void *call_record(void *arg)
{
    fmd_watchdog *g = arg;
    pthread_mutex_lock(&g->recording);
    if (g->record != NULL)
        g->record(g->recorder, g->message);
    pthread_mutex_unlock(&g->recording);
    g->recorded = true;
    return NULL;
}

/* Ends the process. One rank of the node reports: the others wait for mpirun to end them, or the
 * record would be cut off. A disk may be what hangs, so the record has a time limit. */
static _Noreturn void end_hang(fmd_watchdog *g)
{
    const struct timespec poll = {.tv_nsec = (long)(poll_seconds * 1e9)};
    const board *b = g->board;
    const bool reports = b == NULL || !atomic_flag_test_and_set(&g->board->reported);
    pthread_t thread;
    if (reports) {
        fprintf(stderr, "fmnist-dist: error: %s\n", g->message);
        g->recorded = pthread_create(&thread, NULL, call_record, g) != 0;
    }
    for (double left = record_seconds; left > 0 && !(reports && g->recorded); left -= poll_seconds)
        nanosleep(&poll, NULL);
    _exit(FMD_EHANG);
}

static void check_progress(fmd_watchdog *g, double now, bool *warned)
{
    const char *phase = g->phase;
    const board *b = g->board;
    const double limit = g->hang_seconds * (g->files ? FMD_WATCHDOG_FILES : 1);
    const double idle = now - g->since;
    const bool waits = g->waits;
    double seconds = 0;
    if (idle < warn_seconds)
        *warned = false;
    if (g->hang_seconds <= 0)
        return;
    if (idle >= warn_seconds && !*warned && idle < limit) {
        *warned = true;
        fprintf(stderr, "fmnist-dist: warning: rank %d (%s): no progress for %.0f s in %s\n",
                g->rank, g->host, idle, phase);
    }
    if (idle < limit + (waits ? courtesy_seconds : 0))
        return;
    const int silent = waits && b != NULL ? find_silent(b, g->node_size, now, &seconds) : -1;
    /* Nobody here is silent: the node with the silent rank reports first. */
    if (waits && silent < 0 && g->nodes > 1 && idle < limit + 2 * courtesy_seconds)
        return;
    if (silent >= 0)
        snprintf(g->message, sizeof g->message,
                 "rank %d (%s) has been silent for %.0f s, stopped or stuck in the system, while "
                 "the others wait in %s; ended by --hang-timeout",
                 silent, g->host, seconds, phase);
    else if (waits && g->nodes > 1)
        snprintf(g->message, sizeof g->message,
                 "%s waits for another node for %.0f s in %s; ended by --hang-timeout", g->host,
                 idle, phase);
    else
        snprintf(g->message, sizeof g->message,
                 "rank %d (%s): no progress for %.0f s in %s; ended by --hang-timeout", g->rank,
                 g->host, idle, phase);
    end_hang(g);
}

static void *watch(void *arg)
{
    fmd_watchdog *g = arg;
    const struct timespec poll = {.tv_nsec = (long)(poll_seconds * 1e9)};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    double asked = 0, last = g->since; /* the thread may start late */
    bool warned = false;
    while (!g->end) {
        if (sigtimedwait(&set, NULL, &poll) == SIGTERM)
            note_signal(SIGTERM);
        const double now = fmd_now();
        board *b = g->board;
        if (b != NULL)
            b->slots[g->node_rank].beat = now;
        if (terminated && asked <= 0)
            asked = now;
        if (now - last > suspended_seconds) {
            g->since = g->since + (now - last);
            asked = asked > 0 ? now : 0;
        }
        last = now;
        if (asked > 0 && now - asked > grace_seconds)
            emergency(g);
        check_progress(g, now, &warned);
    }
    return NULL;
}

fmd_status fmd_watchdog_start(fmd_watchdog **out, int rank, const char *host, double hang_seconds)
{
    fmd_watchdog *g;
    FMD_TRY(fmd_alloc(&g, 1, sizeof *g, "the watching thread"));
    g->rank = rank;
    g->host = host;
    g->hang_seconds = hang_seconds;
    g->since = fmd_now();
    g->phase = "start";
    g->files = true;
    g->nodes = 1;
    pthread_mutex_init(&g->recording, NULL);
    pthread_mutex_init(&g->state, NULL);
    pthread_mutex_lock(&g->state);

    handle(SIGINT, note_signal, (int)SA_RESETHAND);
    handle(SIGQUIT, note_signal, (int)SA_RESETHAND);
    const int error = pthread_create(&g->thread, NULL, watch, g);
    if (error != 0) {
        free(g);
        return FMD_FAIL(FMD_ENOMEM,
                        "cannot start the watchdog thread: %s; raise the limit of memory or of "
                        "processes (ulimit -v, ulimit -u)",
                        strerror(error));
    }
    *out = g;
    return FMD_OK;
}

void fmd_watchdog_stop(fmd_watchdog *g)
{
    if (g == NULL)
        return;
    g->end = true;
    pthread_join(g->thread, NULL);
    pthread_mutex_unlock(&g->state);
    pthread_mutex_destroy(&g->state);
    pthread_mutex_destroy(&g->recording);
    free(g);
}

fmd_status fmd_watchdog_share(fmd_watchdog *g, fmd_comm *c)
{
    void *shared;
    const int n = fmd_comm_node_size(c);
    FMD_TRY(fmd_comm_shared(c, sizeof(board) + (size_t)n * sizeof(slot), &shared));
    board *b = shared;
    g->node_rank = fmd_comm_node_rank(c);
    g->node_size = n;
    g->nodes = fmd_comm_nodes(c);
    b->slots[g->node_rank].rank = g->rank;
    b->slots[g->node_rank].beat = fmd_now();
    if (g->node_rank == 0)
        atomic_flag_clear(&b->reported);
    fmd_comm_barrier(c);
    g->board = b;
    return FMD_OK;
}

int fmd_watchdog_signal(const fmd_watchdog *g)
{
    return g != NULL ? pending : 0;
}

/* The clock first, since check_progress reads it last: no phase is judged by the limit of the
 * next. */
static void enter(fmd_watchdog *g, const char *phase, bool files)
{
    if (g == NULL)
        return;
    g->since = fmd_now();
    g->phase = phase;
    g->files = files;
}

void fmd_watchdog_phase(fmd_watchdog *g, const char *phase)
{
    enter(g, phase, false);
}

void fmd_watchdog_files(fmd_watchdog *g, const char *phase)
{
    enter(g, phase, true);
}

void fmd_watchdog_unlock(fmd_watchdog *g)
{
    if (g == NULL)
        return;
    g->waits = true;
    g->saved = false;
    pthread_mutex_unlock(&g->state);
}

void fmd_watchdog_lock(fmd_watchdog *g)
{
    if (g == NULL)
        return;
    pthread_mutex_lock(&g->state);
    g->since = fmd_now(); /* the wait is over */
    g->waits = false;
}

void fmd_watchdog_on_emergency(fmd_watchdog *g, bool (*write)(void *), void *self)
{
    if (g == NULL)
        return;
    g->self = self;
    g->write = write;
}

void fmd_watchdog_on_hang(fmd_watchdog *g, void (*record)(void *self, const char *message),
                          void *self)
{
    if (g == NULL)
        return;
    pthread_mutex_lock(&g->recording);
    g->record = record;
    g->recorder = self;
    pthread_mutex_unlock(&g->recording);
}
