#include "report/plots/gnuplot.h"

#include "support/fmd_test.h"
#include "support/temp_folder.h"

static const fmd_gnuplot line = {
    .name = "line",
    .formats = "svg png",
    .width = 300,
    .height = 200,
    .data = "x,y\n1,2\n2,3\n",
    .strings = "",
    .commands = "# how it is drawn\nplot data using 1:2 skip 1 with lines notitle\n",
};

static int exists(const char *name)
{
    return access(temp_path(name), F_OK) == 0;
}

static int has_gnuplot(void)
{
    return system("command -v gnuplot >/dev/null") == 0; /* NOLINT */
}

static int empty(void **state)
{
    (void)state;
    temp_folder_count(1);
    return 0;
}

static void test_gnuplot__script_and_data_lie_beside_the_pictures(void **state)
{
    (void)state;
    if (!has_gnuplot())
        skip();
    fmd_gnuplot p = line;
    bool drawn = false;
    p.folder = temp_folder;
    assert_ok(fmd_gnuplot_draw(&p, &drawn));
    assert_true(drawn);
    assert_true(exists("line.csv") && exists("line.gp") && exists("line.svg") &&
                exists("line.png"));
    /* The script alone draws it again. */
    char command[512];
    unlink(temp_path("line.png"));
    snprintf(command, sizeof command, "cd '%s' && gnuplot line.gp", temp_folder);
    assert_int_equal(system(command), 0); /* NOLINT */
    assert_true(exists("line.png"));
}

static void test_gnuplot__only_the_formats_asked_for_are_drawn(void **state)
{
    (void)state;
    if (!has_gnuplot())
        skip();
    fmd_gnuplot p = line;
    bool drawn = false;
    p.folder = temp_folder;
    p.formats = "svg";
    assert_ok(fmd_gnuplot_draw(&p, &drawn));
    assert_true(exists("line.svg"));
    assert_false(exists("line.png"));
}

static void test_gnuplot__a_fault_is_told_in_one_line_and_leaves_no_picture(void **state)
{
    (void)state;
    if (!has_gnuplot())
        skip();
    fmd_gnuplot p = line;
    bool drawn = true;
    p.folder = temp_folder;
    p.commands = "plot data using 1:2 with nonsense\n";
    assert_int_equal(fmd_gnuplot_draw(&p, &drawn), FMD_EIO);
    assert_non_null(strstr(fmd_error_message(), "gnuplot cannot draw '"));
    assert_non_null(strstr(fmd_error_message(), "line.gp': \"line.gp\" line "));
    assert_null(strchr(fmd_error_message(), '\n'));
    assert_false(drawn);
    assert_false(exists("line.svg"));
    assert_false(exists("line.png"));
}

static void test_gnuplot__without_gnuplot_the_files_are_there_to_be_drawn_elsewhere(void **state)
{
    (void)state;
    fmd_gnuplot p = line;
    bool drawn = true;
    p.folder = temp_folder;
    char *path = strdup(getenv("PATH"));
    setenv("PATH", "/nowhere", 1);
    const fmd_status status = fmd_gnuplot_draw(&p, &drawn);
    setenv("PATH", path, 1);
    free(path);
    assert_int_equal(status, FMD_OK);
    assert_false(drawn);
    assert_true(exists("line.csv") && exists("line.gp"));
    assert_int_equal(temp_folder_count(0), 2);
}

/* Every byte, alone and before a quote, comes back from gnuplot as it is, or as '?'. */
static void test_gnuplot__no_byte_of_a_text_is_code(void **state)
{
    (void)state;
    if (!has_gnuplot())
        skip();
    char *text = NULL, wanted[3 * 256 + 1] = "", written[3 * 256 + 1] = "", found[3 * 256 + 2] = "";
    size_t bytes, n = 0;
    FILE *strings = open_memstream(&text, &bytes), *file;
    for (int c = 1; c < 256; c++, n += 3) {
        const bool kept = c >= 0x20 && c < 0x7f;
        memcpy(written + n, (char[3]){(char)c, '\'', '%'}, 3);
        memcpy(wanted + n, (char[3]){(char)(kept ? c : '?'), '\'', '%'}, 3);
    }
    fputs("text = ", strings);
    fmd_gnuplot_string(strings, written);
    fputs("\nset print 'found'\nprint text\nset print\n", strings);
    fclose(strings);
    fmd_gnuplot p = line;
    bool drawn = false;
    p.folder = temp_folder;
    p.strings = text;
    assert_ok(fmd_gnuplot_draw(&p, &drawn));
    assert_non_null(file = fopen(temp_path("found"), "r"));
    assert_non_null(fgets(found, sizeof found, file));
    fclose(file);
    found[strcspn(found, "\n")] = '\0';
    assert_string_equal(found, wanted);
    free(text);
}

static void test_gnuplot__a_command_in_a_text_is_not_run(void **state)
{
    (void)state;
    static const char *const texts[] = {"`touch hacked`",
                                        "$(touch hacked)",
                                        "';system('touch hacked');'",
                                        "\";system('touch hacked')",
                                        "\n!touch hacked",
                                        "@system('touch hacked')",
                                        "\\';!touch hacked",
                                        "}\nsystem('touch hacked')"};
    if (!has_gnuplot())
        skip();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char *text = NULL;
        size_t bytes;
        FILE *strings = open_memstream(&text, &bytes);
        fputs("words = ", strings);
        fmd_gnuplot_string(strings, texts[i]);
        fputc('\n', strings);
        fclose(strings);
        fmd_gnuplot p = line;
        bool drawn = false;
        p.folder = temp_folder;
        p.strings = text;
        p.commands = "set title words\nset label words at 1,1\n"
                     "plot data using 1:2 skip 1 with lines title words\n";
        assert_ok(fmd_gnuplot_draw(&p, &drawn));
        assert_true(drawn);
        assert_false(exists("hacked"));
        free(text);
    }
}

static void test_gnuplot__letters_of_any_script_stay_what_they_are(void **state)
{
    (void)state;
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    fmd_gnuplot_string(out,
                       "\u00fc \u8e1d \U0001f457 caf\xe9 \xc2\x9b \xed\xa0\x80 \xc0\xaf \xf0\x9f");
    fclose(out);
    assert_string_equal(text, "'\u00fc \u8e1d \U0001f457 caf? ? ?"
                              "?"
                              "? ?"
                              "? ?"
                              "?'");
    free(text);
}

static void test_gnuplot__a_folder_that_is_not_there_is_named(void **state)
{
    (void)state;
    fmd_gnuplot p = line;
    bool drawn;
    p.folder = "/nowhere";
    assert_fails(fmd_gnuplot_draw(&p, &drawn), FMD_EIO,
                 "cannot write '/nowhere/line.csv': its folder cannot be opened: No such file or "
                 "directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_gnuplot__script_and_data_lie_beside_the_pictures, empty),
        cmocka_unit_test_setup(test_gnuplot__only_the_formats_asked_for_are_drawn, empty),
        cmocka_unit_test_setup(test_gnuplot__a_fault_is_told_in_one_line_and_leaves_no_picture,
                               empty),
        cmocka_unit_test_setup(
            test_gnuplot__without_gnuplot_the_files_are_there_to_be_drawn_elsewhere, empty),
        cmocka_unit_test_setup(test_gnuplot__no_byte_of_a_text_is_code, empty),
        cmocka_unit_test_setup(test_gnuplot__a_command_in_a_text_is_not_run, empty),
        cmocka_unit_test(test_gnuplot__letters_of_any_script_stay_what_they_are),
        cmocka_unit_test_setup(test_gnuplot__a_folder_that_is_not_there_is_named, empty),
    };
    return cmocka_run_group_tests(tests, temp_folder_make, temp_folder_remove);
}
