/* Names of metrics, the request to stop, and the time limit. */
#include "support/fmd_test.h"

#include "base/timer.h"
#include "train/callbacks/callbacks.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void every_metric_is_found_by_its_name(void **state)
{
    (void)state;
    const fmd_metrics m = {.accuracy = 1, .loss = 2, .val_accuracy = 3, .val_loss = 4};
    assert_ptr_equal(fmd_metric_find(&m, "accuracy"), &m.accuracy);
    assert_ptr_equal(fmd_metric_find(&m, "loss"), &m.loss);
    assert_ptr_equal(fmd_metric_find(&m, "val_accuracy"), &m.val_accuracy);
    assert_ptr_equal(fmd_metric_find(&m, "val_loss"), &m.val_loss);
    assert_null(fmd_metric_find(&m, "accurac"));
    assert_null(fmd_metric_find(&m, ""));
}

static void acc_is_short_for_accuracy(void **state)
{
    (void)state;
    const fmd_metrics m = {.accuracy = 1};
    assert_ptr_equal(fmd_metric_find(&m, "acc"), &m.accuracy);
    assert_ptr_equal(fmd_metric_find(&m, "val_acc"), &m.val_accuracy);
    assert_string_equal(fmd_metric_name(NULL, "acc"), "accuracy");
    assert_string_equal(fmd_metric_name(NULL, "val_acc"), "val_accuracy");
    assert_string_equal(fmd_metric_name(NULL, "loss"), "loss");
    assert_null(fmd_metric_name(NULL, "accu"));
}

static void an_unknown_metric_is_answered_with_the_list_and_the_nearest(void **state)
{
    (void)state;
    assert_fails(fmd_metric_check(NULL, "acuracy", true, "--monitor"), FMD_EUSAGE,
                 "--monitor: 'acuracy' is not one of accuracy|loss|val_accuracy|val_loss "
                 "(did you mean 'accuracy'?)");
    assert_fails(
        fmd_metric_check(NULL, "f1", true, "--monitor"), FMD_EUSAGE,
        "--monitor: 'f1' is not one of accuracy|loss|val_accuracy|val_loss; --metrics adds "
        "more");
}

static void a_val_metric_needs_validation_data(void **state)
{
    (void)state;
    assert_ok(fmd_metric_check(NULL, "val_acc", true, "--stop-when"));
    assert_ok(fmd_metric_check(NULL, "acc", false, "--stop-when"));
    assert_fails(fmd_metric_check(NULL, "val_acc", false, "--stop-when"), FMD_EUSAGE,
                 "--stop-when: there is no val_accuracy without validation data: give "
                 "--validation-split or --validation-data test");
}

static void the_first_reason_to_stop_is_kept(void **state)
{
    (void)state;
    fmd_control control = {.stop = false};
    fmd_control_stop(&control, "epoch %d", 3);
    fmd_control_stop(&control, "another");
    assert_true(control.stop);
    assert_string_equal(control.reason, "epoch 3");
}

static void a_reason_that_is_too_long_is_cut(void **state)
{
    (void)state;
    fmd_control control = {.stop = false};
    fmd_control_stop(&control, "%0500d", 1);
    assert_int_equal(strlen(control.reason), sizeof control.reason - 1);
}

static void training_ends_once_the_time_is_up(void **state)
{
    (void)state;
    fmd_callback *c;
    double before = fmd_now();
    assert_ok(fmd_cb_max_time_create(&c, 0.2));
    fmd_event e = {.epoch = 2, .epochs = 10, .step = 7, .steps = 235};
    fmd_control control = {.stop = false};
    c->ops->batch_end(c, &e, &control);
    /* On a machine that stood still for this long it may stop. */
    if (fmd_now() - before < 0.2)
        assert_false(control.stop);
    while (fmd_now() - before < 0.25)
        usleep(10000);
    c->ops->batch_end(c, &e, &control);
    c->ops->destroy(c);
    assert_true(control.stop);
    double used;
    char rest[100];
    assert_int_equal(sscanf(control.reason, "Time is up: %lf s of %99[^\n]", &used, rest), 2);
    assert_true(used >= 0.2 && used < fmd_now() - before + 0.1);
    assert_string_equal(rest, "--max-time 0.2 s used");
}

static void a_time_limit_of_nothing_is_refused(void **state)
{
    (void)state;
    fmd_callback *c = NULL;
    assert_fails(fmd_cb_max_time_create(&c, 0), FMD_EUSAGE,
                 "--max-time: 0 s leaves no time to train");
    assert_int_equal(fmd_cb_max_time_create(&c, (double)NAN), FMD_EUSAGE);
    assert_null(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_metric_is_found_by_its_name),
        cmocka_unit_test(acc_is_short_for_accuracy),
        cmocka_unit_test(an_unknown_metric_is_answered_with_the_list_and_the_nearest),
        cmocka_unit_test(a_val_metric_needs_validation_data),
        cmocka_unit_test(the_first_reason_to_stop_is_kept),
        cmocka_unit_test(a_reason_that_is_too_long_is_cut),
        cmocka_unit_test(training_ends_once_the_time_is_up),
        cmocka_unit_test(a_time_limit_of_nothing_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
