/* The checkpoints of a run folder: when, which, and what becomes of damaged ones. */
#include "support/fmd_test.h"
#include "support/idx_files.h"

#include "base/log.h"
#include "base/timer.h"
#include "io/run_lock.h"
#include "train/checkpoints/checkpointer.h"

#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* A small training: all of its parameters are the step. */
static fmd_model *model;
static fmd_optimizer *optimizer;
static int64_t epoch;
static fmd_fingerprint_entry entry = {.name = "seed", .text = "42"};

static int create_training(void **state)
{
    (void)state;
    const fmd_shape in = {.rank = 2, .dim = {2, 2}};
    fmd_log_open(FMD_LOG_ERROR, 0);
    if (fmd_model_create(&model, "flatten,dense:3:softmax", in, 1) != FMD_OK)
        return -1;
    return fmd_optimizer_create(&optimizer, "sgd", fmd_model_n_params(model)) != FMD_OK;
}

static int destroy_training(void **state)
{
    (void)state;
    fmd_optimizer_destroy(optimizer);
    fmd_model_destroy(model);
    return 0;
}

static int enter_run_folder(void **state)
{
    const int result = enter_folder(state);
    make_subfolder(".", "checkpoints");
    return result;
}

static fmd_checkpointer *open_checkpointer(const fmd_checkpointer_args *args)
{
    fmd_checkpointer *s;
    fmd_checkpointer_args a = *args;
    a.run_folder = ".";
    a.keep = a.keep > 0 ? a.keep : 100;
    a.monitor = "accuracy";
    a.mode = FMD_MODE_MAX;
    assert_ok(fmd_checkpointer_create(&s, &a));
    return s;
}

/* The state after so many steps. Borrowed until the next call. */
static const fmd_state *state_after(fmd_checkpointer *s, uint64_t step)
{
    static fmd_state_entry entries[2];
    static fmd_state state;
    epoch = (int64_t)step / 10;
    for (size_t i = 0; i < fmd_model_n_params(model); i++)
        fmd_model_params(model)[i] = (float)step;
    entries[0] = (fmd_state_entry){"epoch", FMD_STATE_I64, 1, &epoch, 0, 1e6, false};
    entries[1] = fmd_checkpointer_entry(s);
    state = (fmd_state){.model = model,
                        .optimizer = optimizer,
                        .learning_rate = 0.5,
                        .step = step,
                        .fingerprint = &entry,
                        .n_fingerprint = 1,
                        .entries = entries,
                        .n_entries = 2};
    return &state;
}

static fmd_status write_step(fmd_checkpointer *s, uint64_t step)
{
    FMD_TRY(fmd_checkpointer_write(s, state_after(s, step)));
    return fmd_checkpointer_settle(s);
}

static fmd_status write_best(fmd_checkpointer *s, uint64_t step, double accuracy)
{
    const fmd_metrics m = {.accuracy = accuracy};
    FMD_TRY(fmd_checkpointer_write_best(s, state_after(s, step), &m));
    return fmd_checkpointer_settle(s);
}

static void write_steps(uint64_t first, uint64_t last)
{
    fmd_checkpointer *s = open_checkpointer(&(fmd_checkpointer_args){.kind = FMD_SAVE_EPOCH});
    for (uint64_t step = first; step <= last; step++)
        assert_ok(write_step(s, step));
    fmd_checkpointer_destroy(s);
}

static const char *step_path(int step)
{
    static char paths[4][64];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "checkpoints/step-%010d.weights.h5", step);
    return path;
}

static bool exists(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

static fmd_status read_state(void *self, const char *path)
{
    const fmd_state *ours = self;
    char list[FMD_ERROR_BYTES];
    fmd_checkpoint_contents c;
    FMD_TRY(fmd_checkpoint_read_contents(path, &c));
    const size_t n = fmd_fingerprint_compare(&c, ours->fingerprint, ours->n_fingerprint, list);
    fmd_checkpoint_free_contents(&c);
    return n > 0 ? FMD_FAIL(FMD_EUSAGE, "%s", list) : fmd_checkpoint_read(path, ours);
}

/* What a new process finds: FMD_OK and the step, or 0 for nothing. */
static fmd_status load(int *step)
{
    bool found = true;
    fmd_checkpointer *s = open_checkpointer(&(fmd_checkpointer_args){.kind = FMD_SAVE_EPOCH});
    fmd_state state = *state_after(s, 0);
    const fmd_status st = fmd_checkpointer_load(s, read_state, &state, &found);
    *step = found ? (int)fmd_model_params(model)[0] : 0;
    fmd_checkpointer_destroy(s);
    return st;
}

static void assert_loads(int expected)
{
    int step = -1;
    assert_ok(load(&step));
    assert_int_equal(step, expected);
    assert_int_equal(epoch, expected / 10);
}

static void assert_latest(int step)
{
    char target[64] = "";
    if (readlink("checkpoints/latest.weights.h5", target, sizeof target - 1) < 0)
        fail_msg("there is no link to the latest checkpoint");
    assert_string_equal(target, step_path(step) + strlen("checkpoints/"));
}

/* Files in the folder of the checkpoints. */
static int count_files(void)
{
    int n = 0;
    DIR *dir = opendir("checkpoints");
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        n += e->d_name[0] != '.' || strncmp(e->d_name, ".emerge", 7) == 0;
    closedir(dir);
    return n;
}

static void flip_byte(const char *path, long at)
{
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, at, SEEK_SET), 0);
    const int c = fgetc(f);
    assert_int_equal(fseek(f, at, SEEK_SET), 0);
    assert_int_equal(fputc(c ^ 1, f), c ^ 1);
    assert_int_equal(fclose(f), 0);
}

static void a_frequency_has_one_of_four_forms(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        fmd_save_kind kind;
        double every;
    } good[] = {{"auto", FMD_SAVE_AUTO, 0},       {"epoch", FMD_SAVE_EPOCH, 0},
                {"1", FMD_SAVE_STEPS, 1},         {"500", FMD_SAVE_STEPS, 500},
                {"30s", FMD_SAVE_SECONDS, 30},    {"0.5s", FMD_SAVE_SECONDS, 0.5},
                {"1h30m", FMD_SAVE_SECONDS, 5400}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        fmd_save_kind kind;
        double every;
        assert_ok(fmd_save_freq_parse(good[i].text, &kind, &every));
        assert_int_equal(kind, good[i].kind);
        assert_true(every == good[i].every);
    }
    static const char *const bad[] = {"", "epochs", "-1", "s", "5x", " 5"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char expected[128];
        fmd_save_kind kind;
        double every;
        snprintf(expected, sizeof expected,
                 "--save-freq: '%s' is not auto, epoch, a number of steps or a time such as 30s",
                 bad[i]);
        assert_fails(fmd_save_freq_parse(bad[i], &kind, &every), FMD_EUSAGE, expected);
    }
    fmd_save_kind kind;
    double every;
    assert_int_equal(fmd_save_freq_parse("0", &kind, &every), FMD_EUSAGE);
}

static void each_kind_is_due_in_its_own_way_only(void **state)
{
    (void)state;
    fmd_checkpointer *s =
        open_checkpointer(&(fmd_checkpointer_args){.kind = FMD_SAVE_STEPS, .every = 3});
    for (uint64_t step = 1; step < 10; step++)
        assert_int_equal(fmd_checkpointer_due_by_step(s, step), step % 3 == 0);
    assert_false(fmd_checkpointer_due_by_epoch(s) || fmd_checkpointer_due_by_time(s));
    fmd_checkpointer_destroy(s);

    s = open_checkpointer(&(fmd_checkpointer_args){.kind = FMD_SAVE_EPOCH});
    assert_true(fmd_checkpointer_due_by_epoch(s));
    assert_false(fmd_checkpointer_due_by_step(s, 3) || fmd_checkpointer_due_by_time(s));
    fmd_checkpointer_destroy(s);

    /* On a machine that stood still for this long it may be due at once. */
    double before = fmd_now();
    s = open_checkpointer(&(fmd_checkpointer_args){.kind = FMD_SAVE_SECONDS, .every = 0.1});
    assert_false(fmd_checkpointer_due_by_time(s) && fmd_now() - before < 0.1);
    usleep(150000);
    assert_true(fmd_checkpointer_due_by_time(s));
    assert_false(fmd_checkpointer_due_by_step(s, 3) || fmd_checkpointer_due_by_epoch(s));
    before = fmd_now();
    assert_ok(write_step(s, 1));
    assert_false(fmd_checkpointer_due_by_time(s) &&
                 fmd_now() - before < 0.1); /* since the last one */
    fmd_checkpointer_destroy(s);

    /* The first is taken to cost 10 ms, and 1 % of the time is allowed. */
    before = fmd_now();
    s = open_checkpointer(&(fmd_checkpointer_args){.kind = FMD_SAVE_AUTO});
    assert_false(fmd_checkpointer_due_by_epoch(s) && fmd_now() - before < 1);
    usleep(1100000);
    assert_true(fmd_checkpointer_due_by_epoch(s));
    assert_false(fmd_checkpointer_due_by_step(s, 3) || fmd_checkpointer_due_by_time(s));
    fmd_checkpointer_destroy(s);
}

static void the_name_of_a_file_tells_its_step(void **state)
{
    (void)state;
    write_steps(7, 8);
    assert_true(exists("checkpoints/step-0000000007.weights.h5"));
    assert_true(exists("checkpoints/step-0000000008.weights.h5"));
    assert_int_equal(count_files(), 3);
    assert_loads(8);
}

static void the_newest_are_kept_and_the_link_is_right_at_each_moment(void **state)
{
    (void)state;
    for (int keep = 1; keep <= 3; keep++) {
        fmd_checkpointer *s =
            open_checkpointer(&(fmd_checkpointer_args){.kind = FMD_SAVE_EPOCH, .keep = keep});
        for (int step = 1; step <= 6; step++) {
            assert_ok(write_step(s, (uint64_t)(100 * keep + step)));
            assert_latest(100 * keep + step);
        }
        assert_int_equal(fmd_checkpointer_count(s), 6);
        assert_true(fmd_checkpointer_seconds(s) > 0);
        fmd_checkpointer_destroy(s);
        assert_int_equal(count_files(), keep + 1);
        for (int i = 0; i < keep; i++)
            assert_true(exists(step_path(100 * keep + 6 - i)));
    }
}

static void files_of_others_are_left_alone(void **state)
{
    (void)state;
    static const char *const names[] = {"step-1.weights.h5", "step-00000000x1.weights.h5",
                                        "step-0000000001.weights.h5.bad", "notes",
                                        "best.weights.h5"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        write_file("checkpoints", names[i], "mine", 4);
    fmd_checkpointer *s =
        open_checkpointer(&(fmd_checkpointer_args){.kind = FMD_SAVE_EPOCH, .keep = 1});
    for (uint64_t step = 1; step < 4; step++)
        assert_ok(write_step(s, step));
    fmd_checkpointer_destroy(s);
    assert_loads(3);
    assert_int_equal(count_files(), 7);
}

/* In float64 the second epoch is better, in float32, which Keras compares in, it is not. */
static void the_best_is_the_epoch_that_reports_mark(void **state)
{
    (void)state;
    const double values[] = {0.9, 0.9 + 1e-9, 0.8};
    uint64_t step;
    double best_value = (double)NAN;
    int best = -1;
    fmd_checkpointer *s =
        open_checkpointer(&(fmd_checkpointer_args){.kind = FMD_SAVE_EPOCH, .best = true});
    for (int i = 0; i < 3; i++) {
        assert_ok(write_best(s, (uint64_t)i + 1, values[i]));
        if (fmd_metric_is_best("accuracy", FMD_MODE_AUTO, values[i], best_value)) {
            best = i;
            best_value = values[i];
        }
    }
    fmd_checkpointer_destroy(s);
    assert_ok(fmd_checkpoint_verify("checkpoints/best.weights.h5", &step));
    assert_int_equal(step, best + 1);
    assert_int_equal(best, 0);
}

/* The history of three epochs of ten steps, of which the second is the best. */
static const fmd_metrics three_epochs[] = {{.accuracy = 0.5}, {.accuracy = 0.9}, {.accuracy = 0.7}};

static uint64_t best_step(void)
{
    uint64_t step;
    return exists("checkpoints/best.weights.h5") &&
                   fmd_checkpoint_verify("checkpoints/best.weights.h5", &step) == FMD_OK
               ? step
               : 0;
}

/* A new process that keeps the best, behind three epochs; then an epoch with this accuracy. */
static void recall(const char *from, double accuracy)
{
    fmd_checkpointer *s =
        open_checkpointer(&(fmd_checkpointer_args){.kind = FMD_SAVE_EPOCH, .best = true});
    fmd_checkpointer_recall(s, state_after(s, 30), three_epochs, 3, 10, from);
    assert_ok(write_best(s, 40, accuracy));
    fmd_checkpointer_destroy(s);
}

static void the_best_of_the_history_counts_where_its_weights_are_lost(void **state)
{
    (void)state;
    recall(NULL, 0.8);
    assert_int_equal(best_step(), 0);
    recall(NULL, 0.95);
    assert_int_equal(best_step(), 40);
}

static void the_best_of_the_history_is_found_beside_the_checkpoint(void **state)
{
    (void)state;
    write_steps(20, 20);
    recall(NULL, 0.8);
    assert_int_equal(best_step(), 20);
    make_subfolder(".", "other");
    assert_int_equal(rename("checkpoints/best.weights.h5", "other/best.weights.h5"), 0);
    unlink(step_path(20));
    recall("other/step-0000000030.weights.h5", 0.8);
    assert_int_equal(best_step(), 20);
    unlink("other/best.weights.h5");
    rmdir("other");
}

static void best_weights_by_another_metric_are_gone(void **state)
{
    (void)state;
    fmd_checkpointer *s = open_checkpointer(&(fmd_checkpointer_args){.best = true});
    assert_ok(write_best(s, 10, three_epochs[0].accuracy));
    fmd_checkpointer_destroy(s);
    recall(NULL, 0.8);
    assert_int_equal(best_step(), 0);
}

static void the_best_is_written_when_it_is_better(void **state)
{
    (void)state;
    static const struct {
        double accuracy;
        int best;
    } epochs[] = {{0.5, 1}, {0.4, 1}, {0.5, 1}, {0.6, 4}, {0.55, 4}};
    const int n = sizeof epochs / sizeof *epochs;
    for (int resumed = -1; resumed < n; resumed++) {
        unlink("checkpoints/best.weights.h5");
        fmd_checkpointer *s =
            open_checkpointer(&(fmd_checkpointer_args){.kind = FMD_SAVE_EPOCH, .best = true});
        for (int i = 0; i < n; i++) {
            uint64_t step;
            if (i == resumed) { /* another process that knows what a checkpoint holds */
                fmd_checkpointer *next = open_checkpointer(&(fmd_checkpointer_args){.best = true});
                *(double *)fmd_checkpointer_entry(next).data =
                    *(double *)fmd_checkpointer_entry(s).data;
                fmd_checkpointer_destroy(s);
                s = next;
            }
            assert_ok(write_best(s, (uint64_t)i + 1, epochs[i].accuracy));
            assert_ok(fmd_checkpoint_verify("checkpoints/best.weights.h5", &step));
            assert_int_equal(step, epochs[i].best);
        }
        fmd_checkpointer_destroy(s);
    }
    fmd_checkpointer *s = open_checkpointer(&(fmd_checkpointer_args){.best = false});
    assert_ok(write_best(s, 9, 1));
    fmd_checkpointer_destroy(s);
    uint64_t step;
    assert_ok(fmd_checkpoint_verify("checkpoints/best.weights.h5", &step));
    assert_int_equal(step, 4);
}

static void without_files_there_is_nothing_to_load(void **state)
{
    (void)state;
    assert_loads(0);
    assert_false(exists("checkpoints/latest.weights.h5"));
}

static void a_damaged_file_is_set_aside_for_the_next_older_one(void **state)
{
    (void)state;
    write_steps(1, 5);
    flip_byte(step_path(5), 3000);
    assert_int_equal(truncate(step_path(4), 100), 0);
    assert_int_equal(truncate(step_path(3), 0), 0);
    assert_loads(2);
    assert_latest(2);
    for (int step = 3; step <= 5; step++) {
        char bad[80];
        snprintf(bad, sizeof bad, "%s.bad", step_path(step));
        assert_true(exists(bad) && !exists(step_path(step)));
    }
    assert_loads(2);
}

static void what_is_no_regular_file_is_set_aside(void **state)
{
    (void)state;
    write_steps(1, 2);
    assert_int_equal(mkdir(step_path(3), 0777), 0);
    assert_int_equal(symlink("step-0000000001.weights.h5", step_path(4)), 0);
    assert_int_equal(mkfifo(step_path(5), 0666), 0);
    assert_loads(2);
    assert_int_equal(count_files(), 6);
}

static void a_file_under_the_name_of_another_step_is_set_aside(void **state)
{
    (void)state;
    write_steps(1, 3);
    assert_int_equal(rename(step_path(3), step_path(7)), 0);
    assert_loads(2);
    assert_true(exists("checkpoints/step-0000000007.weights.h5.bad"));
}

static void where_all_are_damaged_no_start_begins_again(void **state)
{
    (void)state;
    write_steps(1, 3);
    for (int step = 1; step <= 3; step++)
        flip_byte(step_path(step), 700);
    for (int start = 0; start < 3; start++) {
        int step = -1;
        assert_fails(load(&step), FMD_EDATA,
                     "none of the 3 checkpoints in './checkpoints' is intact: to start anew, name "
                     "another --run-dir");
        assert_int_equal(step, 0);
    }
}

static void a_folder_that_cannot_be_read_is_no_new_start(void **state)
{
    (void)state;
    int step = -1;
    assert_int_equal(rename("checkpoints", "elsewhere"), 0);
    assert_fails(load(&step), FMD_EIO,
                 "cannot read the folder './checkpoints': No such file or directory");
    assert_int_equal(rename("elsewhere", "checkpoints"), 0);
}

static void the_newest_of_another_run_is_refused_and_stays(void **state)
{
    (void)state;
    int step;
    write_steps(1, 2);
    memcpy(entry.text, "43", 3);
    const fmd_status st = load(&step);
    memcpy(entry.text, "42", 3);
    assert_int_equal(st, FMD_EUSAGE);
    assert_string_equal(fmd_error_message(), "seed is 42 there, 43 here");
    assert_int_equal(count_files(), 3);
    assert_loads(2);
}

static void remains_of_writes_that_were_cut_off_are_deleted(void **state)
{
    (void)state;
    write_steps(1, 2);
    write_file("checkpoints", "step-0000000003.weights.h5.tmp-77-0", "half", 4);
    write_file("checkpoints", "latest.weights.h5.tmp-link", "half", 4);
    write_file("checkpoints", ".emergency-3", "", 0);
    write_file("checkpoints", ".emergence", "somebody else's", 15);
    assert_loads(2);
    assert_int_equal(count_files(), 4);
}

/* A folder in the place of the file: it cannot be replaced by one. */
static void a_failed_write_is_survived_twice_in_a_row(void **state)
{
    (void)state;
    fmd_checkpointer *s =
        open_checkpointer(&(fmd_checkpointer_args){.kind = FMD_SAVE_EPOCH, .keep = 1});
    assert_ok(write_step(s, 1));
    for (int step = 2; step <= 6; step++)
        if (step != 4)
            assert_int_equal(mkdir(step_path(step), 0777), 0);
    assert_ok(write_step(s, 2));
    assert_ok(write_step(s, 3));
    assert_latest(1);
    assert_true(exists(step_path(1)));
    assert_int_equal(fmd_checkpointer_count(s), 1);
    for (int step = 2; step <= 3; step++)
        assert_int_equal(rmdir(step_path(step)), 0);
    assert_int_equal(rmdir(step_path(5)), 0);
    assert_int_equal(rmdir(step_path(6)), 0);
    assert_ok(write_step(s, 4)); /* and the count begins again */
    for (int step = 5; step <= 7; step++)
        assert_int_equal(mkdir(step_path(step), 0777), 0);
    assert_ok(write_step(s, 5));
    assert_ok(write_step(s, 6));
    assert_fails(write_step(s, 7), FMD_EIO,
                 "3 checkpoints in a row failed: cannot write "
                 "'./checkpoints/step-0000000007.weights.h5': Is a directory");
    assert_latest(4);
    fmd_checkpointer_destroy(s);
    assert_loads(4);
}

static void a_full_disk_costs_old_checkpoints_but_never_the_last_good_one(void **state)
{
    (void)state;
    struct stat one;
    char size[32];
    write_steps(1, 1);
    assert_int_equal(stat(step_path(1), &one), 0);
    const long blocks = (long)(one.st_size + 4095) / 4096;
    snprintf(size, sizeof size, "size=%ldk", 4 * (3 * blocks + 1)); /* room for three */
    if (mount("none", "checkpoints", "tmpfs", 0, size) != 0)
        skip();
    fmd_checkpointer *s = open_checkpointer(&(fmd_checkpointer_args){.kind = FMD_SAVE_EPOCH});
    fmd_status st[8] = {FMD_OK};
    for (uint64_t step = 1; step < 8; step++)
        st[step] = write_step(s, step);
    const int files = count_files();
    int step = -1;
    /* One is left, and others take the rest. */
    fmd_checkpointer_destroy(s);
    s = open_checkpointer(&(fmd_checkpointer_args){.kind = FMD_SAVE_EPOCH, .keep = 1});
    st[7] = write_step(s, 7);
    FILE *f = fopen("checkpoints/other", "w");
    while (f != NULL && fputc('x', f) != EOF && ftell(f) < 1 << 20)
        continue;
    if (f != NULL)
        fclose(f);
    const fmd_status full[] = {write_step(s, 8), write_step(s, 9), write_step(s, 10)};
    fmd_checkpointer_destroy(s);
    const fmd_status loaded = load(&step);
    assert_int_equal(umount("checkpoints"), 0);
    for (int i = 1; i < 8; i++)
        assert_int_equal(st[i], FMD_OK);
    assert_true(files >= 2 && files <= 4);
    assert_int_equal(full[0], FMD_OK);
    assert_int_equal(full[1], FMD_OK);
    assert_int_equal(full[2], FMD_EIO);
    assert_int_equal(loaded, FMD_OK);
    assert_int_equal(step, 7);
}

static void the_copy_is_of_the_moment_of_the_call(void **state)
{
    (void)state;
    fmd_checkpointer *s = open_checkpointer(&(fmd_checkpointer_args){.kind = FMD_SAVE_EPOCH});
    for (uint64_t step = 1; step < 20; step++) {
        assert_ok(fmd_checkpointer_write(s, state_after(s, step)));
        state_after(s, 99);
    }
    fmd_checkpointer_destroy(s); /* waits for the last */
    assert_int_equal(count_files(), 20);
    assert_loads(19);
}

/* The training asks after each step, without waiting; it hears of each file once. */
static void a_completed_checkpoint_is_told_once(void **state)
{
    (void)state;
    char file[FMD_CHECKPOINTER_FILE_BYTES];
    uint64_t step = 0;
    double seconds = 0;
    fmd_checkpointer *s = open_checkpointer(&(fmd_checkpointer_args){.kind = FMD_SAVE_EPOCH});
    assert_false(fmd_checkpointer_saved(s, &step, &seconds, file));
    assert_ok(fmd_checkpointer_write(s, state_after(s, 5)));
    for (int i = 0; i < 20000 && fmd_checkpointer_count(s) == 0; i++) {
        fmd_checkpointer_poll(s);
        usleep(1000);
    }
    assert_true(fmd_checkpointer_saved(s, &step, &seconds, file));
    assert_int_equal(step, 5);
    assert_true(seconds > 0);
    assert_string_equal(file, "checkpoints/step-0000000005.weights.h5");
    assert_true(exists(file));
    assert_false(fmd_checkpointer_saved(s, &step, &seconds, file));
    fmd_checkpointer_destroy(s);
}

/* Not at the next checkpoint, which may be hours away. */
static void a_failure_for_good_asks_for_an_end_at_once(void **state)
{
    (void)state;
    fmd_run_lock l;
    assert_ok(fmd_run_lock_take(&l, "."));
    fmd_checkpointer *s = open_checkpointer(
        &(fmd_checkpointer_args){.lock = l, .kind = FMD_SAVE_STEPS, .every = 1000});
    assert_ok(write_step(s, 1));
    assert_false(fmd_checkpointer_due_by_time(s));
    fmd_run_lock_release(&l);
    assert_ok(fmd_run_lock_take(&l, "."));
    assert_ok(fmd_checkpointer_write(s, state_after(s, 2)));
    for (int i = 0; i < 20000 && !fmd_checkpointer_due_by_time(s); i++) {
        fmd_checkpointer_poll(s);
        usleep(1000);
    }
    assert_true(fmd_checkpointer_due_by_time(s));
    assert_int_equal(fmd_checkpointer_write(s, state_after(s, 3)), FMD_EBUSY);
    fmd_checkpointer_destroy(s);
    fmd_run_lock_release(&l);
    assert_latest(1);
}

/* As on a file system that has no links: here a folder is in the way of the new one. */
static void a_link_that_cannot_be_made_is_named_and_survived(void **state)
{
    (void)state;
    char said[256] = "";
    assert_int_equal(mkdir("checkpoints/latest.weights.h5.tmp-link", 0777), 0);
    fmd_checkpointer *s = open_checkpointer(&(fmd_checkpointer_args){.kind = FMD_SAVE_EPOCH});
    const int before = dup(STDERR_FILENO);
    assert_non_null(freopen("said", "w+", stderr));
    fmd_log_open(FMD_LOG_WARNING, 0);
    const fmd_status st = write_step(s, 1);
    fmd_log_open(FMD_LOG_ERROR, 0);
    rewind(stderr);
    const char *line = fgets(said, sizeof said, stderr);
    dup2(before, STDERR_FILENO);
    close(before);
    fmd_checkpointer_destroy(s);
    assert_int_equal(st, FMD_OK);
    assert_non_null(line);
    assert_string_equal(said,
                        "fmnist-dist: warning: cannot link './checkpoints/latest.weights.h5': "
                        "File exists\n");
    assert_loads(1);
}

/* Copies of this run's checkpoints in the memory of the machine. */
static int count_copies(const fmd_run_lock *l)
{
    char prefix[64];
    int n = 0;
    DIR *dir = opendir("/dev/shm");
    snprintf(prefix, sizeof prefix, "fmnist-dist-%ld-%016" PRIx64 "-", (long)geteuid(), l->key);
    for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;)
        n += strncmp(e->d_name, prefix, strlen(prefix)) == 0;
    if (dir != NULL)
        closedir(dir);
    return n;
}

static void a_replaced_process_writes_nothing(void **state)
{
    (void)state;
    fmd_run_lock l;
    assert_ok(fmd_run_lock_take(&l, "."));
    fmd_checkpointer *s = open_checkpointer(
        &(fmd_checkpointer_args){.lock = l, .kind = FMD_SAVE_EPOCH, .best = true});
    assert_ok(write_step(s, 1));
    fmd_run_lock_release(&l);
    assert_ok(fmd_run_lock_take(&l, "."));
    assert_int_equal(write_step(s, 2), FMD_EBUSY);
    assert_int_equal(write_best(s, 2, 1), FMD_EBUSY);
    assert_int_equal(fmd_checkpointer_write_final(s, state_after(s, 2), false), FMD_EBUSY);
    fmd_checkpointer_emergency(s, state_after(s, 3));
    assert_int_equal(count_copies(&l), 0);
    fmd_checkpointer_destroy(s);
    fmd_run_lock_release(&l);
    assert_int_equal(count_files(), 2);
    assert_latest(1);
}

static void a_last_checkpoint_is_written_once(void **state)
{
    (void)state;
    fmd_checkpointer *s = open_checkpointer(&(fmd_checkpointer_args){.kind = FMD_SAVE_EPOCH});
    assert_ok(write_step(s, 1));
    fmd_checkpointer_emergency(s, state_after(s, 2));
    assert_latest(2);
    assert_int_equal(count_files(), 3);
    struct stat before, after;
    assert_int_equal(stat(step_path(2), &before), 0);
    fmd_checkpointer_emergency(s, state_after(s, 2));
    assert_int_equal(stat(step_path(2), &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    /* A survivor that was about to write this one has been killed: another takes its turn. */
    write_file("checkpoints", ".emergency-3-0", "", 0);
    fmd_checkpointer_emergency(s, state_after(s, 3));
    assert_latest(3);
    /* Both who had a turn are dead or at it: a third does not crowd in. */
    write_file("checkpoints", ".emergency-4-0", "", 0);
    write_file("checkpoints", ".emergency-4-1", "", 0);
    fmd_checkpointer_emergency(s, state_after(s, 4));
    assert_false(exists(step_path(4)));
    fmd_checkpointer_destroy(s);
    assert_loads(3);
}

static ino_t inode(const char *path)
{
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    return info.st_ino;
}

static void the_end_is_in_a_file_of_its_own(void **state)
{
    (void)state;
    uint64_t step;
    fmd_checkpointer *s = open_checkpointer(&(fmd_checkpointer_args){.kind = FMD_SAVE_EPOCH});
    assert_ok(fmd_checkpointer_write_final(s, state_after(s, 12), false));
    fmd_checkpointer_destroy(s);
    assert_ok(fmd_checkpoint_verify("checkpoints/final.weights.h5", &step));
    assert_int_equal(step, 12);
    assert_int_equal(count_files(), 1);
    assert_loads(0);
}

/* A disk that is full by now does not spoil a finished run. */
static void the_end_needs_no_space_if_the_newest_checkpoint_has_it(void **state)
{
    (void)state;
    uint64_t step;
    const struct rlimit none = {0, RLIM_INFINITY};
    struct rlimit before;
    fmd_checkpointer *s = open_checkpointer(&(fmd_checkpointer_args){.kind = FMD_SAVE_EPOCH});
    assert_ok(write_step(s, 12));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &none);
    const fmd_status linked = fmd_checkpointer_write_final(s, state_after(s, 12), false);
    const fmd_status again = fmd_checkpointer_write_final(s, state_after(s, 12), false);
    const fmd_status replaced = fmd_checkpointer_write_final(s, state_after(s, 12), true);
    const fmd_status later = fmd_checkpointer_write_final(s, state_after(s, 13), false);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(linked, FMD_OK);
    assert_int_equal(again, FMD_OK);
    assert_int_equal(replaced, FMD_EIO);
    assert_int_equal(later, FMD_EIO);
    assert_int_equal(inode("checkpoints/final.weights.h5"), inode(step_path(12)));
    assert_int_equal(count_files(), 3);
    /* Weights that a callback has replaced since are in a file of their own. */
    assert_ok(fmd_checkpointer_write_final(s, state_after(s, 12), true));
    assert_int_not_equal(inode("checkpoints/final.weights.h5"), inode(step_path(12)));
    fmd_checkpointer_destroy(s);
    assert_ok(fmd_checkpoint_verify("checkpoints/final.weights.h5", &step));
    assert_loads(12);
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, enter_run_folder, leave_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(a_frequency_has_one_of_four_forms),
        in_folder(each_kind_is_due_in_its_own_way_only),
        in_folder(the_name_of_a_file_tells_its_step),
        in_folder(the_newest_are_kept_and_the_link_is_right_at_each_moment),
        in_folder(files_of_others_are_left_alone),
        in_folder(the_best_is_written_when_it_is_better),
        in_folder(the_best_is_the_epoch_that_reports_mark),
        in_folder(the_best_of_the_history_counts_where_its_weights_are_lost),
        in_folder(the_best_of_the_history_is_found_beside_the_checkpoint),
        in_folder(best_weights_by_another_metric_are_gone),
        in_folder(without_files_there_is_nothing_to_load),
        in_folder(a_damaged_file_is_set_aside_for_the_next_older_one),
        in_folder(what_is_no_regular_file_is_set_aside),
        in_folder(a_file_under_the_name_of_another_step_is_set_aside),
        in_folder(where_all_are_damaged_no_start_begins_again),
        in_folder(a_folder_that_cannot_be_read_is_no_new_start),
        in_folder(the_newest_of_another_run_is_refused_and_stays),
        in_folder(remains_of_writes_that_were_cut_off_are_deleted),
        in_folder(a_failed_write_is_survived_twice_in_a_row),
        in_folder(a_full_disk_costs_old_checkpoints_but_never_the_last_good_one),
        in_folder(the_copy_is_of_the_moment_of_the_call),
        in_folder(a_completed_checkpoint_is_told_once),
        in_folder(a_failure_for_good_asks_for_an_end_at_once),
        in_folder(a_link_that_cannot_be_made_is_named_and_survived),
        in_folder(a_replaced_process_writes_nothing),
        in_folder(a_last_checkpoint_is_written_once),
        in_folder(the_end_is_in_a_file_of_its_own),
        in_folder(the_end_needs_no_space_if_the_newest_checkpoint_has_it),
    };
    return cmocka_run_group_tests(tests, create_training, destroy_training);
}
