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
    void (*write)(void *);  /* these two are protected by `state` */
    void *self;
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
 * so they all wait to be killed. */
static void emergency(fmd_watchdog *g)
{
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_nsec += 300000000;
    limit.tv_sec += limit.tv_nsec / 1000000000;
    limit.tv_nsec %= 1000000000;
    if (pthread_mutex_timedlock(&g->state, &limit) != 0)
        return;
    if (g->write != NULL)
        g->write(g->self);
    pthread_mutex_unlock(&g->state);
}

static void check_progress(fmd_watchdog *g, double now, bool *warned)
{
    const char *phase = g->phase;
    const double limit = g->hang_seconds * (g->files ? FMD_WATCHDOG_FILES : 1);
    const double idle = now - g->since;
    const bool waits = g->waits;
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
    fprintf(stderr,
            "fmnist-dist: error: rank %d (%s): no progress for %.0f s in %s; ended by "
            "--hang-timeout\n",
            g->rank, g->host, idle, phase);
    _exit(FMD_EHANG);
}

static void *watch(void *arg)
{
    fmd_watchdog *g = arg;
    const struct timespec poll = {.tv_nsec = (long)(poll_seconds * 1e9)};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    double asked = 0, last = g->since; /* the thread may start late */
    bool warned = false, saved_in_emergency = false;
    while (!g->end) {
        if (sigtimedwait(&set, NULL, &poll) == SIGTERM)
            note_signal(SIGTERM);
        const double now = fmd_now();
        if (terminated && asked <= 0)
            asked = now;
        if (now - last > suspended_seconds) {
            g->since = g->since + (now - last);
            asked = asked > 0 ? now : 0;
        }
        last = now;
        if (asked > 0 && !saved_in_emergency && now - asked > grace_seconds) {
            saved_in_emergency = true;
            emergency(g);
        }
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
    free(g);
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

void fmd_watchdog_on_emergency(fmd_watchdog *g, void (*write)(void *), void *self)
{
    if (g == NULL)
        return;
    g->self = self;
    g->write = write;
}
