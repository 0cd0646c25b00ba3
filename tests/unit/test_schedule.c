/* Learning-rate schedules: what Keras' traces in tests/golden do not say. */
#include "support/fmd_test.h"

#include "nn/schedule.h"

#include <math.h>

static const fmd_schedule_plan plain = {
    .learning_rate = 0.01, .scale = 1, .epoch_steps = 10, .epochs = 4};

static void assert_rate(const fmd_schedule *s, uint64_t step, double expected)
{
    assert_float_equal(fmd_schedule_rate(s, step), expected, 1e-9);
}

static void decay_steps_auto_is_all_steps_or_an_epoch(void **state)
{
    (void)state;
    fmd_schedule s;
    assert_ok(fmd_schedule_create(&s, "cosine", &plain));
    assert_rate(&s, 20, 0.005);
    assert_rate(&s, 40, 0);
    assert_ok(fmd_schedule_create(&s, "polynomial:end_learning_rate=0", &plain));
    assert_rate(&s, 30, 0.0025);
    assert_ok(fmd_schedule_create(&s, "exponential:decay_rate=0.5", &plain));
    assert_rate(&s, 10, 0.005);
    assert_rate(&s, 30, 0.00125);
}

/* Numbers of PyTorch 1.13's OneCycleLR, anneal_strategy="cos". */
static void one_cycle_is_that_of_pytorch(void **state)
{
    (void)state;
    static const double defaults[][2] = {{0, 0.0004},        {1, 0.0005944337},  {5, 0.0045168888},
                                         {9, 0.0092380170},  {11, 0.01},         {12, 0.0099685612},
                                         {30, 0.0023398703}, {38, 3.147882e-05}, {39, 4e-08},
                                         {100, 4e-08}};
    static const double given[][2] = {{0, 0.01},          {1, 0.0127138321},  {9, 0.1},
                                      {10, 0.0998460208}, {30, 0.0461309682}, {39, 0.0147300163},
                                      {49, 0.0001}};
    fmd_schedule s;
    assert_ok(fmd_schedule_create(&s, "one_cycle", &plain));
    for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
        assert_rate(&s, (uint64_t)defaults[i][0], defaults[i][1]);
    fmd_schedule_plan plan = plain;
    plan.learning_rate = 0.1;
    assert_ok(fmd_schedule_create(
        &s, "one_cycle:pct_start=0.2:div_factor=10:final_div_factor=100:decay_steps=50", &plan));
    for (size_t i = 0; i < sizeof given / sizeof *given; i++)
        assert_float_equal(fmd_schedule_rate(&s, (uint64_t)given[i][0]), given[i][1], 1e-8);
}

static void equal_restarts_repeat(void **state)
{
    (void)state;
    fmd_schedule s;
    assert_ok(fmd_schedule_create(&s, "cosine_restarts:t_mul=1:m_mul=0.5", &plain));
    assert_rate(&s, 0, 0.01);
    assert_rate(&s, 5, 0.005);
    assert_rate(&s, 10, 0.005);
    assert_rate(&s, 25, 0.00125);
    assert_ok(fmd_schedule_create(&s, "cosine_restarts", &plain)); /* an epoch, then two */
    assert_rate(&s, 10, 0.01);
    assert_rate(&s, 20, 0.005);
    assert_rate(&s, 30, 0.01);
}

static void the_schedule_begins_when_the_warmup_ends(void **state)
{
    (void)state;
    fmd_schedule s;
    fmd_schedule_plan plan = plain;
    plan.warmup_epochs = 2;
    assert_ok(fmd_schedule_create(&s, "cosine", &plan));
    assert_rate(&s, 0, 0);
    assert_rate(&s, 10, 0.005);
    assert_rate(&s, 20, 0.01);
    assert_rate(&s, 30, 0.005);
    assert_ok(fmd_schedule_create(&s, "step:boundaries=5:values=0.1,0.2", &plan));
    assert_rate(&s, 10, 0.05);
    assert_rate(&s, 25, 0.1);
    assert_rate(&s, 26, 0.2);
}

static void a_scaled_rate_warms_up_from_that_of_the_base_batch(void **state)
{
    (void)state;
    fmd_schedule s;
    fmd_schedule_plan plan = plain;
    plan.warmup_epochs = 0.5;
    plan.scale = 8;
    assert_ok(fmd_schedule_create(&s, "constant", &plan));
    assert_rate(&s, 0, 0.01);
    assert_rate(&s, 1, 0.01 + 0.07 / 5);
    assert_rate(&s, 5, 0.08);
    plan.scale = 0.5;
    assert_ok(fmd_schedule_create(&s, "constant", &plan));
    assert_rate(&s, 0, 0);
    assert_rate(&s, 5, 0.005);
}

static void every_rate_of_a_spec_is_scaled(void **state)
{
    (void)state;
    fmd_schedule s;
    fmd_schedule_plan plan = plain;
    plan.scale = 4;
    assert_ok(fmd_schedule_create(&s, "step:boundaries=5:values=0.1,0.2", &plan));
    assert_rate(&s, 0, 0.4);
    assert_rate(&s, 6, 0.8);
    assert_ok(fmd_schedule_create(&s, "polynomial:end_learning_rate=0.001", &plan));
    assert_rate(&s, 40, 0.004);
    assert_ok(fmd_schedule_create(&s, "plateau:min_lr=0.001", &plan));
    assert_float_equal(fmd_schedule_plateau(&s)->min_lr, 0.004, 1e-12);
    assert_rate(&s, 1000, 0.04);
}

static void wrong_specs_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"cosin", "--lr-schedule: 'cosin' is not one of "
                  "constant|step|exponential|cosine|cosine_restarts|polynomial|inverse_time|"
                  "one_cycle|plateau (did you mean 'cosine'?)"},
        {"", "--lr-schedule: '' is not one of "
             "constant|step|exponential|cosine|cosine_restarts|polynomial|inverse_time|one_cycle|"
             "plateau"},
        {"constant:0.1",
         "--lr-schedule constant: does not understand '0.1'; it takes no arguments"},
        {"exponential", "--lr-schedule exponential: needs decay_rate; it takes decay_rate, "
                        "decay_steps, [no]staircase"},
        {"cosine:decay_steps=0", "--lr-schedule cosine: decay_steps: '0' is not an integer of at "
                                 "least 1, or auto"},
        {"step:values=1", "--lr-schedule step: needs boundaries; it takes boundaries, values"},
        {"step:boundaries=9,3:values=1,2,3", "--lr-schedule step: boundaries: '9,3' is not a list "
                                             "of up to 15 rising steps such as 1000,2000"},
        {"step:boundaries=3,9:values=1,x,3", "--lr-schedule step: values: '1,x,3' is not a list of "
                                             "up to 16 rates such as 0.01,0.005"},
        {"step:boundaries=3,9:values=1,2", "--lr-schedule step: 2 boundaries need 3 values, not 2"},
        {"plateau:factor=1",
         "--lr-schedule plateau: factor: '1' is not a number from 1e-12 to 0.999999"},
    };
    fmd_schedule s;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_fails(fmd_schedule_create(&s, wrong[i][0], &plain), FMD_EUSAGE, wrong[i][1]);
    fmd_schedule_plan plan = plain;
    plan.warmup_epochs = 4;
    assert_fails(fmd_schedule_create(&s, "cosine", &plan), FMD_EUSAGE,
                 "--warmup-epochs 4: there are 4 epochs in all");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decay_steps_auto_is_all_steps_or_an_epoch),
        cmocka_unit_test(one_cycle_is_that_of_pytorch),
        cmocka_unit_test(equal_restarts_repeat),
        cmocka_unit_test(the_schedule_begins_when_the_warmup_ends),
        cmocka_unit_test(a_scaled_rate_warms_up_from_that_of_the_base_batch),
        cmocka_unit_test(every_rate_of_a_spec_is_scaled),
        cmocka_unit_test(wrong_specs_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
