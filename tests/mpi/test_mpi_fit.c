/* Training and evaluation over the ranks, against the same work done by a plain loop on one
 * process: the same bits for every number of ranks, and the same end on every rank. */
#include "support/idx_files.h"
#include "support/mpi_main.h"
#include "support/serial_sum.h"

#include "base/rng.h"
#include "data/sampler.h"
#include "math/gemm.h"
#include "nn/losses/loss.h"
#include "train/batch_plan.h"
#include "train/evaluation/evaluate.h"
#include "train/loader.h"
#include "train/loop.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLASSES = 4, PIXELS = 16, SAMPLES = 1201, SEED = 42, LOG_BYTES = 1024 };

/* Samples per microbatch of an evaluation. */
enum { EVALUATE_MICROBATCH = 32 };

static const fmd_shape image_shape = {.rank = 2, .dim = {4, 4}};
static const char *const layers = "flatten,dense:16:relu,dropout:0.3,dense:4:softmax";

static uint8_t images[SAMPLES * PIXELS], labels[SAMPLES];

static int rank_of(void)
{
    return fmd_comm_rank(mpi_comm);
}

static int size_of(void)
{
    return fmd_comm_size(mpi_comm);
}

/* Noise, brighter where the pixel's place modulo the number of classes is the label. */
static void make_images(void)
{
    const fmd_rng rng = {.seed = 1, .purpose = FMD_RNG_INIT};
    for (size_t i = 0; i < SAMPLES; i++) {
        labels[i] = (uint8_t)(i * 7 / 3 % CLASSES);
        for (size_t j = 0; j < PIXELS; j++) {
            uint32_t x[4];
            fmd_rng_block(&rng, i * PIXELS + j, x);
            images[i * PIXELS + j] = (uint8_t)(x[0] % 160 + (j % CLASSES == labels[i] ? 90 : 0));
        }
    }
}

static fmd_split samples(size_t first, size_t n)
{
    return (fmd_split){.n = n, .images = images + first * PIXELS, .labels = labels + first};
}

static fmd_schedule schedule_of(const char *spec, double rate, size_t n, size_t batch, int epochs)
{
    fmd_schedule s;
    const fmd_schedule_plan plan = {.learning_rate = rate,
                                    .scale = 1,
                                    .epoch_steps = (n + batch - 1) / batch,
                                    .epochs = (uint64_t)epochs};
    assert_all_ok(fmd_schedule_create(&s, spec, &plan));
    return s;
}

static fmd_fit_args plain_args(size_t n, size_t batch_size)
{
    return (fmd_fit_args){.train = samples(0, n),
                          .divisor = 255,
                          .epochs = 2,
                          .batch_size = batch_size,
                          .microbatch_size = fmd_microbatch_size(FMD_UNSET_INT, batch_size, false),
                          .schedule = schedule_of("cosine", 0.01, n, batch_size, 2),
                          .reduce = FMD_REDUCE_EXACT,
                          .seed = SEED,
                          .shuffle = true};
}

/* The schedule has the new length too. */
static void set_epochs(fmd_fit_args *args, int epochs)
{
    args->epochs = epochs;
    args->schedule = schedule_of(args->schedule.spec, args->schedule.base, args->train.n,
                                 args->batch_size, epochs);
}

/* The result of a training. */
typedef struct outcome {
    fmd_status status;
    char message[FMD_ERROR_BYTES];
    fmd_hash weights;
    fmd_fit_result result;
} outcome;

/* Space for all samples of a batch, even on one process. */
static fmd_model *create_model(const fmd_fit_args *args, uint64_t seed)
{
    fmd_model *m = NULL;
    fmd_model_size size;
    assert_all_ok(fmd_model_measure(&size, layers, image_shape));
    assert_all_ok(fmd_model_create(&m, layers, image_shape, fmd_fit_samples(args, 1, &size)));
    fmd_model_init(m, seed);
    return m;
}

/* Collective. Trains a new model, with initial weights from the seed `init`. */
static outcome fit_from(const fmd_fit_args *args, const char *optimizer, uint64_t init)
{
    outcome out;
    memset(&out, 0, sizeof out);
    fmd_model *m = create_model(args, init);
    fmd_optimizer *o = NULL;
    assert_all_ok(fmd_optimizer_create(&o, optimizer, fmd_model_n_params(m)));
    out.status = fmd_fit(mpi_comm, m, o, args, &out.result);
    if (out.status != FMD_OK)
        snprintf(out.message, sizeof out.message, "%s", fmd_error_message());
    out.weights = fmd_model_hash(m);
    fmd_optimizer_destroy(o);
    fmd_model_destroy(m);
    return out;
}

static outcome fit(const fmd_fit_args *args, const char *optimizer)
{
    return fit_from(args, optimizer, args->seed);
}

/* Collective. All ranks have the same result; only times differ. */
static void assert_same_end(const outcome *o)
{
    assert_equal_on_all_ranks(&o->status, sizeof o->status);
    assert_equal_on_all_ranks(o->message, sizeof o->message);
    assert_equal_on_all_ranks(&o->weights, sizeof o->weights);
    assert_equal_on_all_ranks(&o->result.epochs, sizeof o->result.epochs);
    assert_equal_on_all_ranks(&o->result.steps, sizeof o->result.steps);
    assert_equal_on_all_ranks(&o->result.samples, sizeof o->result.samples);
    assert_equal_on_all_ranks(&o->result.repeats, sizeof o->result.repeats);
    assert_equal_on_all_ranks(&o->result.metrics, sizeof o->result.metrics);
    assert_equal_on_all_ranks(o->result.reason, sizeof o->result.reason);
}

static void assert_ended_well(const outcome *o)
{
    if (o->status != FMD_OK)
        fmd_error_set("%s", o->message);
    assert_all_ok(o->status);
    assert_same_end(o);
}

static void assert_ended_with(const outcome *o, fmd_status status, const char *message)
{
    fmd_error_set("%s", o->message);
    assert_all_fail(o->status, status, message);
    assert_same_end(o);
}

/* The reference: the same training in a loop on one process, all microbatches of a batch in one
 * pass. */

typedef struct reference {
    fmd_hash weights;
    uint64_t steps;
    int64_t repeats;
    fmd_metrics metrics; /* of the last epoch */
} reference;

/* Adds to a serial_sum without checks; the tests of the layers check the contract. */
typedef struct serial_sink {
    serial_sum sum;
    float room[1024];
} serial_sink;

static float *sink_begin(void *self, size_t tensor, size_t offset, size_t n)
{
    (void)tensor;
    (void)offset;
    serial_sink *s = self;
    return n <= sizeof s->room / sizeof *s->room ? s->room : NULL;
}

static void sink_commit(void *self, size_t tensor, size_t offset, size_t n)
{
    serial_sink *s = self;
    serial_sum_add(&s->sum, tensor, offset, n, s->room);
}

static void train_batch(const fmd_fit_args *args, fmd_model *m, serial_sink *s,
                        const uint32_t *order, size_t n, uint64_t step, float *grads,
                        fmd_loss_sums *sums)
{
    const size_t microbatches = (n + args->microbatch_size - 1) / args->microbatch_size;
    const size_t samples = microbatches * args->microbatch_size;
    const fmd_pass pass = {.microbatches = (int)microbatches,
                           .microbatch_size = (int)args->microbatch_size,
                           .training = true,
                           .seed = args->seed,
                           .step = (uint32_t)step};
    const fmd_gradient_sink sink = {.self = s, .begin = sink_begin, .commit = sink_commit};
    const fmd_loss_sums before = *sums;
    uint8_t batch_labels[SAMPLES];
    do {
        *sums = before;
        serial_sum_begin(&s->sum, (int)microbatches);
        fmd_gather_images(&args->train, PIXELS, order, n, samples, args->divisor,
                          fmd_model_input(m));
        fmd_gather_labels(&args->train, order, n, batch_labels);
        fmd_loss_samples(&(fmd_loss){.ops = NULL}, fmd_model_forward(m, &pass, NULL),
                         &(fmd_targets){.labels = batch_labels}, n, samples, CLASSES,
                         fmd_model_logit_grads(m), sums);
        fmd_model_backward(m, &pass, &sink);
    } while (serial_sum_finish(&s->sum, 1.0 / (double)n, grads) == FMD_REDUCED_REPEAT);
}

static reference train_alone(const fmd_fit_args *args, const char *optimizer)
{
    reference ref;
    memset(&ref, 0, sizeof ref);
    fmd_model *m = create_model(args, args->seed);
    const size_t params = fmd_model_n_params(m), n = args->train.n, batch = args->batch_size;
    fmd_optimizer *o = NULL;
    fmd_sampler *sampler = NULL;
    assert_all_ok(fmd_optimizer_create(&o, optimizer, params));
    assert_all_ok(fmd_sampler_create(&sampler, &(fmd_split){.n = n}, args->seed));
    serial_sink s;
    size_t counts[SERIAL_SUM_TENSORS];
    for (size_t i = 0; i < fmd_model_n_tensors(m); i++)
        counts[i] = fmd_model_tensor(m, i)->count;
    serial_sum_open(&s.sum, counts, fmd_model_n_tensors(m));
    float *grads = calloc(params, sizeof *grads);
    assert_all_ranks(grads != NULL);
    assert_all_ok(fmd_optimizer_set_model(o, m));

    for (int epoch = 0; epoch < args->epochs; epoch++) {
        fmd_loss_sums sums = {0};
        if (args->shuffle)
            fmd_sampler_shuffle(sampler, (uint32_t)epoch);
        for (size_t first = 0; first < n; first += batch) {
            const double rate = fmd_schedule_rate(&args->schedule, ref.steps);
            train_batch(args, m, &s, fmd_sampler_order(sampler) + first,
                        n - first < batch ? n - first : batch, ref.steps, grads, &sums);
            fmd_optimizer_step(o, fmd_model_params(m), grads, rate);
            ref.metrics.learning_rate = rate;
            ref.steps++;
        }
        ref.metrics.accuracy = (double)sums.correct / (double)n;
        ref.metrics.loss = (double)sums.loss * FMD_LOSS_UNIT / (double)n;
    }
    fmd_optimizer_finish(o, fmd_model_params(m));
    ref.weights = fmd_model_hash(m);
    ref.repeats = s.sum.repeats;
    free(grads);
    serial_sum_close(&s.sum);
    fmd_sampler_destroy(sampler);
    fmd_optimizer_destroy(o);
    fmd_model_destroy(m);
    return ref;
}

/* Collective. Trains both ways and compares. */
static outcome assert_same_training(const fmd_fit_args *args, const char *optimizer)
{
    const outcome o = fit(args, optimizer);
    const reference ref = train_alone(args, optimizer);
    assert_ended_well(&o);
    assert_all_ranks(memcmp(&o.weights, &ref.weights, sizeof ref.weights) == 0);
    assert_all_ranks(o.result.steps == ref.steps);
    assert_all_ranks(o.result.repeats == ref.repeats);
    assert_all_ranks(o.result.epochs == args->epochs);
    assert_all_ranks(o.result.samples == args->train.n * (uint64_t)args->epochs);
    assert_all_ranks(o.result.metrics.accuracy == ref.metrics.accuracy);
    assert_all_ranks(o.result.metrics.learning_rate == ref.metrics.learning_rate);
    /* The trainer adds the batches' losses as doubles. */
    assert_all_ranks(fabs(o.result.metrics.loss - ref.metrics.loss) < 1e-12);
    assert_all_ranks(*o.result.reason == '\0');
    return o;
}

static void training_gives_the_bits_of_one_process(void **state)
{
    (void)state;
    static const struct {
        size_t n, batch;
        int epochs;
    } cases[] = {
        {100, 32, 3},               /* a short last batch, of one microbatch */
        {97, 40, 2},                /* a last microbatch that is short */
        {333, 64, 2}, {20, 256, 3}, /* a batch larger than the data, one microbatch */
        {50, 256, 3},               /* a batch larger than the data, two microbatches */
        {9, 1, 2},                  /* batches of one sample */
        {1, 32, 3},                 /* one sample in all */
        {12, 2, 2},                 /* fewer microbatches than ranks */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fmd_fit_args args = plain_args(cases[i].n, cases[i].batch);
        set_epochs(&args, cases[i].epochs);
        assert_same_training(&args, "adam");
    }
}

static void training_gives_the_bits_of_one_process_with_any_settings(void **state)
{
    (void)state;
    fmd_fit_args args = plain_args(60, 20);
    args.schedule = schedule_of("constant", 0.01, 60, 20, 2);
    args.shuffle = false;
    assert_same_training(&args, "sgd:momentum=0.9:nesterov");
    args.microbatch_size = 7; /* 20 samples are two full microbatches and a short one */
    args.seed = UINT64_MAX;
    assert_same_training(&args, "rmsprop");
}

static void every_optimizer_gives_the_bits_of_one_process(void **state)
{
    (void)state;
    static const char *const specs[] = {
        "adamw:kernels_only:global_clipnorm=0.1", "lars:weight_decay=0.1:clipnorm=0.05",
        "lamb:weight_decay=0.1:use_ema:ema_momentum=0.9:ema_overwrite_frequency=3",
        "sgd:momentum=0.5:clipvalue=0.001:use_ema"};
    const fmd_optimizer_ops *ops;
    fmd_fit_args args = plain_args(70, 32);
    for (size_t i = 0; (ops = fmd_optimizer_ops_at(i)) != NULL; i++)
        assert_same_training(&args, ops->name);
    args.allreduce = FMD_ALLREDUCE_MPI;
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
        assert_same_training(&args, specs[i]);
}

static void a_repeated_step_changes_no_bit(void **state)
{
    (void)state;
    fmd_fit_args args = plain_args(64, 16);
    args.divisor = 0.02f; /* pixels of up to 12,500: gradients leave the first scale */
    args.schedule.base = 1e-6;
    const outcome o = assert_same_training(&args, "sgd");
    assert_all_ranks(o.result.repeats > 0);
}

/* Control: different trainings have different hashes. */
static void another_seed_gives_other_bits(void **state)
{
    (void)state;
    fmd_fit_args args = plain_args(64, 32);
    const outcome first = fit_from(&args, "adam", SEED), again = fit_from(&args, "adam", SEED);
    args.seed = SEED + 1;
    const outcome other = fit_from(&args, "adam", SEED);
    assert_ended_well(&first);
    assert_ended_well(&again);
    assert_ended_well(&other);
    assert_all_ranks(memcmp(&first.weights, &again.weights, sizeof first.weights) == 0);
    assert_all_ranks(memcmp(&first.weights, &other.weights, sizeof first.weights) != 0);
}

static void native_training_is_close_to_exact_and_equal_on_all_ranks(void **state)
{
    (void)state;
    for (size_t n = 5; n < 200; n += 95) {
        fmd_fit_args args = plain_args(n, 48);
        const outcome exact = fit(&args, "adam");
        args.reduce = FMD_REDUCE_NATIVE;
        const outcome native = fit(&args, "adam"), again = fit(&args, "adam");
        assert_ended_well(&exact);
        assert_ended_well(&native);
        assert_all_ranks(native.result.samples == exact.result.samples);
        assert_all_ranks(native.result.steps == exact.result.steps);
        assert_all_ranks(native.result.repeats == 0);
        assert_all_ranks(fabs(native.result.metrics.loss - exact.result.metrics.loss) < 1e-4);
        assert_all_ranks(memcmp(&native.weights, &again.weights, sizeof again.weights) == 0);
        /* Control: their bits differ. */
        assert_all_ranks(memcmp(&native.weights, &exact.weights, sizeof exact.weights) != 0);
    }
}

static void training_makes_the_model_better(void **state)
{
    (void)state;
    for (int mode = FMD_REDUCE_EXACT; mode <= FMD_REDUCE_NATIVE; mode++) {
        fmd_fit_args args = plain_args(256, 32);
        args.validation = samples(256, 77);
        args.reduce = (fmd_reduction_mode)mode;
        args.schedule.base = 0.02;
        set_epochs(&args, 1);
        const outcome first = fit(&args, "adam");
        set_epochs(&args, 8);
        const outcome last = fit(&args, "adam");
        assert_ended_well(&first);
        assert_ended_well(&last);
        assert_all_ranks(first.result.metrics.accuracy < 0.7);
        assert_all_ranks(last.result.metrics.accuracy > 0.8);
        assert_all_ranks(last.result.metrics.val_accuracy > 0.9);
        assert_all_ranks(last.result.metrics.loss < first.result.metrics.loss / 2);
        assert_all_ranks(last.result.metrics.val_loss < first.result.metrics.val_loss / 2);
    }
}

/* Ranks that start from different weights. */
static void replicas_that_differ_are_found_after_the_first_epoch(void **state)
{
    (void)state;
    if (size_of() == 1)
        skip();
    fmd_fit_args args = plain_args(40, 20);
    const int last = size_of() - 1;
    outcome o = fit_from(&args, "adam", rank_of() == last ? 7 : SEED);
    memset(&o.weights, 0, sizeof o.weights);
    char expected[128];
    snprintf(expected, sizeof expected, "ranks 0 and %d differ in their weights after step 2",
             last);
    assert_ended_with(&o, FMD_EDESYNC, expected);
}

/* Callbacks: on rank 0, a recorder logs its hooks and follows instructions. */

typedef struct recorder {
    fmd_callback base;
    char log[LOG_BYTES];
    uint64_t samples;          /* of the epoch, so far */
    bool wrong;                /* a batch had an unexpected size */
    size_t batch, n;           /* to expect */
    int stop_step, stop_epoch; /* where to ask to stop: counted from 1, over all epochs */
    const char *fails;         /* the hook that fails */
    int steps, epochs;         /* seen */
    float fill;                /* what train_end puts into the weights, if not 0 */
} recorder;

static void note(recorder *r, const char *text, int number)
{
    const size_t used = strlen(r->log);
    if (number < 0)
        snprintf(r->log + used, sizeof r->log - used, "%s ", text);
    else
        snprintf(r->log + used, sizeof r->log - used, "%s%d ", text, number);
}

static fmd_status end_of_hook(const recorder *r, const char *hook)
{
    if (r->fails != NULL && strcmp(r->fails, hook) == 0)
        return FMD_FAIL(FMD_EIO, "cannot write '%s': no space", hook);
    return FMD_OK;
}

static fmd_status on_train_begin(fmd_callback *c, const fmd_event *e)
{
    recorder *r = (recorder *)c;
    r->wrong = r->wrong || e->model == NULL;
    note(r, "begin", -1);
    return end_of_hook(r, "train_begin");
}

static void on_epoch_begin(fmd_callback *c, const fmd_event *e)
{
    recorder *r = (recorder *)c;
    r->samples = 0;
    note(r, "epoch", e->epoch);
}

static void on_batch_end(fmd_callback *c, const fmd_event *e, fmd_control *control)
{
    recorder *r = (recorder *)c;
    const size_t left = r->n - (size_t)r->samples;
    const size_t expected = left < r->batch ? left : r->batch;
    r->wrong = r->wrong || e->samples - r->samples != expected;
    r->samples = e->samples;
    r->steps++;
    note(r, "b", (int)e->step);
    if (r->steps == r->stop_step)
        fmd_control_stop(control, "asked in step %d", r->steps);
}

static fmd_status on_epoch_end(fmd_callback *c, const fmd_event *e, fmd_control *control)
{
    recorder *r = (recorder *)c;
    r->wrong = r->wrong || e->samples != r->n || e->step != e->steps;
    r->epochs++;
    note(r, "end", e->epoch);
    if (r->epochs == r->stop_epoch)
        fmd_control_stop(control, "asked in epoch %d", r->epochs);
    return r->epochs == 2 ? end_of_hook(r, "epoch_end") : FMD_OK;
}

static fmd_status on_train_end(fmd_callback *c, const fmd_event *e, fmd_final_weights *weights)
{
    recorder *r = (recorder *)c;
    note(r, "done", -1);
    for (size_t i = 0; r->fill != 0 && i < fmd_model_n_params(e->model); i++)
        weights->params[i] = r->fill;
    return end_of_hook(r, "train_end");
}

static const fmd_callback_ops recorder_ops = {.name = "recorder",
                                              .train_begin = on_train_begin,
                                              .epoch_begin = on_epoch_begin,
                                              .batch_end = on_batch_end,
                                              .epoch_end = on_epoch_end,
                                              .train_end = on_train_end};

/* Three epochs of four steps: batches of 32, the last of 4. */
enum { WATCHED = 100, WATCHED_BATCH = 32, WATCHED_EPOCHS = 3, WATCHED_STEPS = 4 };

/* Collective. Trains with the recorder on rank 0. */
static outcome fit_watched(recorder *r)
{
    fmd_fit_args args = plain_args(WATCHED, WATCHED_BATCH);
    set_epochs(&args, WATCHED_EPOCHS);
    fmd_callback *callbacks[] = {&r->base};
    r->base.ops = &recorder_ops;
    r->n = args.train.n;
    r->batch = args.batch_size;
    if (rank_of() == 0) {
        args.callbacks = callbacks;
        args.n_callbacks = 1;
    }
    const outcome o = fit(&args, "adam");
    assert_all_ranks(!r->wrong);
    assert_all_ranks(rank_of() == 0 || *r->log == '\0');
    return o;
}

/* On rank 0 the hooks ran in this order. */
#define assert_log(r, expected) assert_all_ranks(rank_of() != 0 || log_is((r), (expected)))
static bool log_is(const recorder *r, const char *expected)
{
    if (strcmp(r->log, expected) == 0)
        return true;
    fprintf(stderr, "found:    %s\nexpected: %s\n", r->log, expected);
    return false;
}

static void hooks_run_in_order_and_each_epoch_has_each_sample_once(void **state)
{
    (void)state;
    recorder r = {.fill = 0};
    const outcome o = fit_watched(&r);
    assert_ended_well(&o);
    assert_log(&r, "begin epoch0 b1 b2 b3 b4 end0 epoch1 b1 b2 b3 b4 end1 "
                   "epoch2 b1 b2 b3 b4 end2 done ");
    assert_all_ranks(o.result.samples == WATCHED_EPOCHS * WATCHED);
    assert_all_ranks(o.result.steps == WATCHED_EPOCHS * WATCHED_STEPS);
}

static void a_callback_that_fails_ends_training_on_all_ranks(void **state)
{
    (void)state;
    static const struct {
        const char *hook, *message, *log;
        int epochs;
    } cases[] = {
        {"train_begin", "cannot write 'train_begin': no space", "begin ", 0},
        {"epoch_end", "cannot write 'epoch_end': no space",
         "begin epoch0 b1 b2 b3 b4 end0 epoch1 b1 b2 b3 b4 end1 ", 1},
        {"train_end", "cannot write 'train_end': no space",
         "begin epoch0 b1 b2 b3 b4 end0 epoch1 b1 b2 b3 b4 end1 epoch2 b1 b2 b3 b4 end2 done ", 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        recorder r = {.fails = cases[i].hook};
        const outcome o = fit_watched(&r);
        assert_ended_with(&o, FMD_EIO, cases[i].message);
        assert_all_ranks(o.result.epochs == cases[i].epochs);
        assert_log(&r, cases[i].log);
    }
}

static void a_stop_at_the_end_of_an_epoch_stops_all_ranks(void **state)
{
    (void)state;
    recorder r = {.stop_epoch = 2};
    const outcome o = fit_watched(&r);
    assert_ended_well(&o);
    assert_log(&r, "begin epoch0 b1 b2 b3 b4 end0 epoch1 b1 b2 b3 b4 end1 done ");
    assert_all_ranks(!o.result.interrupted);
    assert_all_ranks(o.result.epochs == 2);
    assert_all_ranks(o.result.steps == 2 * WATCHED_STEPS);
    assert_all_ranks(strcmp(o.result.reason, "asked in epoch 2") == 0);
}

static void a_stop_within_an_epoch_stops_all_ranks_one_step_later(void **state)
{
    (void)state;
    recorder r = {.stop_step = 6};
    const outcome o = fit_watched(&r);
    assert_ended_well(&o);
    assert_log(&r, "begin epoch0 b1 b2 b3 b4 end0 epoch1 b1 b2 b3 ");
    assert_all_ranks(o.result.interrupted);
    assert_all_ranks(o.result.epochs == 1);
    assert_all_ranks(o.result.steps == 7);
    assert_all_ranks(o.result.samples == WATCHED + 3 * WATCHED_BATCH);
    assert_all_ranks(strcmp(o.result.reason, "asked in step 6") == 0);
}

/* The work after the last step is left to the resumed training. */
static void a_stop_before_the_last_step_of_an_epoch_ends_after_it(void **state)
{
    (void)state;
    recorder r = {.stop_step = 3};
    const outcome o = fit_watched(&r);
    assert_ended_well(&o);
    assert_log(&r, "begin epoch0 b1 b2 b3 b4 ");
    assert_all_ranks(o.result.interrupted);
    assert_all_ranks(o.result.epochs == 0 && o.result.steps == 4);
    assert_all_ranks(strcmp(o.result.reason, "asked in step 3") == 0);
}

static void a_stop_in_the_last_step_of_an_epoch_is_not_forgotten(void **state)
{
    (void)state;
    recorder r = {.stop_step = 4};
    const outcome o = fit_watched(&r);
    assert_ended_well(&o);
    assert_log(&r, "begin epoch0 b1 b2 b3 b4 end0 epoch1 b1 ");
    assert_all_ranks(o.result.interrupted);
    assert_all_ranks(o.result.epochs == 1 && o.result.steps == 5);
    assert_all_ranks(strcmp(o.result.reason, "asked in step 4") == 0);
}

static void a_stop_in_the_very_last_step_comes_too_late(void **state)
{
    (void)state;
    recorder r = {.stop_step = WATCHED_EPOCHS * WATCHED_STEPS};
    const outcome o = fit_watched(&r);
    assert_ended_well(&o);
    assert_log(&r, "begin epoch0 b1 b2 b3 b4 end0 epoch1 b1 b2 b3 b4 end1 "
                   "epoch2 b1 b2 b3 b4 end2 done ");
    assert_all_ranks(!o.result.interrupted && *o.result.reason == '\0');
}

static void weights_that_the_last_hook_sets_reach_all_ranks(void **state)
{
    (void)state;
    recorder r = {.fill = 0.5f};
    const outcome o = fit_watched(&r);
    assert_ended_well(&o);
    const fmd_fit_args args = plain_args(WATCHED, WATCHED_BATCH);
    fmd_model *m = create_model(&args, SEED);
    for (size_t i = 0; i < fmd_model_n_params(m); i++)
        fmd_model_params(m)[i] = 0.5f;
    const fmd_hash expected = fmd_model_hash(m);
    fmd_model_destroy(m);
    assert_all_ranks(memcmp(&o.weights, &expected, sizeof expected) == 0);
}

static void the_last_hook_may_fail_after_it_set_the_weights(void **state)
{
    (void)state;
    recorder r = {.fill = 0.5f, .fails = "train_end"};
    outcome o = fit_watched(&r);
    memset(&o.weights, 0, sizeof o.weights);
    assert_ended_with(&o, FMD_EIO, "cannot write 'train_end': no space");
}

/* The second step has gradients that are not finite; or, of one sample, a loss that is too large.
 * With one microbatch a single rank knows. */
static void divergence_ends_training_on_all_ranks_alike(void **state)
{
    (void)state;
    static const struct {
        fmd_reduction_mode mode;
        size_t batch, microbatch;
    } cases[] = {{FMD_REDUCE_EXACT, 32, 4},  {FMD_REDUCE_EXACT, 32, 32}, {FMD_REDUCE_EXACT, 1, 1},
                 {FMD_REDUCE_NATIVE, 32, 4}, {FMD_REDUCE_NATIVE, 2, 1},  {FMD_REDUCE_NATIVE, 1, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fmd_fit_args args = plain_args(64, cases[i].batch);
        args.microbatch_size = cases[i].microbatch;
        args.reduce = cases[i].mode;
        args.schedule.base = 1e30;
        recorder r = {.base.ops = &recorder_ops, .n = args.train.n, .batch = args.batch_size};
        fmd_callback *callbacks[] = {&r.base};
        args.callbacks = callbacks;
        args.n_callbacks = rank_of() == 0;
        const outcome o = fit(&args, "sgd");
        assert_ended_with(&o, FMD_EDIVERGED,
                          "training diverged: the loss is not finite; a smaller --learning-rate "
                          "may help");
        assert_all_ranks(o.result.epochs == 0);
        assert_log(&r, "begin epoch0 b1 ");
    }
}

/* Evaluation. */

/* The sums over the first n samples, 32 samples at a time, on one process. */
static fmd_loss_sums evaluate_alone(fmd_model *m, size_t n)
{
    fmd_loss_sums sums = {0};
    for (size_t first = 0; first < n; first += EVALUATE_MICROBATCH) {
        const size_t count = n - first < EVALUATE_MICROBATCH ? n - first : EVALUATE_MICROBATCH;
        const fmd_split part = samples(first, count);
        const fmd_pass pass = {.microbatches = 1, .microbatch_size = EVALUATE_MICROBATCH};
        fmd_gather_images(&part, PIXELS, NULL, count, EVALUATE_MICROBATCH, 255, fmd_model_input(m));
        fmd_loss_samples(&(fmd_loss){.ops = NULL}, fmd_model_forward(m, &pass, NULL),
                         &(fmd_targets){.labels = part.labels}, count, count, CLASSES, NULL, &sums);
    }
    return sums;
}

static void evaluation_counts_each_sample_once(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 31, 32, 33, 97, 257, SAMPLES};
    const fmd_fit_args args = plain_args(WATCHED, WATCHED_BATCH);
    fmd_model *m = create_model(&args, SEED);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const fmd_split split = samples(0, sizes[i]);
        const double n = (double)split.n;
        const fmd_loss_sums sums = evaluate_alone(m, split.n);
        fmd_evaluation e = {.loss = -1};
        assert_all_ok(fmd_evaluate(mpi_comm, m, &split, 255, NULL, NULL, &e));
        assert_all_ranks(e.accuracy == (double)sums.correct / n);
        assert_all_ranks(fabs(e.accuracy * n - round(e.accuracy * n)) < 1e-9);
        assert_all_ranks(e.loss == (double)sums.loss * FMD_LOSS_UNIT / n);
    }
    fmd_model_destroy(m);
}

/* Counts calls to the watchdog, in place of its own function. */
static size_t words;

void __wrap_fmd_watchdog_phase(fmd_watchdog *g, const char *phase);
void __wrap_fmd_watchdog_phase(fmd_watchdog *g, const char *phase)
{
    (void)g;
    words += strcmp(phase, "evaluating") == 0;
}

/* A long evaluation is no hang. */
static void evaluation_tells_the_watchdog_that_it_goes_on(void **state)
{
    (void)state;
    const fmd_fit_args args = plain_args(WATCHED, WATCHED_BATCH);
    const fmd_split split = samples(0, SAMPLES);
    const size_t microbatches = (SAMPLES + EVALUATE_MICROBATCH - 1) / EVALUATE_MICROBATCH;
    fmd_model *m = create_model(&args, SEED);
    fmd_evaluation e;
    words = 0;
    assert_all_ok(fmd_evaluate(mpi_comm, m, &split, 255, NULL, NULL, &e));
    const size_t mine = fmd_share(microbatches, rank_of(), fmd_comm_size(mpi_comm)).count;
    const size_t group = fmd_model_max_samples(m) / EVALUATE_MICROBATCH;
    assert_all_ranks(words == 1 + (mine + group - 1) / group); /* plus one call before */
    fmd_model_destroy(m);
}

static void validation_is_an_evaluation_of_the_final_weights(void **state)
{
    (void)state;
    fmd_fit_args args = plain_args(100, 32);
    args.validation = samples(0, 233);
    fmd_model *m = create_model(&args, SEED);
    fmd_optimizer *o = NULL;
    fmd_fit_result result;
    assert_all_ok(fmd_optimizer_create(&o, "adam", fmd_model_n_params(m)));
    assert_all_ok(fmd_fit(mpi_comm, m, o, &args, &result));
    const fmd_loss_sums sums = evaluate_alone(m, 233);
    assert_all_ranks(result.metrics.val_accuracy == (double)sums.correct / 233);
    assert_all_ranks(result.metrics.val_loss == (double)sums.loss * FMD_LOSS_UNIT / 233);
    fmd_optimizer_destroy(o);
    fmd_model_destroy(m);
}

static void without_validation_data_there_are_no_such_metrics(void **state)
{
    (void)state;
    const fmd_fit_args args = plain_args(20, 20);
    const outcome o = fit(&args, "adam");
    assert_ended_well(&o);
    assert_all_ranks(isnan(o.result.metrics.val_loss) && isnan(o.result.metrics.val_accuracy));
    fmd_model *m = create_model(&args, SEED);
    fmd_evaluation e = {.loss = 0};
    assert_all_ok(fmd_evaluate(mpi_comm, m, &args.validation, 255, NULL, NULL, &e));
    assert_all_ranks(isnan(e.loss) && isnan(e.accuracy));
    fmd_model_destroy(m);
}

static void a_loss_that_is_not_finite_fails_evaluation_on_all_ranks(void **state)
{
    (void)state;
    const fmd_fit_args args = plain_args(WATCHED, WATCHED_BATCH);
    const fmd_split split = samples(0, 40);
    fmd_model *m = create_model(&args, SEED);
    fmd_model_params(m)[fmd_model_n_params(m) - 1] = NAN;
    fmd_evaluation e = {.loss = 0};
    assert_all_fail(fmd_evaluate(mpi_comm, m, &split, 255, NULL, NULL, &e), FMD_EDIVERGED,
                    "the loss of 40 of 40 images is not finite");
    fmd_model_destroy(m);
}

/* The loader: only rank 0 reads files. */

/* Collective. A folder with a data set, created by rank 0. */
static void make_data_folder(char path[TEST_PATH_BYTES])
{
    memset(path, 0, TEST_PATH_BYTES);
    if (rank_of() == 0) {
        make_folder(path);
        write_tiny_dataset(path, &(tiny_dataset){.n_train = 61,
                                                 .n_test = 17,
                                                 .height = 4,
                                                 .width = 5,
                                                 .classes = 3,
                                                 .packed = true});
    }
    fmd_comm_bcast(mpi_comm, path, TEST_PATH_BYTES);
}

static void a_data_set_that_rank_0_reads_is_on_all_ranks(void **state)
{
    (void)state;
    char path[TEST_PATH_BYTES];
    make_data_folder(path);
    fmd_dataset data;
    memset(&data, 0, sizeof data);
    const fmd_status st = fmd_loader_read(mpi_comm, path, "", &data);
    if (rank_of() == 0)
        remove_folder(path);
    assert_all_ok(st);
    assert_equal_on_all_ranks(&data.info, sizeof data.info);
    assert_all_ranks(data.train.n == 61 && data.test.n == 17 && data.info.classes == 3);
    assert_equal_on_all_ranks(data.train.images, 61 * 20);
    assert_equal_on_all_ranks(data.train.labels, 61);
    assert_equal_on_all_ranks(data.test.images, 17 * 20);
    int wrong = 0;
    for (size_t i = 0; i < 17; i++)
        wrong += data.test.labels[i] != i % 3;
    assert_all_ranks(wrong == 0);
}

static void a_data_set_that_is_bad_fails_on_all_ranks_alike(void **state)
{
    (void)state;
    char path[TEST_PATH_BYTES], message[FMD_ERROR_BYTES];
    fmd_dataset data;
    assert_all_fail(fmd_loader_read(mpi_comm, "./there-is-no-such-folder", "", &data), FMD_ENOINPUT,
                    "cannot open the data folder './there-is-no-such-folder': No such file or "
                    "directory");

    /* A fault found only while loading: bytes after the last label. */
    make_data_folder(path);
    uint8_t file[64];
    const size_t header = put_idx_header(file, 1, (uint32_t[]){17});
    memset(file + header, 1, 17 + 1);
    if (rank_of() == 0) {
        char packed[TEST_PATH_BYTES + 32];
        snprintf(packed, sizeof packed, "%s/t10k-labels-idx1-ubyte.gz", path);
        remove(packed);
        uint8_t out[128];
        write_file(path, "t10k-labels-idx1-ubyte.gz", out,
                   pack_gzip(file, header + 18, 6, out, sizeof out));
    }
    const fmd_status st = fmd_loader_read(mpi_comm, path, "", &data);
    memset(message, 0, sizeof message);
    snprintf(message, sizeof message, "%s", fmd_error_message());
    if (rank_of() == 0)
        remove_folder(path);
    assert_all_ranks(st == FMD_EDATA);
    assert_equal_on_all_ranks(message, sizeof message);
    assert_all_ranks(strstr(message, "t10k-labels-idx1-ubyte.gz") != NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(training_gives_the_bits_of_one_process),
        cmocka_unit_test(training_gives_the_bits_of_one_process_with_any_settings),
        cmocka_unit_test(every_optimizer_gives_the_bits_of_one_process),
        cmocka_unit_test(a_repeated_step_changes_no_bit),
        cmocka_unit_test(another_seed_gives_other_bits),
        cmocka_unit_test(native_training_is_close_to_exact_and_equal_on_all_ranks),
        cmocka_unit_test(training_makes_the_model_better),
        cmocka_unit_test(replicas_that_differ_are_found_after_the_first_epoch),
        cmocka_unit_test(hooks_run_in_order_and_each_epoch_has_each_sample_once),
        cmocka_unit_test(a_callback_that_fails_ends_training_on_all_ranks),
        cmocka_unit_test(a_stop_at_the_end_of_an_epoch_stops_all_ranks),
        cmocka_unit_test(a_stop_within_an_epoch_stops_all_ranks_one_step_later),
        cmocka_unit_test(a_stop_before_the_last_step_of_an_epoch_ends_after_it),
        cmocka_unit_test(a_stop_in_the_last_step_of_an_epoch_is_not_forgotten),
        cmocka_unit_test(a_stop_in_the_very_last_step_comes_too_late),
        cmocka_unit_test(weights_that_the_last_hook_sets_reach_all_ranks),
        cmocka_unit_test(the_last_hook_may_fail_after_it_set_the_weights),
        cmocka_unit_test(divergence_ends_training_on_all_ranks_alike),
        cmocka_unit_test(evaluation_counts_each_sample_once),
        cmocka_unit_test(evaluation_tells_the_watchdog_that_it_goes_on),
        cmocka_unit_test(validation_is_an_evaluation_of_the_final_weights),
        cmocka_unit_test(without_validation_data_there_are_no_such_metrics),
        cmocka_unit_test(a_loss_that_is_not_finite_fails_evaluation_on_all_ranks),
        cmocka_unit_test(a_data_set_that_rank_0_reads_is_on_all_ranks),
        cmocka_unit_test(a_data_set_that_is_bad_fails_on_all_ranks_alike),
    };
    if (fmd_math_open(FMD_GEMM_AUTO, 1) != FMD_OK)
        return 1;
    make_images();
    return mpi_run_tests(tests);
}
