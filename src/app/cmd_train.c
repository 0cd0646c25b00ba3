/* train: fit, evaluate on the test images, leave the weights. */
#include "app/config.h"
#include "app/run_folder.h"
#include "fmd/comm.h"
#include "fmd/evaluate.h"
#include "fmd/feed.h"
#include "fmd/json_file.h"
#include "fmd/keras_file.h"
#include "fmd/mem.h"
#include "fmd/sampler.h"
#include "fmd/timer.h"
#include "fmd/trainer.h"
#include "math/gemm.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Chosen on the last sixth of the training images; docs/learning-rate.md has the figures. */
static const double adam_learning_rate = 0.005;

enum { MAX_CALLBACKS = 5 };

/* Everything that a training consists of; what is not rank 0's is the same on every rank. */
typedef struct job {
    fmd_comm *comm;
    const fmd_config *config;
    fmd_dataset data;
    fmd_model *model;
    fmd_optimizer *optimizer;
    fmd_fit_args fit;
    fmd_callback *callbacks[MAX_CALLBACKS]; /* rank 0 */
    fmd_run_folder folder;                  /* rank 0 */
    fmd_fit_result result;
    fmd_evaluation test;
    char started[32];
} job;

static bool is_root(const job *j)
{
    return fmd_comm_rank(j->comm) == 0;
}

/* "28x28" */
static const char *image_text(fmd_shape s, char text[FMD_SHAPE_TEXT])
{
    size_t used = 0;
    for (int i = 0; i < s.rank; i++)
        used += (size_t)snprintf(text + used, FMD_SHAPE_TEXT - used, "%s%d", i > 0 ? "x" : "",
                                 s.dim[i]);
    return text;
}

/* Cuts the training images into those to train and those to validate on: the last ones, as Keras. */
static fmd_status split_data(job *j)
{
    const fmd_config *c = j->config;
    const size_t image_bytes = fmd_shape_count(j->data.info.image);
    fmd_split all = j->data.train;
    if (c->limit != FMD_UNSET_INT && (size_t)c->limit < all.n)
        all.n = (size_t)c->limit;
    const size_t n = (size_t)((double)all.n * (1 - c->validation_split));
    if (n == 0)
        return FMD_FAIL(FMD_EUSAGE, "--validation-split %g of %zu images leaves none to train on",
                        c->validation_split, all.n);
    j->fit.train = (fmd_split){.n = n, .images = all.images, .labels = all.labels};
    j->fit.validation = (fmd_split){
        .n = all.n - n, .images = all.images + n * image_bytes, .labels = all.labels + n};
    return FMD_OK;
}

static double learning_rate(const job *j)
{
    if (!isnan(j->config->learning_rate))
        return j->config->learning_rate;
    const fmd_optimizer_ops *ops = fmd_optimizer_ops_of(j->optimizer);
    return strcmp(ops->name, "adam") == 0 ? adam_learning_rate : ops->learning_rate;
}

/* Local. Model, optimizer and what fmd_fit is told, from data and options. */
static fmd_status build(job *j)
{
    const fmd_config *c = j->config;
    const int size = fmd_comm_size(j->comm);
    char spec[FMD_CONFIG_LAYERS_BYTES];
    FMD_TRY(split_data(j));
    int64_t batch = c->batch_size;
    if (c->batch_size_per_rank != FMD_UNSET_INT)
        batch = c->batch_size_per_rank * size;
    j->fit.divisor = c->normalize ? 255 : 1;
    j->fit.epochs = (int)c->epochs;
    j->fit.batch_size = (size_t)batch;
    j->fit.leaf_size = fmd_leaf_size(c->leaf_size, (size_t)batch);
    j->fit.schedule = (fmd_schedule)c->lr_schedule;
    j->fit.reduce = (fmd_reduction_mode)c->reduce;
    j->fit.seed = (uint64_t)c->seed;
    j->fit.shuffle = c->shuffle;
    FMD_TRY(fmd_config_layers(c, j->data.info.classes, spec));
    FMD_TRY(fmd_model_create(&j->model, spec, j->data.info.image, fmd_fit_rows(&j->fit, size)));
    FMD_TRY(fmd_model_check_classes(j->model, j->data.info.classes,
                                    fmd_class_name(j->data.info.name, j->data.info.classes - 1)));
    FMD_TRY(fmd_optimizer_create(&j->optimizer, c->optimizer, fmd_model_n_params(j->model)));
    j->fit.learning_rate = learning_rate(j);
    fmd_model_init(j->model, j->fit.seed);
    return FMD_OK;
}

static void add_callback(job *j, fmd_callback *callback)
{
    j->callbacks[j->fit.n_callbacks++] = callback;
}

/* Rank 0. The callbacks that options ask for; they judge the epoch before it is displayed. */
static fmd_status create_callbacks(job *j)
{
    const fmd_config *c = j->config;
    const bool validation = c->validation_split > 0;
    fmd_callback *callback;
    static const fmd_progress verbosities[] = {FMD_PROGRESS_NONE, FMD_PROGRESS_BAR,
                                               FMD_PROGRESS_LINE};
    fmd_progress progress = (fmd_progress)c->progress;
    if (c->verbose != FMD_UNSET_INT)
        progress = verbosities[c->verbose];
    FMD_TRY(fmd_cb_progress_create(&callback, progress));
    add_callback(j, callback);
    if (*c->stop_when != '\0') {
        FMD_TRY(fmd_cb_stop_when_create(&callback, c->stop_when, validation));
        add_callback(j, callback);
    }
    if (c->patience != FMD_UNSET_INT || c->restore_best) {
        fmd_early_stopping_args args = {.min_delta = c->min_delta,
                                        .patience =
                                            c->patience != FMD_UNSET_INT ? c->patience : INT32_MAX,
                                        .mode = (fmd_monitor_mode)c->mode,
                                        .baseline = c->baseline,
                                        .restore_best = c->restore_best};
        const bool automatic = strcmp(c->monitor, "auto") == 0;
        snprintf(args.monitor, sizeof args.monitor, "%s",
                 !automatic   ? c->monitor
                 : validation ? "val_loss"
                              : "loss");
        FMD_TRY(fmd_cb_early_stopping_create(&callback, &args, validation));
        add_callback(j, callback);
    }
    if (!isnan(c->max_time)) {
        FMD_TRY(fmd_cb_max_time_create(&callback, c->max_time));
        add_callback(j, callback);
    }
    return FMD_OK;
}

/* Rank 0. The run folder, and the callback that writes into it. */
static fmd_status open_folder(job *j)
{
    char path[FMD_RUN_PATH_BYTES];
    fmd_callback *csv;
    FMD_TRY(fmd_run_folder_create(&j->folder, j->config));
    if (j->folder.path[0] == '\0')
        return FMD_OK;
    FMD_TRY(fmd_cb_csv_create(&csv, fmd_run_folder_file(&j->folder, "history.csv", path)));
    add_callback(j, csv);
    return fmd_run_folder_status(&j->folder, "running", FMD_OK, "", 0);
}

/* 101770 as "101,770". */
static const char *grouped(size_t n, char text[32])
{
    char digits[32];
    const int length = snprintf(digits, sizeof digits, "%zu", n);
    int used = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            text[used++] = ',';
        text[used++] = digits[i];
    }
    text[used] = '\0';
    return text;
}

/* Rank 0. What is about to happen, in five lines. */
static void print_header(const job *j)
{
    const fmd_dataset_info *d = &j->data.info;
    const int size = fmd_comm_size(j->comm), nodes = fmd_comm_nodes(j->comm);
    const fmd_fit_args *f = &j->fit;
    char text[FMD_SHAPE_TEXT], n[32];
    printf("fmnist-dist " FMD_VERSION " · %d rank%s on %d node%s · %s · OpenBLAS %s, %" PRId64
           " thread%s/rank\n",
           size, size == 1 ? "" : "s", nodes, nodes == 1 ? "" : "s", fmd_comm_library(),
           fmd_math_core(), j->config->threads, j->config->threads == 1 ? "" : "s");
    printf("data   %s %s (%s) · %zu train, ", d->name, d->path,
           d->verified ? "verified" : "not a published data set", f->train.n);
    if (f->validation.n > 0)
        printf("%zu validation, ", f->validation.n);
    printf("%zu test, %s, %d classes\n", d->n_test, image_text(d->image, text), d->classes);
    printf("model  sequential: %s · %s parameters (%.2f KB)\n", fmd_model_spec(j->model),
           grouped(fmd_model_n_params(j->model), n),
           (double)fmd_model_n_params(j->model) * sizeof(float) / 1024);
    const size_t leaves = (f->batch_size + f->leaf_size - 1) / f->leaf_size;
    printf("train  global batch %zu", f->batch_size);
    if (f->reduce == FMD_REDUCE_EXACT)
        printf(" = %zu lea%s of %zu over %d rank%s", leaves, leaves == 1 ? "f" : "ves",
               f->leaf_size, size, size == 1 ? "" : "s");
    else
        printf(" over %d rank%s", size, size == 1 ? "" : "s");
    printf(" · %zu steps/epoch · %s lr %g %s · reduce %s · seed %" PRIu64 "\n",
           (f->train.n + f->batch_size - 1) / f->batch_size, fmd_optimizer_spec(j->optimizer),
           f->learning_rate, f->schedule == FMD_SCHEDULE_COSINE ? "cosine" : "constant",
           f->reduce == FMD_REDUCE_EXACT ? "exact" : "native", f->seed);
    if (j->folder.path[0] != '\0')
        printf("run    %s\n", j->folder.path);
    fflush(stdout);
}

/* Collective. Says what will be slower than it could be. */
static void warn_of_waste(const job *j)
{
    const fmd_fit_args *f = &j->fit;
    const size_t size = (size_t)fmd_comm_size(j->comm);
    const size_t batch = f->batch_size < f->train.n ? f->batch_size : f->train.n;
    const size_t leaves = (batch + f->leaf_size - 1) / f->leaf_size;
    if (f->reduce == FMD_REDUCE_EXACT && size > leaves)
        fmd_warn("%zu of %zu ranks have no work: a batch of %zu has %zu lea%s of %zu images; give "
                 "a larger --batch-size or a smaller --leaf-size",
                 size - leaves, size, batch, leaves, leaves == 1 ? "f" : "ves", f->leaf_size);
    const int cores = fmd_comm_node_cores(j->comm), ranks = fmd_comm_node_size(j->comm);
    if (ranks * j->config->threads > cores)
        fmd_warn("%d rank%s x %" PRId64 " thread%s share %d core%s on %s: more than one to a core "
                 "is slower, not faster",
                 ranks, ranks == 1 ? "" : "s", j->config->threads,
                 j->config->threads == 1 ? "" : "s", cores, cores == 1 ? "" : "s",
                 fmd_comm_host(j->comm));
    if (!j->data.info.verified && *j->config->dataset != '.' &&
        strchr(j->config->dataset, '/') == NULL)
        fmd_warn("the files in %s are not those of the published data set", j->data.info.path);
}

/* Collective. Exact mode needs equal arithmetic on every rank. */
static fmd_status check_ranks(const job *j)
{
    char library[256] = "", core[64] = "";
    snprintf(library, sizeof library, FMD_VERSION " %s", fmd_math_library());
    snprintf(core, sizeof core, "%s", fmd_math_core());
    if (j->fit.reduce == FMD_REDUCE_EXACT) {
        FMD_TRY(fmd_comm_same(j->comm, core, sizeof core,
                              "the kernels that OpenBLAS takes for their CPUs; set "
                              "OPENBLAS_CORETYPE=Haswell on all ranks, or give --reduce native"));
        FMD_TRY(fmd_comm_same(j->comm, library, sizeof library,
                              "the version of fmnist-dist or OpenBLAS"));
    }
    const fmd_hash hash = fmd_model_hash(j->model);
    return fmd_comm_same(j->comm, &hash, sizeof hash, "their initial weights");
}

/* Collective. All that can go wrong before the first step. */
static fmd_status prepare(job *j)
{
    const fmd_config *c = j->config;
    fmd_status st = is_root(j) ? create_callbacks(j) : FMD_OK;
    FMD_TRY(fmd_comm_agree(j->comm, st));
    FMD_TRY(fmd_feed_load(j->comm, c->dataset, c->data_dir, &j->data));
    FMD_TRY(fmd_comm_agree(j->comm, build(j)));
    FMD_TRY(check_ranks(j));
    st = is_root(j) ? open_folder(j) : FMD_OK;
    FMD_TRY(fmd_comm_agree(j->comm, st));
    warn_of_waste(j);
    if (is_root(j))
        print_header(j);
    return FMD_OK;
}

/* Rank 0. run.json: what ran where and what came out. */
static fmd_status write_record(const job *j, const char *weights, const char *hosts)
{
    static const char *const files[] = {"train_images", "train_labels", "test_images",
                                        "test_labels"};
    const double none = (double)NAN; /* without a complete epoch */
    const fmd_metrics metrics =
        j->result.epochs > 0
            ? j->result.metrics
            : (fmd_metrics){.loss = none, .accuracy = none, .val_loss = none, .val_accuracy = none};
    char path[FMD_RUN_PATH_BYTES], hash[FMD_HASH_TEXT];
    fmd_json *r;
    FMD_TRY(fmd_json_create(&r));
    fmd_json_text(r, NULL, "version", FMD_VERSION);
    fmd_json_text(r, NULL, "started", j->started);
    fmd_json_text(r, NULL, "mpi", fmd_comm_library());
    fmd_json_text(r, NULL, "blas", fmd_math_library());
    fmd_json_text(r, NULL, "blas_core", fmd_math_core());
    fmd_json_text(r, NULL, "compiler", __VERSION__);
    fmd_json_int(r, NULL, "ranks", fmd_comm_size(j->comm));
    fmd_json_int(r, NULL, "nodes", fmd_comm_nodes(j->comm));
    for (int i = 0; i < fmd_comm_size(j->comm); i++)
        fmd_json_append(r, NULL, "hosts", hosts + (size_t)i * 64);
    fmd_json_text(r, "data", "name", j->data.info.name);
    fmd_json_text(r, "data", "path", j->data.info.path);
    fmd_json_bool(r, "data", "verified", j->data.info.verified);
    for (int i = 0; i < 4; i++)
        fmd_json_text(r, "data", files[i], fmd_hash_text(j->data.info.hash[i], hash));
    fmd_json_text(r, "model", "layers", fmd_model_spec(j->model));
    fmd_json_int(r, "model", "parameters", (long long)fmd_model_n_params(j->model));
    fmd_json_int(r, "result", "epochs", j->result.epochs);
    fmd_json_int(r, "result", "steps", (long long)j->result.steps);
    fmd_json_int(r, "result", "steps_repeated", (long long)j->result.repeats);
    fmd_json_text(r, "result", "stopped_because", j->result.reason);
    fmd_json_real(r, "result", "loss", metrics.loss);
    fmd_json_real(r, "result", "accuracy", metrics.accuracy);
    fmd_json_real(r, "result", "val_loss", metrics.val_loss);
    fmd_json_real(r, "result", "val_accuracy", metrics.val_accuracy);
    fmd_json_real(r, "result", "test_loss", j->test.loss);
    fmd_json_real(r, "result", "test_accuracy", j->test.accuracy);
    fmd_json_text(r, "result", "weights_xxh3", weights);
    fmd_json_real(r, "time", "training_seconds", j->result.seconds);
    fmd_json_real(r, "time", "images_per_second", (double)j->result.samples / j->result.seconds);
    fmd_json_real(r, "time", "assemble_seconds", j->result.phases.assemble);
    fmd_json_real(r, "time", "forward_seconds", j->result.phases.forward);
    fmd_json_real(r, "time", "backward_seconds", j->result.phases.backward);
    fmd_json_real(r, "time", "reduce_seconds", j->result.phases.reduce);
    fmd_json_real(r, "time", "update_seconds", j->result.phases.update);
    fmd_status st = fmd_json_write(r, fmd_run_folder_file(&j->folder, "run.json", path));
    fmd_json_destroy(r);
    return st;
}

/* Rank 0. What came out, in three lines. */
static void print_result(const job *j, const char *weights)
{
    const fmd_fit_result *r = &j->result;
    const double per_step = 1e3 / (double)r->steps;
    if (r->reason[0] != '\0')
        printf("%s\n", r->reason);
    printf("time   %.2f s training · %.0f images/s · step %.3f ms = assemble %.3f + forward %.3f + "
           "backward %.3f + reduce %.3f + update %.3f\n",
           r->seconds, (double)r->samples / r->seconds, r->seconds * per_step,
           r->phases.assemble * per_step, r->phases.forward * per_step,
           r->phases.backward * per_step, r->phases.reduce * per_step, r->phases.update * per_step);
    printf("test   loss %.4f · accuracy %.4f\n", j->test.loss, j->test.accuracy);
    printf("weights xxh3:%s\n", weights);
}

/* Rank 0. Files first, so that what is printed is true. */
static fmd_status finish(job *j, const char *hosts)
{
    char weights[FMD_HASH_TEXT], path[FMD_RUN_PATH_BYTES];
    fmd_hash_text(fmd_model_hash(j->model), weights);
    if (j->folder.path[0] != '\0') {
        FMD_TRY(fmd_keras_write(
            fmd_run_folder_file(&j->folder, "checkpoints/final.weights.h5", path), j->model,
            j->optimizer, j->result.metrics.learning_rate, j->config->normalize));
        FMD_TRY(write_record(j, weights, hosts));
    }
    print_result(j, weights);
    return FMD_OK;
}

/* Collective. Trains and tests. */
static fmd_status train(job *j)
{
    FMD_TRY(fmd_fit(j->comm, j->model, j->optimizer, &j->fit, &j->result));
    FMD_TRY(fmd_evaluate(j->comm, j->model, &j->data.test, j->fit.divisor, &j->test));
    char *hosts = NULL, host[64] = "";
    snprintf(host, sizeof host, "%s", fmd_comm_host(j->comm));
    fmd_status st = FMD_OK;
    if (is_root(j))
        st = fmd_alloc(&hosts, (size_t)fmd_comm_size(j->comm), sizeof host, "the host names");
    if ((st = fmd_comm_agree(j->comm, st)) != FMD_OK)
        return st;
    fmd_comm_gather(j->comm, host, sizeof host, hosts);
    if (is_root(j))
        st = finish(j, hosts);
    free(hosts);
    return fmd_comm_agree(j->comm, st);
}

/* Rank 0. STATUS.json; what made the run fail stays its message, even if this fails too. */
static fmd_status write_verdict(const job *j, fmd_status st)
{
    char message[FMD_ERROR_BYTES];
    snprintf(message, sizeof message, "%s", st == FMD_OK ? j->result.reason : fmd_error_message());
    const char *state = st != FMD_OK ? "failed" : *message != '\0' ? "stopped" : "done";
    const fmd_status written =
        fmd_run_folder_status(&j->folder, state, st, message, j->result.steps);
    return st == FMD_OK ? written : FMD_FAIL(st, "%s", message);
}

fmd_status fmd_cmd_train(fmd_comm *c, const fmd_config *config)
{
    job j = {.comm = c, .config = config};
    j.fit.callbacks = j.callbacks;
    const time_t now = time(NULL);
    struct tm utc;
    strftime(j.started, sizeof j.started, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));

    fmd_status st = prepare(&j);
    const bool begun = st == FMD_OK;
    if (begun)
        st = train(&j);
    for (int i = 0; i < j.fit.n_callbacks; i++)
        j.callbacks[i]->ops->destroy(j.callbacks[i]);
    if (begun && is_root(&j))
        st = write_verdict(&j, st);
    fmd_optimizer_destroy(j.optimizer);
    fmd_model_destroy(j.model);
    return begun ? fmd_comm_agree(c, st) : st;
}
