/* events.jsonl: whole lines whatever happens. */
#include "support/temp_folder.h"

#include "io/json/event_log.h"

#include <signal.h>
#include <sys/resource.h>

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void assert_file(const char *path, const char *expected)
{
    static char found[65536];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    found[fread(found, 1, sizeof found - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(found, expected);
}

/* {"n":5} */
static fmd_json *line_of(int n)
{
    fmd_json *j;
    assert_ok(fmd_json_create(&j));
    fmd_json_int(j, NULL, "n", n);
    return j;
}

static void write_one(fmd_event_log *log, int n)
{
    fmd_json *j = line_of(n);
    assert_ok(fmd_event_log_write(log, j));
    fmd_json_destroy(j);
}

static void test_event_log__lines_are_there_at_once_and_a_later_process_appends(void **state)
{
    (void)state;
    const char *path = temp_path("events.jsonl");
    fmd_event_log *log;
    assert_ok(fmd_event_log_open(&log, path));
    write_one(log, 1);
    assert_file(path, "{\"n\":1}\n");
    write_one(log, 2);
    fmd_event_log_close(log);
    fmd_json *j = line_of(3);
    assert_ok(fmd_event_log_append(path, j));
    fmd_json_destroy(j);
    assert_file(path, "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n");
    temp_folder_count(1);
}

static void test_event_log__half_a_line_is_cut(void **state)
{
    (void)state;
    static char longest[20001] = "{\"n\":\"";
    memset(longest + 6, 'x', sizeof longest - 7);
    const char *const halves[] = {"{\"n\":", "{\"n\":1}", "x", longest};
    const char *path = temp_path("events.jsonl");
    for (size_t i = 0; i < sizeof halves / sizeof *halves; i++)
        for (int lines = 0; lines < 2; lines++) {
            static char text[32768];
            fmd_event_log *log;
            snprintf(text, sizeof text, "%s%s", lines ? "{\"n\":7}\n" : "", halves[i]);
            write_text(path, text);
            assert_ok(fmd_event_log_open(&log, path));
            write_one(log, 8);
            fmd_event_log_close(log);
            assert_file(path, lines ? "{\"n\":7}\n{\"n\":8}\n" : "{\"n\":8}\n");
        }
    temp_folder_count(1);
}

static void test_event_log__a_full_disk_leaves_the_lines_before(void **state)
{
    (void)state;
    const char *path = temp_path("events.jsonl");
    char expected[256];
    struct rlimit old, small;
    fmd_event_log *log;
    assert_ok(fmd_event_log_open(&log, path));
    write_one(log, 1);
    /* A limit on the size of files stands for a full disk: the write stops half way. */
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = (struct rlimit){.rlim_cur = 12, .rlim_max = old.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    fmd_json *j = line_of(2);
    const fmd_status st = fmd_event_log_write(log, j);
    setrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, SIG_DFL);
    snprintf(expected, sizeof expected, "cannot write '%s': No space left on device", path);
    assert_fails(st, FMD_EIO, expected);
    assert_file(path, "{\"n\":1}\n");
    assert_ok(fmd_event_log_write(log, j));
    assert_file(path, "{\"n\":1}\n{\"n\":2}\n");
    fmd_json_destroy(j);
    fmd_event_log_close(log);
    temp_folder_count(1);
}

static void test_event_log__an_event_begins_with_type_and_time(void **state)
{
    (void)state;
    fmd_json *j;
    char *line;
    assert_ok(fmd_event_log_begin(&j, "step"));
    assert_ok(fmd_json_line(&line, j, "events.jsonl"));
    assert_int_equal(strncmp(line, "{\"type\":\"step\",\"time\":", 22), 0);
    assert_true(fmd_json_get_real(j, NULL, "time") > 1.7e9);
    free(line);
    fmd_json_destroy(j);
}

static void test_event_log__a_path_that_cannot_be_written_is_named(void **state)
{
    (void)state;
    fmd_event_log *log;
    assert_fails(fmd_event_log_open(&log, "/nowhere/events.jsonl"), FMD_EIO,
                 "cannot write '/nowhere/events.jsonl': No such file or directory");
    fmd_json *j = line_of(1);
    assert_fails(fmd_event_log_append("/dev/full", j), FMD_EIO,
                 "cannot write '/dev/full': No space left on device");
    fmd_json_destroy(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_event_log__lines_are_there_at_once_and_a_later_process_appends),
        cmocka_unit_test(test_event_log__half_a_line_is_cut),
        cmocka_unit_test(test_event_log__a_full_disk_leaves_the_lines_before),
        cmocka_unit_test(test_event_log__an_event_begins_with_type_and_time),
        cmocka_unit_test(test_event_log__a_path_that_cannot_be_written_is_named),
    };
    return cmocka_run_group_tests(tests, temp_folder_make, temp_folder_remove);
}
