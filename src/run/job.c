/* Sets up a training from options and data. */
#include "run/job.h"

#include "base/log.h"
#include "base/mem.h"
#include "data/class_weight.h"
#include "data/division.h"
#include "train/batch_plan.h"
#include "train/shard.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Chosen on the last sixth of the training images; docs/learning-rate.md has the figures. */
static const double adam_learning_rate = 0.005;

/* Classes with validation images only cannot be learned. */
static void warn_unmatched(const fmd_job *j)
{
    const fmd_config *c = j->config;
    const fmd_split *train = &j->fit.train, *validation = &j->fit.validation;
    const int untrained = fmd_split_unmatched(validation, train);
    const int unvalidated = validation->n > 0 ? fmd_split_unmatched(train, validation) : 0;
    const bool on_test = c->data.validation_data == FMD_VALIDATION_TEST;
    const char *option = on_test       ? "--validation-data"
                         : j->fold > 0 ? "--k-fold"
                                       : "--validation-split";
    const bool last = c->data.validation_from == FMD_DIVISION_END && !on_test;
    if (untrained > 0)
        fmd_warn("%s: %d class%s of the validation images%s ha%s no training image, so %s accuracy "
                 "is 0%s",
                 option, untrained, untrained == 1 ? "" : "es",
                 last && j->fold == 0 ? ", the last ones," : "", untrained == 1 ? "s" : "ve",
                 untrained == 1 ? "its" : "their",
                 last ? ": give --validation-from stratified" : "");
    else if (unvalidated > 0)
        fmd_warn("%s: %d class%s of the training images ha%s no validation image%s", option,
                 unvalidated, unvalidated == 1 ? "" : "es", unvalidated == 1 ? "s" : "ve",
                 last ? ": give --validation-from stratified" : "");
}

/* One source of validation images, and only with it a choice of images. */
static fmd_status check_division(const fmd_config *c)
{
    const bool folds = c->data.k_fold != FMD_UNSET_INT, share = c->data.validation_split > 0;
    const bool on_test = c->data.validation_data == FMD_VALIDATION_TEST;
    if (folds && (share || on_test))
        return FMD_FAIL(FMD_EUSAGE, "--k-fold chooses the validation images: leave out %s",
                        share ? "--validation-split" : "--validation-data");
    if (c->data.validation_from != FMD_DIVISION_END && !folds && (!share || on_test))
        return FMD_FAIL(FMD_EUSAGE, "--validation-from needs --validation-split or --k-fold%s",
                        on_test ? ", without --validation-data" : "");
    return FMD_OK;
}

/* By image numbers. */
static fmd_status divide(fmd_job *j, const fmd_split *all, size_t n_validation)
{
    const fmd_config *c = j->config;
    const fmd_division d = {.from = (fmd_division_from)c->data.validation_from,
                            .seed = (uint64_t)c->training.seed,
                            .n_validation = n_validation,
                            .fold = j->fold - 1,
                            .folds = j->fold > 0 ? (int)c->data.k_fold : 0};
    FMD_TRY(fmd_alloc(&j->index, all->n, sizeof *j->index, "the order of the images"));
    return fmd_divide(all, &d, j->index, &j->fit.train, &j->fit.validation);
}

/* The training and validation images. Validation uses training images, the last ones unless the user
 * chooses others, or the test images. */
static fmd_status split_data(fmd_job *j)
{
    const fmd_config *c = j->config;
    const size_t image_bytes = fmd_shape_count(j->data.info.image);
    fmd_split all = j->data.train;
    FMD_TRY(check_division(c));
    if (c->data.limit != FMD_UNSET_INT && (size_t)c->data.limit < all.n)
        all.n = (size_t)c->data.limit;
    if (c->data.validation_data == FMD_VALIDATION_TEST) {
        j->fit.train = all;
        j->fit.validation = j->data.test;
        warn_unmatched(j);
        return FMD_OK;
    }
    const size_t n = (size_t)((double)all.n * (1 - c->data.validation_split));
    if (n == 0)
        return FMD_FAIL(FMD_EUSAGE, "--validation-split %g of %zu image%s leaves none to train on",
                        c->data.validation_split, all.n, all.n == 1 ? "" : "s");
    if (j->fold > 0 && (size_t)c->data.k_fold > all.n)
        return FMD_FAIL(FMD_EUSAGE, "--k-fold %d: there are only %zu training images",
                        (int)c->data.k_fold, all.n);
    if (j->fold > 0 || c->data.validation_from != FMD_DIVISION_END) {
        FMD_TRY(divide(j, &all, all.n - n));
    } else {
        j->fit.train = fmd_split_part(&all, 0, n, image_bytes);
        j->fit.validation = fmd_split_part(&all, n, all.n - n, image_bytes);
    }
    warn_unmatched(j);
    return FMD_OK;
}

static fmd_status plan_mixing(fmd_job *j)
{
    const fmd_config *c = j->config;
    if (c->training.mixup > 0 && c->training.cutmix > 0)
        return FMD_FAIL(FMD_EUSAGE, "--mixup and --cutmix: give one of them");
    if (c->training.mixup > 0)
        j->fit.mixing = (fmd_mixing){.kind = FMD_MIXUP, .alpha = c->training.mixup};
    if (c->training.cutmix > 0)
        j->fit.mixing = (fmd_mixing){.kind = FMD_CUTMIX, .alpha = c->training.cutmix};
    if (j->fit.mixing.kind != FMD_MIX_NONE && j->fit.mixing.alpha < FMD_MIXING_ALPHA_MIN)
        return FMD_FAIL(FMD_EUSAGE, "%s: %g is not a number from %g to %d, or 0",
                        c->training.mixup > 0 ? "--mixup" : "--cutmix", j->fit.mixing.alpha,
                        FMD_MIXING_ALPHA_MIN, FMD_MIXING_ALPHA_MAX);
    j->fit.mixing.image = j->data.info.image;
    return FMD_OK;
}

double fmd_job_learning_rate(const char *optimizer)
{
    const size_t n = strcspn(optimizer, ":");
    const fmd_optimizer_ops *ops;
    for (size_t i = 0; (ops = fmd_optimizer_ops_at(i)) != NULL; i++)
        if (strlen(ops->name) == n && strncmp(ops->name, optimizer, n) == 0)
            return strcmp(ops->name, "adam") == 0 ? adam_learning_rate : ops->learning_rate;
    return (double)NAN;
}

/* The learning rate for the base batch; NAN where the schedule names its rates. */
static double learning_rate(const fmd_job *j)
{
    const fmd_config *c = j->config;
    if (!isnan(c->training.learning_rate) || fmd_schedule_has_rates(c->training.lr_schedule))
        return c->training.learning_rate;
    return fmd_job_learning_rate(c->training.optimizer);
}

/* Goyal et al., 2017, for linear; Krizhevsky, "One weird trick", 2014, for the root. */
static double lr_scale(const fmd_config *c, size_t batch)
{
    const double k = (double)batch / (double)c->training.lr_base_batch;
    if (c->training.lr_scaling == FMD_LR_AS_IT_IS)
        return 1;
    return c->training.lr_scaling == FMD_LR_LINEAR ? k : sqrt(k);
}

/* Local. The learning rate of each step, from options and the number of steps. */
static fmd_status plan_rates(fmd_job *j)
{
    const fmd_config *c = j->config;
    const fmd_fit_args *f = &j->fit;
    j->learning_rate = learning_rate(j);
    j->lr_scale = lr_scale(c, f->batch_size);
    const fmd_schedule_plan plan = {.learning_rate = j->learning_rate,
                                    .scale = j->lr_scale,
                                    .warmup_epochs = c->training.warmup_epochs,
                                    .epoch_steps = (f->train.n + f->batch_size - 1) / f->batch_size,
                                    .epochs = (uint64_t)f->epochs};
    return fmd_schedule_create(&j->fit.schedule, c->training.lr_schedule, &plan);
}

/* A model from a file may be for other images. */
static fmd_status check_images(const fmd_job *j)
{
    const fmd_shape in = fmd_model_in(j->model), image = j->data.info.image;
    char wanted[FMD_SHAPE_TEXT], found[FMD_SHAPE_TEXT];
    if (fmd_weights_same_images(in, image))
        return FMD_OK;
    return FMD_FAIL(FMD_EUSAGE,
                    "--weights: the model expects images of shape %s, but images of %s "
                    "have shape %s",
                    fmd_shape_text(in, 0, wanted), j->data.info.name,
                    fmd_shape_text(image, 0, found));
}

/* A file is built in memory, and its values are copied from it. */
enum { FILE_COPIES = 2 };

fmd_status fmd_job_predict_memory(fmd_node_memory *out, const fmd_config *c,
                                  const fmd_model_size *size, int ranks, size_t samples)
{
    fmd_optimizer *small;
    FMD_TRY(fmd_optimizer_create(&small, c->training.optimizer, 1));
    const double slots = (double)fmd_optimizer_n_slots(small);
    fmd_optimizer_destroy(small);
    const double array = (double)size->params * sizeof(float);
    const double kept = c->stopping.restore_best ? array : 0;
    const double state = (1 + slots) * array + kept;
    const double work = fmd_model_size_bytes(size, samples) - array;
    const bool sums = ranks > 1 && c->distribution.allreduce != FMD_ALLREDUCE_MPI;
    *out = (fmd_node_memory){
        .message_bytes = array,
        .file_bytes = FILE_COPIES * state,
        .sharded = fmd_shard_pays((fmd_sharding)c->distribution.sharding, ranks, size->params)};
    out->rank_bytes = work + array + (out->sharded ? 0 : state);
    out->node_bytes = out->sharded ? state : sums ? array : 0;
    out->shared_bytes = out->node_bytes;
    return FMD_OK;
}

double fmd_job_memory_sum(const fmd_node_memory *m, int ranks)
{
    return ranks * m->rank_bytes + m->node_bytes;
}

/* Local. Checks that this node has enough memory for all of its ranks. */
static fmd_status check_memory(const fmd_job *j, const fmd_model_size *size)
{
    const fmd_config *c = j->config;
    const int ranks = fmd_comm_node_size(j->comm);
    char what[96];
    fmd_node_memory needs;
    FMD_TRY(fmd_job_predict_memory(&needs, c, size, ranks, j->samples));
    const bool saves = fmd_comm_rank(j->comm) == 0 && j->saves;
    const double order = (double)j->fit.train.n * sizeof(uint32_t); /* of the images */
    const double bytes =
        fmd_job_memory_sum(&needs, ranks) + ranks * order + (saves ? needs.file_bytes : 0);
    snprintf(what, sizeof what, "the training (%.0f parameters, ranks on this machine: %d)",
             (double)size->params, ranks);
    return fmd_mem_check(bytes, what,
                         "a smaller model, fewer ranks to a machine, or more memory for the job");
}

/* Local. Sets the amounts in the arguments of fmd_fit. */
static fmd_status plan(fmd_job *j, const fmd_weights_file *weights)
{
    const fmd_config *c = j->config;
    FMD_TRY(split_data(j));
    FMD_TRY(plan_mixing(j));
    int64_t batch = c->training.batch_size;
    if (c->training.batch_size_per_rank != FMD_UNSET_INT)
        batch = c->training.batch_size_per_rank * fmd_comm_size(j->comm);
    j->fit.divisor = c->data.normalize ? 255 : 1;
    j->fit.epochs = (int)c->training.epochs;
    j->fit.batch_size = (size_t)batch;
    j->fit.reduce = (fmd_reduction_mode)c->distribution.reduce;
    j->fit.allreduce = (fmd_allreduce)c->distribution.allreduce;
    j->fit.bucket_bytes = (size_t)(c->distribution.bucket_size * 1e6);
    j->fit.sharding = (fmd_sharding)c->distribution.sharding;
    j->fit.seed = (uint64_t)c->training.seed;
    j->fit.shuffle = c->training.shuffle;
    j->fit.shuffle_window = c->data.stream ? (size_t)c->data.shuffle_window : 0;
    fmd_model_size size;
    FMD_TRY(fmd_weights_file_measure(&size, weights, c, j->data.info.image, j->data.info.classes));
    j->fit.microbatch_size =
        fmd_microbatch_size(c->distribution.microbatch_size, (size_t)batch, size.batch_statistics);
    j->samples = fmd_fit_samples(&j->fit, fmd_comm_size(j->comm), &size);
    return check_memory(j, &size);
}

/* Local. */
static fmd_status build(fmd_job *j, const fmd_weights_file *weights)
{
    const fmd_config *c = j->config;
    FMD_TRY(fmd_weights_file_model(&j->model, weights, c, j->data.info.image, j->data.info.classes,
                                   j->samples));
    FMD_TRY(check_images(j));
    FMD_TRY(fmd_model_check_classes(j->model, j->data.info.classes,
                                    fmd_class_name(&j->data.info, j->data.info.classes - 1)));
    FMD_TRY(fmd_optimizer_create(&j->optimizer, c->training.optimizer,
                                 fmd_model_n_trainable_params(j->model)));
    FMD_TRY(fmd_loss_parse(&j->fit.objective.loss, c->objective.loss));
    FMD_TRY(fmd_metric_list_parse(&j->fit.objective.metrics, c->objective.metrics,
                                  (size_t)fmd_model_classes(j->model)));
    if (strcmp(c->training.class_weight, "none") != 0) {
        FMD_TRY(fmd_class_weight_parse(j->class_weight, c->training.class_weight, &j->data.info,
                                       &j->fit.train));
        j->fit.class_weight = j->class_weight;
    }
    FMD_TRY(plan_rates(j));
    fmd_model_init(j->model, j->fit.seed);
    return FMD_OK;
}

fmd_status fmd_job_build(fmd_job *j, const fmd_weights_file *weights)
{
    FMD_TRY(fmd_comm_agree(j->comm, plan(j, weights)));
    FMD_TRY(fmd_comm_agree(j->comm, build(j, weights)));
    if (j->fit.allreduce != FMD_ALLREDUCE_AUTO)
        return FMD_OK;
    FMD_TRY(
        fmd_allreduce_choose(&j->allreduce, j->comm, j->fit.reduce, fmd_model_n_params(j->model)));
    j->fit.allreduce = j->allreduce.allreduce;
    return FMD_OK;
}
