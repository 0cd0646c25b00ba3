/* history.csv, byte for byte. */
#include "support/temp_folder.h"

#include "train/callbacks/callbacks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *path;

static int make_path(void **state)
{
    if (temp_folder_make(state) != 0)
        return -1;
    path = temp_path("history.csv");
    return 0;
}

static const char *read_back(void)
{
    static char text[2048];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = '\0';
    return text;
}

static fmd_callback *begin(void)
{
    fmd_callback *c;
    assert_ok(fmd_cb_csv_create(&c, path));
    assert_ok(c->ops->train_begin(c, &(fmd_event){.epochs = 2}));
    return c;
}

/* Goes on after `epochs` epochs, which a checkpoint knows. */
static fmd_callback *go_on(int epochs, const fmd_metrics *history)
{
    fmd_callback *c;
    assert_ok(fmd_cb_csv_create(&c, path));
    assert_ok(c->ops->train_begin(
        c, &(fmd_event){.epoch = epochs, .epochs = 4, .step = 3, .history = history}));
    return c;
}

/* One epoch of 60000 samples, trained in `seconds` and validated in half a second more. */
static void epoch(fmd_callback *c, int number, double seconds, fmd_metrics m)
{
    fmd_control control = {.stop = false};
    fmd_event e = {.epoch = number,
                   .epochs = 2,
                   .step = 235,
                   .steps = 235,
                   .samples = 60000,
                   .seconds = seconds,
                   .metrics = m};
    c->ops->batch_end(c, &e, &control);
    e.seconds += 0.5;
    assert_ok(c->ops->epoch_end(c, &e, &control));
    assert_false(control.stop);
}

static void end(fmd_callback *c)
{
    assert_ok(c->ops->train_end(c, &(fmd_event){.epochs = 2}, NULL));
    c->ops->destroy(c);
}

static void columns_are_those_of_keras_with_the_times_last(void **state)
{
    (void)state;
    fmd_callback *c = begin();
    epoch(c, 0, 1.5,
          (fmd_metrics){.accuracy = 0.8125,
                        .loss = 0.5,
                        .val_accuracy = 0.84375,
                        .val_loss = 0.4375,
                        .learning_rate = 0.001});
    epoch(c, 1, 1.25,
          (fmd_metrics){.accuracy = 0.875,
                        .loss = 0.25,
                        .val_accuracy = 0.859375,
                        .val_loss = 0.375,
                        .learning_rate = 0.0005});
    end(c);
    assert_string_equal(
        read_back(), "epoch,accuracy,learning_rate,loss,val_accuracy,val_loss,time,samples_per_s\n"
                     "0,0.8125,0.001,0.5,0.84375,0.4375,2.000000,40000.0\n"
                     "1,0.875,0.0005,0.25,0.859375,0.375,1.750000,48000.0\n");
}

static void without_validation_there_are_no_val_columns(void **state)
{
    (void)state;
    fmd_callback *c = begin();
    double nan = (double)NAN;
    epoch(c, 0, 1.5,
          (fmd_metrics){.accuracy = 0.8125,
                        .loss = 0.5,
                        .val_accuracy = nan,
                        .val_loss = nan,
                        .learning_rate = 0.001});
    end(c);
    assert_string_equal(read_back(), "epoch,accuracy,learning_rate,loss,time,samples_per_s\n"
                                     "0,0.8125,0.001,0.5,2.000000,40000.0\n");
}

static void numbers_are_short_and_read_back_as_the_same_bits(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } numbers[] = {{0.1, "0.1"},
                   {0.1 + 0.2, "0.30000000000000004"},
                   {1.0 / 3, "0.3333333333333333"},
                   {0.88354, "0.88354"},
                   {5e-324, "4.94065645841247e-324"},
                   {1.7976931348623157e308, "1.7976931348623157e+308"},
                   {0, "0"},
                   {(double)INFINITY, "inf"},
                   {-(double)NAN, "nan"}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        fmd_callback *c = begin();
        double nan = (double)NAN;
        epoch(c, 0, 1,
              (fmd_metrics){.accuracy = 0.5,
                            .loss = numbers[i].value,
                            .val_accuracy = nan,
                            .val_loss = nan,
                            .learning_rate = 0.001});
        end(c);
        char loss[64];
        assert_int_equal(sscanf(read_back(), "%*[^\n] 0,0.5,0.001,%63[^,]", loss), 1);
        assert_string_equal(loss, numbers[i].text);
        if (!isnan(numbers[i].value))
            assert_true(strtod(loss, NULL) == numbers[i].value);
    }
}

static void each_epoch_is_in_the_file_at_once(void **state)
{
    (void)state;
    fmd_callback *c = begin();
    epoch(c, 0, 1.5,
          (fmd_metrics){.accuracy = 0.8125,
                        .loss = 0.5,
                        .val_accuracy = 0.84375,
                        .val_loss = 0.4375,
                        .learning_rate = 0.001});
    assert_non_null(strstr(read_back(), "\n0,0.8125,0.001,0.5,0.84375,0.4375,"));
    end(c);
}

static void a_history_of_an_earlier_run_is_replaced(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        fmd_callback *c = begin();
        epoch(c, 0, 1.5,
              (fmd_metrics){.accuracy = 0.8125,
                            .loss = 0.5,
                            .val_accuracy = 0.84375,
                            .val_loss = 0.4375,
                            .learning_rate = 0.001});
        end(c);
    }
    assert_null(strstr(strstr(read_back(), "epoch") + 1, "epoch"));
}

static const fmd_metrics three_epochs[] = {
    {.accuracy = 0.5, .loss = 1, .val_accuracy = 0.5, .val_loss = 1.5, .learning_rate = 0.001},
    {.accuracy = 0.625,
     .loss = 0.75,
     .val_accuracy = 0.5625,
     .val_loss = 1,
     .learning_rate = 0.0005},
    {.accuracy = 0.75,
     .loss = 0.5,
     .val_accuracy = 0.625,
     .val_loss = 0.75,
     .learning_rate = 0.00025}};

#define HEADER "epoch,accuracy,learning_rate,loss,val_accuracy,val_loss,time,samples_per_s\n"
#define LINE_0 "0,0.5,0.001,1,0.5,1.5,2.000000,40000.0\n"
#define LINE_1 "1,0.625,0.0005,0.75,0.5625,1,1.750000,48000.0\n"
#define LINE_2 "2,0.75,0.00025,0.5,0.625,0.75,2.000000,40000.0\n"

/* The history of a process that got as far as `epochs` epochs. */
static void leave_history(int epochs)
{
    fmd_callback *c = begin();
    for (int i = 0; i < epochs; i++)
        epoch(c, i, i == 1 ? 1.25 : 1.5, three_epochs[i]);
    end(c);
}

static void write_text(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void a_run_that_goes_on_keeps_the_lines_and_their_times(void **state)
{
    (void)state;
    leave_history(2);
    fmd_callback *c = go_on(2, three_epochs);
    epoch(c, 2, 1.5, three_epochs[2]);
    end(c);
    assert_string_equal(read_back(), HEADER LINE_0 LINE_1 LINE_2);
}

static void lines_that_the_checkpoint_does_not_know_are_cut(void **state)
{
    (void)state;
    leave_history(3);
    fmd_callback *c = go_on(1, three_epochs);
    assert_string_equal(read_back(), HEADER LINE_0);
    epoch(c, 1, 1.25, three_epochs[1]);
    end(c);
    assert_string_equal(read_back(), HEADER LINE_0 LINE_1);

    /* A line that was begun, too. */
    write_text(HEADER LINE_0 LINE_1 "2,0.7");
    c = go_on(2, three_epochs);
    epoch(c, 2, 1.5, three_epochs[2]);
    end(c);
    assert_string_equal(read_back(), HEADER LINE_0 LINE_1 LINE_2);
}

static void a_run_that_goes_on_in_its_first_epoch_begins_a_new_file(void **state)
{
    (void)state;
    leave_history(3);
    fmd_callback *c = go_on(0, three_epochs);
    epoch(c, 0, 1.5, three_epochs[0]);
    end(c);
    assert_string_equal(read_back(), HEADER LINE_0);
}

static void a_finished_run_stays_as_it_is(void **state)
{
    (void)state;
    leave_history(3);
    end(go_on(3, three_epochs));
    assert_string_equal(read_back(), HEADER LINE_0 LINE_1 LINE_2);
}

static void lines_that_are_lost_are_written_again_without_times(void **state)
{
    (void)state;
    static const char *const files[] = {
        "",                          /* nothing */
        HEADER,                      /* no line */
        HEADER LINE_0,               /* one is missing */
        HEADER LINE_0 "1,0.625,0.0", /* one is not whole */
        HEADER LINE_1 LINE_0,        /* another order */
        "something else\n",
        LINE_0 LINE_1,
    };
    for (size_t i = 0; i <= sizeof files / sizeof *files; i++) {
        if (i < sizeof files / sizeof *files)
            write_text(files[i]);
        else
            assert_int_equal(unlink(path), 0);
        fmd_callback *c = go_on(2, three_epochs);
        epoch(c, 2, 1.5, three_epochs[2]);
        end(c);
        assert_string_equal(read_back(), HEADER "0,0.5,0.001,1,0.5,1.5,NA,NA\n"
                                                "1,0.625,0.0005,0.75,0.5625,1,NA,NA\n" LINE_2);
    }
}

static void lost_lines_of_a_run_without_validation_have_no_val_columns(void **state)
{
    (void)state;
    const double nan = (double)NAN;
    const fmd_metrics history[] = {
        {.accuracy = 0.5, .loss = 1, .val_accuracy = nan, .val_loss = nan, .learning_rate = 0.001}};
    fmd_callback *c = go_on(1, history);
    epoch(c, 1, 1.5,
          (fmd_metrics){.accuracy = 0.625,
                        .loss = 0.75,
                        .val_accuracy = nan,
                        .val_loss = nan,
                        .learning_rate = 0.0005});
    end(c);
    assert_string_equal(read_back(), "epoch,accuracy,learning_rate,loss,time,samples_per_s\n"
                                     "0,0.5,0.001,1,NA,NA\n"
                                     "1,0.625,0.0005,0.75,2.000000,40000.0\n");
}

static void a_folder_that_does_not_exist_is_named(void **state)
{
    (void)state;
    fmd_callback *c;
    assert_ok(fmd_cb_csv_create(&c, "/nonexistent/history.csv"));
    assert_fails(c->ops->train_begin(c, &(fmd_event){.epochs = 1}), FMD_EIO,
                 "cannot write '/nonexistent/history.csv': No such file or directory");
    c->ops->destroy(c);
}

static void a_full_disk_ends_the_run_with_the_path(void **state)
{
    (void)state;
    fmd_callback *c;
    fmd_control control = {.stop = false};
    fmd_event e = {.epochs = 1, .seconds = 1};
    assert_ok(fmd_cb_csv_create(&c, "/dev/full"));
    assert_ok(c->ops->train_begin(c, &e));
    assert_fails(c->ops->epoch_end(c, &e, &control), FMD_EIO,
                 "cannot write '/dev/full': No space left on device");
    c->ops->destroy(c);
}

#define on_file(test) cmocka_unit_test_setup_teardown(test, make_path, temp_folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_file(columns_are_those_of_keras_with_the_times_last),
        on_file(without_validation_there_are_no_val_columns),
        on_file(numbers_are_short_and_read_back_as_the_same_bits),
        on_file(each_epoch_is_in_the_file_at_once),
        on_file(a_history_of_an_earlier_run_is_replaced),
        on_file(a_run_that_goes_on_keeps_the_lines_and_their_times),
        on_file(lines_that_the_checkpoint_does_not_know_are_cut),
        on_file(a_run_that_goes_on_in_its_first_epoch_begins_a_new_file),
        on_file(a_finished_run_stays_as_it_is),
        on_file(lines_that_are_lost_are_written_again_without_times),
        on_file(lost_lines_of_a_run_without_validation_have_no_val_columns),
        cmocka_unit_test(a_folder_that_does_not_exist_is_named),
        cmocka_unit_test(a_full_disk_ends_the_run_with_the_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
