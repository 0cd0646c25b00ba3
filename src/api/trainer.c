/* fmd/trainer.h: the program's training, without its files. */
#include "fmd/trainer.h"
#include "base/mem.h"
#include "math/bf16/bf16.h"
#include "math/gemm.h"
#include "run/job.h"
#include "train/evaluation/evaluate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The groups of options that a trainer has. */
static const char groups[] = "training data|amount|training|loss and metrics|stopping|distribution";

/* Other options that it has. */
static const char others[] = "normalize|precision";

enum { HOOKS_MAX = 16 };

typedef struct hook {
    fmd_epoch_hook *epoch;
    fmd_batch_hook *batch;
    void *self;
} hook;

/* Calls the user's callbacks. */
typedef struct forwarder {
    fmd_callback callback;
    const hook *hooks;
    size_t n;
} forwarder;

struct fmd_trainer {
    fmd_comm *comm;
    fmd_model *model;
    const fmd_dataset *data;
    fmd_config config;
    hook hooks[HOOKS_MAX];
    size_t n_hooks;
    fmd_objective objective;
    fmd_fit_result result;
};

fmd_status fmd_trainer_create(fmd_trainer **out, fmd_comm *c, fmd_model *m, const fmd_dataset *d)
{
    const fmd_shape in = fmd_model_in(m), image = d->info.image;
    char expected[FMD_SHAPE_TEXT], found[FMD_SHAPE_TEXT];
    fmd_trainer *t;
    if (!fmd_weights_same_images(in, image))
        return FMD_FAIL(
            FMD_EUSAGE, "the model expects images of shape %s, but images of %s have shape %s",
            fmd_shape_text(in, 0, expected), d->info.name, fmd_shape_text(image, 0, found));
    FMD_TRY(
        fmd_model_check_classes(m, d->info.classes, fmd_class_name(&d->info, d->info.classes - 1)));
    FMD_TRY(fmd_alloc(&t, 1, sizeof *t, "the trainer"));
    t->comm = c;
    t->model = m;
    t->data = d;
    const fmd_status st = fmd_options_reset(fmd_config_table, fmd_config_table_length, &t->config);
    if (st != FMD_OK) {
        free(t);
        return st;
    }
    snprintf(t->config.run.dir, sizeof t->config.run.dir, "none");
    snprintf(t->config.model.layers, sizeof t->config.model.layers, "%s", fmd_model_spec(m));
    t->config.model.in = in;
    *out = t;
    return FMD_OK;
}

void fmd_trainer_destroy(fmd_trainer *t)
{
    free(t);
}

fmd_status fmd_trainer_set(fmd_trainer *t, const char *name, const char *value)
{
    const fmd_option *o = fmd_option_find(fmd_config_table, fmd_config_table_length, name);
    if (o == NULL || !(fmd_config_has(groups, o) || fmd_word_is_among(others, o->name)))
        return FMD_FAIL(FMD_EUSAGE, "'%s' is not an option of a trainer%s", name,
                        o != NULL ? "; the program fmnist-dist has it" : "");
    FMD_TRY(fmd_option_set(o, &t->config, name, value));
    t->config.given[o - fmd_config_table] = true;
    return FMD_OK;
}

static fmd_status add_hook(fmd_trainer *t, hook h)
{
    if (t->n_hooks == HOOKS_MAX)
        return FMD_FAIL(FMD_EUSAGE, "more than %d callbacks", HOOKS_MAX);
    t->hooks[t->n_hooks++] = h;
    return FMD_OK;
}

fmd_status fmd_trainer_on_epoch_end(fmd_trainer *t, fmd_epoch_hook *function, void *self)
{
    return add_hook(t, (hook){.epoch = function, .self = self});
}

fmd_status fmd_trainer_on_batch_end(fmd_trainer *t, fmd_batch_hook *function, void *self)
{
    return add_hook(t, (hook){.batch = function, .self = self});
}

static fmd_status epoch_end(fmd_callback *c, const fmd_event *e, fmd_control *control)
{
    const forwarder *f = (const forwarder *)c;
    for (size_t i = 0; i < f->n; i++)
        if (f->hooks[i].epoch != NULL)
            FMD_TRY(f->hooks[i].epoch(f->hooks[i].self, e, control));
    return FMD_OK;
}

static void batch_end(fmd_callback *c, const fmd_event *e, fmd_control *control)
{
    const forwarder *f = (const forwarder *)c;
    for (size_t i = 0; i < f->n; i++)
        if (f->hooks[i].batch != NULL)
            f->hooks[i].batch(f->hooks[i].self, e, control);
}

static void destroy(fmd_callback *c)
{
    (void)c; /* on the stack of fmd_trainer_fit */
}

static const fmd_callback_ops forwarder_ops = {
    .name = "library", .epoch_end = epoch_end, .batch_end = batch_end, .destroy = destroy};

int fmd_event_epoch(const fmd_event *e)
{
    return e->epoch;
}

uint64_t fmd_event_step(const fmd_event *e)
{
    return e->step;
}

double fmd_event_metric(const fmd_event *e, const char *name)
{
    const double *value = fmd_metric_find(&e->metrics, name);
    return value != NULL ? *value : (double)NAN;
}

const fmd_model *fmd_event_model(const fmd_event *e)
{
    return e->model;
}

/* Collective. Options are equal on all ranks; the arithmetic is set up for them. */
static fmd_status begin(const fmd_trainer *t)
{
    const fmd_config *c = &t->config;
    const fmd_hash options = fmd_hash_bytes(c, sizeof *c), weights = fmd_model_hash(t->model);
    FMD_TRY(fmd_comm_same(t->comm, &options, sizeof options, "the options of the trainer"));
    FMD_TRY(fmd_comm_same(t->comm, &weights, sizeof weights, "the weights of the model"));
    const fmd_status st =
        fmd_math_open((fmd_gemm_kind)c->distribution.gemm, (int)c->distribution.threads);
    fmd_bf16_choose((fmd_precision)c->model.precision);
    return fmd_comm_agree(t->comm, st);
}

/* Collective. A model of its own has memory for the batch; the user's gets its weights at the end. */
static fmd_status fit(fmd_trainer *t, fmd_job *j)
{
    const fmd_weights_file none = {.path = ""};
    const size_t bytes = fmd_model_n_params(t->model) * sizeof(float);
    forwarder user = {.callback = {&forwarder_ops}, .hooks = t->hooks, .n = t->n_hooks};
    FMD_TRY(begin(t));
    FMD_TRY(fmd_job_build(j, &none));
    memcpy(fmd_model_params(j->model), fmd_model_params(t->model), bytes);
    fmd_callback *mine = fmd_comm_rank(t->comm) == 0 ? &user.callback : NULL;
    fmd_status st = fmd_comm_agree(t->comm, fmd_job_callbacks(j, mine));
    if (st == FMD_OK)
        st = fmd_fit(t->comm, j->model, j->optimizer, &j->fit, &t->result);
    for (int i = 0; i < j->fit.n_callbacks; i++)
        j->callbacks[i]->ops->destroy(j->callbacks[i]);
    if (st == FMD_OK)
        memcpy(fmd_model_params(t->model), fmd_model_params(j->model), bytes);
    t->objective = j->fit.objective;
    t->result.kept.list = t->result.metrics.list = &t->objective.metrics;
    return st;
}

fmd_status fmd_trainer_fit(fmd_trainer *t)
{
    fmd_job *j = NULL;
    FMD_TRY(fmd_comm_agree(t->comm, fmd_alloc(&j, 1, sizeof *j, "the training")));
    j->comm = t->comm;
    j->config = &t->config;
    j->data = *t->data;
    j->fit.callbacks = j->callbacks;
    const fmd_status st = fit(t, j);
    fmd_job_free(j);
    return st;
}

double fmd_trainer_metric(const fmd_trainer *t, const char *name)
{
    const fmd_fit_result *r = &t->result;
    const double *value =
        r->epochs > 0 ? fmd_metric_find(r->interrupted ? &r->metrics : &r->kept, name) : NULL;
    return value != NULL ? *value : (double)NAN;
}

int fmd_trainer_epochs(const fmd_trainer *t)
{
    return t->result.epochs;
}

const char *fmd_trainer_stop_reason(const fmd_trainer *t)
{
    return t->result.reason;
}

fmd_status fmd_trainer_evaluate(fmd_trainer *t, fmd_split_name split, double *loss,
                                double *accuracy)
{
    const fmd_split *images = split == FMD_SPLIT_TEST ? &t->data->test : &t->data->train;
    fmd_objective objective = {.metrics = {.n = 0}};
    fmd_evaluation e;
    FMD_TRY(begin(t));
    FMD_TRY(fmd_loss_parse(&objective.loss, t->config.objective.loss));
    FMD_TRY(fmd_evaluate(t->comm, t->model, images, t->config.data.normalize ? 255 : 1, &objective,
                         NULL, &e));
    if (loss != NULL)
        *loss = e.loss;
    if (accuracy != NULL)
        *accuracy = e.accuracy;
    return FMD_OK;
}
