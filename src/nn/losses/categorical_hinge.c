#include "nn/losses/loss.h"

/* max(neg - pos + 1, 0); pos = sum y p, neg = max (1 - y) p. Where several terms are the largest, the
 * first has the gradient. */
static double row(const fmd_loss_args *args, const fmd_loss_row *r, float *gradient)
{
    (void)args;
    float p[FMD_LOSS_CLASSES], dp[FMD_LOSS_CLASSES];
    const float inverse = 1.0f / r->sum, *y = r->target;
    float pos = 0, neg = -1;
    size_t worst = 0;
    for (size_t j = 0; j < r->classes; j++) {
        p[j] = r->exps[j] * inverse;
        pos += y[j] * p[j];
        if ((1 - y[j]) * p[j] > neg) {
            neg = (1 - y[j]) * p[j];
            worst = j;
        }
    }
    const float loss = neg - pos + 1;
    for (size_t j = 0; j < r->classes; j++)
        dp[j] = loss > 0 ? (j == worst ? 1 - y[j] : 0) - y[j] : 0;
    if (gradient != NULL)
        fmd_loss_through_softmax(r->classes, p, dp, gradient);
    return loss > 0 ? (double)loss : 0;
}

const fmd_loss_ops fmd_loss_categorical_hinge = {
    .name = "categorical_hinge",
    .keras_class = "CategoricalHinge",
    .help = "distance of the label's probability from the largest other one, plus 1",
    .row = row,
};
