#include "report/explain/explain.h"

#include "base/mem.h"
#include "data/sampler.h"
#include "nn/losses/loss.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The most arithmetic of a search for neighbours, in FLOP: some seconds on a core. */
static const double search_flops = 1e11;
/* Squares of an occlusion along the shorter side, and moves of a square along its own side. */
enum { SQUARES = 7, MOVES = 2 };
/* Of batch_normalization, by which the variance 1 - EPSILON makes it the identity. */
static const double epsilon = 1e-3;

struct fmd_explainer {
    const fmd_loaded_model *t;
    fmd_model *model;     /* the same function behind a layer with a parameter for each value */
    fmd_shape image;      /* height, width, channels */
    int hidden;           /* its output are the features; FMD_MODEL_INPUT: the input */
    size_t values;        /* of an image */
    size_t features;      /* values of the last hidden layer */
    float *gamma, *waste; /* gradients: of the layer in front, and the others */
    uint8_t *covered;     /* an image */
    float *probabilities, *weight;
};

/* Whether a layer is the identity in inference, but has no derivative then. */
static bool only_trains(const char *name, size_t length)
{
    char copy[FMD_LAYER_NAME];
    const fmd_layer_ops *ops;
    snprintf(copy, sizeof copy, "%.*s", (int)length, name);
    return strstr(copy, "dropout") != NULL ||
           (fmd_layer_find(&ops, copy) == FMD_OK && ops->forward != NULL && ops->backward == NULL);
}

/* The layers behind the layer in front, which takes the place of the input. */
static void write_layers(FILE *out, const char *spec)
{
    static const char input[] = ":input";
    for (const char *item = spec; *item != '\0'; item += *item == ',') {
        const size_t length = strcspn(item, ","), name = strcspn(item, ":@,");
        const char *end = item + length, *mark = memchr(item, '@', length);
        fputc(',', out);
        if (only_trains(item, name)) {
            fprintf(out, "rescaling:scale=1%.*s", mark != NULL ? (int)(end - mark) : 0,
                    mark != NULL ? mark : "");
            item = end;
        }
        while (item < end) {
            const size_t n = sizeof input - 1;
            const bool is = strncmp(item, input, n) == 0 && strchr(":@,", item[n]) != NULL;
            if (is)
                fputs(":explained", out);
            else
                fputc(*item, out);
            item += is ? n : 1;
        }
    }
}

/* The identity with a gamma and a beta for each value of the input, then the layers of the model. */
static fmd_status describe(char **text, const fmd_model *m)
{
    const fmd_shape in = fmd_model_in(m);
    size_t bytes;
    FILE *out = open_memstream(text, &bytes);
    if (out == NULL)
        return FMD_FAIL(FMD_ENOMEM, "out of memory: the explained model");
    fprintf(out, "reshape:%zu,batch_normalization,reshape:", fmd_shape_count(in));
    for (int i = 0; i < in.rank; i++)
        fprintf(out, "%s%d", i > 0 ? "x" : "", in.dim[i]);
    if (strstr(fmd_model_spec(m), ":input") != NULL)
        fputs("@explained", out);
    write_layers(out, fmd_model_spec(m));
    return fclose(out) == 0 ? FMD_OK : FMD_FAIL(FMD_ENOMEM, "out of memory: the explained model");
}

static void copy_params(fmd_model *to, const fmd_model *from)
{
    const size_t n = fmd_shape_count(fmd_model_in(from)),
                 trainable = fmd_model_n_trainable_params(from);
    float *p = fmd_model_params(to);
    const float *q = fmd_model_params(from);
    fmd_model_init(to, 0);
    memcpy(p + 2 * n, q, trainable * sizeof *p);
    float *state = p + 2 * n + trainable;
    for (size_t i = 0; i < n; i++) {
        state[i] = 0;
        state[n + i] = (float)(1 - epsilon);
    }
    memcpy(state + 2 * n, q + trainable, (fmd_model_n_params(from) - trainable) * sizeof *p);
}

/* The layer whose output the last layer with parameters reads. */
static int find_hidden(const fmd_model *m)
{
    size_t last = fmd_model_n_layers(m) - 1;
    while (last > 0 && fmd_model_layer(m, last)->n_tensors == 0)
        last--;
    return fmd_model_layer(m, last)->inputs[0];
}

fmd_shape fmd_explain_shape(fmd_shape in)
{
    int side = 1;
    if (in.rank >= 2)
        return (fmd_shape){.rank = 3, .dim = {in.dim[0], in.dim[1], in.rank > 2 ? in.dim[2] : 1}};
    while (side * side < in.dim[0])
        side++;
    return side * side == in.dim[0] ? (fmd_shape){.rank = 3, .dim = {side, side, 1}}
                                    : (fmd_shape){.rank = 3, .dim = {1, in.dim[0], 1}};
}

static size_t largest_tensor(const fmd_model *m)
{
    size_t most = 0;
    for (size_t i = 0; i < fmd_model_n_tensors(m); i++)
        most = fmd_model_tensor(m, i)->count > most ? fmd_model_tensor(m, i)->count : most;
    return most;
}

static fmd_status prepare(fmd_explainer *e)
{
    fmd_model *m = e->t->model;
    char *text = NULL;
    fmd_status st = describe(&text, m);
    if (st == FMD_OK)
        st = fmd_model_create(&e->model, text, fmd_model_in(m), 1);
    free(text);
    FMD_TRY(st);
    copy_params(e->model, m);
    e->hidden = find_hidden(m);
    e->image = fmd_explain_shape(fmd_model_in(m));
    e->values = fmd_shape_count(fmd_model_in(m));
    e->features = e->hidden == FMD_MODEL_INPUT
                      ? e->values
                      : fmd_shape_count(fmd_model_layer(m, (size_t)e->hidden)->out);
    FMD_TRY(fmd_alloc(&e->gamma, e->values, sizeof *e->gamma, "the explanation"));
    FMD_TRY(fmd_alloc(&e->waste, largest_tensor(e->model), sizeof *e->waste, "the explanation"));
    FMD_TRY(fmd_alloc(&e->covered, e->values, 1, "the explanation"));
    FMD_TRY(fmd_alloc(&e->weight, e->values, sizeof *e->weight, "the explanation"));
    return fmd_alloc(&e->probabilities, (size_t)fmd_model_classes(m), sizeof *e->probabilities,
                     "the explanation");
}

fmd_status fmd_explainer_create(fmd_explainer **out, const fmd_loaded_model *t)
{
    fmd_explainer *e;
    FMD_TRY(fmd_alloc(&e, 1, sizeof *e, "the explanation"));
    e->t = t;
    const fmd_status st = prepare(e);
    if (st == FMD_OK)
        *out = e;
    else
        fmd_explainer_destroy(e);
    return st;
}

void fmd_explainer_destroy(fmd_explainer *e)
{
    if (e == NULL)
        return;
    fmd_model_destroy(e->model);
    free(e->gamma);
    free(e->waste);
    free(e->covered);
    free(e->weight);
    free(e->probabilities);
    free(e);
}

const fmd_loaded_model *fmd_explainer_model(const fmd_explainer *e)
{
    return e->t;
}

static void fill(const fmd_explainer *e, fmd_model *m, const uint8_t *images, size_t n)
{
    fmd_gather_images(&(fmd_split){.n = n, .images = images}, e->values, NULL, n, n, e->t->divisor,
                      fmd_model_input(m));
}

/* The gradients of tensor 0, gamma of the layer in front: dy times x, as its xhat is x. */
static float *begin(void *self, size_t tensor, size_t offset, size_t n)
{
    fmd_explainer *e = self;
    (void)n;
    return tensor == 0 ? e->gamma + offset : e->waste + offset;
}

static void commit(void *self, size_t tensor, size_t offset, size_t n)
{
    (void)self;
    (void)tensor;
    (void)offset;
    (void)n;
}

void fmd_explainer_saliency(fmd_explainer *e, const uint8_t *image, size_t k, float *map)
{
    const fmd_pass pass = {.microbatches = 1, .microbatch_size = 1};
    const fmd_gradient_sink sink = {.self = e, .begin = begin, .commit = commit};
    const size_t classes = (size_t)fmd_model_classes(e->model), channels = (size_t)e->image.dim[2];
    fill(e, e->model, image, 1);
    fmd_model_forward(e->model, &pass, NULL);
    float *dy = fmd_model_logit_grads(e->model);
    for (size_t i = 0; i < classes; i++)
        dy[i] = i == k ? 1 : 0;
    fmd_model_backward(e->model, &pass, &sink);
    for (size_t i = 0; i < e->values / channels; i++) {
        map[i] = 0;
        for (size_t c = 0; c < channels; c++)
            map[i] += e->gamma[i * channels + c];
    }
}

/* The probability of class k. */
static double probability(fmd_explainer *e, const uint8_t *image, size_t k)
{
    fmd_model *m = e->t->model;
    const fmd_pass pass = {.microbatches = 1, .microbatch_size = 1};
    fill(e, m, image, 1);
    fmd_softmax_rows(1, (size_t)fmd_model_classes(m), fmd_model_forward(m, &pass, NULL),
                     e->probabilities);
    return (double)e->probabilities[k];
}

/* Covers the square at (top, left), which may reach over the edges, with the mean of each channel. */
static void cover(fmd_explainer *e, const uint8_t *image, int top, int left, int side,
                  const uint8_t *mean)
{
    const int height = e->image.dim[0], width = e->image.dim[1], channels = e->image.dim[2];
    memcpy(e->covered, image, e->values);
    for (int y = top < 0 ? 0 : top; y < top + side && y < height; y++)
        for (int x = left < 0 ? 0 : left; x < left + side && x < width; x++)
            for (int c = 0; c < channels; c++)
                e->covered[(y * width + x) * channels + c] = mean[c];
}

void fmd_explainer_occlusion(fmd_explainer *e, const uint8_t *image, size_t k, float *map)
{
    const int height = e->image.dim[0], width = e->image.dim[1], channels = e->image.dim[2];
    const int shorter = height < width ? height : width;
    const int side = shorter / SQUARES > 1 ? (shorter + SQUARES - 1) / SQUARES : 1;
    const int move = side / MOVES > 0 ? side / MOVES : 1;
    uint8_t mean[4] = {0};
    for (int c = 0; c < channels && c < 4; c++) {
        double sum = 0;
        for (size_t i = (size_t)c; i < e->values; i += (size_t)channels)
            sum += image[i];
        mean[c] = (uint8_t)lrint(sum * channels / (double)e->values);
    }
    const double whole = probability(e, image, k);
    memset(map, 0, (size_t)(height * width) * sizeof *map);
    memset(e->weight, 0, (size_t)(height * width) * sizeof *e->weight);
    for (int top = move - side; top < height; top += move)
        for (int left = move - side; left < width; left += move) {
            cover(e, image, top, left, side, mean);
            const float fall = (float)(whole - probability(e, e->covered, k));
            for (int y = top < 0 ? 0 : top; y < top + side && y < height; y++)
                for (int x = left < 0 ? 0 : left; x < left + side && x < width; x++) {
                    map[y * width + x] += fall;
                    e->weight[y * width + x] += 1;
                }
        }
    for (int i = 0; i < height * width; i++)
        map[i] /= e->weight[i];
}

/* The features of `n` images, at most as many as the model has memory for. */
static const float *features_of(const fmd_explainer *e, const uint8_t *images, size_t n)
{
    fmd_model *m = e->t->model;
    const fmd_pass pass = {.microbatches = (int)n, .microbatch_size = 1};
    fill(e, m, images, n);
    return e->hidden == FMD_MODEL_INPUT ? fmd_model_input(m)
                                        : fmd_model_forward_to(m, &pass, (size_t)e->hidden);
}

static void insert(fmd_neighbours *near, uint32_t index, float distance)
{
    size_t at = near->n < FMD_NEIGHBOURS ? near->n++ : FMD_NEIGHBOURS - 1;
    while (at > 0 && near->distance[at - 1] > distance) {
        near->distance[at] = near->distance[at - 1];
        near->index[at] = near->index[at - 1];
        at--;
    }
    near->distance[at] = distance;
    near->index[at] = index;
}

static void compare(const fmd_explainer *e, const float *found, size_t n, size_t first,
                    const float *wanted, fmd_neighbours *near)
{
    for (size_t i = 0; i < n; i++) {
        const float *row = found + i * e->features;
        float sum = 0;
        for (size_t k = 0; k < e->features; k++)
            sum += (row[k] - wanted[k]) * (row[k] - wanted[k]);
        const float distance = sqrtf(sum);
        if (near->n < FMD_NEIGHBOURS || distance < near->distance[FMD_NEIGHBOURS - 1])
            insert(near, (uint32_t)(first + i), distance);
    }
}

fmd_status fmd_explainer_neighbours(fmd_explainer *e, const uint8_t *const *images, size_t n,
                                    fmd_neighbours *out, size_t *searched)
{
    const fmd_split *train = &e->t->data.train;
    const size_t group = fmd_model_max_samples(e->t->model);
    const double most = search_flops / (fmd_model_cost(e->t->model, 1).forward_flops + 1);
    const size_t all = (double)train->n < most ? train->n : (size_t)most;
    float *wanted;
    FMD_TRY(fmd_alloc(&wanted, n, e->features * sizeof *wanted, "the features of the images"));
    for (size_t i = 0; i < n; i++) {
        memcpy(wanted + i * e->features, features_of(e, images[i], 1),
               e->features * sizeof *wanted);
        out[i] = (fmd_neighbours){.n = 0};
    }
    for (size_t first = 0; first < all; first += group) {
        const size_t count = all - first < group ? all - first : group;
        const float *found = features_of(e, train->images + first * e->values, count);
        for (size_t i = 0; i < n; i++)
            compare(e, found, count, first, wanted + i * e->features, &out[i]);
    }
    free(wanted);
    *searched = all;
    return FMD_OK;
}
