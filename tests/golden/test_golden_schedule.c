/* Learning-rate schedules against real Keras (tests/golden/README.md). */
#include "support/fmd_test.h"
#include "support/golden.h"

#include "fmd/schedule.h"

#include <math.h>

/* The file's CosineDecay: initial_learning_rate 0.01, decay_steps 40, steps 0 to 50. */
enum { STEPS = 51, DECAY_STEPS = 40 };

static const double base = 0.01, limit = 5e-7;

/* The largest differences from the file of a schedule that is asked for steps from `shift` on: from
 * Keras' float64 over each value, and from its float32, where 1 + cos has lost digits near the end,
 * over the largest. */
static void compare(const golden *g, fmd_schedule kind, uint64_t shift, closeness *to32,
                    closeness *to64)
{
    const float *keras = golden_floats(g, STEPS, "cosine/learning_rate");
    const double *keras64 = golden_doubles(g, STEPS, "cosine/learning_rate64");
    *to32 = (closeness){.what = "learning rates over the largest"};
    *to64 = (closeness){.what = "learning rates over each, to Keras' float64"};
    for (uint64_t i = 0; i < STEPS; i++) {
        double rate = fmd_schedule_rate(kind, base, i + shift, DECAY_STEPS);
        closeness_add(to32, fabs(rate - (double)keras[i]) / base, limit, "step %d", (int)i);
        closeness_add(to64, fabs(rate - keras64[i]) / fmax(keras64[i], 1e-10), limit, "step %d",
                      (int)i);
    }
}

static void test_golden_schedule__cosine_matches_keras(void **state)
{
    (void)state;
    golden *g = golden_open("schedule");
    closeness to32, to64;
    compare(g, FMD_SCHEDULE_COSINE, 0, &to32, &to64);
    closeness_check(&to32);
    closeness_check(&to64);
    golden_close(g);
}

static void test_golden_schedule__one_step_ahead_is_seen(void **state)
{
    (void)state;
    golden *g = golden_open("schedule");
    closeness to32, to64;
    compare(g, FMD_SCHEDULE_COSINE, 1, &to32, &to64);
    assert_true(to32.parts > 1000 && to64.parts > 1000);
    compare(g, FMD_SCHEDULE_CONSTANT, 0, &to32, &to64);
    assert_true(to32.parts > 1000 && to64.parts > 1000);
    golden_close(g);
}

/* Keras keeps a plain learning rate as a float. */
static void test_golden_schedule__constant_stays(void **state)
{
    (void)state;
    const uint64_t steps[] = {0, 1, 39, 40, 41, UINT64_MAX};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        double rate = fmd_schedule_rate(FMD_SCHEDULE_CONSTANT, 0.01, steps[i], DECAY_STEPS);
        assert_true(rate == (double)0.01f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_schedule__cosine_matches_keras),
        cmocka_unit_test(test_golden_schedule__one_step_ahead_is_seen),
        cmocka_unit_test(test_golden_schedule__constant_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
