#include "nn/losses/loss.h"

#include "math/vec.h"

#include <stdio.h>
#include <string.h>

/* Upper limits: of the loss of a sample, and of the sum, which 64 bits have to hold. */
static const double row_limit = 0x1p20, sum_limit = 0x1p63 * FMD_LOSS_UNIT;

/* Exponentials computed in one call; a sample has at most 256 scores. */
enum { PIECE = 2048 };

#define FMD_LOSS(name) extern const fmd_loss_ops fmd_loss_##name;
#include "nn/losses/losses.def"
#undef FMD_LOSS

static const fmd_loss_ops *const registry[] = {
#define FMD_LOSS(name) &fmd_loss_##name,
#include "nn/losses/losses.def"
#undef FMD_LOSS
};

const fmd_loss_ops *fmd_loss_ops_at(size_t i)
{
    return i < sizeof registry / sizeof *registry ? registry[i] : NULL;
}

static fmd_status find_ops(const fmd_loss_ops **out, const char *name)
{
    char names[256] = "", hint[FMD_OPTION_TEXT_BYTES];
    size_t used = 0;
    for (size_t i = 0; (*out = fmd_loss_ops_at(i)) != NULL; i++) {
        const char *alias = (*out)->alias;
        if (strcmp((*out)->name, name) == 0 || (alias != NULL && strcmp(alias, name) == 0))
            return FMD_OK;
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? "|" : "",
                                 (*out)->name);
    }
    return FMD_FAIL(FMD_EUSAGE, "--loss: '%s' is not one of %s%s", name, names,
                    fmd_did_you_mean(names, name, hint));
}

fmd_status fmd_loss_parse(fmd_loss *out, const char *spec)
{
    fmd_loss loss = {.ops = NULL};
    char name[64], label[sizeof name + 16];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(spec, ":"), spec);
    FMD_TRY(find_ops(&loss.ops, name));
    snprintf(label, sizeof label, "--loss %s", name);
    const char *args = spec + strcspn(spec, ":");
    FMD_TRY(fmd_options_parse_args(loss.ops->args, loss.ops->n_args, &loss.args, label,
                                   args + (*args == ':')));
    *out = loss;
    return FMD_OK;
}

static float largest(size_t classes, const float *z)
{
    float top = z[0];
    for (size_t j = 1; j < classes; j++)
        top = z[j] > top ? z[j] : top;
    return top;
}

/* e = exp(z - max z) of each row. */
static void exp_rows(size_t rows, size_t classes, const float *z, float *e)
{
    for (size_t i = 0; i < rows; i++) {
        const float *row = z + i * classes, top = largest(classes, row);
        for (size_t j = 0; j < classes; j++)
            e[i * classes + j] = row[j] - top;
    }
    fmd_vec_exp(rows * classes, e, e);
}

/* Adds from the first to the last, so that every CPU gets the same sum. */
static float sum_row(size_t classes, const float *e)
{
    float sum = 0;
    for (size_t j = 0; j < classes; j++)
        sum += e[j];
    return sum;
}

void fmd_softmax_rows(size_t rows, size_t classes, const float *logits, float *probabilities)
{
    exp_rows(rows, classes, logits, probabilities);
    for (size_t i = 0; i < rows; i++) {
        float *p = probabilities + i * classes;
        const float inverse = 1.0f / sum_row(classes, p);
        for (size_t j = 0; j < classes; j++)
            p[j] *= inverse;
    }
}

size_t fmd_argmax(size_t classes, const float *scores)
{
    size_t best = 0;
    for (size_t j = 1; j < classes; j++)
        if (scores[j] > scores[best])
            best = j;
    return best;
}

uint8_t fmd_target_label(const fmd_targets *targets, size_t i)
{
    return targets->others == NULL || targets->shares[i] >= 0.5f ? targets->labels[i]
                                                                 : targets->others[i];
}

static void set_target(const fmd_targets *targets, size_t i, size_t classes, float *y)
{
    memset(y, 0, classes * sizeof *y);
    if (targets->others == NULL) {
        y[targets->labels[i]] = 1;
        return;
    }
    y[targets->labels[i]] += targets->shares[i];
    y[targets->others[i]] += 1 - targets->shares[i];
}

void fmd_loss_through_softmax(size_t classes, const float *p, const float *dp, float *gradient)
{
    float sum = 0;
    for (size_t j = 0; j < classes; j++)
        sum += dp[j] * p[j];
    for (size_t j = 0; j < classes; j++)
        gradient[j] = p[j] * (dp[j] - sum);
}

/* `label` counts for accuracy and class weight. */
static void add_row(const fmd_loss *loss, const fmd_loss_row *r, uint8_t label,
                    const float *class_weight, float *gradient, fmd_loss_sums *sums)
{
    const fmd_loss_ops *ops = loss->ops != NULL ? loss->ops : registry[0];
    sums->correct += fmd_argmax(r->classes, r->logits) == label;
    double value = ops->row(&loss->args, r, gradient);
    if (class_weight != NULL) {
        const float weight = class_weight[label];
        value *= (double)weight;
        for (size_t j = 0; gradient != NULL && j < r->classes; j++)
            gradient[j] *= weight;
    }
    /* The sum contains exp(0), so it is at least 1, or NaN. */
    if (r->sum >= 1 && value < row_limit && value * (double)sums->of < sum_limit)
        sums->loss += (int64_t)(value * (1 / FMD_LOSS_UNIT));
    else
        sums->failed++;
}

void fmd_loss_samples(const fmd_loss *loss, const float *logits, const fmd_targets *targets,
                      size_t n, size_t rows, size_t classes, float *grads, fmd_loss_sums *sums)
{
    float e[PIECE], y[FMD_LOSS_CLASSES];
    const size_t most = PIECE / classes;
    for (size_t first = 0; first < n; first += most) {
        const size_t now = n - first < most ? n - first : most;
        exp_rows(now, classes, logits + first * classes, e);
        for (size_t i = 0; i < now; i++) {
            const float *z = logits + (first + i) * classes, *exps = e + i * classes;
            const fmd_loss_row r = {.classes = classes,
                                    .logits = z,
                                    .exps = exps,
                                    .largest = largest(classes, z),
                                    .sum = sum_row(classes, exps),
                                    .target = y};
            set_target(targets, first + i, classes, y);
            add_row(loss, &r, fmd_target_label(targets, first + i), targets->class_weight,
                    grads != NULL ? grads + (first + i) * classes : NULL, sums);
        }
    }
    if (grads != NULL)
        for (size_t i = n * classes; i < rows * classes; i++)
            grads[i] = 0;
}
