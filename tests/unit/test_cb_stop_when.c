/* Conditions to stop: what they mean, what is said, what is refused. */
#include "support/fmd_test.h"

#include "train/callbacks/callbacks.h"

static fmd_control check(const char *conditions, fmd_metrics m)
{
    fmd_callback *c;
    assert_ok(fmd_cb_stop_when_create(&c, conditions, NULL, true));
    fmd_event e = {.epochs = 10, .metrics = m};
    fmd_control control = {.stop = false};
    assert_ok(c->ops->epoch_end(c, &e, &control));
    c->ops->destroy(c);
    return control;
}

static void assert_stops(const char *conditions, fmd_metrics m, const char *reason)
{
    fmd_control control = check(conditions, m);
    assert_string_equal(control.reason, reason);
    assert_true(control.stop);
}

static void assert_goes_on(const char *conditions, fmd_metrics m)
{
    fmd_control control = check(conditions, m);
    assert_string_equal(control.reason, "");
    assert_false(control.stop);
}

static void accuracy_reached_is_said_as_in_the_tutorial(void **state)
{
    (void)state;
    fmd_metrics m = {.accuracy = 0.9951, .val_accuracy = 0.91};
    assert_stops("accuracy>0.99", m, "Reached 99% accuracy so cancelling training!");
    assert_stops("accuracy>0.995", m, "Reached 99.5% accuracy so cancelling training!");
    assert_stops("accuracy>=0.6", m, "Reached 60% accuracy so cancelling training!");
    assert_stops("val_accuracy>0.9", m, "Reached 90% val_accuracy so cancelling training!");
}

static void acc_stands_for_accuracy(void **state)
{
    (void)state;
    fmd_metrics m = {.accuracy = 0.9951, .val_accuracy = 0.91};
    assert_stops("acc>0.99", m, "Reached 99% accuracy so cancelling training!");
    assert_stops("val_acc>0.9", m, "Reached 90% val_accuracy so cancelling training!");
}

static void other_conditions_are_said_with_both_figures(void **state)
{
    (void)state;
    fmd_metrics m = {.accuracy = 0.08, .loss = 0.3912, .val_loss = 1.5};
    assert_stops("loss<0.4", m, "Reached loss 0.3912 < 0.4 so cancelling training!");
    assert_stops("val_loss>=1.5", m, "Reached val_loss 1.5 >= 1.5 so cancelling training!");
    assert_stops("accuracy<0.1", m, "Reached accuracy 0.08 < 0.1 so cancelling training!");
}

static void equality_counts_only_where_it_is_written(void **state)
{
    (void)state;
    fmd_metrics m = {.accuracy = 0.5, .loss = 0.25};
    assert_goes_on("accuracy>0.5", m);
    assert_goes_on("loss<0.25", m);
    assert_true(check("accuracy>=0.5", m).stop);
    assert_true(check("loss<=0.25", m).stop);
}

static void a_condition_that_does_not_hold_stops_nothing(void **state)
{
    (void)state;
    fmd_metrics m = {.accuracy = 0.5, .loss = 0.25};
    assert_goes_on("accuracy>0.6", m);
    assert_goes_on("accuracy>=0.6", m);
    assert_goes_on("loss<0.2", m);
    assert_goes_on("loss<=0.2", m);
}

static void a_value_that_is_no_number_stops_nothing(void **state)
{
    (void)state;
    fmd_metrics m = {.loss = (double)NAN};
    assert_goes_on("loss<0.4", m);
    assert_goes_on("loss>0.4", m);
}

static void the_first_of_several_conditions_that_holds_is_the_reason(void **state)
{
    (void)state;
    fmd_metrics m = {.accuracy = 0.9, .loss = 0.3};
    assert_stops("accuracy>0.99,loss<0.4,accuracy>0.8", m,
                 "Reached loss 0.3 < 0.4 so cancelling training!");
}

static void spaces_are_allowed(void **state)
{
    (void)state;
    fmd_metrics m = {.accuracy = 0.9, .loss = 0.3};
    assert_stops(" accuracy > 0.99 ,\tloss <= 0.3 ", m,
                 "Reached loss 0.3 <= 0.3 so cancelling training!");
}

static void assert_refused(const char *conditions, const char *message)
{
    fmd_callback *c = NULL;
    assert_fails(fmd_cb_stop_when_create(&c, conditions, NULL, false), FMD_EUSAGE, message);
    assert_null(c);
}

#define QUOTED "'accuracy>0.99': in quotes, or the shell takes it for a file"

static void a_condition_without_its_three_parts_is_refused(void **state)
{
    (void)state;
    assert_refused(
        "accuracy",
        "--stop-when: 'accuracy' is not METRIC OP NUMBER with one of < > <= >=, as in " QUOTED);
    assert_refused(
        "accuracy=0.9",
        "--stop-when: 'accuracy=0.9' is not METRIC OP NUMBER with one of < > <= >=, as in " QUOTED);
    assert_refused(
        ">0.9", "--stop-when: '>0.9' is not METRIC OP NUMBER with one of < > <= >=, as in " QUOTED);
    assert_refused("",
                   "--stop-when: '' is not METRIC OP NUMBER with one of < > <= >=, as in " QUOTED);
    assert_refused("loss<1,",
                   "--stop-when: '' is not METRIC OP NUMBER with one of < > <= >=, as in " QUOTED);
}

static void a_threshold_that_is_no_number_is_refused(void **state)
{
    (void)state;
    assert_refused("loss<", "--stop-when: '' is not a number in 'loss<'");
    assert_refused("loss<low", "--stop-when: 'low' is not a number in 'loss<low'");
    assert_refused("loss<0.4x", "--stop-when: '0.4x' is not a number in 'loss<0.4x'");
    assert_refused("loss<<1", "--stop-when: '<1' is not a number in 'loss<<1'");
    assert_refused("loss<nan", "--stop-when: 'nan' is not a number in 'loss<nan'");
    assert_refused("loss<1e999", "--stop-when: '1e999' is not a number in 'loss<1e999'");
}

static void an_accuracy_in_per_cent_is_refused(void **state)
{
    (void)state;
    assert_refused("accuracy>99", "--stop-when: accuracy goes from 0 to 1, not to 99: 99% is 0.99");
    assert_refused("acc>-1", "--stop-when: accuracy goes from 0 to 1, not to -1: 99% is 0.99");
    assert_goes_on("accuracy>1", (fmd_metrics){.accuracy = 1});
    assert_goes_on("loss>99", (fmd_metrics){.loss = 2});
}

static void an_unknown_metric_is_refused_with_the_nearest(void **state)
{
    (void)state;
    assert_refused("loss<0.4,acuracy>0.9",
                   "--stop-when: 'acuracy' is not one of accuracy|loss|val_accuracy|val_loss "
                   "(did you mean 'accuracy'?)");
}

static void a_val_metric_without_validation_is_refused(void **state)
{
    (void)state;
    assert_refused("val_loss<0.4", "--stop-when: there is no val_loss without validation data: "
                                   "give --validation-split or --validation-data test");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accuracy_reached_is_said_as_in_the_tutorial),
        cmocka_unit_test(acc_stands_for_accuracy),
        cmocka_unit_test(other_conditions_are_said_with_both_figures),
        cmocka_unit_test(equality_counts_only_where_it_is_written),
        cmocka_unit_test(a_condition_that_does_not_hold_stops_nothing),
        cmocka_unit_test(a_value_that_is_no_number_stops_nothing),
        cmocka_unit_test(the_first_of_several_conditions_that_holds_is_the_reason),
        cmocka_unit_test(spaces_are_allowed),
        cmocka_unit_test(a_condition_without_its_three_parts_is_refused),
        cmocka_unit_test(a_threshold_that_is_no_number_is_refused),
        cmocka_unit_test(an_accuracy_in_per_cent_is_refused),
        cmocka_unit_test(an_unknown_metric_is_refused_with_the_nearest),
        cmocka_unit_test(a_val_metric_without_validation_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
