#include "io/json/json_file.h"
#include "io/json/json_object.h"

#include "support/fmd_test.h"
#include "support/temp_folder.h"

#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

typedef struct config {
    int64_t epochs, limit;
    double rate, patience, time;
    bool normalize;
    int reduce;
    char layers[64], stop_when[64];
} config;

static const fmd_option table[] = {
    {.name = "epochs",
     .kind = FMD_OPTION_INT,
     .offset = offsetof(config, epochs),
     .initial = "10",
     .min = 1,
     .max = 100},
    {.name = "limit",
     .kind = FMD_OPTION_INT,
     .offset = offsetof(config, limit),
     .initial = "none",
     .unset = "none"},
    {.name = "learning-rate",
     .kind = FMD_OPTION_FLOAT,
     .offset = offsetof(config, rate),
     .initial = "0.1"},
    {.name = "patience",
     .kind = FMD_OPTION_FLOAT,
     .offset = offsetof(config, patience),
     .initial = "auto",
     .unset = "auto"},
    {.name = "max-time",
     .kind = FMD_OPTION_DURATION,
     .offset = offsetof(config, time),
     .initial = "none",
     .unset = "none"},
    {.name = "normalize",
     .kind = FMD_OPTION_BOOL,
     .offset = offsetof(config, normalize),
     .initial = "true"},
    {.name = "reduce",
     .kind = FMD_OPTION_CHOICE,
     .offset = offsetof(config, reduce),
     .initial = "exact",
     .choices = "exact|native"},
    {.name = "layers",
     .kind = FMD_OPTION_TEXT,
     .offset = offsetof(config, layers),
     .size = 64,
     .initial = ""},
    {.name = "stop-when",
     .kind = FMD_OPTION_TEXT,
     .offset = offsetof(config, stop_when),
     .size = 64,
     .initial = "",
     .repeats = true},
};
enum { N = sizeof table / sizeof *table };

static void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

static void assert_file(const char *path, const char *expected)
{
    char text[2048] = "";
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    assert_string_equal(text, expected);
}

static fmd_status read_text(config *c, const char *text)
{
    bool given[N] = {false};
    write_text(temp_path("config.json"), text);
    return fmd_options_read_json(temp_path("config.json"), table, N, c, given);
}

/* The message after the path of the file. */
static void assert_refused(const char *text, const char *message)
{
    config c;
    char expected[512];
    assert_ok(fmd_options_reset(table, N, &c));
    snprintf(expected, sizeof expected, "%s%s", temp_path("config.json"), message);
    assert_fails(read_text(&c, text), FMD_EUSAGE, expected);
}

static void test_json_file__a_written_config_reads_back_the_same(void **state)
{
    (void)state;
    config c, again;
    bool given[N] = {false};
    memset(&c, 0, sizeof c);
    memset(&again, 0, sizeof again);
    assert_ok(fmd_options_reset(table, N, &c));
    assert_ok(fmd_options_write_json(temp_path("config.json"), table, N, &c));
    assert_ok(fmd_options_read_json(temp_path("config.json"), table, N, &again, given));
    assert_memory_equal(&c, &again, sizeof c);
    for (int i = 0; i < N; i++)
        assert_true(given[i]);

    c = (config){.epochs = 3,
                 .limit = 60000,
                 .rate = 1.0 / 3,
                 .patience = 1e-7,
                 .time = 5400.5,
                 .reduce = 1};
    strcpy(c.layers, "flatten,\"dense\":\t10");
    strcpy(c.stop_when, "accuracy>0.99,loss<0.4");
    memset(&again, 0xff, sizeof again);
    assert_ok(fmd_options_write_json(temp_path("config.json"), table, N, &c));
    assert_ok(fmd_options_read_json(temp_path("config.json"), table, N, &again, given));
    assert_int_equal(again.epochs, 3);
    assert_int_equal(again.limit, 60000);
    assert_true(again.rate == c.rate && again.patience == c.patience && again.time == c.time);
    assert_false(again.normalize);
    assert_int_equal(again.reduce, 1);
    assert_string_equal(again.layers, c.layers);
    assert_string_equal(again.stop_when, c.stop_when);
}

static void test_json_file__numbers_are_short_and_unset_is_null(void **state)
{
    (void)state;
    config c;
    assert_ok(fmd_options_reset(table, N, &c));
    strcpy(c.stop_when, "a>1,b<2");
    c.time = 90;
    assert_ok(fmd_options_write_json(temp_path("config.json"), table, N, &c));
    assert_file(temp_path("config.json"), "{\n"
                                          "  \"epochs\": 10,\n"
                                          "  \"limit\": null,\n"
                                          "  \"learning-rate\": 0.1,\n"
                                          "  \"patience\": null,\n"
                                          "  \"max-time\": \"90\",\n"
                                          "  \"normalize\": true,\n"
                                          "  \"reduce\": \"exact\",\n"
                                          "  \"layers\": \"\",\n"
                                          "  \"stop-when\": [\"a>1\", \"b<2\"]\n"
                                          "}\n");
}

static void test_json_file__only_what_the_file_names_is_set(void **state)
{
    (void)state;
    config c;
    bool given[N] = {false};
    assert_ok(fmd_options_reset(table, N, &c));
    c.epochs = 7;
    write_text(
        temp_path("config.json"),
        "{\"learning_rate\": 1, \"limit\": \"none\", \"max-time\": \"1h30m\", \"stop-when\": []}");
    assert_ok(fmd_options_read_json(temp_path("config.json"), table, N, &c, given));
    assert_int_equal(c.epochs, 7);
    assert_true(c.rate == 1.0 && c.time == 5400);
    assert_int_equal(c.limit, FMD_UNSET_INT);
    const bool expected[N] = {[1] = true, [2] = true, [4] = true, [8] = true};
    assert_memory_equal(given, expected, sizeof given);
}

static void test_json_file__a_syntax_error_has_line_and_column(void **state)
{
    (void)state;
    assert_refused("{\n  \"epochs\": 3,\n  \"limit\" 5\n}", ":3:11: ':' expected near '5'");
    assert_refused("", ":1:0: '[' or '{' expected near end of file");
    assert_refused("{\"epochs\": 3} x", ":1:15: end of file expected near 'x'");
    assert_refused("{\"epochs\": 3, \"epochs\": 4}",
                   ":1:22: duplicate object key near '\"epochs\"'");
    assert_refused("{\"epochs\": 99999999999999999999}",
                   ":1:31: too big integer near '99999999999999999999'");
}

static void test_json_file__an_unknown_key_is_refused_with_the_nearest(void **state)
{
    (void)state;
    assert_refused("{\"epoch\": 3}", ": there is no option 'epoch' (did you mean 'epochs'?)");
    assert_refused("{\"color-of-the-bar\": 3}", ": there is no option 'color-of-the-bar'");
}

static void test_json_file__a_value_of_another_type_is_refused(void **state)
{
    (void)state;
    assert_refused("[1]", ": not a JSON object of options, {\"epochs\": 10}");
    assert_refused("{\"epochs\": \"3\"}", ": epochs: found \"3\", expected an integer");
    assert_refused("{\"epochs\": 3.0}", ": epochs: found 3.0, expected an integer");
    assert_refused("{\"epochs\": null}", ": epochs: found null, expected an integer");
    assert_refused("{\"limit\": true}",
                   ": limit: found true, expected an integer or null for none");
    assert_refused("{\"learning-rate\": [1,{}]}",
                   ": learning-rate: found [1,{}], expected a number");
    assert_refused("{\"normalize\": 1}", ": normalize: found 1, expected true or false");
    assert_refused("{\"layers\": 128}", ": layers: found 128, expected a string");
    assert_refused("{\"layers\": [\"flatten\"]}",
                   ": layers: found [\"flatten\"], expected a string");
    assert_refused("{\"stop-when\": [1]}",
                   ": stop-when: found [1], expected a string or an array of strings");
    assert_refused("{\"max-time\": false}",
                   ": max-time: found false, expected a number or a string or null for none");
}

static void test_json_file__a_value_out_of_range_is_refused_as_on_the_command_line(void **state)
{
    (void)state;
    assert_refused("{\"epochs\": 0}", ": epochs: '0' is not an integer from 1 to 100");
    assert_refused("{\"reduce\": \"natve\"}",
                   ": reduce: 'natve' is not one of exact|native (did you mean 'native'?)");
    assert_refused("{\"learning-rate\": 1, \"learning_rate\": 2}",
                   ": learning-rate is given twice");
}

static void test_json_file__a_missing_file_is_a_missing_input(void **state)
{
    (void)state;
    config c;
    bool given[N];
    assert_fails(fmd_options_read_json("/nowhere/c.json", table, N, &c, given), FMD_ENOINPUT,
                 "cannot open '/nowhere/c.json': No such file or directory");
    assert_fails(fmd_options_read_json("/tmp", table, N, &c, given), FMD_EIO,
                 "cannot read '/tmp': Is a directory");
}

static void test_json_file__a_record_keeps_the_order_of_adding(void **state)
{
    (void)state;
    fmd_json *j;
    assert_ok(fmd_json_create(&j));
    fmd_json_text(j, NULL, "version", "0.1.0");
    fmd_json_append(j, "job", "hosts", "a");
    fmd_json_int(j, "job", "ranks", 8);
    fmd_json_append(j, "job", "hosts", "b\xe9");
    fmd_json_real(j, "result", "loss", 0.1);
    fmd_json_real(j, "result", "best", 3);
    fmd_json_real(j, "result", "val_loss", (double)NAN);
    fmd_json_bool(j, NULL, "done", true);
    fmd_json_row(j, "ranks");
    fmd_json_int(j, "ranks", "rank", 0);
    fmd_json_row(j, "ranks");
    fmd_json_int(j, "ranks", "rank", 1);
    fmd_json_text(j, "ranks", "host", "b");
    assert_ok(fmd_json_write(j, temp_path("run.json")));
    fmd_json_destroy(j);
    fmd_json_destroy(NULL);
    assert_file(temp_path("run.json"), "{\n"
                                       "  \"version\": \"0.1.0\",\n"
                                       "  \"job\": {\n"
                                       "    \"hosts\": [\"a\", \"b?\"],\n"
                                       "    \"ranks\": 8\n"
                                       "  },\n"
                                       "  \"result\": {\n"
                                       "    \"loss\": 0.1,\n"
                                       "    \"best\": 3.0,\n"
                                       "    \"val_loss\": null\n"
                                       "  },\n"
                                       "  \"done\": true,\n"
                                       "  \"ranks\": [{\n"
                                       "      \"rank\": 0\n"
                                       "    }, {\n"
                                       "      \"rank\": 1,\n"
                                       "      \"host\": \"b\"\n"
                                       "    }]\n"
                                       "}\n");
}

static void test_json_file__a_record_reads_back_by_group_and_key(void **state)
{
    (void)state;
    fmd_json *j, *all, *again;
    char *text;
    assert_ok(fmd_json_create(&j));
    fmd_json_text(j, NULL, "version", "1");
    fmd_json_real(j, "result", "loss", 0.25);
    fmd_json_real(j, "result", "val_loss", (double)NAN);
    fmd_json_append(j, NULL, "hosts", "a");
    fmd_json_append(j, NULL, "hosts", "b");
    for (int i = 0; i < 2; i++) {
        fmd_json_row(j, "rows");
        fmd_json_text(j, "rows", "name", i == 0 ? "first" : "second");
        fmd_json_real(j, "rows", "value", i + 0.5);
    }
    assert_ok(fmd_json_write(j, temp_path("run.json")));
    fmd_json_destroy(j);

    assert_ok(fmd_json_read(&again, temp_path("run.json")));
    assert_string_equal(fmd_json_get_text(again, NULL, "version"), "1");
    assert_true(fmd_json_get_real(again, "result", "loss") == 0.25);
    assert_true(isnan(fmd_json_get_real(again, "result", "val_loss")));
    assert_true(isnan(fmd_json_get_real(again, NULL, "version")));
    assert_null(fmd_json_get_text(again, "result", "loss"));
    assert_null(fmd_json_get_text(again, "nowhere", "loss"));
    assert_string_equal(fmd_json_get_item(again, NULL, "hosts", 1), "b");
    assert_null(fmd_json_get_item(again, NULL, "hosts", 2));
    assert_true(fmd_json_has_row(again, "rows", 1));
    assert_string_equal(fmd_json_row_text(again, "rows", 1, "name"), "second");
    assert_true(fmd_json_row_real(again, "rows", 0, "value") == 0.5);
    assert_true(isnan(fmd_json_row_real(again, "rows", 0, "name")));
    assert_null(fmd_json_row_text(again, "rows", 1, "value"));
    assert_false(fmd_json_has_row(again, "rows", 2) || fmd_json_has_row(again, "hosts", 0));
    assert_true(isnan(fmd_json_row_real(again, "nowhere", 0, "value")));

    assert_ok(fmd_json_create(&all));
    fmd_json_append_real(all, "history", "loss", 0.5);
    fmd_json_append_real(all, "history", "loss", (double)INFINITY);
    fmd_json_attach(all, "run", again);
    fmd_json_destroy(again);
    assert_ok(fmd_json_print_text(all, &text));
    assert_non_null(strstr(text, "0.5"));
    assert_non_null(strstr(text, "null"));
    assert_non_null(strstr(text, "\"hosts\""));
    free(text);
    fmd_json_destroy(all);
    unlink(temp_path("run.json"));
}

static void test_json_file__a_record_that_is_none_is_named_with_its_place(void **state)
{
    (void)state;
    fmd_json *j = NULL;
    char message[256];
    FILE *file = fopen(temp_path("bad.json"), "w");
    assert_non_null(file);
    fputs("{\"a\": }", file);
    fclose(file);
    assert_int_equal(fmd_json_read(&j, temp_path("bad.json")), FMD_EDATA);
    snprintf(message, sizeof message, "%s:1:", temp_path("bad.json"));
    assert_memory_equal(fmd_error_message(), message, strlen(message));
    assert_int_equal(fmd_json_read(&j, temp_path("none.json")), FMD_ENOINPUT);
    assert_null(j);
    unlink(temp_path("bad.json"));
}

static void test_json_file__a_line_reads_back(void **state)
{
    (void)state;
    fmd_json *j;
    char *line;
    assert_ok(fmd_json_create(&j));
    fmd_json_text(j, NULL, "type", "a \"b\"\n");
    fmd_json_real(j, "time", "mean", 0.1);
    fmd_json_int(j, "time", "n", 3);
    fmd_json_append(j, NULL, "hosts", "x");
    fmd_json_append(j, NULL, "hosts", "y");
    assert_ok(fmd_json_line(&line, j, "log"));
    fmd_json_destroy(j);
    assert_string_equal(line, "{\"type\":\"a \\\"b\\\"\\n\",\"time\":{\"mean\":0.1,\"n\":3},"
                              "\"hosts\":[\"x\",\"y\"]}\n");
    assert_ok(fmd_json_parse(&j, line, strlen(line), "log"));
    assert_string_equal(fmd_json_get_text(j, NULL, "type"), "a \"b\"\n");
    assert_true(fmd_json_get_real(j, "time", "mean") == 0.1);
    assert_true(fmd_json_get_real(j, "time", "n") == 3);
    assert_string_equal(fmd_json_get_item(j, NULL, "hosts", 1), "y");
    fmd_json_destroy(j);
    assert_fails(fmd_json_parse(&j, line, 8, "log"), FMD_EDATA,
                 "log:1:8: unexpected token near end of file");
    assert_fails(fmd_json_parse(&j, "[1]", 3, "log"), FMD_EDATA, "log: not a JSON object");
    free(line);
}

static void test_json_file__a_failed_write_leaves_the_old_file_and_nothing_else(void **state)
{
    (void)state;
    config c;
    struct rlimit old, small;
    char message[256];
    temp_folder_count(1);
    assert_ok(fmd_options_reset(table, N, &c));
    write_text(temp_path("config.json"), "old");

    /* A limit on the size of files stands for a full disk: the write stops half way. */
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = (struct rlimit){.rlim_cur = 100, .rlim_max = old.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    fmd_status status = fmd_options_write_json(temp_path("config.json"), table, N, &c);
    setrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(status, FMD_EIO);
    snprintf(message, sizeof message, "cannot write '%s': File too large",
             temp_path("config.json"));
    assert_string_equal(fmd_error_message(), message);
    assert_file(temp_path("config.json"), "old");
    assert_int_equal(temp_folder_count(0), 1);

    assert_fails(
        fmd_options_write_json("/nowhere/c.json", table, N, &c), FMD_EIO,
        "cannot write '/nowhere/c.json': its folder cannot be opened: No such file or directory");
    /* The file cannot be renamed over a folder. */
    assert_int_equal(mkdir(temp_path("folder"), 0777), 0);
    status = fmd_options_write_json(temp_path("folder"), table, N, &c);
    rmdir(temp_path("folder"));
    assert_int_equal(status, FMD_EIO);
    assert_int_equal(temp_folder_count(0), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_file__a_written_config_reads_back_the_same),
        cmocka_unit_test(test_json_file__numbers_are_short_and_unset_is_null),
        cmocka_unit_test(test_json_file__only_what_the_file_names_is_set),
        cmocka_unit_test(test_json_file__a_syntax_error_has_line_and_column),
        cmocka_unit_test(test_json_file__an_unknown_key_is_refused_with_the_nearest),
        cmocka_unit_test(test_json_file__a_value_of_another_type_is_refused),
        cmocka_unit_test(test_json_file__a_value_out_of_range_is_refused_as_on_the_command_line),
        cmocka_unit_test(test_json_file__a_missing_file_is_a_missing_input),
        cmocka_unit_test(test_json_file__a_record_keeps_the_order_of_adding),
        cmocka_unit_test(test_json_file__a_record_reads_back_by_group_and_key),
        cmocka_unit_test(test_json_file__a_record_that_is_none_is_named_with_its_place),
        cmocka_unit_test(test_json_file__a_line_reads_back),
        cmocka_unit_test(test_json_file__a_failed_write_leaves_the_old_file_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, temp_folder_make, temp_folder_remove);
}
