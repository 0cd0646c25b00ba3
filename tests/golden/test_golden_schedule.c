/* Learning-rate schedules against real Keras (tests/golden/README.md). */
#include "support/fmd_test.h"
#include "support/golden.h"

#include "nn/schedule.h"

#include <math.h>

/* Steps 0 to 50 of each. */
enum { STEPS = 51 };

static const double limit = 5e-7;

/* A case of the file, and what it is called here. One epoch has all steps. */
typedef struct schedule_case {
    const char *name, *spec, *wrong; /* `wrong` differs in one argument */
    double base, scale, warmup_epochs;
} schedule_case;

static const schedule_case cases[] = {
    {"cosine", "cosine:decay_steps=40", "cosine:decay_steps=41", 0.01, 1, 0},
    {"cosine_alpha", "cosine:decay_steps=40:alpha=0.1", "cosine:decay_steps=40", 0.01, 1, 0},
    {"cosine_restarts", "cosine_restarts:first_decay_steps=10:m_mul=0.5:alpha=0.1",
     "cosine_restarts:first_decay_steps=10:m_mul=0.5:alpha=0.1:t_mul=1.5", 0.01, 1, 0},
    {"inverse_time", "inverse_time:decay_rate=0.5:decay_steps=10",
     "inverse_time:decay_rate=0.5:decay_steps=10:staircase", 0.01, 1, 0},
    {"inverse_time_staircase", "inverse_time:decay_rate=0.5:decay_steps=10:staircase",
     "inverse_time:decay_rate=0.5:decay_steps=10", 0.01, 1, 0},
    {"cosine_warmup", "cosine:decay_steps=30:alpha=0.05", "cosine:decay_steps=40:alpha=0.05", 0.001,
     10, 0.1},
    {"cosine_warmup_from_zero", "cosine:decay_steps=40", "constant", 0.1, 1, 0.05},
    {"exponential", "exponential:decay_rate=0.9:decay_steps=10",
     "exponential:decay_rate=0.9:decay_steps=10:staircase", 0.01, 1, 0},
    {"exponential_staircase", "exponential:decay_rate=0.5:decay_steps=10:staircase",
     "exponential:decay_rate=0.5:decay_steps=10", 0.01, 1, 0},
    {"piecewise_constant", "step:boundaries=10,25:values=0.01,0.005,0.0005",
     "step:boundaries=10,24:values=0.01,0.005,0.0005", (double)NAN, 1, 0},
    {"polynomial", "polynomial:decay_steps=40", "polynomial:decay_steps=40:end_learning_rate=0",
     0.01, 1, 0},
    {"polynomial_cycle", "polynomial:decay_steps=20:end_learning_rate=0.001:power=0.5:cycle",
     "polynomial:decay_steps=20:end_learning_rate=0.001:power=0.5", 0.01, 1, 0},
    {"polynomial_power2", "polynomial:decay_steps=40:end_learning_rate=0.001:power=2",
     "polynomial:decay_steps=40:end_learning_rate=0.001", 0.01, 1, 0},
};
enum { N_CASES = sizeof cases / sizeof *cases };

/* Warm-ups are given in epochs of 100 steps. */
static fmd_schedule create(const schedule_case *c, const char *spec)
{
    fmd_schedule s;
    const fmd_schedule_plan plan = {.learning_rate = c->base,
                                    .scale = c->scale,
                                    .warmup_epochs = c->warmup_epochs,
                                    .epoch_steps = 100,
                                    .epochs = 1};
    assert_ok(fmd_schedule_create(&s, spec, &plan));
    return s;
}

/* The largest differences from the file of a schedule that is asked for steps from `shift` on: from
 * Keras' float64 over each value, and from its float32, where 1 + cos has lost digits near the end,
 * over the largest. */
static void compare(const golden *g, const char *name, const fmd_schedule *s, uint64_t shift,
                    closeness *to32, closeness *to64)
{
    const float *keras = golden_floats(g, STEPS, "%s/learning_rate", name);
    const double *keras64 = golden_doubles(g, STEPS, "%s/learning_rate64", name);
    const double largest = fmax(s->base, s->start);
    *to32 = (closeness){.what = "learning rates over the largest"};
    *to64 = (closeness){.what = "learning rates over each, to Keras' float64"};
    for (uint64_t i = 0; i < STEPS; i++) {
        double rate = fmd_schedule_rate(s, i + shift);
        closeness_add(to32, fabs(rate - (double)keras[i]) / largest, limit, "%s step %d", name,
                      (int)i);
        closeness_add(to64, fabs(rate - keras64[i]) / fmax(keras64[i], 1e-10), limit, "%s step %d",
                      name, (int)i);
    }
}

static void test_golden_schedule__each_matches_keras(void **state)
{
    (void)state;
    golden *g = golden_open("schedule");
    for (int i = 0; i < N_CASES; i++) {
        const fmd_schedule s = create(&cases[i], cases[i].spec);
        closeness to32, to64;
        compare(g, cases[i].name, &s, 0, &to32, &to64);
        closeness_check(&to32);
        closeness_check(&to64);
    }
    golden_close(g);
}

static void test_golden_schedule__one_step_ahead_or_another_argument_is_seen(void **state)
{
    (void)state;
    golden *g = golden_open("schedule");
    for (int i = 0; i < N_CASES; i++) {
        closeness to32, to64;
        const fmd_schedule s = create(&cases[i], cases[i].spec);
        compare(g, cases[i].name, &s, 1, &to32, &to64);
        assert_true(to32.parts > 1000 && to64.parts > 1000);
        const fmd_schedule wrong = create(&cases[i], cases[i].wrong);
        compare(g, cases[i].name, &wrong, 0, &to32, &to64);
        assert_true(to32.parts > 1000 && to64.parts > 1000);
    }
    golden_close(g);
}

/* Keras keeps a plain learning rate as a float. */
static void test_golden_schedule__constant_stays(void **state)
{
    (void)state;
    const uint64_t steps[] = {0, 1, 39, 40, 41, UINT64_MAX};
    const schedule_case c = {.base = 0.01, .scale = 1};
    const fmd_schedule s = create(&c, "constant");
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        assert_true(fmd_schedule_rate(&s, steps[i]) == (double)0.01f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_schedule__each_matches_keras),
        cmocka_unit_test(test_golden_schedule__one_step_ahead_or_another_argument_is_seen),
        cmocka_unit_test(test_golden_schedule__constant_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
