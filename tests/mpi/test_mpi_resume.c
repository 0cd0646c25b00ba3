/* A training that is stopped anywhere, any number of times, has the same result as an uninterrupted
 * one: weights, history and files. */
#include "support/idx_files.h"
#include "support/mpi_main.h"
#include "train/callbacks/callbacks.h"

#include "base/hash.h"
#include "base/rng.h"
#include "math/gemm.h"
#include "train/batch_plan.h"
#include "train/loop.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CLASSES = 4, PIXELS = 16, TRAINED = 100, VALIDATED = 40, BATCH = 32, SEED = 42 };
enum { EPOCHS = 4, STEPS = 4 /* in an epoch */, ALL_STEPS = EPOCHS * STEPS };
enum { BYTES_MAX = 1 << 20 };

static const fmd_shape image_shape = {.rank = 2, .dim = {4, 4}};
static const char *const layers = "flatten,dense:16:relu,dropout:0.3,dense:4:softmax";
static uint8_t images[(TRAINED + VALIDATED) * PIXELS], labels[TRAINED + VALIDATED];

static bool is_root(void)
{
    return fmd_comm_rank(mpi_comm) == 0;
}

/* Noise, brighter where the pixel's place modulo the number of classes is the label. */
static void make_images(void)
{
    const fmd_rng rng = {.seed = 1, .purpose = FMD_RNG_INIT};
    for (size_t i = 0; i < TRAINED + VALIDATED; i++) {
        labels[i] = (uint8_t)(i * 7 / 3 % CLASSES);
        for (size_t j = 0; j < PIXELS; j++) {
            uint32_t x[4];
            fmd_rng_block(&rng, i * PIXELS + j, x);
            images[i * PIXELS + j] = (uint8_t)(x[0] % 160 + (j % CLASSES == labels[i] ? 90 : 0));
        }
    }
}

/* Rank 0's callback: asks to stop after a step, counted over all epochs, and copies the history. */
typedef struct stopper {
    fmd_callback base;
    int stop_after, signal; /* 0: never; the signal that does it, 0: the callback itself */
    uint64_t began;         /* the step at train_begin */
    bool ended;
    fmd_metrics history[EPOCHS];
} stopper;

static fmd_status on_train_begin(fmd_callback *c, const fmd_event *e)
{
    ((stopper *)c)->began = (uint64_t)e->epoch * e->steps + e->step;
    return FMD_OK;
}

static void on_batch_end(fmd_callback *c, const fmd_event *e, fmd_control *control)
{
    const stopper *s = (const stopper *)c;
    if (e->epoch * STEPS + (int)e->step != s->stop_after)
        return;
    if (s->signal != 0)
        raise(s->signal);
    else
        fmd_control_stop(control, "asked in step %d", s->stop_after);
}

static fmd_status on_train_end(fmd_callback *c, const fmd_event *e, fmd_final_weights *weights)
{
    (void)weights;
    stopper *s = (stopper *)c;
    memcpy(s->history, e->history, sizeof s->history);
    s->ended = true;
    return FMD_OK;
}

static const fmd_callback_ops stopper_ops = {.name = "stopper",
                                             .train_begin = on_train_begin,
                                             .batch_end = on_batch_end,
                                             .train_end = on_train_end};

/* Settings of one process, and its result. */
typedef struct process {
    const char *folder;          /* NULL: no checkpointer */
    double save_steps;           /* 0: a checkpoint after each epoch */
    bool best, higher_is_better; /* keep the best by loss */
    bool plateau;                /* a quarter of the learning rate after each epoch but the first */
    bool patient;                /* stop early, two epochs after the largest loss, and restore it */
    int stop_after, signal;
    bool resume;
    const char *resume_from;
    const char *seed;      /* a fingerprint entry */
    const char *optimizer; /* NULL: adam */

    fmd_status status;
    char message[FMD_ERROR_BYTES];
    fmd_hash weights;
    fmd_fit_result result;
    uint64_t began;
    bool ended;
    fmd_metrics history[EPOCHS];
} process;

/* Collective. Trains with new objects, without memory of earlier processes. */
static void train(process *p)
{
    fmd_fingerprint_entry entry = {.name = "seed"};
    snprintf(entry.text, sizeof entry.text, "%s", p->seed != NULL ? p->seed : "42");
    stopper s = {.base.ops = &stopper_ops, .stop_after = p->stop_after, .signal = p->signal};
    fmd_callback *callbacks[3];
    fmd_schedule schedule;
    const fmd_schedule_plan plan = {
        .learning_rate = 0.01, .scale = 1, .epoch_steps = STEPS, .epochs = EPOCHS};
    assert_all_ok(fmd_schedule_create(
        &schedule, p->plateau ? "plateau:factor=0.25:patience=1:mode=max" : "cosine", &plan));
    fmd_fit_args args = {
        .train = {.n = TRAINED, .images = images, .labels = labels},
        .validation = {.n = VALIDATED,
                       .images = images + TRAINED * PIXELS,
                       .labels = labels + TRAINED},
        .divisor = 255,
        .epochs = EPOCHS,
        .batch_size = BATCH,
        .microbatch_size = fmd_microbatch_size(FMD_UNSET_INT, BATCH, false),
        .schedule = schedule,
        .reduce = FMD_REDUCE_EXACT,
        .seed = SEED,
        .shuffle = true,
        .callbacks = callbacks,
        .resume = p->resume,
        .resume_from = p->resume_from,
        .fingerprint = &entry,
        .n_fingerprint = 1,
    };
    fmd_model *m = NULL;
    fmd_optimizer *o = NULL;
    fmd_model_size size;
    assert_all_ok(fmd_model_measure(&size, layers, image_shape));
    assert_all_ok(fmd_model_create(&m, layers, image_shape, fmd_fit_samples(&args, 1, &size)));
    fmd_model_init(m, SEED);
    const char *optimizer = p->optimizer != NULL ? p->optimizer : "adam";
    assert_all_ok(fmd_optimizer_create(&o, optimizer, fmd_model_n_params(m)));
    if (p->patient) {
        const fmd_early_stopping_args early = {.monitor = "loss",
                                               .patience = 2,
                                               .mode = FMD_MODE_MAX,
                                               .baseline = (double)NAN,
                                               .restore_best = true,
                                               .n_params = fmd_model_n_params(m)};
        assert_all_ok(
            fmd_cb_early_stopping_create(&callbacks[args.n_callbacks++], &early, NULL, true));
    }
    if (p->plateau) {
        fmd_plateau_args plateau = *fmd_schedule_plateau(&schedule);
        snprintf(plateau.monitor, sizeof plateau.monitor, "loss");
        assert_all_ok(fmd_cb_plateau_create(&callbacks[args.n_callbacks++], &plateau, NULL, true));
    }
    const int kept = args.n_callbacks; /* the stopper must not be destroyed */
    if (is_root())
        callbacks[args.n_callbacks++] = &s.base;
    if (p->folder != NULL) {
        const fmd_checkpointer_args saving = {
            .run_folder = p->folder,
            .kind = p->save_steps > 0 ? FMD_SAVE_STEPS : FMD_SAVE_EPOCH,
            .every = p->save_steps,
            .keep = 1000,
            .best = p->best,
            .monitor = "loss",
            .mode = p->higher_is_better ? FMD_MODE_MAX : FMD_MODE_MIN};
        assert_all_ok(fmd_checkpointer_create(&args.checkpointer, &saving));
    }
    if (p->signal != 0) {
        fmd_watchdog_prepare();
        assert_all_ok(fmd_watchdog_start(&args.watchdog, fmd_comm_rank(mpi_comm), "this host", 0));
    }
    p->status = fmd_fit(mpi_comm, m, o, &args, &p->result);
    snprintf(p->message, sizeof p->message, "%s", p->status != FMD_OK ? fmd_error_message() : "");
    fmd_watchdog_stop(args.watchdog);
    p->weights = fmd_model_hash(m);
    p->began = s.began;
    p->ended = s.ended;
    memcpy(p->history, s.history, sizeof p->history);
    for (int i = 0; i < kept; i++)
        callbacks[i]->ops->destroy(callbacks[i]);
    fmd_checkpointer_destroy(args.checkpointer);
    fmd_optimizer_destroy(o);
    fmd_model_destroy(m);
    assert_equal_on_all_ranks(&p->status, sizeof p->status);
    assert_equal_on_all_ranks(p->message, sizeof p->message);
    assert_equal_on_all_ranks(p->result.reason, sizeof p->result.reason);
    assert_equal_on_all_ranks(&p->result.steps, sizeof p->result.steps);
    if (p->status == FMD_OK) {
        assert_equal_on_all_ranks(&p->weights, sizeof p->weights);
        assert_equal_on_all_ranks(&p->result.metrics, sizeof p->result.metrics);
    }
}

/* Collective. A run folder, created by rank 0. */
static void open_folder(char path[TEST_PATH_BYTES])
{
    memset(path, 0, TEST_PATH_BYTES);
    if (is_root()) {
        make_folder(path);
        make_subfolder(path, "checkpoints");
    }
    fmd_comm_bcast(mpi_comm, path, TEST_PATH_BYTES);
}

/* Collective. */
static void close_folder(const char *path)
{
    int64_t ready = 1; /* no longer read */
    fmd_comm_sum_i64(mpi_comm, &ready, 1);
    if (is_root())
        remove_folder(path);
}

static const char *in_folder(const char *folder, const char *name, char path[TEST_PATH_BYTES])
{
    snprintf(path, TEST_PATH_BYTES, "%.400s/checkpoints/%s", folder, name);
    return path;
}

static const char *step_file(const char *folder, int step, char path[TEST_PATH_BYTES])
{
    char name[64];
    snprintf(name, sizeof name, "step-%010d.weights.h5", step);
    return in_folder(folder, name, path);
}

/* Rank 0. The hash of a file; of no bytes if the file is missing. */
static fmd_hash file_hash(const char *path)
{
    static char bytes[BYTES_MAX];
    FILE *f = fopen(path, "rb");
    const size_t n = f != NULL ? fread(bytes, 1, sizeof bytes, f) : 0;
    if (f != NULL)
        fclose(f);
    return fmd_hash_bytes(bytes, n);
}

/* Collective. Both folders have this file with the same bytes. */
#define assert_same_file(a, b, name) assert_all_ranks(!is_root() || same_file((a), (b), (name)))
static bool same_file(const char *a, const char *b, const char *name)
{
    char path_a[TEST_PATH_BYTES], path_b[TEST_PATH_BYTES];
    const fmd_hash first = file_hash(in_folder(a, name, path_a));
    const fmd_hash second = file_hash(in_folder(b, name, path_b));
    return access(path_a, F_OK) == 0 && memcmp(&first, &second, sizeof first) == 0;
}

/* Collective. Both trainings succeeded with the same result. */
static void assert_same_end(const process *found, const process *expected)
{
    fmd_error_set("%s", found->message);
    assert_all_ok(found->status);
    assert_all_ranks(!found->result.interrupted);
    assert_all_ranks(memcmp(&found->weights, &expected->weights, sizeof found->weights) == 0);
    assert_all_ranks(found->result.epochs == expected->result.epochs);
    assert_all_ranks(found->result.steps == expected->result.steps);
    assert_all_ranks(memcmp(&found->result.metrics, &expected->result.metrics,
                            sizeof found->result.metrics) == 0);
    assert_all_ranks(strcmp(found->result.reason, expected->result.reason) == 0);
    assert_all_ranks(found->ended == expected->ended);
    assert_all_ranks(memcmp(found->history, expected->history, sizeof found->history) == 0);
}

/* Collective. The uninterrupted run. */
static process undisturbed(const char *folder, process p)
{
    p.folder = folder;
    train(&p);
    fmd_error_set("%s", p.message);
    assert_all_ok(p.status);
    assert_all_ranks(!p.result.interrupted);
    return p;
}

/* Collective. Stops the run `p` after each step in turn, or after every `stride`th, then resumes it
 * in the same folder. */
static void stop_after_steps(process p, int stride)
{
    char whole[TEST_PATH_BYTES], parts[TEST_PATH_BYTES];
    open_folder(whole);
    const process expected = undisturbed(whole, p);
    const int last = (int)expected.result.steps;
    for (int stop = 1; stop < last; stop += stride) {
        open_folder(parts);
        process first = p, second = p;
        first.folder = second.folder = parts;
        first.stop_after = stop;
        train(&first);
        assert_all_ok(first.status);
        assert_all_ranks(first.result.interrupted);
        assert_all_ranks((int)first.result.steps == stop + 1);
        assert_all_ranks(!first.ended);
        second.resume = true;
        train(&second);
        assert_all_ranks(!is_root() || (int)second.began == stop + 1);
        assert_all_ranks((int)second.result.resumed_step == stop + 1);
        assert_same_end(&second, &expected);
        assert_same_file(whole, parts, "final.weights.h5");
        if (p.best)
            assert_same_file(whole, parts, "best.weights.h5");
        close_folder(parts);
    }
    close_folder(whole);
}

static void a_training_stopped_after_any_step_ends_as_if_it_had_not_been(void **state)
{
    (void)state;
    stop_after_steps((process){.best = true}, 1);
}

static void each_optimizer_continues_from_its_slots(void **state)
{
    (void)state;
    static const char *const specs[] = {
        "adam:amsgrad:clipnorm=0.1", "lamb:use_ema:ema_momentum=0.9:ema_overwrite_frequency=4",
        "sgd:use_ema:weight_decay=0.1", "rmsprop:momentum=0.5:centered:use_ema"};
    const fmd_optimizer_ops *ops;
    for (size_t i = 0; (ops = fmd_optimizer_ops_at(i)) != NULL; i++)
        stop_after_steps((process){.optimizer = ops->name}, 2 * STEPS);
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
        stop_after_steps((process){.optimizer = specs[i]}, 2 * STEPS);
}

/* The last checkpoint of the loop has the parameters, the final file the averages. */
static void the_final_file_has_the_averages(void **state)
{
    (void)state;
    char folder[TEST_PATH_BYTES], path[TEST_PATH_BYTES];
    open_folder(folder);
    const process p = undisturbed(folder, (process){.optimizer = "sgd:use_ema:ema_momentum=0.9"});
    fmd_model *m;
    assert_all_ok(fmd_model_create(&m, layers, image_shape, 1));
    assert_all_ok(fmd_checkpoint_read_params(in_folder(folder, "final.weights.h5", path), m));
    const fmd_hash final = fmd_model_hash(m);
    assert_all_ranks(memcmp(&final, &p.weights, sizeof final) == 0);
    assert_all_ok(fmd_checkpoint_read_params(step_file(folder, ALL_STEPS, path), m));
    const fmd_hash last = fmd_model_hash(m);
    assert_all_ranks(memcmp(&last, &p.weights, sizeof last) != 0);
    fmd_model_destroy(m);
    close_folder(folder);
}

static void early_stopping_and_the_best_weights_survive(void **state)
{
    (void)state;
    stop_after_steps((process){.patient = true, .best = true, .higher_is_better = true}, 1);
}

/* Bytes broadcast by rank 0, counted through the linker's --wrap. */
static size_t sent;
void __real_fmd_comm_bcast(fmd_comm *c, void *data, size_t bytes);
void __wrap_fmd_comm_bcast(fmd_comm *c, void *data, size_t bytes);
void __wrap_fmd_comm_bcast(fmd_comm *c, void *data, size_t bytes)
{
    sent += bytes;
    __real_fmd_comm_bcast(c, data, bytes);
}

/* The best weights are as many bytes as the model: each rank copies its own. */
static void the_best_weights_are_not_sent_after_each_epoch(void **state)
{
    (void)state;
    const size_t params = (PIXELS * 16 + 16 + 16 * CLASSES + CLASSES) * sizeof(float);
    process p = {.patient = false};
    sent = 0;
    train(&p);
    const size_t without = sent;
    p = (process){.patient = true};
    sent = 0;
    train(&p);
    assert_all_ranks(sent < without + params);
}

static void the_learning_rate_on_a_plateau_survives(void **state)
{
    (void)state;
    const process p = {.plateau = true};
    stop_after_steps(p, 1);
    const process whole = undisturbed(NULL, p);
    double rate = (double)0.01f; /* the loss decreases, but higher counts as better */
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        assert_all_ranks(!is_root() || whole.history[epoch].learning_rate == rate);
        if (epoch > 0)
            rate /= 4;
    }
}

static void a_training_may_be_stopped_again_and_again(void **state)
{
    (void)state;
    char whole[TEST_PATH_BYTES], parts[TEST_PATH_BYTES];
    open_folder(whole);
    open_folder(parts);
    const process expected = undisturbed(whole, (process){.best = false});
    process p = (process){.folder = parts};
    int processes = 0;
    do {
        const int done = (int)p.result.steps;
        p = (process){.folder = parts, .resume = true, .stop_after = done + 2};
        train(&p);
        assert_all_ok(p.status);
        assert_all_ranks((int)p.result.resumed_step == done);
        processes++;
    } while (p.result.interrupted);
    assert_all_ranks(processes == (ALL_STEPS + 2) / 3);
    assert_same_end(&p, &expected);
    assert_same_file(whole, parts, "final.weights.h5");
    close_folder(parts);
    close_folder(whole);
}

static void each_of_the_checkpoints_leads_to_the_same_end(void **state)
{
    (void)state;
    static const double every[] = {1, 3, 5};
    for (size_t i = 0; i < sizeof every / sizeof *every; i++) {
        char whole[TEST_PATH_BYTES], path[TEST_PATH_BYTES];
        open_folder(whole);
        const process expected =
            undisturbed(whole, (process){.save_steps = every[i], .patient = true});
        int files = 0;
        for (int step = 1; step <= ALL_STEPS; step++) {
            if (step % (int)every[i] != 0 || step > (int)expected.result.steps)
                continue;
            char part[TEST_PATH_BYTES];
            open_folder(part);
            process p = (process){
                .folder = part, .patient = true, .resume_from = step_file(whole, step, path)};
            train(&p);
            assert_all_ranks((int)p.result.resumed_step == step);
            assert_same_end(&p, &expected);
            assert_same_file(whole, part, "final.weights.h5");
            close_folder(part);
            files++;
        }
        assert_all_ranks(files == (int)expected.result.steps / (int)every[i]);
        close_folder(whole);
    }
}

/* The process ends after the checkpoint of an epoch; later work is lost. */
static void the_best_weights_are_those_of_the_whole_run(void **state)
{
    (void)state;
    for (int higher = 0; higher < 2; higher++)
        for (int epochs = 1; epochs < EPOCHS; epochs++) {
            char whole[TEST_PATH_BYTES], parts[TEST_PATH_BYTES], path[TEST_PATH_BYTES];
            const process plan = (process){.best = true, .higher_is_better = higher};
            open_folder(whole);
            open_folder(parts);
            const process expected = undisturbed(whole, plan);
            process first = plan, second = plan;
            first.folder = second.folder = parts;
            train(&first);
            if (is_root()) /* a loss that decreases: the first epoch has the highest one */
                for (int e = epochs + 1; e <= EPOCHS; e++)
                    unlink(step_file(parts, e * STEPS, path));
            second.resume = true;
            train(&second);
            assert_all_ranks((int)second.result.resumed_step == epochs * STEPS);
            assert_same_end(&second, &expected);
            assert_same_file(whole, parts, "best.weights.h5");
            close_folder(parts);
            close_folder(whole);
        }
}

static void a_finished_run_is_not_trained_again(void **state)
{
    (void)state;
    char folder[TEST_PATH_BYTES], path[TEST_PATH_BYTES];
    for (int patient = 0; patient < 2; patient++) {
        open_folder(folder);
        const process first = undisturbed(folder, (process){.patient = patient});
        const int steps = (int)first.result.steps;
        const fmd_hash before = file_hash(step_file(folder, steps, path));
        const fmd_hash final_before = file_hash(in_folder(folder, "final.weights.h5", path));
        process second = (process){.folder = folder, .resume = true, .patient = patient};
        train(&second);
        assert_same_end(&second, &first);
        assert_all_ranks(second.result.samples == 0);
        assert_all_ranks((int)second.result.resumed_step == steps);
        const fmd_hash after = file_hash(step_file(folder, steps, path));
        const fmd_hash final_after = file_hash(in_folder(folder, "final.weights.h5", path));
        assert_all_ranks(memcmp(&before, &after, sizeof after) == 0);
        assert_all_ranks(memcmp(&final_before, &final_after, sizeof after) == 0);
        close_folder(folder);
    }
}

static void a_run_without_checkpoints_of_its_own_goes_on_with_a_file(void **state)
{
    (void)state;
    char folder[TEST_PATH_BYTES], path[TEST_PATH_BYTES];
    open_folder(folder);
    const process expected = undisturbed(folder, (process){.best = true});
    process p = (process){.resume_from = step_file(folder, STEPS, path)};
    train(&p);
    assert_same_end(&p, &expected);
    close_folder(folder);
}

static void what_there_is_is_left_alone_unless_it_is_to_be_resumed(void **state)
{
    (void)state;
    char folder[TEST_PATH_BYTES];
    open_folder(folder);
    process first = (process){.folder = folder, .stop_after = 5},
            second = (process){.folder = folder};
    train(&first);
    assert_all_ok(first.status);
    train(&second);
    assert_all_ok(second.status);
    assert_all_ranks(second.result.resumed_step == 0);
    close_folder(folder);
}

static void a_checkpoint_of_another_run_is_refused_by_all_ranks(void **state)
{
    (void)state;
    char folder[TEST_PATH_BYTES], path[TEST_PATH_BYTES], expected[FMD_ERROR_BYTES];
    open_folder(folder);
    process first = (process){.folder = folder, .stop_after = 5};
    train(&first);
    assert_all_ok(first.status);
    step_file(folder, 6, path);
    for (int from_file = 0; from_file < 2; from_file++) {
        process second = (process){.folder = folder,
                                   .seed = "7",
                                   .resume = !from_file,
                                   .resume_from = from_file ? path : NULL};
        train(&second);
        snprintf(expected, sizeof expected,
                 "'%s' is of another run: seed is 42 there, 7 here: give the options of that run "
                 "(its config.json has them), or another --run-dir",
                 path);
        fmd_error_set("%s", second.message);
        assert_all_fail(second.status, FMD_EUSAGE, expected);
        assert_all_ranks(!second.ended && second.result.steps == 0);
        assert_all_ranks(access(path, F_OK) == 0);
    }
    close_folder(folder);
}

/* Rank 0. Rewrites the file with another value for a state entry. */
static void forge(const char *path, const char *name, int64_t value)
{
    fmd_checkpoint_contents c;
    fmd_model *m = NULL;
    fmd_optimizer *o = NULL;
    assert_int_equal(fmd_checkpoint_read_contents(path, &c), FMD_OK);
    assert_int_equal(fmd_model_create(&m, layers, image_shape, 1), FMD_OK);
    assert_int_equal(fmd_optimizer_create(&o, "adam", fmd_model_n_params(m)), FMD_OK);
    fmd_state s = {.model = m, .optimizer = o, .entries = c.entries, .n_entries = c.n_entries};
    assert_int_equal(fmd_checkpoint_read(path, &s), FMD_OK);
    for (size_t i = 0; i < c.n_entries; i++)
        if (strcmp(c.entries[i].name, name) == 0)
            *(int64_t *)c.entries[i].data = value;
    s.normalize = true;
    s.step = STEPS;
    s.fingerprint = c.fingerprint;
    s.n_fingerprint = c.n_fingerprint;
    assert_int_equal(fmd_checkpoint_write(path, &s), FMD_OK);
    fmd_checkpoint_free_contents(&c);
    fmd_optimizer_destroy(o);
    fmd_model_destroy(m);
}

/* The hash is right, so a faulty program wrote the file. */
static void a_checkpoint_of_no_place_in_the_run_is_refused_by_all_ranks(void **state)
{
    (void)state;
    static const struct {
        const char *item;
        int64_t value;
        const char *message;
    } wrong[] = {{"epoch", 5, "step 0 in epoch 5"},
                 {"epoch", -1, "step 0 in epoch -1"},
                 {"step", 5, "step 5 in epoch 1"},
                 {"step", -1, "step -1 in epoch 1"}};
    char folder[TEST_PATH_BYTES], path[TEST_PATH_BYTES], message[128];
    open_folder(folder);
    process p = {.folder = folder, .stop_after = STEPS};
    train(&p);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (is_root())
            forge(step_file(folder, STEPS, path), wrong[i].item, wrong[i].value);
        p = (process){.resume_from = step_file(folder, STEPS, path)};
        train(&p);
        snprintf(message, sizeof message,
                 "the checkpoint is of %s, but there are 4 epochs of 4 steps", wrong[i].message);
        assert_all_ranks(p.status == FMD_EDATA && strcmp(p.message, message) == 0);
        if (is_root())
            forge(step_file(folder, STEPS, path), wrong[i].item, wrong[i].item[0] == 'e');
    }
    close_folder(folder);
}

static void without_a_good_checkpoint_no_rank_begins_again(void **state)
{
    (void)state;
    char folder[TEST_PATH_BYTES], path[TEST_PATH_BYTES], expected[FMD_ERROR_BYTES];
    open_folder(folder);
    process first = (process){.folder = folder, .stop_after = 5};
    train(&first);
    assert_all_ok(first.status);
    assert_all_ranks(!is_root() || truncate(step_file(folder, STEPS, path), 3000) == 0);
    assert_all_ranks(!is_root() || truncate(step_file(folder, 6, path), 3000) == 0);
    snprintf(expected, sizeof expected,
             "none of the 2 checkpoints in '%s/checkpoints' is intact: to start anew, name another "
             "--run-dir",
             folder);
    for (int i = 0; i < 2; i++) {
        process second = (process){.folder = folder, .resume = true};
        train(&second);
        fmd_error_set("%s", second.message);
        assert_all_fail(second.status, FMD_EDATA, expected);
        assert_all_ranks(second.result.steps == 0);
    }
    close_folder(folder);
}

/* This test comes last: a received signal stays pending. */
static void a_signal_to_one_rank_stops_all_of_them(void **state)
{
    (void)state;
    char whole[TEST_PATH_BYTES], parts[TEST_PATH_BYTES];
    open_folder(whole);
    open_folder(parts);
    const process expected = undisturbed(whole, (process){.best = true});
    process first = (process){.folder = parts, .best = true, .stop_after = 6, .signal = SIGUSR1};
    process second = (process){.folder = parts, .best = true, .resume = true};
    train(&first);
    assert_all_ok(first.status);
    assert_all_ranks(first.result.interrupted && first.result.steps == 7);
    assert_all_ranks(strcmp(first.result.reason, "Stopped by signal 10") == 0);
    train(&second);
    assert_same_end(&second, &expected);
    assert_same_file(whole, parts, "best.weights.h5");
    close_folder(parts);
    close_folder(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_training_stopped_after_any_step_ends_as_if_it_had_not_been),
        cmocka_unit_test(each_optimizer_continues_from_its_slots),
        cmocka_unit_test(the_final_file_has_the_averages),
        cmocka_unit_test(early_stopping_and_the_best_weights_survive),
        cmocka_unit_test(the_best_weights_are_not_sent_after_each_epoch),
        cmocka_unit_test(the_learning_rate_on_a_plateau_survives),
        cmocka_unit_test(a_training_may_be_stopped_again_and_again),
        cmocka_unit_test(each_of_the_checkpoints_leads_to_the_same_end),
        cmocka_unit_test(the_best_weights_are_those_of_the_whole_run),
        cmocka_unit_test(a_finished_run_is_not_trained_again),
        cmocka_unit_test(a_run_without_checkpoints_of_its_own_goes_on_with_a_file),
        cmocka_unit_test(what_there_is_is_left_alone_unless_it_is_to_be_resumed),
        cmocka_unit_test(a_checkpoint_of_another_run_is_refused_by_all_ranks),
        cmocka_unit_test(a_checkpoint_of_no_place_in_the_run_is_refused_by_all_ranks),
        cmocka_unit_test(without_a_good_checkpoint_no_rank_begins_again),
        cmocka_unit_test(a_signal_to_one_rank_stops_all_of_them),
    };
    if (fmd_math_open(FMD_GEMM_AUTO, 1) != FMD_OK)
        return 1;
    make_images();
    return mpi_run_tests(tests);
}
