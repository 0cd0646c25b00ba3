/* The watching thread. Each behaviour has a process of its own, since signals are never forgotten;
 * they sleep more than they work, so all of them begin before the first one is judged. Where a time
 * decides, a machine that is too busy makes a try void, not wrong. */
#include "support/fmd_test.h"

#include "base/timer.h"
#include "train/watchdog.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Longer than the watchdog waits before a last checkpoint, and than it waits for the state; what it
 * leaves to those who were asked to stop is 100 ms. */
enum { LONG_MS = 900, GRACE_MS = 100 };
/* The exit code of a void try, and for how long anything is waited for that should come. */
enum { VOID = 120, PATIENCE_MS = 20000 };

static void sleep_ms(int ms)
{
    usleep((useconds_t)ms * 1000);
}

typedef struct child {
    int (*body)(void);
    pid_t pid;
    int stderr_end;
} child;

static child children[32];
static size_t n_children;

/* What the child says on stderr. */
static char said[1024];

/* Runs `body` in a child, whose exit code is what it returns. */
static void begin(int (*body)(void))
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    fflush(stdout);
    const pid_t pid = fork();
    if (pid == 0) {
        dup2(fds[1], STDERR_FILENO);
        close(fds[0]);
        close(fds[1]);
        signal(SIGINT, SIG_DFL); /* a shell that starts the tests in the background ignores it */
        fmd_watchdog_prepare();
        _exit(body());
    }
    close(fds[1]);
    assert_true(pid > 0 && n_children < sizeof children / sizeof children[0]);
    children[n_children++] = (child){.body = body, .pid = pid, .stderr_end = fds[0]};
}

/* Awaits the last child that runs `body`; the result is waitpid's. */
static int end(int (*body)(void))
{
    int status = -1;
    size_t used = 0, i = n_children;
    ssize_t n;
    while (i > 0 && children[i - 1].body != body)
        i--;
    assert_true(i > 0);
    const child *c = &children[i - 1];
    while ((n = read(c->stderr_end, said + used, sizeof said - 1 - used)) > 0)
        used += (size_t)n;
    said[used] = '\0';
    close(c->stderr_end);
    assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
    return status;
}

static void assert_exits(int (*body)(void), int code)
{
    int status = end(body);
    for (int i = 0; i < 10 && WIFEXITED(status) && WEXITSTATUS(status) == VOID; i++) {
        begin(body);
        status = end(body);
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != code)
        fail_msg("the process ended with status %#x, expected exit code %d; it said '%s'", status,
                 code, said);
}

static fmd_watchdog *start(double hang_seconds)
{
    fmd_watchdog *g = NULL;
    if (fmd_watchdog_start(&g, 3, "node7", hang_seconds) != FMD_OK)
        _exit(100);
    return g;
}

/* Exit code 0: this signal, and no other, is seen as the request to stop. */
static int is_seen(int signal)
{
    fmd_watchdog *g = start(0);
    const int before = fmd_watchdog_signal(g);
    kill(getpid(), signal);
    for (int i = 0; i < PATIENCE_MS && fmd_watchdog_signal(g) == 0; i++)
        sleep_ms(1);
    const bool seen = before == 0 && fmd_watchdog_signal(g) == signal;
    fmd_watchdog_stop(g);
    return !seen;
}

/* What a thread of a library does with a signal to the process: its mask is another one. */
static void *take(void *signal)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_UNBLOCK, &all, NULL);
    pthread_kill(pthread_self(), *(int *)signal);
    return NULL;
}

/* Exit code 0: a signal before the watchdog has started ends nothing and is not forgotten. */
static int is_kept(int signal)
{
    pthread_t library;
    pthread_create(&library, NULL, take, &signal);
    pthread_join(library, NULL);
    fmd_watchdog *g = start(0);
    const bool kept = fmd_watchdog_signal(g) == signal;
    fmd_watchdog_stop(g);
    return !kept;
}

static int usr1(void)
{
    return is_seen(SIGUSR1);
}

static int term(void)
{
    return is_seen(SIGTERM);
}

static int interrupted_once(void)
{
    return is_seen(SIGINT);
}

static void each_of_the_signals_asks_to_stop(void **state)
{
    (void)state;
    assert_exits(usr1, 0);
    assert_exits(term, 0);
    assert_exits(interrupted_once, 0);
}

static int usr1_early(void)
{
    return is_kept(SIGUSR1);
}

static int term_early(void)
{
    return is_kept(SIGTERM);
}

static int all_that_end(void)
{
    const int signals[] = {SIGHUP,  SIGQUIT,   SIGALRM, SIGVTALRM, SIGPROF,  SIGUSR1, SIGUSR2,
                           SIGPOLL, SIGSTKFLT, SIGPWR,  SIGXCPU,   SIGRTMIN, SIGRTMAX};
    fmd_watchdog *g = start(0);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        raise(signals[i]);
        if (fmd_watchdog_signal(g) != signals[i])
            return signals[i];
    }
    fmd_watchdog_stop(g);
    return 0;
}

static void any_signal_that_would_end_the_process_asks_to_stop(void **state)
{
    (void)state;
    assert_exits(all_that_end, 0);
}

static int hangup_under_nohup(void)
{
    signal(SIGHUP, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    fmd_watchdog_prepare();
    fmd_watchdog *g = start(0);
    raise(SIGHUP);
    raise(SIGINT);
    const int seen = fmd_watchdog_signal(g);
    fmd_watchdog_stop(g);
    return seen;
}

static void an_ignored_signal_stays_ignored(void **state)
{
    (void)state;
    assert_exits(hangup_under_nohup, 0);
}

static int full(void)
{
    const struct rlimit limit = {.rlim_cur = 1, .rlim_max = 1};
    int ends[2];
    FILE *file = tmpfile();
    if (file == NULL || pipe(ends) != 0 || close(ends[0]) != 0 ||
        setrlimit(RLIMIT_FSIZE, &limit) != 0)
        return 100;
    const bool broken = write(ends[1], "xx", 2) == -1 && errno == EPIPE;
    const bool filled = write(fileno(file), "xx", 2) == 1;
    const bool too_large = write(fileno(file), "xx", 2) == -1 && errno == EFBIG;
    return !broken + 2 * !filled + 4 * !too_large;
}

static void a_closed_pipe_and_a_file_size_limit_are_errors_of_write(void **state)
{
    (void)state;
    assert_exits(full, 0);
}

static void a_signal_before_the_start_is_kept(void **state)
{
    (void)state;
    assert_exits(usr1_early, 0);
    assert_exits(term_early, 0);
}

static int usr1_twice(void)
{
    const int first = is_seen(SIGUSR1);
    fmd_watchdog *g = start(0);
    kill(getpid(), SIGUSR1);
    fmd_watchdog_stop(g);
    return first;
}

static void a_second_usr1_changes_nothing(void **state)
{
    (void)state;
    assert_exits(usr1_twice, 0);
}

static int interrupted_twice(void)
{
    fmd_watchdog *g = start(0);
    raise(SIGINT);
    if (fmd_watchdog_signal(g) != SIGINT)
        return 1;
    raise(SIGINT);
    return 2;
}

static void a_second_int_ends_the_process_at_once(void **state)
{
    (void)state;
    const int status = end(interrupted_twice);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGINT);
}

static int without_watchdog(void)
{
    fmd_watchdog_phase(NULL, "nothing");
    fmd_watchdog_files(NULL, "nothing");
    fmd_watchdog_unlock(NULL);
    fmd_watchdog_lock(NULL);
    fmd_watchdog_on_emergency(NULL, NULL, NULL);
    fmd_watchdog_stop(NULL);
    return fmd_watchdog_signal(NULL);
}

static void without_a_watchdog_nothing_happens(void **state)
{
    (void)state;
    assert_exits(without_watchdog, 0);
}

static atomic_int emergencies;
static int told;

static bool count_emergency(void *self)
{
    emergencies++;
    *(int *)self = 1;
    return true;
}

/* The number of last checkpoints after a signal, at least `expected` where they come at all;
 * `freed`: nobody comes back to own the state. */
static int count_emergencies(int signal, bool freed, bool wanted, int expected)
{
    fmd_watchdog *g = start(0);
    if (wanted)
        fmd_watchdog_on_emergency(g, count_emergency, &told);
    if (freed)
        fmd_watchdog_unlock(g);
    kill(getpid(), signal);
    for (int i = 0; i < PATIENCE_MS && emergencies < expected; i++)
        sleep_ms(1);
    sleep_ms(LONG_MS);
    const int n = emergencies;
    if (freed)
        fmd_watchdog_lock(g);
    fmd_watchdog_stop(g);
    return n + (n > 0 && !told ? 50 : 0);
}

static int in_vain(void)
{
    return count_emergencies(SIGTERM, true, true, 1);
}

static void *sleep_unblocked(void *arg)
{
    (void)arg;
    sigset_t none;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    sleep_ms(20000);
    return NULL;
}

/* OpenBLAS has threads before main begins. */
static int term_to_a_thread_of_a_library(void)
{
    pthread_t thread;
    return pthread_create(&thread, NULL, sleep_unblocked, NULL) != 0 ||
           count_emergencies(SIGTERM, true, true, 1) != 1;
}

static int while_owned(void)
{
    return count_emergencies(SIGTERM, false, true, 0);
}

static int with_nothing_to_write(void)
{
    return count_emergencies(SIGTERM, true, false, 0);
}

static int for_usr1(void)
{
    return count_emergencies(SIGUSR1, true, true, 0);
}

static int request_met(void)
{
    fmd_watchdog *g = start(0);
    fmd_watchdog_on_emergency(g, count_emergency, &told);
    fmd_watchdog_unlock(g);
    const double asked = fmd_now();
    kill(getpid(), SIGTERM);
    for (int i = 0; i < PATIENCE_MS && fmd_watchdog_signal(g) == 0; i++)
        sleep_ms(1);
    fmd_watchdog_lock(g);                    /* the step is done, the training ends as it should */
    if (fmd_now() - asked > GRACE_MS * 1e-3) /* the watchdog may have been right to write */
        return VOID;
    fmd_watchdog_on_emergency(g, NULL, NULL);
    sleep_ms(LONG_MS);
    fmd_watchdog_stop(g);
    return emergencies;
}

/* The watchdog already waits for the state when training ends: what it would write is no more. */
static int withdrawn(void)
{
    fmd_watchdog *g = start(0);
    fmd_watchdog_on_emergency(g, count_emergency, &told);
    kill(getpid(), SIGTERM);
    sleep_ms(2 * GRACE_MS + 50);
    fmd_watchdog_on_emergency(g, NULL, NULL);
    fmd_watchdog_unlock(g);
    sleep_ms(LONG_MS);
    fmd_watchdog_lock(g);
    fmd_watchdog_stop(g);
    return emergencies;
}

/* A busy machine: the end of a step takes longer than the watchdog waits for the state at once. */
static int owned_for_long(void)
{
    fmd_watchdog *g = start(0);
    fmd_watchdog_on_emergency(g, count_emergency, &told);
    kill(getpid(), SIGTERM);
    sleep_ms(1000);
    fmd_watchdog_unlock(g);
    for (int i = 0; i < PATIENCE_MS && emergencies < 1; i++)
        sleep_ms(1);
    fmd_watchdog_lock(g);
    fmd_watchdog_stop(g);
    return emergencies;
}

/* The dead rank had done its part of the step, which ends behind the first checkpoint. */
static int one_step_more(void)
{
    fmd_watchdog *g = start(0);
    fmd_watchdog_on_emergency(g, count_emergency, &told);
    fmd_watchdog_unlock(g);
    kill(getpid(), SIGTERM);
    for (int i = 0; i < PATIENCE_MS && emergencies < 1; i++)
        sleep_ms(1);
    fmd_watchdog_lock(g);
    fmd_watchdog_unlock(g);
    for (int i = 0; i < PATIENCE_MS && emergencies < 2; i++)
        sleep_ms(1);
    sleep_ms(LONG_MS);
    fmd_watchdog_lock(g);
    fmd_watchdog_stop(g);
    return emergencies;
}

static void a_state_that_is_owned_for_long_is_written_later(void **state)
{
    (void)state;
    assert_exits(owned_for_long, 1);
}

static void a_step_that_ends_behind_a_last_checkpoint_gets_one_too(void **state)
{
    (void)state;
    assert_exits(one_step_more, 2);
}

static void who_waits_in_vain_after_term_writes_a_last_checkpoint_once(void **state)
{
    (void)state;
    assert_exits(in_vain, 1);
}

static void a_signal_that_a_library_thread_takes_counts_too(void **state)
{
    (void)state;
    assert_exits(term_to_a_thread_of_a_library, 0);
}

static void a_state_that_is_being_changed_is_not_written(void **state)
{
    (void)state;
    assert_exits(while_owned, 0);
}

static void a_request_that_is_met_needs_no_last_checkpoint(void **state)
{
    (void)state;
    assert_exits(request_met, 0);
}

static void without_a_way_to_write_there_is_no_last_checkpoint(void **state)
{
    (void)state;
    assert_exits(with_nothing_to_write, 0);
}

static void what_was_withdrawn_is_not_written(void **state)
{
    (void)state;
    assert_exits(withdrawn, 0);
}

/* mpirun sends TERM where a rank has died; USR1 comes from people. */
static void only_term_makes_a_last_checkpoint(void **state)
{
    (void)state;
    assert_exits(for_usr1, 0);
}

/* While a checkpoint is written, the training does not go on. */
static atomic_bool writing;

static bool write_slowly(void *self)
{
    (void)self;
    writing = true;
    sleep_ms(300);
    writing = false;
    emergencies++;
    return true;
}

static int owner_comes_back(void)
{
    fmd_watchdog *g = start(0);
    fmd_watchdog_on_emergency(g, write_slowly, NULL);
    fmd_watchdog_unlock(g);
    kill(getpid(), SIGTERM);
    for (int i = 0; i < PATIENCE_MS && !writing && emergencies == 0; i++)
        sleep_ms(1);
    const bool began = writing || emergencies == 1;
    fmd_watchdog_lock(g);
    const bool right = began && !writing && emergencies == 1;
    fmd_watchdog_stop(g);
    return !right;
}

static void the_state_is_not_owned_while_it_is_written(void **state)
{
    (void)state;
    assert_exits(owner_comes_back, 0);
}

static int hang(void)
{
    fmd_watchdog *g = start(0.3);
    fmd_watchdog_phase(g, "the sum of the gradients");
    sleep_ms(20000);
    fmd_watchdog_stop(g);
    return 0;
}

static void a_phase_that_does_not_end_ends_the_process_and_is_named(void **state)
{
    (void)state;
    assert_exits(hang, FMD_EHANG);
    assert_int_equal(FMD_EHANG, 86);
    assert_non_null(strstr(said, "fmnist-dist: error: rank 3 (node7): no progress for "));
    assert_non_null(strstr(said, " s in the sum of the gradients; ended by --hang-timeout\n"));
}

static int write_for_ever(void)
{
    fmd_watchdog *g = start(0.1);
    fmd_watchdog_files(g, "writing");
    sleep_ms(20000);
    fmd_watchdog_stop(g);
    return 0;
}

/* Longer than the timeout at a file; and from there to a phase that is just as short. */
static int write_slowly_then_go_on(void)
{
    fmd_watchdog *g = start(0.6);
    sleep_ms(LONG_MS);
    fmd_watchdog_files(g, "writing");
    sleep_ms(LONG_MS);
    fmd_watchdog_phase(g, "training");
    fmd_watchdog_stop(g);
    return 0;
}

static void files_have_ten_times_as_long_but_not_for_ever(void **state)
{
    (void)state;
    assert_exits(write_slowly_then_go_on, 0);
    assert_string_equal(said, "");
    assert_exits(write_for_ever, FMD_EHANG);
    assert_non_null(strstr(said, " s in writing; ended by --hang-timeout\n"));
}

/* After the timeout, and before the two seconds by which the culprit comes first. */
static int wait_in_vain(void)
{
    fmd_watchdog *g = start(0.3);
    fmd_watchdog_phase(g, "waiting");
    fmd_watchdog_unlock(g);
    sleep_ms(LONG_MS);
    fmd_watchdog_lock(g);
    fmd_watchdog_stop(g);
    return 0;
}

static void who_waits_for_others_lets_the_culprit_speak_first(void **state)
{
    (void)state;
    assert_exits(wait_in_vain, 0);
    assert_string_equal(said, "");
}

static int move_on(void)
{
    fmd_watchdog *g = start(2.5);
    for (int i = 0; i < 50; i++) {
        fmd_watchdog_phase(g, i % 2 != 0 ? "one" : "other");
        sleep_ms(60);
    }
    fmd_watchdog_stop(g);
    return 0;
}

static int hang_for_ever(void)
{
    fmd_watchdog *g = start(0);
    sleep_ms(LONG_MS);
    fmd_watchdog_stop(g);
    return 0;
}

static void who_moves_on_is_left_alone(void **state)
{
    (void)state;
    assert_exits(move_on, 0);
    assert_string_equal(said, "");
}

static void a_timeout_of_nothing_means_never(void **state)
{
    (void)state;
    assert_exits(hang_for_ever, 0);
    assert_string_equal(said, "");
}

/* Stopped for longer than the timeout; it goes on for less than that. */
static int suspended(void)
{
    fmd_watchdog *g = start(3);
    fmd_watchdog_phase(g, "training");
    const pid_t me = getpid(), waker = fork();
    if (waker == 0) {
        kill(me, SIGSTOP);
        sleep_ms(5500);
        kill(me, SIGCONT);
        _exit(0);
    }
    sleep_ms(500);
    waitpid(waker, NULL, 0);
    fmd_watchdog_stop(g);
    return 0;
}

static void a_suspended_job_is_not_shot(void **state)
{
    (void)state;
    assert_exits(suspended, 0);
    assert_string_equal(said, "");
}

static int begin_all(void **state)
{
    int (*const bodies[])(void) = {usr1,
                                   term,
                                   interrupted_once,
                                   all_that_end,
                                   hangup_under_nohup,
                                   full,
                                   usr1_early,
                                   term_early,
                                   usr1_twice,
                                   interrupted_twice,
                                   without_watchdog,
                                   in_vain,
                                   owned_for_long,
                                   one_step_more,
                                   term_to_a_thread_of_a_library,
                                   while_owned,
                                   with_nothing_to_write,
                                   for_usr1,
                                   withdrawn,
                                   request_met,
                                   owner_comes_back,
                                   hang,
                                   write_for_ever,
                                   write_slowly_then_go_on,
                                   wait_in_vain,
                                   move_on,
                                   hang_for_ever,
                                   suspended};
    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        begin(bodies[i]);
    return 0;
}

/* As under `ulimit -v`: there is no memory for the stack of a thread. */
static int start_without_memory(void)
{
    fmd_watchdog *g = NULL;
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%ld", &pages) != 1)
        return 1;
    fclose(file);
    const rlim_t bytes = (rlim_t)(pages * sysconf(_SC_PAGESIZE) + (1 << 20));
    setrlimit(RLIMIT_AS, &(struct rlimit){bytes, bytes});
    const fmd_status st = fmd_watchdog_start(&g, 0, "host", 0);
    return st == FMD_ENOMEM && strstr(fmd_error_message(), "ulimit -v") != NULL ? 0 : 1;
}

static void without_memory_for_a_thread_it_says_which_limit(void **state)
{
    (void)state;
#ifdef __SANITIZE_ADDRESS__
    skip(); /* which needs memory itself */
#endif
    int status = -1;
    fflush(NULL);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(start_without_memory());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_of_the_signals_asks_to_stop),
        cmocka_unit_test(without_memory_for_a_thread_it_says_which_limit),
        cmocka_unit_test(any_signal_that_would_end_the_process_asks_to_stop),
        cmocka_unit_test(an_ignored_signal_stays_ignored),
        cmocka_unit_test(a_closed_pipe_and_a_file_size_limit_are_errors_of_write),
        cmocka_unit_test(a_signal_before_the_start_is_kept),
        cmocka_unit_test(a_second_usr1_changes_nothing),
        cmocka_unit_test(a_second_int_ends_the_process_at_once),
        cmocka_unit_test(without_a_watchdog_nothing_happens),
        cmocka_unit_test(who_waits_in_vain_after_term_writes_a_last_checkpoint_once),
        cmocka_unit_test(a_state_that_is_owned_for_long_is_written_later),
        cmocka_unit_test(a_step_that_ends_behind_a_last_checkpoint_gets_one_too),
        cmocka_unit_test(a_signal_that_a_library_thread_takes_counts_too),
        cmocka_unit_test(a_state_that_is_being_changed_is_not_written),
        cmocka_unit_test(a_request_that_is_met_needs_no_last_checkpoint),
        cmocka_unit_test(without_a_way_to_write_there_is_no_last_checkpoint),
        cmocka_unit_test(what_was_withdrawn_is_not_written),
        cmocka_unit_test(only_term_makes_a_last_checkpoint),
        cmocka_unit_test(the_state_is_not_owned_while_it_is_written),
        cmocka_unit_test(a_phase_that_does_not_end_ends_the_process_and_is_named),
        cmocka_unit_test(files_have_ten_times_as_long_but_not_for_ever),
        cmocka_unit_test(who_waits_for_others_lets_the_culprit_speak_first),
        cmocka_unit_test(who_moves_on_is_left_alone),
        cmocka_unit_test(a_timeout_of_nothing_means_never),
        cmocka_unit_test(a_suspended_job_is_not_shot),
    };
    return cmocka_run_group_tests(tests, begin_all, NULL);
}
