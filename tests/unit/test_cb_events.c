/* The lines of events.jsonl, one process after another. */
#include "support/temp_folder.h"

#include "io/json/json_object.h"
#include "train/callbacks/callbacks.h"

#include <unistd.h>

enum { RANKS = 3, MAX_LINES = 32 };

static fmd_json *lines[MAX_LINES];
static size_t n_lines;

/* Reads all lines back. */
static void read_lines(void)
{
    char text[4096];
    FILE *file = fopen(temp_path("events.jsonl"), "r");
    assert_non_null(file);
    n_lines = 0;
    while (fgets(text, sizeof text, file) != NULL) {
        assert_true(n_lines < MAX_LINES);
        assert_non_null(strchr(text, '\n'));
        assert_ok(fmd_json_parse(&lines[n_lines++], text, strlen(text), "events.jsonl"));
    }
    fclose(file);
}

static int forget_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_lines; i++)
        fmd_json_destroy(lines[i]);
    n_lines = 0;
    temp_folder_count(1);
    return 0;
}

static const char *text_of(size_t line, const char *key)
{
    assert_true(line < n_lines);
    return fmd_json_get_text(lines[line], NULL, key);
}

static double value(size_t line, const char *group, const char *key)
{
    assert_true(line < n_lines);
    return fmd_json_get_real(lines[line], group, key);
}

static fmd_callback *create(const char *path)
{
    fmd_callback *c;
    fmd_json *head;
    assert_ok(fmd_json_create(&head));
    fmd_json_int(head, NULL, "type", 0);
    fmd_json_append(head, NULL, "hosts", "a");
    fmd_json_append(head, NULL, "hosts", "b");
    fmd_json_append(head, NULL, "hosts", "c");
    assert_ok(fmd_cb_events_create(&c, path, head));
    return c;
}

static fmd_event event_at(int epoch, uint64_t step)
{
    return (fmd_event){.epoch = epoch,
                       .epochs = 4,
                       .step = step,
                       .steps = 10,
                       .samples = step * 100,
                       .ranks = RANKS,
                       .metrics = {.accuracy = 0.5,
                                   .loss = 1.25,
                                   .val_accuracy = (double)NAN,
                                   .val_loss = (double)NAN,
                                   .learning_rate = 0.001}};
}

static fmd_callback *begin(int epoch, uint64_t step)
{
    const fmd_event e = event_at(epoch, step);
    fmd_callback *c = create(temp_path("events.jsonl"));
    assert_ok(c->ops->train_begin(c, &e));
    return c;
}

static void end(fmd_callback *c)
{
    const fmd_event e = event_at(4, 0);
    assert_ok(c->ops->train_end(c, &e, NULL));
    c->ops->destroy(c);
}

/* One epoch of two seconds and a half, half of one of them validation. */
static void epoch(fmd_callback *c, int number, const fmd_phase_seconds *phases)
{
    fmd_control control = {.stop = false};
    fmd_event e = event_at(number, 0);
    c->ops->epoch_begin(c, &e);
    e = event_at(number, 10);
    e.seconds = 2;
    c->ops->batch_end(c, &e, &control);
    e.seconds = 2.5;
    e.phases = phases;
    e.metrics.val_accuracy = 0.25;
    e.metrics.val_loss = 1.75;
    assert_ok(c->ops->epoch_end(c, &e, &control));
    assert_false(control.stop);
}

static const fmd_phase_seconds first[RANKS] = {{0.1, 0.2, 0.3, 0, 0, 0, 0.9, 0.1},
                                               {0.1, 0.4, 0.5, 0, 0, 0, 0.5, 0.1},
                                               {0.1, 0.2, 0.3, 0, 0, 0, 0.9, 0.1}};

static void test_cb_events__an_epoch_has_its_metrics_and_times_over_the_ranks(void **state)
{
    (void)state;
    fmd_callback *c = begin(0, 0);
    epoch(c, 0, first);
    end(c);
    read_lines();
    assert_int_equal(n_lines, 2);
    assert_string_equal(text_of(0, "type"), "start");
    assert_string_equal(text_of(1, "type"), "epoch");
    assert_true(value(1, NULL, "epoch") == 0 && value(1, NULL, "global_step") == 10);
    assert_true(value(1, NULL, "accuracy") == 0.5 && value(1, NULL, "loss") == 1.25);
    assert_true(value(1, NULL, "val_accuracy") == 0.25 && value(1, NULL, "val_loss") == 1.75);
    assert_true(value(1, NULL, "learning_rate") == 0.001);
    assert_true(value(1, NULL, "seconds") == 2.5 && value(1, NULL, "samples_per_s") == 500);
    assert_true(value(1, "forward", "min") == 0.2 && value(1, "forward", "max") == 0.4);
    assert_true(value(1, "forward", "mean") == 0.266667);
    assert_true(value(1, "reduce", "min") == 0.5 && value(1, "reduce", "max") == 0.9);
    /* Who waits least for the others is whom they wait for. */
    assert_true(value(1, "slowest", "rank") == 1 && value(1, "slowest", "compute_seconds") == 1.1);
    assert_true(value(1, "slowest", "above_mean") == 0.32);
    assert_string_equal(fmd_json_get_text(lines[1], "slowest", "host"), "b");
}

static void test_cb_events__times_are_those_of_one_epoch(void **state)
{
    (void)state;
    const fmd_phase_seconds second[RANKS] = {{0.2, 0.4, 0.6, 0, 0, 0, 1.8, 0.2},
                                             {0.2, 0.6, 0.7, 0, 0, 0, 1.5, 0.2},
                                             {0.2, 0.4, 0.9, 0, 0, 0, 1.8, 0.2}};
    fmd_callback *c = begin(0, 0);
    epoch(c, 0, first);
    epoch(c, 1, second);
    end(c);
    read_lines();
    assert_int_equal(n_lines, 3);
    assert_true(value(2, "forward", "min") == 0.2 && value(2, "forward", "max") == 0.2);
    assert_true(value(2, "slowest", "rank") == 2 && value(2, "slowest", "compute_seconds") == 1);
    assert_true(value(2, NULL, "global_step") == 20);
}

static void test_cb_events__steps_come_at_most_once_a_second(void **state)
{
    (void)state;
    fmd_control control = {.stop = false};
    fmd_callback *c = begin(0, 0);
    fmd_event e = event_at(0, 0);
    c->ops->epoch_begin(c, &e);
    for (uint64_t step = 1; step <= 10000; step++) {
        e = event_at(0, step);
        c->ops->batch_end(c, &e, &control);
        if (step == 5000)
            usleep(1050000);
    }
    end(c);
    read_lines();
    /* More than one only where the machine was so slow that more than a second went by. */
    assert_true(n_lines >= 2);
    assert_string_equal(text_of(1, "type"), "step");
    for (size_t i = 2; i < n_lines; i++)
        assert_true(value(i, NULL, "time") - value(i - 1, NULL, "time") > 0.9);
}

static void test_cb_events__a_resumed_run_says_where_and_appends(void **state)
{
    (void)state;
    fmd_callback *c = begin(0, 0);
    epoch(c, 0, first);
    c->ops->destroy(c); /* killed */
    c = begin(1, 3);
    c->ops->saved(c, "checkpoints/x.h5", 14, 0.25);
    end(c);
    read_lines();
    assert_int_equal(n_lines, 4);
    assert_string_equal(text_of(2, "type"), "resume");
    assert_true(value(2, NULL, "epoch") == 1 && value(2, NULL, "step") == 3);
    assert_true(value(2, NULL, "global_step") == 13);
    assert_string_equal(text_of(3, "type"), "checkpoint");
    assert_string_equal(text_of(3, "file"), "checkpoints/x.h5");
    assert_true(value(3, NULL, "global_step") == 14 && value(3, NULL, "seconds") == 0.25);
}

static void test_cb_events__without_validation_there_are_no_val_values(void **state)
{
    (void)state;
    fmd_control control = {.stop = false};
    fmd_callback *c = begin(0, 0);
    fmd_event e = event_at(0, 10);
    e.phases = first;
    assert_ok(c->ops->epoch_end(c, &e, &control));
    end(c);
    read_lines();
    assert_true(isnan(value(1, NULL, "val_loss")) && isnan(value(1, NULL, "val_accuracy")));
    assert_true(value(1, NULL, "samples_per_s") == 0); /* no time has passed */
}

static void test_cb_events__a_full_disk_ends_the_run_with_the_path(void **state)
{
    (void)state;
    const fmd_event e = event_at(0, 0);
    fmd_callback *c = create("/dev/full");
    assert_fails(c->ops->train_begin(c, &e), FMD_EIO,
                 "cannot write '/dev/full': No space left on device");
    /* In a hook that cannot fail it is kept for the next one. */
    c->ops->saved(c, "checkpoints/x.h5", 14, 0.25);
    fmd_error_set("another");
    assert_fails(c->ops->train_end(c, &e, NULL), FMD_EIO,
                 "cannot write '/dev/full': No space left on device");
    c->ops->destroy(c);
}

#define forgetting(test) cmocka_unit_test_teardown(test, forget_lines)

int main(void)
{
    const struct CMUnitTest tests[] = {
        forgetting(test_cb_events__an_epoch_has_its_metrics_and_times_over_the_ranks),
        forgetting(test_cb_events__times_are_those_of_one_epoch),
        forgetting(test_cb_events__steps_come_at_most_once_a_second),
        forgetting(test_cb_events__a_resumed_run_says_where_and_appends),
        forgetting(test_cb_events__without_validation_there_are_no_val_values),
        forgetting(test_cb_events__a_full_disk_ends_the_run_with_the_path),
    };
    return cmocka_run_group_tests(tests, temp_folder_make, temp_folder_remove);
}
