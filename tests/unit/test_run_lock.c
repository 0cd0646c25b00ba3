/* The lock on a run folder, between processes. */
#include "support/fmd_test.h"
#include "support/idx_files.h"

#include "base/log.h"
#include "io/run_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* In place of the C library's: what a file system without locks says, or 0. */
static int no_locks;

int fcntl(int fd, int command, ...)
{
    va_list args;
    va_start(args, command);
    void *argument = va_arg(args, void *);
    va_end(args);
    if (no_locks != 0 && command == F_OFD_SETLK) {
        errno = no_locks;
        return -1;
    }
#ifdef SYS_fcntl64 /* 32 bits */
    return (int)syscall(SYS_fcntl64, fd, command, argument);
#else
    return (int)syscall(SYS_fcntl, fd, command, argument);
#endif
}

/* A process that takes the lock of "." and holds it until it is killed. */
static pid_t start_owner(void)
{
    int ready[2];
    char word = 0;
    assert_int_equal(pipe(ready), 0);
    const pid_t pid = fork();
    if (pid == 0) {
        fmd_run_lock l;
        word = fmd_run_lock_take(&l, ".") == FMD_OK ? 'y' : 'n';
        if (write(ready[1], &word, 1) == 1)
            pause();
        _exit(1);
    }
    assert_true(pid > 0);
    assert_int_equal(read(ready[0], &word, 1), 1);
    close(ready[0]);
    close(ready[1]);
    assert_int_equal(word, 'y');
    return pid;
}

static void kill_owner(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void a_second_process_is_refused_and_told_who_has_it(void **state)
{
    (void)state;
    char host[128] = "", expected[256];
    unsetenv("SLURM_JOB_ID");
    gethostname(host, sizeof host - 1);
    const pid_t owner = start_owner();
    fmd_run_lock l = {.generation = 0};
    snprintf(expected, sizeof expected, "the run folder '.' is in use by process %ld on %s",
             (long)owner, host);
    const fmd_status st = fmd_run_lock_take(&l, ".");
    kill_owner(owner);
    assert_fails(st, FMD_EBUSY, expected);
    assert_int_equal(l.generation, 0);
}

static void the_owner_is_named_with_its_slurm_job(void **state)
{
    (void)state;
    setenv("SLURM_JOB_ID", "4711", 1);
    const pid_t owner = start_owner();
    unsetenv("SLURM_JOB_ID");
    fmd_run_lock l;
    const fmd_status st = fmd_run_lock_take(&l, ".");
    kill_owner(owner);
    assert_int_equal(st, FMD_EBUSY);
    assert_non_null(strstr(fmd_error_message(), ", job 4711"));
}

static void others_see_who_holds_it_and_change_nothing(void **state)
{
    (void)state;
    char who[FMD_RUN_LOCK_OWNER], expected[64];
    fmd_run_lock_owner(".", who);
    assert_string_equal(who, "");
    assert_int_equal(access("run.lock", F_OK), -1);
    const pid_t owner = start_owner();
    snprintf(expected, sizeof expected, "process %ld on ", (long)owner);
    fmd_run_lock_owner(".", who);
    const bool held = fmd_run_lock_is_held(".");
    kill_owner(owner);
    assert_true(held);
    assert_int_equal(strncmp(who, expected, strlen(expected)), 0);
    assert_false(fmd_run_lock_is_held("."));
    fmd_run_lock_owner(".", who);
    assert_int_equal(strncmp(who, expected, strlen(expected)), 0);
}

static void the_death_of_the_owner_releases_it(void **state)
{
    (void)state;
    fmd_run_lock l;
    kill_owner(start_owner());
    assert_ok(fmd_run_lock_take(&l, "."));
    fmd_run_lock_release(&l);
}

static void others_can_see_whether_it_is_held(void **state)
{
    (void)state;
    assert_false(fmd_run_lock_is_held("."));
    const pid_t owner = start_owner();
    const bool held = fmd_run_lock_is_held(".");
    kill_owner(owner);
    assert_true(held);
    assert_false(fmd_run_lock_is_held("."));
}

static void each_owner_has_a_later_generation(void **state)
{
    (void)state;
    fmd_run_lock l;
    for (int i = 1; i <= 3; i++) {
        assert_ok(fmd_run_lock_take(&l, "."));
        assert_int_equal(l.generation, i);
        fmd_run_lock_release(&l);
    }
    kill_owner(start_owner());
    assert_ok(fmd_run_lock_take(&l, "."));
    assert_int_equal(l.generation, 5);
    fmd_run_lock_release(&l);
}

static void to_be_refused_raises_no_generation(void **state)
{
    (void)state;
    fmd_run_lock l;
    const pid_t owner = start_owner();
    const fmd_status st = fmd_run_lock_take(&l, ".");
    kill_owner(owner);
    assert_int_equal(st, FMD_EBUSY);
    assert_ok(fmd_run_lock_check(&(fmd_run_lock){.generation = 1}, "."));
}

static void an_older_process_is_told_that_it_was_replaced(void **state)
{
    (void)state;
    fmd_run_lock first, second;
    assert_ok(fmd_run_lock_take(&first, "."));
    const fmd_run_lock mine = first;
    assert_ok(fmd_run_lock_check(&mine, "."));
    fmd_run_lock_release(&first); /* as where locks do not reach */
    assert_ok(fmd_run_lock_take(&second, "."));
    assert_fails(fmd_run_lock_check(&mine, "."), FMD_EBUSY,
                 "another process has taken the run folder '.' over (generation 2, this one is 1): "
                 "nothing more is written");
    assert_ok(fmd_run_lock_check(&second, "."));
    fmd_run_lock_release(&second);
}

static void a_folder_that_was_replaced_is_not_ours(void **state)
{
    (void)state;
    fmd_run_lock old, new;
    make_subfolder(".", "run");
    assert_ok(fmd_run_lock_take(&old, "run"));
    assert_int_equal(rename("run", "moved"), 0);
    static const char message[] = "the run folder 'run' was moved, removed or replaced while this "
                                  "training used it: nothing more is written";
    assert_fails(fmd_run_lock_check(&old, "run"), FMD_EBUSY, message);
    make_subfolder(".", "run");
    assert_ok(fmd_run_lock_take(&new, "run"));
    assert_fails(fmd_run_lock_check(&old, "run"), FMD_EBUSY, message);
    assert_ok(fmd_run_lock_check(&new, "run"));
    assert_ok(fmd_run_lock_check(&old, "moved"));
    fmd_run_lock_release(&old);
    fmd_run_lock_release(&new);
}

static void to_release_twice_is_to_release_once(void **state)
{
    (void)state;
    fmd_run_lock l;
    assert_ok(fmd_run_lock_take(&l, "."));
    const int fd = l.fd;
    fmd_run_lock_release(&l);
    assert_int_equal(dup2(STDERR_FILENO, fd), fd);
    fmd_run_lock_release(&l);
    assert_int_equal(close(fd), 0);
}

static void a_folder_that_is_not_there_cannot_be_locked(void **state)
{
    (void)state;
    fmd_run_lock l;
    assert_fails(fmd_run_lock_take(&l, "nowhere"), FMD_EBUSY,
                 "cannot lock the run folder 'nowhere': No such file or directory");
}

static void without_locks_the_generation_is_all_there_is(void **state)
{
    (void)state;
    static const int errors[] = {ENOSYS, EOPNOTSUPP, ENOLCK};
    fmd_run_lock l;
    fmd_log_open(FMD_LOG_ERROR, 0);
    for (int i = 0; i < 3; i++) {
        no_locks = errors[i];
        const fmd_status st = fmd_run_lock_take(&l, ".");
        no_locks = 0;
        assert_ok(st);
        assert_int_equal(l.generation, i + 1);
        fmd_run_lock_release(&l);
    }
    assert_int_equal(fmd_run_lock_check(&(fmd_run_lock){.generation = 2}, "."), FMD_EBUSY);
    no_locks = EIO;
    const fmd_status st = fmd_run_lock_take(&l, ".");
    no_locks = 0;
    assert_fails(st, FMD_EBUSY, "cannot lock the run folder '.': Input/output error");
}

static void a_generation_that_cannot_be_noted_is_an_error_and_leaves_the_old_one(void **state)
{
    (void)state;
    fmd_run_lock l;
    assert_ok(fmd_run_lock_take(&l, "."));
    fmd_run_lock_release(&l);
    make_subfolder(".", "generation.new");
    assert_fails(fmd_run_lock_take(&l, "."), FMD_EIO,
                 "cannot write './generation': Is a directory");
    assert_int_equal(rmdir("generation.new"), 0);
    assert_ok(fmd_run_lock_take(&l, "."));
    assert_int_equal(l.generation, 2);
    fmd_run_lock_release(&l);
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(a_second_process_is_refused_and_told_who_has_it),
        in_folder(the_owner_is_named_with_its_slurm_job),
        in_folder(others_see_who_holds_it_and_change_nothing),
        in_folder(the_death_of_the_owner_releases_it),
        in_folder(others_can_see_whether_it_is_held),
        in_folder(each_owner_has_a_later_generation),
        in_folder(to_be_refused_raises_no_generation),
        in_folder(an_older_process_is_told_that_it_was_replaced),
        in_folder(a_folder_that_was_replaced_is_not_ours),
        in_folder(to_release_twice_is_to_release_once),
        in_folder(a_folder_that_is_not_there_cannot_be_locked),
        in_folder(without_locks_the_generation_is_all_there_is),
        in_folder(a_generation_that_cannot_be_noted_is_an_error_and_leaves_the_old_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
