#include "nn/losses/loss.h"

#include "math/vec.h"

/* Upper limits: of the loss of a sample, and of the sum, which 64 bits have to hold. */
static const double row_limit = 0x1p20, sum_limit = 0x1p63 * FMD_LOSS_UNIT;

/* Exponentials computed in one call; a sample has at most 256 scores. */
enum { PIECE = 2048 };

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

/* One sample with exponentials e. The gradient may overwrite z; NULL: not wanted. */
static void loss_row(size_t classes, const float *z, size_t label, const float *e, float *gradient,
                     fmd_loss_sums *sums)
{
    const float sum = sum_row(classes, e), inverse = 1.0f / sum;
    const double loss = (double)(fmd_log(sum) - (z[label] - largest(classes, z)));
    /* The sum contains exp(0), so it is at least 1, or NaN. */
    if (sum >= 1 && loss < row_limit && loss * (double)sums->of < sum_limit)
        sums->loss += (int64_t)(loss * (1 / FMD_LOSS_UNIT));
    else
        sums->failed++;
    sums->correct += fmd_argmax(classes, z) == label;
    if (gradient == NULL)
        return;
    for (size_t j = 0; j < classes; j++)
        gradient[j] = e[j] * inverse;
    gradient[label] -= 1.0f;
}

void fmd_loss_samples(const float *logits, const uint8_t *labels, size_t n, size_t rows,
                      size_t classes, float *grads, fmd_loss_sums *sums)
{
    float e[PIECE];
    const size_t most = PIECE / classes;
    for (size_t first = 0; first < n; first += most) {
        const size_t now = n - first < most ? n - first : most;
        exp_rows(now, classes, logits + first * classes, e);
        for (size_t i = 0; i < now; i++) {
            const size_t at = (first + i) * classes;
            loss_row(classes, logits + at, labels[first + i], e + i * classes,
                     grads != NULL ? grads + at : NULL, sums);
        }
    }
    if (grads != NULL)
        for (size_t i = n * classes; i < rows * classes; i++)
            grads[i] = 0;
}
