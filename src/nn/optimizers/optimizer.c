#include "nn/optimizers/optimizer.h"

#include "base/mem.h"
#include "base/simd.h"
#include "nn/optimizers/squares.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARGS_MAX = 24 };

/* A range of parameters with norms of its own. */
typedef struct tensor {
    size_t first, count;
    bool decays;          /* a kernel */
    double squares[2];    /* of the pass under way, for clipping or for the trust ratio */
    float clip;           /* the factor of the gradient in this step */
    fmd_step_factors now; /* of this step */
} tensor;

typedef enum pass_kind { PASS_CLIP, PASS_MEASURE, PASS_UPDATE } pass_kind;

struct fmd_optimizer {
    const fmd_optimizer_ops *ops;
    fmd_optimizer_common *common;
    void *args; /* behind `common`, in the same block */
    size_t n_params, n_tensors;
    tensor *tensors;
    size_t at; /* the tensor of the last part */
    uint64_t steps;
    pass_kind pass;                    /* of the step under way */
    float decay;                       /* of the step under way: weight decay times learning rate */
    float *average;                    /* NULL without use_ema */
    float *slots[FMD_OPTIMIZER_SLOTS]; /* NULL where the arguments need none */
    char spec[FMD_OPTIMIZER_SPEC_BYTES];
};

static fmd_status find_ops(const fmd_optimizer_ops **out, const char *name)
{
    char names[256] = "", hint[FMD_OPTION_TEXT_BYTES];
    size_t used = 0;
    for (size_t i = 0; (*out = fmd_optimizer_ops_at(i)) != NULL; i++) {
        if (strcmp((*out)->name, name) == 0)
            return FMD_OK;
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? "|" : "",
                                 (*out)->name);
    }
    return FMD_FAIL(FMD_EUSAGE, "--optimizer: '%s' is not one of %s%s", name, names,
                    fmd_did_you_mean(names, name, hint));
}

/* Arguments that exclude or need each other. */
static fmd_status check_common(const fmd_optimizer *o, const char *label)
{
    const fmd_optimizer_common *c = o->common;
    if (!isnan(c->clipnorm) + !isnan(c->global_clipnorm) + !isnan(c->clipvalue) > 1)
        return FMD_FAIL(FMD_EUSAGE,
                        "%s: only one of clipnorm, global_clipnorm and clipvalue may be given",
                        label);
    if (!c->use_ema && (c->ema_momentum != 0.99 || c->ema_overwrite_frequency != FMD_UNSET_INT))
        return FMD_FAIL(FMD_EUSAGE, "%s: ema_momentum and ema_overwrite_frequency need use_ema",
                        label);
    if (c->kernels_only && isnan(c->weight_decay) && o->ops->ratio == NULL)
        return FMD_FAIL(FMD_EUSAGE, "%s: kernels_only needs weight_decay", label);
    return FMD_OK;
}

/* The optimizer's own arguments and the common ones, parsed as one table into one block. */
static fmd_status parse_args(fmd_optimizer *o, const char *label, const char *args)
{
    const fmd_optimizer_ops *ops = o->ops;
    const size_t common_bytes = sizeof *o->common;
    fmd_option rows[ARGS_MAX];
    size_t n = 0, n_common;
    const fmd_option *common = fmd_optimizer_common_args(&n_common);
    FMD_TRY(fmd_alloc(&o->common, 1, common_bytes + ops->args_size, "the optimizer"));
    o->args = o->common + 1;
    for (; n < ops->n_args; n++) {
        rows[n] = ops->args[n];
        rows[n].offset += common_bytes;
    }
    for (size_t i = 0; i < n_common; i++, n++) {
        rows[n] = common[i];
        if (ops->weight_decay != NULL && strcmp(rows[n].name, "weight_decay") == 0)
            rows[n].initial = ops->weight_decay;
    }
    FMD_TRY(fmd_options_parse_args(rows, n, o->common, label, args));
    return check_common(o, label);
}

static fmd_status allocate_slots(fmd_optimizer *o)
{
    const fmd_optimizer_ops *ops = o->ops;
    const unsigned used = ops->slots_used != NULL ? ops->slots_used(o->args) : ~0u;
    for (size_t i = 0; i < FMD_OPTIMIZER_SLOTS && ops->slots[i] != NULL; i++) {
        if ((used >> i & 1) == 0)
            continue;
        FMD_TRY(fmd_alloc(&o->slots[i], o->n_params, sizeof(float), "the optimizer"));
        for (size_t k = 0; ops->slot_start != NULL && k < o->n_params; k++)
            o->slots[i][k] = ops->slot_start(o->args, i);
    }
    if (o->common->use_ema)
        FMD_TRY(fmd_alloc(&o->average, o->n_params, sizeof(float), "the optimizer"));
    FMD_TRY(fmd_alloc(&o->tensors, 1, sizeof *o->tensors, "the optimizer"));
    o->tensors[0] = (tensor){.count = o->n_params, .decays = true};
    o->n_tensors = 1;
    return FMD_OK;
}

fmd_status fmd_optimizer_create(fmd_optimizer **out, const char *spec, size_t n_params)
{
    char name[sizeof((fmd_optimizer *)0)->spec], label[sizeof name + 16];
    if (strlen(spec) >= sizeof name)
        return FMD_FAIL(FMD_EUSAGE, "--optimizer: longer than %zu characters", sizeof name - 1);
    snprintf(name, sizeof name, "%.*s", (int)strcspn(spec, ":"), spec);
    const fmd_optimizer_ops *ops;
    FMD_TRY(find_ops(&ops, name));

    fmd_optimizer *o = NULL;
    FMD_TRY(fmd_alloc(&o, 1, sizeof *o, "the optimizer"));
    o->ops = ops;
    o->n_params = n_params;
    memcpy(o->spec, spec, strlen(spec) + 1);
    const char *args = spec + strlen(name) + (spec[strlen(name)] == ':');
    snprintf(label, sizeof label, "--optimizer %s", name);
    fmd_status st = parse_args(o, label, args);
    if (st == FMD_OK)
        st = allocate_slots(o);
    if (st == FMD_OK)
        *out = o;
    else
        fmd_optimizer_destroy(o);
    return st;
}

fmd_status fmd_optimizer_set_model(fmd_optimizer *o, const fmd_model *m)
{
    const size_t n = fmd_model_n_trainable_tensors(m);
    tensor *tensors;
    FMD_TRY(fmd_alloc(&tensors, n + 1, sizeof *tensors, "the optimizer"));
    for (size_t i = 0; i < n; i++) {
        const fmd_tensor *t = fmd_model_tensor(m, i);
        tensors[i] = (tensor){.first = t->offset, .count = t->count, .decays = t->decays};
    }
    free(o->tensors);
    o->tensors = tensors;
    o->n_tensors = n;
    o->at = 0;
    return FMD_OK;
}

void fmd_optimizer_destroy(fmd_optimizer *o)
{
    if (o == NULL)
        return;
    for (size_t i = 0; i < FMD_OPTIMIZER_SLOTS; i++)
        free(o->slots[i]);
    free(o->average);
    free(o->tensors);
    free(o->common);
    free(o);
}

FMD_SIMD static void multiply(size_t n, const float *restrict x, float factor, float *restrict out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = x[i] * factor;
}

FMD_SIMD static void limit(size_t n, const float *restrict x, float most, float *restrict out)
{
    for (size_t i = 0; i < n; i++) {
        const float below = x[i] < most ? x[i] : most;
        out[i] = below > -most ? below : -most;
    }
}

FMD_SIMD static void shrink(size_t n, float *p, float share)
{
    for (size_t i = 0; i < n; i++)
        p[i] -= p[i] * share;
}

FMD_SIMD static void mix(size_t n, const float *restrict p, float *restrict average, float old,
                         float new)
{
    for (size_t i = 0; i < n; i++)
        average[i] = old * average[i] + new *p[i];
}

static bool needs(const fmd_optimizer *o, pass_kind pass)
{
    if (pass == PASS_CLIP)
        return !isnan(o->common->clipnorm) || !isnan(o->common->global_clipnorm);
    return pass == PASS_UPDATE || o->ops->measure != NULL;
}

static bool decays(const fmd_optimizer *o, const tensor *t)
{
    return t->decays || !o->common->kernels_only;
}

static void begin_pass(fmd_optimizer *o, pass_kind pass)
{
    o->pass = pass;
    while (!needs(o, o->pass))
        o->pass++;
    for (size_t i = 0; i < o->n_tensors; i++)
        o->tensors[i].squares[0] = o->tensors[i].squares[1] = 0;
}

void fmd_optimizer_begin(fmd_optimizer *o, double learning_rate)
{
    const double decay = isnan(o->common->weight_decay) ? 0 : o->common->weight_decay;
    fmd_step_factors f = {.rate = (float)learning_rate};
    o->steps++;
    if (o->ops->factors != NULL)
        o->ops->factors(o->args, learning_rate, o->steps, &f);
    o->decay = o->ops->adds_decay ? 0 : (float)(decay * learning_rate);
    for (size_t i = 0; i < o->n_tensors; i++) {
        tensor *t = &o->tensors[i];
        t->clip = 1;
        t->now = f;
        t->now.decay = o->ops->adds_decay && decays(o, t) ? (float)decay : 0;
    }
    begin_pass(o, PASS_CLIP);
}

/* From the norms: the factors of the gradients. */
static void end_clip(fmd_optimizer *o)
{
    const bool each = !isnan(o->common->clipnorm);
    const double most = each ? o->common->clipnorm : o->common->global_clipnorm;
    double all = 0;
    for (size_t i = 0; i < o->n_tensors; i++)
        all += o->tensors[i].squares[0];
    for (size_t i = 0; i < o->n_tensors; i++) {
        const double norm = sqrt(each ? o->tensors[i].squares[0] : all);
        o->tensors[i].clip = norm > most ? (float)(most / norm) : 1;
    }
}

static void end_measure(fmd_optimizer *o)
{
    for (size_t i = 0; i < o->n_tensors; i++) {
        tensor *t = &o->tensors[i];
        if (decays(o, t))
            t->now.rate =
                (float)((double)t->now.rate * o->ops->ratio(o->args, t->squares, &t->now));
    }
}

bool fmd_optimizer_again(fmd_optimizer *o)
{
    if (o->pass == PASS_UPDATE)
        return false;
    if (o->pass == PASS_CLIP)
        end_clip(o);
    else
        end_measure(o);
    begin_pass(o, o->pass + 1);
    return true;
}

int fmd_optimizer_passes(const fmd_optimizer *o)
{
    return needs(o, PASS_CLIP) + needs(o, PASS_MEASURE) + 1;
}

bool fmd_optimizer_updates(const fmd_optimizer *o)
{
    return o->pass == PASS_UPDATE;
}

/* The tensor of a parameter; the search goes on where the last one ended. */
static tensor *tensor_of(fmd_optimizer *o, size_t first)
{
    if (first < o->tensors[o->at].first)
        o->at = 0;
    while (first >= o->tensors[o->at].first + o->tensors[o->at].count)
        o->at++;
    return &o->tensors[o->at];
}

void fmd_optimizer_take_squares(fmd_optimizer *o, size_t first, double squares[2])
{
    squares[0] = squares[1] = 0;
    if (first >= o->n_params)
        return;
    tensor *t = tensor_of(o, first);
    memcpy(squares, t->squares, sizeof t->squares);
    t->squares[0] = t->squares[1] = 0;
}

void fmd_optimizer_add_squares(fmd_optimizer *o, size_t first, const double squares[2])
{
    if (first >= o->n_params)
        return;
    tensor *t = tensor_of(o, first);
    t->squares[0] += squares[0];
    t->squares[1] += squares[1];
}

/* The clipped gradient: `grads` itself, or `scratch`. */
static const float *clip(const fmd_optimizer *o, const tensor *t, size_t n, const float *grads,
                         float *scratch)
{
    if (!isnan(o->common->clipvalue))
        limit(n, grads, (float)o->common->clipvalue, scratch);
    else if (t->clip != 1)
        multiply(n, grads, t->clip, scratch);
    else
        return grads;
    return scratch;
}

/* Keras: the average begins as the parameters after the first step. */
static void average(fmd_optimizer *o, float *params, size_t first, size_t n)
{
    const fmd_optimizer_common *c = o->common;
    const double old = o->steps == 1 ? 0 : c->ema_momentum;
    mix(n, params, o->average + first, (float)old, (float)(1 - old));
    if (c->ema_overwrite_frequency != FMD_UNSET_INT &&
        o->steps % (uint64_t)c->ema_overwrite_frequency == 0)
        memcpy(params, o->average + first, n * sizeof *params);
}

/* Keras' order: clip, decay, update, average. */
void fmd_optimizer_part(fmd_optimizer *o, float *params, size_t first, size_t n,
                        const float *gradient)
{
    tensor *t = tensor_of(o, first);
    float *p = params + first, scratch[FMD_OPTIMIZER_BLOCK], *slots[FMD_OPTIMIZER_SLOTS];
    if (o->pass == PASS_CLIP) {
        t->squares[0] += fmd_squares(n, gradient);
        return;
    }
    for (size_t i = 0; i < FMD_OPTIMIZER_SLOTS; i++)
        slots[i] = o->slots[i] != NULL ? o->slots[i] + first : NULL;
    const float *grads = clip(o, t, n, gradient, scratch);
    const bool measures = o->pass == PASS_MEASURE;
    if (o->decay > 0 && decays(o, t) && measures == (o->ops->measure != NULL))
        shrink(n, p, o->decay);
    if (measures && o->ops->measure != NULL) {
        double squares[2];
        o->ops->measure(o->args, n, p, grads, slots, &t->now, squares);
        t->squares[0] += squares[0];
        t->squares[1] += squares[1];
        return;
    }
    o->ops->step(o->args, n, p, grads, slots, &t->now);
    if (o->average != NULL)
        average(o, p, first, n);
}

void fmd_optimizer_step(fmd_optimizer *o, float *params, const float *grads, double learning_rate)
{
    fmd_optimizer_begin(o, learning_rate);
    do
        for (size_t i = 0; i < o->n_tensors; i++)
            for (size_t at = 0; at < o->tensors[i].count; at += FMD_OPTIMIZER_BLOCK) {
                const size_t left = o->tensors[i].count - at, first = o->tensors[i].first + at;
                fmd_optimizer_part(o, params, first,
                                   left < FMD_OPTIMIZER_BLOCK ? left : FMD_OPTIMIZER_BLOCK,
                                   grads + first);
            }
    while (fmd_optimizer_again(o));
}

bool fmd_optimizer_finish(const fmd_optimizer *o, float *params)
{
    if (o->average == NULL || o->steps == 0)
        return false;
    memcpy(params, o->average, o->n_params * sizeof *params);
    return true;
}

const fmd_optimizer_ops *fmd_optimizer_ops_of(const fmd_optimizer *o)
{
    return o->ops;
}

const void *fmd_optimizer_args(const fmd_optimizer *o)
{
    return o->args;
}

const fmd_optimizer_common *fmd_optimizer_common_of(const fmd_optimizer *o)
{
    return o->common;
}

const char *fmd_optimizer_spec(const fmd_optimizer *o)
{
    return o->spec;
}

uint64_t fmd_optimizer_steps(const fmd_optimizer *o)
{
    return o->steps;
}

void fmd_optimizer_set_steps(fmd_optimizer *o, uint64_t steps)
{
    o->steps = steps;
}

/* The place of the used slot number `i` among all slots of this kind of optimizer. */
static size_t used_slot(const fmd_optimizer *o, size_t i)
{
    size_t at = 0;
    for (;; at++)
        if (o->slots[at] != NULL && i-- == 0)
            return at;
}

size_t fmd_optimizer_n_slots(const fmd_optimizer *o)
{
    size_t n = o->average != NULL;
    for (size_t i = 0; i < FMD_OPTIMIZER_SLOTS; i++)
        n += o->slots[i] != NULL;
    return n;
}

const char *fmd_optimizer_slot_name(const fmd_optimizer *o, size_t i)
{
    const size_t averages = o->average != NULL;
    return i < averages ? "average" : o->ops->slots[used_slot(o, i - averages)];
}

float *fmd_optimizer_swap_slot(fmd_optimizer *o, size_t i, float *slot)
{
    const size_t averages = o->average != NULL;
    float **place = i < averages ? &o->average : &o->slots[used_slot(o, i - averages)];
    float *old = *place;
    *place = slot;
    return old;
}

float *fmd_optimizer_slot(const fmd_optimizer *o, size_t i)
{
    const size_t averages = o->average != NULL;
    return i < averages ? o->average : o->slots[used_slot(o, i - averages)];
}
