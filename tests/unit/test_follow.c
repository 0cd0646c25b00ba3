/* A run's log, read while it grows. */
#include "support/temp_folder.h"

#include "run/follow.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#define HEAD                                                                                       \
    "{\"type\":\"start\",\"time\":1,\"epoch\":0,\"step\":0,\"global_step\":0,\"ranks\":2}\n"
#define EPOCH(N, STEP)                                                                             \
    "{\"type\":\"epoch\",\"epoch\":" #N ",\"global_step\":" #STEP ",\"loss\":0.5}\n"
#define RESUME(STEP) "{\"type\":\"resume\",\"time\":2,\"global_step\":" #STEP "}\n"
#define END          "{\"type\":\"end\",\"state\":\"done\",\"exit_code\":0,\"message\":\"\"}\n"

static fmd_follow run;

static int begin(void **state)
{
    (void)state;
    memset(&run, 0, sizeof run);
    snprintf(run.folder, sizeof run.folder, "%s", temp_folder);
    return 0;
}

static int end(void **state)
{
    (void)state;
    fmd_follow_free(&run);
    temp_folder_count(1);
    return 0;
}

static void append(const char *text)
{
    FILE *file = fopen(temp_path("events.jsonl"), "a");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void read_on(void)
{
    assert_ok(fmd_follow_read(&run));
}

static void test_follow__half_a_line_is_read_when_it_is_whole(void **state)
{
    (void)state;
    const char *const line = EPOCH(0, 10);
    append(HEAD);
    for (const char *at = line; *at != '\0'; at++) {
        append((const char[]){*at, '\0'});
        read_on();
        assert_int_equal(run.n_epochs, at[1] == '\0');
    }
    append(EPOCH(1, 20));
    read_on();
    assert_int_equal(run.n_epochs, 2);
    assert_int_equal(run.n_losses, 2);
}

static void test_follow__half_a_line_that_is_cut_leaves_no_trace(void **state)
{
    (void)state;
    append(HEAD EPOCH(0, 10) "{\"type\":\"epoch\",\"epo");
    read_on();
    assert_int_equal(truncate(temp_path("events.jsonl"), (off_t)strlen(HEAD EPOCH(0, 10))), 0);
    append(RESUME(10) EPOCH(1, 20));
    read_on();
    assert_int_equal(run.n_epochs, 2);
}

static void test_follow__what_is_done_again_counts_once(void **state)
{
    (void)state;
    append(HEAD EPOCH(0, 10) EPOCH(1, 20) EPOCH(2, 30) RESUME(15));
    read_on();
    assert_int_equal(run.n_epochs, 1);
    assert_int_equal(run.n_losses, 1);
    assert_ptr_equal(run.epoch, run.epochs[0]);
    append(EPOCH(1, 20));
    read_on();
    assert_int_equal(run.n_epochs, 2);
    append(HEAD);
    read_on();
    assert_int_equal(run.n_epochs, 0);
    assert_null(run.epoch);
}

static void test_follow__another_file_is_read_from_its_beginning(void **state)
{
    (void)state;
    append(HEAD EPOCH(0, 10) EPOCH(1, 20));
    read_on();
    unlink(temp_path("events.jsonl"));
    append(HEAD EPOCH(0, 10));
    read_on();
    assert_int_equal(run.n_epochs, 1);
}

static void test_follow__an_end_is_one_until_the_run_goes_on(void **state)
{
    (void)state;
    append(HEAD EPOCH(0, 10) END);
    read_on();
    assert_int_equal(run.state, FMD_FOLLOW_ENDED);
    assert_string_equal(run.verdict, "done, exit code 0");
    append(RESUME(10));
    read_on();
    assert_int_equal(run.state, FMD_FOLLOW_DIED); /* nobody holds the folder */
}

/* With the clock of the file at so many seconds ago. */
static fmd_follow_state state_after(time_t seconds)
{
    const struct timespec then = {.tv_sec = time(NULL) - seconds};
    assert_int_equal(
        utimensat(AT_FDCWD, temp_path("events.jsonl"), (struct timespec[]){then, then}, 0), 0);
    read_on();
    return run.state;
}

static void test_follow__on_another_host_it_dies_of_silence_alone(void **state)
{
    (void)state;
    FILE *file = fopen(temp_path("run.lock"), "w");
    assert_non_null(file);
    fputs("process 5 on elsewhere, job 7\n", file);
    fclose(file);
    append(HEAD);
    assert_int_equal(state_after(0), FMD_FOLLOW_RUNS);
    assert_string_equal(run.verdict, "running, process 5 on elsewhere, job 7");
    assert_int_equal(state_after(60), FMD_FOLLOW_IS_SILENT);
    assert_non_null(strstr(run.verdict, "its lock is not seen from here"));
    assert_int_equal(state_after(200), FMD_FOLLOW_DIED);
    append(END);
    read_on();
    assert_int_equal(run.state, FMD_FOLLOW_ENDED);
}

static void test_follow__values_of_another_kind_do_no_harm(void **state)
{
    (void)state;
    append(
        "{\"type\":\"start\"}\n{\"type\":5}\n{\"type\":\"epoch\",\"epoch\":\"x\",\"loss\":null}\n"
        "[]\n\n{}\n{\"type\":\"end\",\"state\":1}\n\x01\x02\n");
    read_on();
    assert_int_equal(run.n_epochs, 1);
    assert_int_equal(run.state, FMD_FOLLOW_DIED);
}

#define on_run(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_run(test_follow__half_a_line_is_read_when_it_is_whole),
        on_run(test_follow__half_a_line_that_is_cut_leaves_no_trace),
        on_run(test_follow__what_is_done_again_counts_once),
        on_run(test_follow__another_file_is_read_from_its_beginning),
        on_run(test_follow__an_end_is_one_until_the_run_goes_on),
        on_run(test_follow__on_another_host_it_dies_of_silence_alone),
        on_run(test_follow__values_of_another_kind_do_no_harm),
    };
    return cmocka_run_group_tests(tests, temp_folder_make, temp_folder_remove);
}
