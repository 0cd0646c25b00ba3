/* What the train command prints and records. */
#include "cli/train/output.h"
#include "base/format.h"
#include "base/system/print.h"
#include "data/locate.h"
#include "data/source.h"
#include "fmd/version.h"

#include "base/log.h"
#include "io/json/event_log.h"
#include "io/run_names.h"
#include "io/tensorboard/tensorboard.h"
#include "math/gemm.h"
#include "run/provenance.h"
#include "run/reader/model_title.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Prints the learning rate where scaling or warm-up change it. */
static void report_rates(const fmd_job *j)
{
    const fmd_config *c = j->config;
    const fmd_schedule *s = &j->fit.schedule;
    char rule[FMD_OPTION_TEXT_BYTES];
    if (c->training.lr_scaling == FMD_LR_AS_IT_IS && s->warmup == 0)
        return;
    fmd_print("rate   %g", s->base);
    if (c->training.lr_scaling != FMD_LR_AS_IT_IS)
        fmd_print(" = %g x %g, %s from batch %" PRId64, s->base / j->lr_scale, j->lr_scale,
                  fmd_choice_text(FMD_LR_SCALING_NAMES, c->training.lr_scaling, rule),
                  c->training.lr_base_batch);
    if (s->warmup > 0)
        fmd_print(" · warm-up from %g in %" PRIu64 " step%s", s->start, s->warmup,
                  s->warmup == 1 ? "" : "s");
    fmd_print("\n");
}

/* Prints the label of a line; returns the column of the cursor. */
static int label(const char *text)
{
    fmd_print("%-*s", FMD_LABEL_COLUMNS, text);
    return FMD_LABEL_COLUMNS;
}

static const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

static void report_program(const fmd_job *j)
{
    const int size = fmd_comm_size(j->comm), nodes = fmd_comm_nodes(j->comm);
    const int64_t threads = j->config->distribution.threads;
    int at = 0;
    fmd_print_fact(&at, "fmnist-dist " FMD_VERSION);
    fmd_print_fact(&at, "%d rank%s on %d node%s", size, plural((size_t)size), nodes,
                   plural((size_t)nodes));
    fmd_print_fact(&at, "%s", fmd_comm_library());
    if (fmd_bf16_is_on())
        fmd_print_fact(&at, "own kernels, %s, bf16 by %s", fmd_math_instructions(),
                       fmd_bf16_instructions());
    else if (fmd_math_is_own())
        fmd_print_fact(&at, "own kernels, %s", fmd_math_instructions());
    else
        fmd_print_fact(&at, "%s, %" PRId64 " thread%s per rank", fmd_math_core(), threads,
                       plural((size_t)threads));
    fmd_print("\n");
}

static void report_data(const fmd_job *j)
{
    const fmd_dataset_info *d = &j->data.info;
    const fmd_fit_args *f = &j->fit;
    const bool on_test = j->config->data.validation_data == FMD_VALIDATION_TEST;
    char text[FMD_SHAPE_TEXT], train[32], validation[64] = "", test[32], n[32];
    int at = label("data");
    if (f->validation.n > 0 && !on_test)
        snprintf(validation, sizeof validation, "%s validation, ",
                 fmd_format_count(f->validation.n, n));
    fmd_print_fact(&at, "%s %s (%s)", d->name, d->path,
                   d->streamed   ? "streamed"
                   : d->verified ? "verified"
                                 : "unverified");
    fmd_print_fact(&at, "%s train, %s%s test%s", fmd_format_count(f->train.n, train), validation,
                   fmd_format_count(d->n_test, test), on_test ? " and validation" : "");
    fmd_print_fact(&at, "%s, %d class%s", fmd_format_shape(d->image, text), d->classes,
                   d->classes == 1 ? "" : "es");
    fmd_print("\n");
}

/* Adds how messages are summed, if the program has chosen. */
static void report_allreduce(const fmd_job *j, int *at)
{
    const fmd_allreduce_choice *choice = &j->allreduce;
    char name[FMD_OPTION_TEXT_BYTES];
    if (j->config->distribution.allreduce != FMD_ALLREDUCE_AUTO)
        return;
    fmd_choice_text(FMD_ALLREDUCE_NAMES, choice->allreduce, name);
    if (choice->measured)
        fmd_print_fact(at, "allreduce %s (shared %.3g ms, mpi %.3g ms)", name,
                       choice->shared_seconds * 1e3, choice->mpi_seconds * 1e3);
    else
        fmd_print_fact(at, "allreduce %s", name);
}

void fmd_report_header(const fmd_job *j)
{
    const fmd_fit_args *f = &j->fit;
    const size_t size = (size_t)fmd_comm_size(j->comm), n_params = fmd_model_n_params(j->model);
    const size_t microbatches = (f->batch_size + f->microbatch_size - 1) / f->microbatch_size;
    const size_t steps = (f->train.n + f->batch_size - 1) / f->batch_size;
    char n[32], bytes[32], title[FMD_MODEL_TITLE];
    if (j->fold > 0)
        fmd_print("fold   %d of %" PRId64 "\n", j->fold, j->config->data.k_fold);
    report_program(j);
    report_data(j);
    int at = label("model");
    fmd_print_fact(&at, "%s: %s", fmd_model_kind(j->model),
                   fmd_model_title(j->config->model.name, fmd_model_spec(j->model), title));
    fmd_print_fact(&at, "%s parameters (%s)", fmd_format_count(n_params, n),
                   fmd_format_bytes(n_params * sizeof(float), bytes));
    fmd_print("\n");
    if (*j->config->model.weights != '\0')
        fmd_print("start  from the weights in %s\n", j->config->model.weights);
    at = label("train");
    if (f->reduce == FMD_REDUCE_EXACT)
        fmd_print_fact(&at, "global batch %zu = %zu microbatch%s of %zu over %zu rank%s",
                       f->batch_size, microbatches, microbatches == 1 ? "" : "es",
                       f->microbatch_size, size, plural(size));
    else
        fmd_print_fact(&at, "global batch %zu over %zu rank%s", f->batch_size, size, plural(size));
    fmd_print_fact(&at, "%s step%s/epoch", fmd_format_count(steps, n), plural(steps));
    fmd_print_fact(&at, "%s lr %g %s", fmd_optimizer_spec(j->optimizer), f->schedule.base,
                   f->schedule.spec);
    fmd_print_fact(&at, "reduce %s", f->reduce == FMD_REDUCE_EXACT ? "exact" : "native");
    report_allreduce(j, &at);
    fmd_print_fact(&at, "seed %" PRIu64, f->seed);
    fmd_print("\n");
    report_rates(j);
    if (j->folder.path[0] != '\0')
        fmd_print("run    %s\n", j->folder.path);
    fflush(stdout);
}

void fmd_report_waste(const fmd_job *j)
{
    const fmd_fit_args *f = &j->fit;
    const size_t size = (size_t)fmd_comm_size(j->comm);
    const size_t batch = f->batch_size < f->train.n ? f->batch_size : f->train.n;
    const size_t microbatches = (batch + f->microbatch_size - 1) / f->microbatch_size;
    if (f->reduce == FMD_REDUCE_EXACT && size > microbatches)
        fmd_warn(
            "%zu of %zu ranks have no work: a batch of %zu has %zu microbatch%s of %zu image%s; "
            "give a larger --batch-size or a smaller --microbatch-size",
            size - microbatches, size, batch, microbatches, microbatches == 1 ? "" : "es",
            f->microbatch_size, f->microbatch_size == 1 ? "" : "s");
    const int cores = fmd_comm_node_cores(j->comm), ranks = fmd_comm_node_size(j->comm);
    if (ranks * j->config->distribution.threads > cores)
        fmd_warn("%d rank%s x %" PRId64 " thread%s share %d core%s on %s: more than one per core "
                 "is slower, not faster",
                 ranks, ranks == 1 ? "" : "s", j->config->distribution.threads,
                 j->config->distribution.threads == 1 ? "" : "s", cores, cores == 1 ? "" : "s",
                 fmd_comm_host(j->comm));
    bool same[FMD_DATASET_FILES];
    if (!j->data.info.verified && !j->data.info.streamed &&
        !fmd_locate_is_path(j->config->data.dataset) &&
        fmd_source_published(&j->data.info, same) != NULL)
        fmd_warn("the files in %s are not those of the published data set", j->data.info.path);
}

static void add_place(fmd_json *r, const fmd_job *j)
{
    fmd_provenance_add(r);
    fmd_json_int(r, NULL, FMD_KEY_RANKS, fmd_comm_size(j->comm));
    fmd_json_int(r, NULL, FMD_KEY_NODES, fmd_comm_nodes(j->comm));
    for (int i = 0; i < fmd_comm_size(j->comm); i++)
        fmd_json_append(r, NULL, FMD_KEY_HOSTS, j->hosts + (size_t)i * FMD_HOST_BYTES);
}

/* Adds the breakdown of the time over the ranks, and the slowest rank. */
static void add_phases(fmd_json *r, const fmd_job *j)
{
    const fmd_phase_spread *t = &j->result.phases;
    for (size_t p = 0; p < FMD_PHASES; p++) {
        char key[64];
        snprintf(key, sizeof key, "%s_seconds", fmd_phase_names[p]);
        fmd_json_real(r, FMD_KEY_TIME, key, t->mean[p]);
        snprintf(key, sizeof key, "%s_seconds_min", fmd_phase_names[p]);
        fmd_json_real(r, FMD_KEY_TIME, key, t->min[p]);
        snprintf(key, sizeof key, "%s_seconds_max", fmd_phase_names[p]);
        fmd_json_real(r, FMD_KEY_TIME, key, t->max[p]);
    }
    fmd_json_int(r, FMD_KEY_SLOWEST, FMD_KEY_RANK, t->slowest);
    fmd_json_text(r, FMD_KEY_SLOWEST, FMD_KEY_HOST, j->hosts + (size_t)t->slowest * FMD_HOST_BYTES);
    fmd_json_real(r, FMD_KEY_SLOWEST, FMD_KEY_COMPUTE_SECONDS, t->slowest_seconds);
    fmd_json_real(r, FMD_KEY_SLOWEST, FMD_KEY_ABOVE_MEAN, t->above_mean);
}

static void add_test_metrics(fmd_json *r, const char *group, const fmd_job *j)
{
    const fmd_metric_list *list = &j->fit.objective.metrics;
    for (size_t i = 0; i < list->n; i++) {
        char key[FMD_METRIC_NAME_BYTES + 8];
        snprintf(key, sizeof key, "test_%s", fmd_metric_column(&list->of[i]));
        fmd_json_real(r, group, key, j->test.extra[i]);
    }
}

fmd_status fmd_report_record(const fmd_job *j, const char *weights)
{
    const fmd_metric_list *list = &j->fit.objective.metrics;
    const fmd_metrics metrics = j->result.epochs > 0 ? j->result.metrics : fmd_metrics_none(list);
    char path[FMD_RUN_PATH_BYTES], hash[FMD_HASH_TEXT];
    fmd_json *r;
    FMD_TRY(fmd_json_create(&r));
    fmd_json_text(r, NULL, FMD_KEY_STARTED, j->started);
    add_place(r, j);
    fmd_json_text(r, FMD_KEY_DATA, FMD_KEY_NAME, j->data.info.name);
    fmd_json_text(r, FMD_KEY_DATA, FMD_KEY_PATH, j->data.info.path);
    fmd_json_bool(r, FMD_KEY_DATA, FMD_KEY_VERIFIED, j->data.info.verified);
    for (int i = 0; i < FMD_DATASET_FILES; i++)
        if (!j->data.info.streamed || fmd_dataset_part_shape(&j->data.info, i).rank == 0)
            fmd_json_text(r, FMD_KEY_DATA, fmd_dataset_key(i),
                          fmd_hash_text(j->data.info.hash[i], hash));
    fmd_json_int(r, FMD_KEY_DATA, "n_train", (long long)j->fit.train.n);
    fmd_json_int(r, FMD_KEY_DATA, "n_validation", (long long)j->fit.validation.n);
    fmd_json_int(r, FMD_KEY_DATA, FMD_KEY_N_TEST, (long long)j->data.test.n);
    fmd_json_text(r, FMD_KEY_MODEL, FMD_KEY_NAME, j->config->model.name);
    fmd_json_text(r, FMD_KEY_MODEL, FMD_KEY_LAYERS, fmd_model_spec(j->model));
    fmd_json_int(r, FMD_KEY_MODEL, "parameters", (long long)fmd_model_n_params(j->model));
    fmd_json_int(r, FMD_KEY_RESULT, FMD_KEY_EPOCHS, j->result.epochs);
    fmd_json_int(r, FMD_KEY_RESULT, FMD_KEY_WEIGHTS_EPOCH, j->result.weights_epoch + 1);
    fmd_json_int(r, FMD_KEY_RESULT, FMD_KEY_STEPS, (long long)j->result.steps);
    fmd_json_int(r, FMD_KEY_RESULT, "steps_repeated", (long long)j->result.repeats);
    fmd_json_text(r, FMD_KEY_RESULT, FMD_KEY_STOPPED_BECAUSE, j->result.reason);
    fmd_json_real(r, FMD_KEY_RESULT, FMD_KEY_LOSS, metrics.loss);
    fmd_json_real(r, FMD_KEY_RESULT, FMD_KEY_ACCURACY, metrics.accuracy);
    fmd_json_real(r, FMD_KEY_RESULT, FMD_KEY_VAL_LOSS, metrics.val_loss);
    fmd_json_real(r, FMD_KEY_RESULT, FMD_KEY_VAL_ACCURACY, metrics.val_accuracy);
    fmd_json_real(r, FMD_KEY_RESULT, FMD_KEY_TEST_LOSS, j->test.loss);
    fmd_json_real(r, FMD_KEY_RESULT, FMD_KEY_TEST_ACCURACY, j->test.accuracy);
    for (size_t i = 0; i < list->n; i++) {
        fmd_json_real(r, FMD_KEY_RESULT, fmd_metric_column(&list->of[i]), metrics.extra[i]);
        fmd_json_real(r, FMD_KEY_RESULT, list->of[i].val_name, metrics.val_extra[i]);
    }
    add_test_metrics(r, FMD_KEY_RESULT, j);
    fmd_json_text(r, FMD_KEY_RESULT, "weights_xxh3", weights);
    fmd_json_real(r, FMD_KEY_TIME, "setup_mpi_seconds", j->setup.mpi);
    fmd_json_real(r, FMD_KEY_TIME, "setup_data_seconds", j->setup.data);
    fmd_json_real(r, FMD_KEY_TIME, "setup_rest_seconds", j->setup.rest);
    fmd_json_int(r, FMD_KEY_TIME, FMD_KEY_STEPS,
                 (long long)(j->result.steps - j->result.resumed_step));
    fmd_json_real(r, FMD_KEY_TIME, FMD_KEY_TRAINING_SECONDS, j->result.seconds);
    fmd_json_real(r, FMD_KEY_TIME, FMD_KEY_IMAGES_PER_SECOND,
                  (double)j->result.samples / j->result.seconds);
    add_phases(r, j);
    fmd_status st = fmd_json_write(r, fmd_run_folder_file(&j->folder, FMD_FILE_RECORD, path));
    fmd_json_destroy(r);
    return st;
}

fmd_status fmd_report_tensorboard(const fmd_job *j)
{
    fmd_tensorboard *t;
    const int64_t step = (int64_t)j->result.steps;
    FMD_TRY(fmd_tensorboard_open(&t, j->folder.path, "validation", FMD_TENSORBOARD_ADD));
    fmd_tensorboard_scalar(t, "evaluation_accuracy_vs_iterations", step, j->test.accuracy);
    fmd_tensorboard_scalar(t, "evaluation_loss_vs_iterations", step, j->test.loss);
    const fmd_status st = fmd_tensorboard_flush(t);
    fmd_tensorboard_close(t);
    return st;
}

fmd_status fmd_report_start(fmd_json **out, const fmd_job *j)
{
    static const char *const in_head[] = {"type", "time", "epoch", "step", "global_step"};
    static const char *const as_given[][2] = {{"lr-schedule", "lr_schedule"}, {"reduce", "reduce"}};
    const fmd_fit_args *f = &j->fit;
    fmd_json *r;
    FMD_TRY(fmd_json_create(&r));
    for (size_t i = 0; i < sizeof in_head / sizeof *in_head; i++)
        fmd_json_int(r, NULL, in_head[i], 0); /* until it is known */
    add_place(r, j);
    fmd_json_text(r, FMD_KEY_CONFIG, FMD_KEY_DATASET, j->data.info.name);
    fmd_json_int(r, FMD_KEY_CONFIG, FMD_KEY_TRAIN_IMAGES, (long long)f->train.n);
    fmd_json_int(r, FMD_KEY_CONFIG, "validation_images", (long long)f->validation.n);
    fmd_json_int(r, FMD_KEY_CONFIG, FMD_KEY_TEST_IMAGES, (long long)j->data.test.n);
    fmd_json_text(r, FMD_KEY_CONFIG, FMD_KEY_MODEL, j->config->model.name);
    fmd_json_text(r, FMD_KEY_CONFIG, FMD_KEY_LAYERS, fmd_model_spec(j->model));
    fmd_json_int(r, FMD_KEY_CONFIG, "parameters", (long long)fmd_model_n_params(j->model));
    fmd_json_int(r, FMD_KEY_CONFIG, FMD_KEY_EPOCHS, f->epochs);
    fmd_json_int(r, FMD_KEY_CONFIG, "steps_per_epoch",
                 (long long)((f->train.n + f->batch_size - 1) / f->batch_size));
    fmd_json_int(r, FMD_KEY_CONFIG, FMD_KEY_BATCH_SIZE, (long long)f->batch_size);
    fmd_json_int(r, FMD_KEY_CONFIG, FMD_KEY_MICROBATCH_SIZE, (long long)f->microbatch_size);
    fmd_json_text(r, FMD_KEY_CONFIG, FMD_KEY_OPTIMIZER, fmd_optimizer_spec(j->optimizer));
    fmd_json_real(r, FMD_KEY_CONFIG, FMD_KEY_LEARNING_RATE, f->schedule.base);
    for (size_t i = 0; i < sizeof as_given / sizeof *as_given; i++) {
        char text[FMD_OPTION_TEXT_BYTES];
        const fmd_option *o =
            fmd_option_find(fmd_config_table, fmd_config_table_length, as_given[i][0]);
        fmd_json_text(r, FMD_KEY_CONFIG, as_given[i][1], fmd_option_text(o, j->config, text));
    }
    for (size_t i = 0; i < 2 * f->objective.metrics.n; i++) {
        const fmd_metric *m = &f->objective.metrics.of[i / 2];
        fmd_json_append(r, FMD_KEY_CONFIG, "metrics",
                        i % 2 == 0 ? fmd_metric_column(m) : m->val_name);
    }
    fmd_json_int(r, FMD_KEY_CONFIG, "threads", j->config->distribution.threads);
    fmd_json_int(r, FMD_KEY_CONFIG, "seed", (long long)f->seed);
    *out = r;
    return FMD_OK;
}

fmd_status fmd_report_end(const fmd_job *j, const char *state, fmd_status code, const char *message)
{
    char path[FMD_RUN_PATH_BYTES];
    const fmd_fit_result *r = &j->result;
    fmd_json *line;
    if (j->folder.path[0] == '\0')
        return FMD_OK;
    FMD_TRY(fmd_event_log_begin(&line, FMD_EVENT_END));
    fmd_json_text(line, NULL, FMD_KEY_STATE, state);
    fmd_json_int(line, NULL, FMD_KEY_EXIT_CODE, code);
    fmd_json_text(line, NULL, FMD_KEY_MESSAGE, message);
    fmd_json_int(line, NULL, FMD_KEY_EPOCHS, r->epochs);
    fmd_json_int(line, NULL, FMD_KEY_GLOBAL_STEP, (long long)r->steps);
    fmd_json_real(line, NULL, FMD_KEY_TRAINING_SECONDS, rint(r->seconds * 1e6) / 1e6);
    fmd_json_real(line, NULL, FMD_KEY_SAMPLES_PER_S,
                  rint((double)r->samples / r->seconds * 10) / 10);
    if (code == FMD_OK) {
        fmd_json_real(line, NULL, FMD_KEY_TEST_LOSS, j->test.loss);
        fmd_json_real(line, NULL, FMD_KEY_TEST_ACCURACY, j->test.accuracy);
        add_test_metrics(line, NULL, j);
    }
    const fmd_status st =
        fmd_event_log_append(fmd_run_folder_file(&j->folder, FMD_FILE_EVENTS, path), line);
    fmd_json_destroy(line);
    return st;
}

void fmd_report_result(const fmd_job *j, const char *weights)
{
    char n[32];
    const fmd_fit_result *r = &j->result;
    const double per_step = 1e3 / (double)(r->steps - r->resumed_step);
    if (r->reason[0] != '\0')
        fmd_print("%s\n", r->reason);
    fmd_print("setup  %.2f s = MPI %.2f + data %.2f + rest %.2f\n",
              j->setup.mpi + j->setup.data + j->setup.rest, j->setup.mpi, j->setup.data,
              j->setup.rest);
    if (r->steps > r->resumed_step) {
        int at = label("time");
        fmd_print_fact(&at, "%.2f s training", r->seconds);
        fmd_print_fact(&at, "%s images/s",
                       fmd_format_count((size_t)((double)r->samples / r->seconds), n));
        fmd_print_fact(&at, "step %.3f ms", r->seconds * per_step);
        fmd_print("\n");
        at = label("");
        for (size_t p = 0; p < FMD_PHASES; p++)
            fmd_print_fact(&at, "%s %.3f", fmd_phase_names[p], r->phases.mean[p] * per_step);
        fmd_print("\n");
    }
    if (r->saves > 0)
        fmd_print("saved  %d checkpoint%s in %.3f s, %.1f %% of the run\n", r->saves,
                  r->saves == 1 ? "" : "s", r->save_seconds,
                  100 * r->save_seconds / (r->seconds + r->save_seconds));
    fmd_print("test   loss %.4f · accuracy %.4f\n", j->test.loss, j->test.accuracy);
    if (r->weights_epoch + 1 != r->epochs)
        fmd_print("best   the weights are those of epoch %d of %d, the best by --monitor\n",
                  r->weights_epoch + 1, r->epochs);
    if (r->best_epoch > 0)
        fmd_print("best   epoch %d of %d is in " FMD_FILE_CHECKPOINTS "/" FMD_FILE_BEST "\n",
                  r->best_epoch, r->epochs);
    fmd_print("weights xxh3:%s\n", weights);
    const fmd_metric_list *list = &j->fit.objective.metrics;
    for (size_t i = 0; i < list->n; i++)
        fmd_print("%s%s %.4f", i == 0 ? "test   " : " · ", fmd_metric_column(&list->of[i]),
                  j->test.extra[i]);
    if (list->n > 0)
        fmd_print("\n");
}
