#include "fmd/model.h"

#include "base/mem.h"
#include "nn/activations/activation.h"
#include "nn/initializer.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LAYERS = 64, MAX_TENSORS = 2 * MAX_LAYERS, SPEC_BYTES = 1024 };

struct fmd_model {
    fmd_shape in;
    size_t max_samples;
    size_t n_layers;
    fmd_layer layers[MAX_LAYERS];
    size_t n_tensors;
    fmd_tensor tensors[MAX_TENSORS];
    size_t n_params;
    char spec[SPEC_BYTES];
    size_t row, widest; /* floats of a row: of what lives from forward to backward, of one layer */

    bool softmax;         /* the last layer's softmax was left to the loss */
    float *params;        /* all parameters, tensor after tensor */
    float *input;         /* max_samples rows */
    float *outputs;       /* the layers' outputs and saved values, one after another */
    float *y[MAX_LAYERS]; /* into outputs; a layer without forward has its input's */
    float *dy[2];         /* gradients of a layer's output and input, in turns */
};

/* What the layer under construction has asked for. */
struct fmd_plan {
    fmd_model *model;
    fmd_layer *layer;
    size_t n_saved;
    size_t saved[FMD_LAYER_SLOTS]; /* floats for each row */
    bool full;                     /* asked for more than there are places */
};

#define FMD_LAYER(name) extern const fmd_layer_ops fmd_layer_##name;
#include "nn/layers/layers.def"
#undef FMD_LAYER

static const fmd_layer_ops *const registry[] = {
#define FMD_LAYER(name) &fmd_layer_##name,
#include "nn/layers/layers.def"
#undef FMD_LAYER
};

const fmd_layer_ops *fmd_layer_ops_at(size_t i)
{
    return i < sizeof registry / sizeof *registry ? registry[i] : NULL;
}

void fmd_plan_param(fmd_plan *plan, const char *name, fmd_shape shape, fmd_init init)
{
    fmd_model *m = plan->model;
    if (m->n_tensors == MAX_TENSORS || plan->layer->n_tensors == FMD_LAYER_SLOTS) {
        plan->full = true;
        return;
    }
    m->tensors[m->n_tensors++] = (fmd_tensor){.name = name,
                                              .layer = plan->layer->index,
                                              .shape = shape,
                                              .init = init,
                                              .offset = m->n_params,
                                              .count = fmd_shape_count(shape)};
    m->n_params += fmd_shape_count(shape);
    plan->layer->n_tensors++;
}

void fmd_plan_saved(fmd_plan *plan, size_t count)
{
    if (plan->n_saved == FMD_LAYER_SLOTS)
        plan->full = true;
    else
        plan->saved[plan->n_saved++] = count;
}

static fmd_status find_ops(const fmd_layer_ops **out, const char *name)
{
    char names[256] = "", hint[FMD_OPTION_TEXT_BYTES];
    size_t used = 0;
    for (size_t i = 0; (*out = fmd_layer_ops_at(i)) != NULL; i++) {
        if (strcmp((*out)->name, name) == 0)
            return FMD_OK;
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? "|" : "",
                                 (*out)->name);
    }
    return FMD_FAIL(FMD_EUSAGE, "--layers: there is no layer '%s'; there are %s%s", name, names,
                    fmd_did_you_mean(names, name, hint));
}

/* Keras' name for a layer of class "LeakyReLU": "leaky_re_lu", then "leaky_re_lu_1". */
static void name_layer(const fmd_model *m, fmd_layer *l)
{
    char snake[FMD_LAYER_NAME - 12];
    size_t n = 0;
    for (const char *c = l->ops->keras_class; *c != '\0' && n + 2 < sizeof snake; c++) {
        if (n > 0 && isupper((unsigned char)*c) && islower((unsigned char)c[-1]))
            snake[n++] = '_';
        snake[n++] = (char)tolower((unsigned char)*c);
    }
    snake[n] = '\0';
    int before = 0;
    for (size_t i = 0; i < m->n_layers; i++)
        before += m->layers[i].ops == l->ops;
    if (before == 0)
        snprintf(l->name, sizeof l->name, "%s", snake);
    else
        snprintf(l->name, sizeof l->name, "%s_%d", snake, before);
}

/* Adds the layer "dense:128:relu" to the model. */
static fmd_status add_layer(fmd_model *m, const char *text, size_t saved[][FMD_LAYER_SLOTS])
{
    char name[64], label[128];
    const size_t length = strcspn(text, ":");
    snprintf(name, sizeof name, "%.*s", (int)length, text);
    if (m->n_layers == MAX_LAYERS)
        return FMD_FAIL(FMD_EUSAGE, "--layers: more than %d layers", MAX_LAYERS);

    fmd_layer *l = &m->layers[m->n_layers];
    *l = (fmd_layer){.index = (int)m->n_layers, .first_tensor = m->n_tensors};
    l->in = m->n_layers == 0 ? m->in : m->layers[m->n_layers - 1].out;
    FMD_TRY(find_ops(&l->ops, name));
    name_layer(m, l);

    void *args = NULL;
    FMD_TRY(fmd_alloc(&args, 1, l->ops->args_size, "a layer"));
    l->args = args;
    m->n_layers++;
    snprintf(label, sizeof label, "--layers: %s", text);
    FMD_TRY(fmd_options_parse_args(l->ops->args, l->ops->n_args, args, label,
                                   text + length + (text[length] == ':')));
    fmd_plan plan = {.model = m, .layer = l};
    FMD_TRY(l->ops->build(l, &plan));
    if (plan.full)
        return FMD_FAIL(FMD_EINTERNAL, "layer %s asks for more storage slots than there are",
                        l->name);
    memcpy(saved[l->index], plan.saved, sizeof plan.saved);
    return FMD_OK;
}

/* Splits the spec at its commas. */
static fmd_status add_layers(fmd_model *m, const char *layers, size_t saved[][FMD_LAYER_SLOTS])
{
    char text[SPEC_BYTES];
    size_t n = 0;
    for (const char *c = layers; *c != '\0'; c++) {
        if (*c == ' ')
            continue;
        if (n == sizeof text - 1)
            return FMD_FAIL(FMD_EUSAGE, "--layers: longer than %zu characters", sizeof text - 1);
        text[n++] = *c;
    }
    text[n] = '\0';
    memcpy(m->spec, text, sizeof m->spec);
    if (n == 0)
        return FMD_FAIL(FMD_EUSAGE, "--layers: there is no layer");
    char *rest = text;
    while (rest != NULL)
        FMD_TRY(add_layer(m, strsep(&rest, ","), saved));
    return FMD_OK;
}

static void measure_samples(fmd_model *m, size_t saved[][FMD_LAYER_SLOTS])
{
    m->row = 0;
    m->widest = fmd_shape_count(m->in);
    for (size_t i = 0; i < m->n_layers; i++) {
        const fmd_layer *l = &m->layers[i];
        const size_t out = fmd_shape_count(l->out);
        m->row += l->ops->forward != NULL ? out : 0;
        m->widest = out > m->widest ? out : m->widest;
        for (size_t j = 0; j < FMD_LAYER_SLOTS; j++)
            m->row += saved[i][j];
    }
}

/* One allocation for parameters, one for what lives from forward to backward, two for gradients. */
static fmd_status allocate(fmd_model *m, size_t saved[][FMD_LAYER_SLOTS])
{
    FMD_TRY(fmd_alloc(&m->params, m->n_params, sizeof(float), "the parameters"));
    FMD_TRY(fmd_alloc(&m->input, m->max_samples, fmd_shape_count(m->in) * sizeof(float),
                      "the rows of a batch"));
    FMD_TRY(fmd_alloc(&m->outputs, m->max_samples, m->row * sizeof(float), "the rows of a batch"));
    for (int i = 0; i < 2; i++)
        FMD_TRY(
            fmd_alloc(&m->dy[i], m->max_samples, m->widest * sizeof(float), "the rows of a batch"));

    float *next = m->outputs;
    for (size_t i = 0; i < m->n_layers; i++) {
        fmd_layer *l = &m->layers[i];
        for (size_t j = 0; j < l->n_tensors; j++)
            l->param[j] = m->params + m->tensors[l->first_tensor + j].offset;
        for (size_t j = 0; j < FMD_LAYER_SLOTS && saved[i][j] > 0; j++) {
            l->saved[j] = next;
            next += m->max_samples * saved[i][j];
        }
        if (l->ops->forward == NULL) {
            m->y[i] = i == 0 ? m->input : m->y[i - 1];
            continue;
        }
        m->y[i] = next;
        next += m->max_samples * fmd_shape_count(l->out);
    }
    return FMD_OK;
}

/* A model without memory for its numbers. */
static fmd_status design(fmd_model **out, const char *layers, fmd_shape in, size_t max_samples,
                         size_t saved[][FMD_LAYER_SLOTS])
{
    fmd_model *m = NULL;
    FMD_TRY(fmd_alloc(&m, 1, sizeof *m, "the model"));
    m->in = in;
    m->max_samples = max_samples;
    fmd_status st = add_layers(m, layers, saved);
    if (st != FMD_OK) {
        fmd_model_destroy(m);
        return st;
    }
    measure_samples(m, saved);
    *out = m;
    return FMD_OK;
}

fmd_status fmd_model_measure(double *n_params, double *bytes, const char *layers, fmd_shape in,
                             size_t max_samples)
{
    fmd_model *m;
    size_t saved[MAX_LAYERS][FMD_LAYER_SLOTS] = {{0}};
    FMD_TRY(design(&m, layers, in, max_samples, saved));
    const size_t row = fmd_shape_count(in) + m->row + 2 * m->widest;
    *n_params = (double)m->n_params;
    *bytes = sizeof(float) * (*n_params + (double)max_samples * (double)row);
    fmd_model_destroy(m);
    return FMD_OK;
}

fmd_status fmd_model_create(fmd_model **out, const char *layers, fmd_shape in, size_t max_samples)
{
    fmd_model *m;
    size_t saved[MAX_LAYERS][FMD_LAYER_SLOTS] = {{0}};
    FMD_TRY(design(&m, layers, in, max_samples, saved));
    fmd_layer *last = &m->layers[m->n_layers - 1];
    m->softmax = last->activation != NULL && strcmp(last->activation->name, "softmax") == 0;
    if (m->softmax)
        last->activation = fmd_activation_at(0);
    const fmd_status st = allocate(m, saved);
    if (st != FMD_OK) {
        fmd_model_destroy(m);
        return st;
    }
    *out = m;
    return FMD_OK;
}

void fmd_model_destroy(fmd_model *m)
{
    if (m == NULL)
        return;
    for (size_t i = 0; i < m->n_layers; i++)
        free((void *)(uintptr_t)m->layers[i].args);
    free(m->params);
    free(m->input);
    free(m->outputs);
    free(m->dy[0]);
    free(m->dy[1]);
    free(m);
}

fmd_status fmd_model_check_classes(const fmd_model *m, int classes, const char *largest_name)
{
    const fmd_shape out = m->layers[m->n_layers - 1].out;
    char text[FMD_SHAPE_TEXT];
    if (out.rank != 1)
        return FMD_FAIL(FMD_EUSAGE,
                        "model output is %s but labels are (batch): the last layer must give one "
                        "row of class scores per image. Dense works on the last axis only; put "
                        "\"flatten\" before the first dense layer: "
                        "--layers 'flatten,dense:128:relu,dense:%d:softmax'",
                        fmd_shape_text(out, 1, text), classes);
    if (out.dim[0] < classes)
        return FMD_FAIL(FMD_EUSAGE,
                        "labels go up to %d%s%s%s but the last layer has %d units: need %d, one "
                        "for each class",
                        classes - 1, *largest_name ? " (" : "", largest_name,
                        *largest_name ? ")" : "", out.dim[0], classes);
    if (out.dim[0] > 256)
        return FMD_FAIL(FMD_EUSAGE,
                        "the last layer has %d units, but labels are bytes: at most 256",
                        out.dim[0]);
    if (!m->softmax)
        return FMD_FAIL(FMD_EUSAGE,
                        "the model must end in a softmax, which makes probabilities of the "
                        "scores: --layers '...,dense:%d:softmax'",
                        classes);
    return FMD_OK;
}

void fmd_model_init(fmd_model *m, uint64_t seed)
{
    for (size_t i = 0; i < m->n_tensors; i++) {
        const fmd_tensor *t = &m->tensors[i];
        fmd_initialize(t->init, seed, (uint32_t)i, t->shape, m->params + t->offset);
    }
}

size_t fmd_model_n_layers(const fmd_model *m)
{
    return m->n_layers;
}

const fmd_layer *fmd_model_layer(const fmd_model *m, size_t i)
{
    return &m->layers[i];
}

size_t fmd_model_n_tensors(const fmd_model *m)
{
    return m->n_tensors;
}

const fmd_tensor *fmd_model_tensor(const fmd_model *m, size_t i)
{
    return &m->tensors[i];
}

float *fmd_model_params(const fmd_model *m)
{
    return m->params;
}

size_t fmd_model_n_params(const fmd_model *m)
{
    return m->n_params;
}

fmd_shape fmd_model_in(const fmd_model *m)
{
    return m->in;
}

int fmd_model_classes(const fmd_model *m)
{
    return m->layers[m->n_layers - 1].out.dim[0];
}

const char *fmd_model_spec(const fmd_model *m)
{
    return m->spec;
}

fmd_hash fmd_model_hash(const fmd_model *m)
{
    return fmd_hash_bytes(m->params, m->n_params * sizeof(float));
}

float *fmd_model_input(fmd_model *m)
{
    return m->input;
}

const float *fmd_model_forward(fmd_model *m, const fmd_pass *p)
{
    const float *x = m->input;
    for (size_t i = 0; i < m->n_layers; i++) {
        const fmd_layer *l = &m->layers[i];
        if (l->ops->forward != NULL)
            l->ops->forward(l, p, x, m->y[i]);
        x = m->y[i];
    }
    return x;
}

float *fmd_model_logit_grads(fmd_model *m)
{
    return m->dy[0];
}

void fmd_model_backward(fmd_model *m, const fmd_pass *p, const fmd_gradient_sink *sink)
{
    /* Below the first layer with parameters nobody needs a gradient. */
    size_t first = 0;
    while (first < m->n_layers && m->layers[first].n_tensors == 0)
        first++;
    float *dy = m->dy[0], *dx = m->dy[1];
    for (size_t i = m->n_layers; i-- > first;) {
        const fmd_layer *l = &m->layers[i];
        if (l->ops->backward == NULL)
            continue;
        const float *x = i == 0 ? m->input : m->y[i - 1];
        l->ops->backward(l, p, x, m->y[i], dy, i > first ? dx : NULL, sink);
        float *swap = dy;
        dy = dx;
        dx = swap;
    }
}
