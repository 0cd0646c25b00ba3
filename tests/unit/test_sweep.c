/* The grid of a sweep: which runs follow from a text. */
#include "support/fmd_test.h"

#include "measure/sweep/sweep.h"

#include <stdlib.h>
#include <string.h>

static fmd_config config;

/* All names of runs, separated by blanks. */
static const char *plan(const char *grid, int64_t random)
{
    static char names[1 << 16];
    fmd_sweep *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->config = &config;
    const fmd_status st = fmd_sweep_plan(s, grid, random);
    names[0] = '\0';
    for (size_t i = 0; st == FMD_OK && i < s->n_runs; i++)
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i > 0 ? " " : "",
                 s->runs[i].name);
    fmd_sweep_free(s);
    free(s);
    return st == FMD_OK ? names : NULL;
}

static void test_sweep__the_seeds_of_a_setting_follow_each_other(void **state)
{
    (void)state;
    assert_string_equal(plan("seed=0..1 batch-size=32,64", FMD_UNSET_INT),
                        "seed=0_batch-size=32 seed=1_batch-size=32 "
                        "seed=0_batch-size=64 seed=1_batch-size=64");
    assert_string_equal(plan("epochs=1,2\n shuffle=true,false", FMD_UNSET_INT),
                        "epochs=1_shuffle=true epochs=1_shuffle=false "
                        "epochs=2_shuffle=true epochs=2_shuffle=false");
}

/* --grid that was given twice comes with a comma. */
static void test_sweep__values_end_before_the_name_of_an_option(void **state)
{
    (void)state;
    assert_string_equal(plan("epochs=1,2,seed=7", FMD_UNSET_INT),
                        "epochs=1_seed=7 epochs=2_seed=7");
    assert_string_equal(plan("optimizer=adam,sgd:momentum=0.9", FMD_UNSET_INT) != NULL
                            ? plan("lr=1e-3", FMD_UNSET_INT)
                            : "",
                        "learning-rate=0.001");
}

static void test_sweep__values_with_commas_are_separated_by_bars(void **state)
{
    (void)state;
    const char *names = plan("hidden=8|8,4|8.4", FMD_UNSET_INT);
    assert_non_null(names);
    assert_non_null(strstr(names, "hidden=8 hidden=8-4-")); /* and a hash */
    assert_non_null(strstr(names, " hidden=8.4"));
}

static void test_sweep__draws_are_functions_of_the_seed_and_never_repeat(void **state)
{
    (void)state;
    static const char grid[] = "learning-rate=1e-4..1e-1 batch-size=32..512 seed=0,1";
    char first[1 << 12];
    snprintf(first, sizeof first, "%s", plan(grid, 5));
    assert_string_equal(plan(grid, 5), first);
    config.training.seed = 1;
    assert_string_not_equal(plan(grid, 5), first);
    config.training.seed = 0;
    /* two values cannot be drawn three times */
    const char *names = plan("shuffle=true,false", 9);
    assert_non_null(names);
    assert_true(strcmp(names, "shuffle=true shuffle=false") == 0 ||
                strcmp(names, "shuffle=false shuffle=true") == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sweep__the_seeds_of_a_setting_follow_each_other),
        cmocka_unit_test(test_sweep__values_end_before_the_name_of_an_option),
        cmocka_unit_test(test_sweep__values_with_commas_are_separated_by_bars),
        cmocka_unit_test(test_sweep__draws_are_functions_of_the_seed_and_never_repeat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
