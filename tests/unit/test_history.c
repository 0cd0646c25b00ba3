#include "run/history.h"
#include "train/callbacks/callbacks.h"

#include "support/fmd_test.h"
#include "support/temp_folder.h"

static const char *history_of(const char *text)
{
    const char *path = temp_path("history.csv");
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return path;
}

static void assert_refused(const char *text, const char *message)
{
    fmd_history h = {0};
    char expected[512];
    const char *path = history_of(text);
    snprintf(expected, sizeof expected, "'%s'%s", path, message);
    assert_fails(fmd_history_read(&h, path), FMD_EDATA, expected);
    assert_null(h.epochs);
}

static void test_history__what_the_csv_callback_writes_reads_back(void **state)
{
    (void)state;
    fmd_callback *csv;
    fmd_history h;
    const char *path = temp_path("history.csv");
    fmd_event e = {.epochs = 2,
                   .seconds = 0.5,
                   .samples = 100,
                   .metrics = {.accuracy = 1.0 / 3,
                               .loss = 0.1,
                               .val_accuracy = (double)NAN,
                               .val_loss = 2e-7,
                               .learning_rate = 0.005}};
    fmd_control control = {0};
    assert_ok(fmd_cb_csv_create(&csv, path));
    assert_ok(csv->ops->train_begin(csv, &e));
    e.metrics.val_accuracy = 0.5;
    for (; e.epoch < 2; e.epoch++)
        assert_ok(csv->ops->epoch_end(csv, &e, &control));
    csv->ops->destroy(csv);

    assert_ok(fmd_history_read(&h, path));
    assert_int_equal(h.n, 2);
    assert_true(h.validation);
    assert_true(h.epochs[1].metrics.accuracy == 1.0 / 3);
    assert_true(h.epochs[1].metrics.loss == 0.1);
    assert_true(h.epochs[1].metrics.val_accuracy == 0.5);
    assert_true(h.epochs[1].metrics.val_loss == 2e-7);
    assert_true(h.epochs[1].metrics.learning_rate == 0.005);
    assert_true(h.epochs[1].seconds == 0.5);
    fmd_history_free(&h);
}

static void test_history__a_line_that_is_being_written_is_left_out(void **state)
{
    (void)state;
    fmd_history h;
    assert_ok(fmd_history_read(&h, history_of("epoch,loss\n0,0.5\n1,0.2")));
    assert_int_equal(h.n, 1);
    assert_false(h.validation);
    assert_true(isnan(h.epochs[0].metrics.accuracy));
    fmd_history_free(&h);
    assert_ok(fmd_history_read(&h, history_of("")));
    assert_int_equal(h.n, 0);
    fmd_history_free(&h);
}

static void test_history__unknown_columns_and_unknown_values_do_no_harm(void **state)
{
    (void)state;
    fmd_history h;
    assert_ok(fmd_history_read(&h, history_of("epoch,f1,loss,time\n0,7,nan,NA\n")));
    assert_int_equal(h.n, 1);
    assert_true(isnan(h.epochs[0].metrics.loss) && isnan(h.epochs[0].seconds));
    fmd_history_free(&h);
}

static void test_history__what_is_no_history_is_named_with_its_line(void **state)
{
    (void)state;
    assert_refused("loss,epoch\n0,1\n", " is no history: its first column is not 'epoch'");
    assert_refused("epoch,loss\n0,1\n1,x\n", ", line 3: 'x' is not a number of a column");
    assert_refused("epoch,loss\n0\n", ", line 2: 1 fields, expected 2");
    assert_refused("epoch,loss\n0,1,2\n", ", line 2: '2' is not a number of a column");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_history__what_the_csv_callback_writes_reads_back),
        cmocka_unit_test(test_history__a_line_that_is_being_written_is_left_out),
        cmocka_unit_test(test_history__unknown_columns_and_unknown_values_do_no_harm),
        cmocka_unit_test(test_history__what_is_no_history_is_named_with_its_line),
    };
    return cmocka_run_group_tests(tests, temp_folder_make, temp_folder_remove);
}
