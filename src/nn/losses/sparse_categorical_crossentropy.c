/* The loss of a sample is log(sum exp(z - max z)) - (z_label - max z). Nothing overflows and nothing
 * is clipped, as in Keras on TensorFlow and with from_logits=True. */
#include "math/vec.h"
#include "nn/losses/loss.h"

static const fmd_option options[] = {
    {.name = "label_smoothing",
     .kind = FMD_OPTION_FLOAT,
     .offset = offsetof(fmd_loss_args, label_smoothing),
     .initial = "0",
     .min = 0,
     .max = 1,
     .keras = "label_smoothing",
     .help = "share of the target that is spread evenly over all classes"},
};

/* Keras: y (1 - a) + a / C. */
static void smooth(size_t classes, float share, float *y)
{
    const float kept = 1 - share, even = share / (float)classes;
    for (size_t j = 0; j < classes; j++)
        y[j] = y[j] * kept + even;
}

static double row(const fmd_loss_args *args, const fmd_loss_row *r, float *gradient)
{
    const float inverse = 1.0f / r->sum, log_sum = fmd_log(r->sum), *y = r->target;
    double loss = 0;
    if (args->label_smoothing > 0)
        smooth(r->classes, (float)args->label_smoothing, r->target);
    for (size_t j = 0; j < r->classes; j++)
        if (y[j] > 0)
            loss += (double)y[j] * (double)(log_sum - (r->logits[j] - r->largest));
    for (size_t j = 0; gradient != NULL && j < r->classes; j++)
        gradient[j] = r->exps[j] * inverse - y[j];
    return loss;
}

const fmd_loss_ops fmd_loss_sparse_categorical_crossentropy = {
    .name = "sparse_categorical_crossentropy",
    .keras_class = "SparseCategoricalCrossentropy",
    .help = "cross-entropy of softmax and label",
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .row = row,
};
