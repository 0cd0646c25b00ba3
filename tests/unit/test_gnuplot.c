#include "report/gnuplot.h"

#include "support/fmd_test.h"
#include "support/temp_folder.h"

static const fmd_gnuplot line = {
    .name = "line",
    .formats = "svg png",
    .width = 300,
    .height = 200,
    .data = "x,y\n1,2\n2,3\n",
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
        cmocka_unit_test_setup(test_gnuplot__a_folder_that_is_not_there_is_named, empty),
    };
    return cmocka_run_group_tests(tests, temp_folder_make, temp_folder_remove);
}
