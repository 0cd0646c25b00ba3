#include "nn/losses/loss.h"

/* mean over the classes of (p - y)^2 */
static double row(const fmd_loss_args *args, const fmd_loss_row *r, float *gradient)
{
    (void)args;
    float p[FMD_LOSS_CLASSES], dp[FMD_LOSS_CLASSES];
    const float inverse = 1.0f / r->sum, n = (float)r->classes;
    double loss = 0;
    for (size_t j = 0; j < r->classes; j++) {
        p[j] = r->exps[j] * inverse;
        const float off = p[j] - r->target[j];
        loss += (double)(off * off);
        dp[j] = 2 * off / n;
    }
    if (gradient != NULL)
        fmd_loss_through_softmax(r->classes, p, dp, gradient);
    return loss / (double)n;
}

const fmd_loss_ops fmd_loss_mean_squared_error = {
    .name = "mean_squared_error",
    .alias = "mse",
    .keras_class = "MeanSquaredError",
    .help = "mean squared difference of probabilities and one-hot label",
    .row = row,
};
