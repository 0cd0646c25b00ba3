/* train: fit, evaluate on the test images, leave the weights. */
#include "base/system/print.h"
#include "cli/commands.h"
#include "cli/train/output.h"
#include "cli/train/train.h"
#include "fmd/version.h"
#include "run/weights_file.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/timer.h"
#include "io/json/json_object.h"
#include "io/run_lock.h"
#include "io/run_names.h"
#include "math/gemm.h"
#include "train/callbacks/callbacks.h"
#include "train/loader.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static bool is_root(const fmd_job *j)
{
    return fmd_comm_rank(j->comm) == 0;
}

static bool has_validation(const fmd_job *j)
{
    return j->fit.validation.n > 0;
}

/* Local. The callbacks that options ask for; rank 0 also displays the progress. */
static fmd_status create_callbacks(fmd_job *j)
{
    static const fmd_progress verbosities[] = {FMD_PROGRESS_NONE, FMD_PROGRESS_BAR,
                                               FMD_PROGRESS_LINE};
    const fmd_config *c = j->config;
    fmd_callback *progress = NULL;
    if (is_root(j))
        FMD_TRY(fmd_cb_progress_create(&progress, c->output.verbose != FMD_UNSET_INT
                                                      ? verbosities[c->output.verbose]
                                                      : (fmd_progress)c->output.progress));
    return fmd_job_callbacks(j, progress);
}

/* Local. When checkpoints are due and what is best, from options; where they go is not known yet. */
static fmd_status plan_saving(const fmd_job *j, fmd_checkpointer_args *args)
{
    const fmd_config *c = j->config;
    *args = (fmd_checkpointer_args){.keep = c->checkpoints.keep,
                                    .best = c->checkpoints.save_best,
                                    .monitor = fmd_job_monitored(j)};
    FMD_TRY(
        fmd_metric_check(&j->fit.objective.metrics, args->monitor, has_validation(j), "--monitor"));
    args->monitor = fmd_metric_name(&j->fit.objective.metrics, args->monitor);
    args->mode = (fmd_monitor_mode)c->stopping.mode;
    return fmd_save_freq_parse(c->checkpoints.save_freq, &args->kind, &args->every);
}

/* Rank 0. The run folder, and the callbacks that write into it. */
static fmd_status open_folder(fmd_job *j)
{
    char path[FMD_RUN_PATH_BYTES];
    fmd_callback *callback;
    fmd_config stored = *j->config; /* what --config would need to repeat this run */
    stored.training.learning_rate = j->learning_rate;
    FMD_TRY(fmd_run_folder_create(&j->folder, &stored));
    if (j->folder.path[0] == '\0')
        return FMD_OK;
    FMD_TRY(fmd_cb_csv_create(&callback, fmd_run_folder_file(&j->folder, FMD_FILE_HISTORY, path)));
    fmd_job_add(j, callback);
    FMD_TRY(fmd_run_folder_callback(&callback, &j->folder, &stored));
    fmd_job_add(j, callback);
    fmd_json *head;
    FMD_TRY(fmd_report_start(&head, j));
    FMD_TRY(fmd_cb_events_create(&callback, fmd_run_folder_file(&j->folder, FMD_FILE_EVENTS, path),
                                 head));
    fmd_job_add(j, callback);
    if (j->config->run.tensorboard) {
        FMD_TRY(fmd_cb_tensorboard_create(&callback, j->folder.path));
        fmd_job_add(j, callback);
    }
    return FMD_OK;
}

/* Local. Every option that has a part in the result, and what else it depends on. */
static fmd_status collect_fingerprint(fmd_job *j)
{
    enum { OTHERS = 8 }; /* that are no options */
    static const char *const groups[] = {"training data", "amount",   "model",
                                         "training",      "stopping", "distribution"};
    static const char *const without[] = {"layers",
                                          "hidden",
                                          "model",
                                          "model-name",
                                          "learning-rate",
                                          "max-time",
                                          "batch-size-per-rank",
                                          "batch-size",
                                          "microbatch-size",
                                          "allreduce",
                                          "bucket-size",
                                          "sharding",
                                          "gemm"};
    /* Absent from a checkpoint: the default. So runs of earlier versions can be resumed. */
    static const char *const later[] = {"validation-from", "k-fold", "loss",   "metrics",
                                        "class-weight",    "mixup",  "cutmix", "precision"};
    size_t n = 0;
    for (size_t i = 0; i < fmd_config_table_length; i++) {
        const fmd_option *o = &fmd_config_table[i];
        bool takes_part = false, is_later = false;
        for (size_t k = 0; k < sizeof later / sizeof *later; k++)
            is_later = is_later || strcmp(o->name, later[k]) == 0;
        for (size_t k = 0; k < sizeof groups / sizeof *groups; k++)
            takes_part = takes_part || strcmp(o->group, groups[k]) == 0;
        for (size_t k = 0; k < sizeof without / sizeof *without; k++)
            takes_part = takes_part && strcmp(o->name, without[k]) != 0;
        if (!takes_part && !is_later)
            continue;
        if (n + OTHERS == FMD_JOB_FINGERPRINT)
            return FMD_FAIL(FMD_EINTERNAL, "more than %d fingerprint entries", FMD_JOB_FINGERPRINT);
        char text[FMD_OPTION_TEXT_BYTES];
        snprintf(j->fingerprint[n].text, sizeof j->fingerprint[n].text, "%s",
                 fmd_option_text(o, j->config, text));
        j->fingerprint[n].may_change =
            strcmp(o->group, "stopping") == 0 || strcmp(o->name, "epochs") == 0;
        j->fingerprint[n].absent = is_later ? o->initial : NULL;
        j->fingerprint[n++].name = o->name;
    }
    char hash[FMD_HASH_TEXT];
    const fmd_hash data = fmd_hash_bytes(j->data.info.hash, sizeof j->data.info.hash);
    const fmd_fit_args *f = &j->fit;
#define FINGERPRINT(NAME, ...)                                                                     \
    do {                                                                                           \
        snprintf(j->fingerprint[n].text, sizeof j->fingerprint[n].text, __VA_ARGS__);              \
        j->fingerprint[n++].name = (NAME);                                                         \
    } while (0)
    const char *layers = fmd_model_spec(j->model);
    if (strlen(layers) < sizeof j->fingerprint[n].text)
        FINGERPRINT("layers", "%s", layers);
    else
        FINGERPRINT("layers", "xxh3:%s",
                    fmd_hash_text(fmd_hash_bytes(layers, strlen(layers)), hash));
    FINGERPRINT("batch-size", "%zu", f->batch_size);
    FINGERPRINT("microbatch-size", "%zu", f->microbatch_size);
    FINGERPRINT("learning-rate", "%.17g", f->schedule.base / j->lr_scale);
    FINGERPRINT("data", "%s", fmd_hash_text(data, hash));
    /* Where it lies does not matter, what is in it does. */
    FINGERPRINT("initial weights", "%s",
                *j->config->model.weights == '\0' ? "random"
                                                  : fmd_hash_text(fmd_model_hash(j->model), hash));
    FINGERPRINT("matrix products", "%s", f->reduce == FMD_REDUCE_EXACT ? fmd_math_core() : "any");
    if (f->shuffle_window > 0)
        FINGERPRINT("shuffle-window", "%zu", f->shuffle_window);
    if (j->fold > 0)
        FINGERPRINT("fold", "%d", j->fold);
#undef FINGERPRINT
    j->fit.fingerprint = j->fingerprint;
    j->fit.n_fingerprint = n;
    return FMD_OK;
}

/* Collective. The checkpoints of the run, which every rank may have to write. */
static fmd_status create_checkpointer(fmd_job *j, fmd_checkpointer_args *args)
{
    fmd_comm_bcast(j->comm, &j->folder, sizeof j->folder);
    if (j->folder.path[0] == '\0')
        return FMD_OK;
    args->run_folder = j->folder.path;
    args->lock = j->folder.lock;
    return fmd_checkpointer_create(&j->fit.checkpointer, args);
}

/* Collective. Exact mode needs equal arithmetic on every rank. */
static fmd_status check_ranks(const fmd_job *j)
{
    char version[256] = "", core[64] = "";
    snprintf(version, sizeof version, FMD_VERSION "%s%s", fmd_math_is_own() ? "" : " ",
             fmd_math_is_own() ? "" : fmd_math_library());
    snprintf(core, sizeof core, "%s", fmd_math_core());
    if (j->fit.reduce == FMD_REDUCE_EXACT) {
        FMD_TRY(fmd_comm_same(j->comm, core, sizeof core,
                              "the matrix products, whose kernels OpenBLAS takes by the CPU; give "
                              "--gemm own or --reduce native, or set OPENBLAS_CORETYPE=Haswell on "
                              "all ranks"));
        FMD_TRY(fmd_comm_same(j->comm, version, sizeof version,
                              "the version of fmnist-dist or OpenBLAS"));
    }
    const fmd_hash hash = fmd_model_hash(j->model);
    return fmd_comm_same(j->comm, &hash, sizeof hash, "their initial weights");
}

/* Collective. Initial weights from a file; the optimizer starts anew. */
static fmd_status start_from(fmd_job *j, const fmd_weights_file *weights)
{
    if (!weights->info.keras && weights->info.model.normalize != j->config->data.normalize)
        fmd_warn("'%s' was trained on pixels %s, but this run %s", weights->path,
                 weights->info.model.normalize ? "divided by 255" : "of 0 to 255",
                 j->config->data.normalize ? "divides them by 255" : "does not divide them");
    return fmd_weights_file_load(j->comm, weights, j->model);
}

/* Collective. The name of every rank's host, on rank 0. */
static fmd_status gather_hosts(fmd_job *j)
{
    char host[FMD_HOST_BYTES] = "";
    snprintf(host, sizeof host, "%s", fmd_comm_host(j->comm));
    fmd_status st = FMD_OK;
    if (is_root(j))
        st = fmd_alloc(&j->hosts, (size_t)fmd_comm_size(j->comm), sizeof host, "the host names");
    FMD_TRY(fmd_comm_agree(j->comm, st));
    fmd_comm_gather(j->comm, host, sizeof host, j->hosts);
    return FMD_OK;
}

/* Rank 0. A checkpoint that the user named is looked at before there is a run folder. */
static fmd_status find_checkpoint(fmd_job *j)
{
    uint64_t step;
    FMD_TRY(fmd_weights_path(j->config->checkpoints.resume, j->resume_from));
    return fmd_checkpoint_verify(j->resume_from, &step);
}

/* Collective. All that can go wrong before the first step, but for reading a checkpoint. */
static fmd_status prepare(fmd_job *j, const fmd_dataset *data)
{
    const fmd_config *c = j->config;
    fmd_checkpointer_args saving;
    fmd_weights_file weights = {.path = ""};
    const double begun = fmd_now();
    if (data != NULL)
        j->data = *data;
    else
        FMD_TRY((c->data.stream ? fmd_loader_stream : fmd_loader_read)(j->comm, c->data.dataset,
                                                                       c->data.dir, &j->data));
    const double loaded = fmd_now();
    if (*c->model.weights != '\0')
        FMD_TRY(fmd_weights_file_open(j->comm, &weights, c->model.weights));
    fmd_status st = fmd_job_build(j, &weights);
    if (st == FMD_OK && *c->model.weights != '\0')
        st = start_from(j, &weights);
    if (st == FMD_OK)
        st = create_callbacks(j);
    if (st == FMD_OK)
        st = plan_saving(j, &saving);
    if (st == FMD_OK)
        st = collect_fingerprint(j);
    FMD_TRY(fmd_comm_agree(j->comm, st));
    FMD_TRY(check_ranks(j));
    FMD_TRY(gather_hosts(j));
    j->fit.resume = strcmp(c->checkpoints.resume, "none") != 0;
    if (j->fit.resume && strcmp(c->checkpoints.resume, "auto") != 0) {
        j->fit.resume_from = j->resume_from;
        st = is_root(j) ? find_checkpoint(j) : FMD_OK;
    }
    if (st == FMD_OK && is_root(j))
        st = open_folder(j);
    FMD_TRY(fmd_comm_agree(j->comm, st));
    FMD_TRY(fmd_comm_agree(j->comm, create_checkpointer(j, &saving)));
    fmd_report_waste(j);
    if (is_root(j))
        fmd_report_header(j);
    j->setup = (fmd_setup_seconds){
        .mpi = fmd_comm_open_seconds(j->comm), .data = loaded - begun, .rest = fmd_now() - loaded};
    return FMD_OK;
}

/* Rank 0. Files first, so that what is printed is true. */
static fmd_status finish(fmd_job *j)
{
    char weights[FMD_HASH_TEXT];
    fmd_hash_text(fmd_model_hash(j->model), weights);
    FMD_TRY(fmd_run_folder_check(&j->folder));
    if (j->folder.path[0] != '\0')
        FMD_TRY(fmd_report_record(j, weights));
    if (j->folder.path[0] != '\0' && j->config->run.tensorboard)
        FMD_TRY(fmd_report_tensorboard(j));
    fmd_report_result(j, weights);
    return FMD_OK;
}

/* Collective. Evaluates on the test images and leaves the results. */
static fmd_status conclude(fmd_job *j)
{
    FMD_TRY(fmd_evaluate(j->comm, j->model, &j->data.test, j->fit.divisor, &j->fit.objective,
                         j->fit.watchdog, &j->test));
    fmd_watchdog_files(j->fit.watchdog, "writing the results");
    return fmd_comm_agree(j->comm, is_root(j) ? finish(j) : FMD_OK);
}

/* Collective. Trains; an interrupted training leaves a checkpoint and nothing else. */
static fmd_status train(fmd_job *j)
{
    FMD_TRY(fmd_fit(j->comm, j->model, j->optimizer, &j->fit, &j->result));
    if (!j->result.interrupted)
        return conclude(j);
    if (is_root(j) && j->fold == 0 && j->fit.checkpointer != NULL)
        fmd_print("%s after step %llu; to go on: the same command with --run-dir %s\n",
                  j->result.reason, (unsigned long long)j->result.steps, j->folder.path);
    else if (is_root(j) && j->fold == 0)
        fmd_print("%s after step %llu; without a run folder nothing is saved\n", j->result.reason,
                  (unsigned long long)j->result.steps);
    return FMD_FAIL_SILENTLY(FMD_ESTOPPED);
}

/* Rank 0. STATUS.json and the last line of events.jsonl; what made the run fail stays its message,
 * even if this fails too. */
static fmd_status write_verdict(const fmd_job *j, fmd_status st)
{
    char message[FMD_ERROR_BYTES];
    const bool stopped = st == FMD_OK || st == FMD_ESTOPPED;
    snprintf(message, sizeof message, "%s", stopped ? j->result.reason : fmd_error_message());
    const size_t used = strlen(message);
    if (st == FMD_EIO && j->folder.path[0] != '\0')
        snprintf(message + used, sizeof message - used,
                 "; free space or repair the disk, then repeat the command with --run-dir %.600s: "
                 "it continues from the newest checkpoint",
                 j->folder.path);
    const char *state = !stopped           ? FMD_RUN_FAILED
                        : *message != '\0' ? FMD_RUN_STOPPED
                                           : FMD_RUN_DONE;
    const fmd_status written =
        fmd_run_folder_status(&j->folder, state, st, message, j->result.steps);
    const fmd_status ended = written == FMD_EBUSY ? written : fmd_report_end(j, state, st, message);
    if (st == FMD_OK)
        return written != FMD_OK ? written : ended;
    return stopped ? FMD_FAIL_SILENTLY(st) : FMD_FAIL(st, "%s", message);
}

/* Called by the watchdog of any rank, while the training hangs. */
static void record_hang(void *self, const char *message)
{
    const fmd_job *j = self;
    fmd_status st =
        fmd_run_folder_status(&j->folder, FMD_RUN_FAILED, FMD_EHANG, message, j->result.steps);
    if (st == FMD_OK)
        st = fmd_report_end(j, FMD_RUN_FAILED, FMD_EHANG, message);
    (void)st; /* the process ends; a record that cannot be written is lost */
}

static fmd_status run_train(fmd_comm *c, const fmd_config *config)
{
    fmd_outcome outcome;
    return config->data.k_fold != FMD_UNSET_INT ? fmd_train_folds(c, config)
                                                : fmd_train(c, config, NULL, &outcome);
}

fmd_status fmd_train(fmd_comm *c, const fmd_config *config, const fmd_fold *fold, fmd_outcome *out)
{
    fmd_job *j = NULL;
    FMD_TRY(fmd_alloc(&j, 1, sizeof *j, "the training"));
    j->comm = c;
    j->config = config;
    j->fold = fold != NULL ? fold->number : 0;
    j->fit.callbacks = j->callbacks;
    j->saves = strcmp(config->run.dir, "none") != 0;
    const time_t now = time(NULL);
    struct tm utc;
    strftime(j->started, sizeof j->started, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));

    fmd_status st =
        fmd_comm_agree(c, fmd_watchdog_start(&j->fit.watchdog, fmd_comm_rank(c), fmd_comm_host(c),
                                             config->checkpoints.hang_timeout));
    if (st == FMD_OK)
        st = fmd_watchdog_share(j->fit.watchdog, c);
    if (st == FMD_OK)
        st = prepare(j, fold != NULL ? fold->data : NULL);
    const bool begun = st == FMD_OK;
    if (begun) {
        fmd_watchdog_on_hang(j->fit.watchdog, record_hang, j);
        st = train(j);
        fmd_watchdog_on_hang(j->fit.watchdog, NULL, NULL);
    }
    for (int i = 0; i < j->fit.n_callbacks; i++)
        j->callbacks[i]->ops->destroy(j->callbacks[i]);
    /* A checkpoint of another run leaves the folder as it is, and a new one is gone again. */
    if (begun && st == FMD_EUSAGE && is_root(j))
        fmd_run_folder_discard(&j->folder);
    else if (begun && is_root(j))
        st = write_verdict(j, st);
    if (begun)
        st = fmd_comm_agree(c, st);
    fmd_watchdog_stop(j->fit.watchdog);
    if (is_root(j))
        fmd_run_lock_release(&j->folder.lock);
    fmd_checkpointer_destroy(j->fit.checkpointer);
    if (fold == NULL)
        fmd_loader_close(&j->data);
    *out = (fmd_outcome){.result = j->result,
                         .test = j->test,
                         .metrics = j->fit.objective.metrics,
                         .n_validation = j->fit.validation.n};
    fmd_job_free(j);
    return st;
}

const fmd_command fmd_command_train = {
    .name = "train",
    .usage = "[OPTIONS]",
    .help = "trains a model (the default command)",
    .section = FMD_TO_TRAIN,
    .example = "--hidden 512 --validation-split 0.1 --patience 3",
    .groups = FMD_TRAIN_GROUPS,
    .needs_mpi = true,
    .trains = true,
    .run = run_train,
};
