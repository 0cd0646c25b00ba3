#include "fmd/loss.h"

#include "math/vec.h"

static const float loss_limit = 0x1p20f;

/* Writes exp(z - max z) to e and returns its sum; *max receives max z. In order, so that the sum is
 * the same everywhere. */
static float exp_row(size_t classes, const float *z, float *e, float *max)
{
    float top = z[0];
    for (size_t j = 1; j < classes; j++)
        top = z[j] > top ? z[j] : top;
    for (size_t j = 0; j < classes; j++)
        e[j] = z[j] - top;
    fmd_vec_exp(classes, e, e);
    float sum = 0;
    for (size_t j = 0; j < classes; j++)
        sum += e[j];
    *max = top;
    return sum;
}

void fmd_softmax_rows(size_t rows, size_t classes, const float *logits, float *probabilities)
{
    for (size_t i = 0; i < rows; i++) {
        float max;
        float *p = probabilities + i * classes;
        float inverse = 1.0f / exp_row(classes, logits + i * classes, p, &max);
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

void fmd_loss_rows(const float *logits, const uint8_t *labels, size_t n, size_t rows,
                   size_t classes, float *grads, fmd_loss_sums *sums)
{
    float scratch[256];
    for (size_t i = 0; i < n; i++) {
        const float *z = logits + i * classes;
        float *e = grads != NULL ? grads + i * classes : scratch;
        size_t label = labels[i];
        float z_label = z[label], max;
        sums->correct += fmd_argmax(classes, z) == label;
        float sum = exp_row(classes, z, e, &max);
        float loss = fmd_log(sum) - (z_label - max);
        if (sum >= 1 && loss < loss_limit) /* the sum has exp(0), unless it is NaN */
            sums->loss += (int64_t)((double)loss * (1 / FMD_LOSS_UNIT));
        else
            sums->failed++;
        if (grads == NULL)
            continue;
        float inverse = 1.0f / sum;
        for (size_t j = 0; j < classes; j++)
            e[j] *= inverse;
        e[label] -= 1.0f;
    }
    if (grads != NULL)
        for (size_t i = n * classes; i < rows * classes; i++)
            grads[i] = 0;
}
