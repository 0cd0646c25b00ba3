#include "base/simd.h"
#include "nn/optimizers/optimizer.h"

typedef struct args {
    double momentum;
    bool nesterov;
} args;

static const fmd_option options[] = {
    {.name = "momentum",
     .kind = FMD_OPTION_FLOAT,
     .offset = offsetof(args, momentum),
     .initial = "0",
     .min = 0,
     .max = 1,
     .keras = "momentum",
     .help = "share of the last step that goes on"},
    {.name = "nesterov",
     .kind = FMD_OPTION_BOOL,
     .offset = offsetof(args, nesterov),
     .initial = "false",
     .keras = "nesterov",
     .help = "looks ahead along the momentum"},
};

FMD_SIMD static void plain(size_t n, float *restrict p, const float *restrict g, float rate)
{
    for (size_t i = 0; i < n; i++)
        p[i] -= rate * g[i];
}

FMD_SIMD static void heavy_ball(size_t n, float *restrict p, const float *restrict g,
                                float *restrict m, float rate, float momentum)
{
    for (size_t i = 0; i < n; i++) {
        m[i] = momentum * m[i] - rate * g[i];
        p[i] += m[i];
    }
}

FMD_SIMD static void nesterov(size_t n, float *restrict p, const float *restrict g,
                              float *restrict m, float rate, float momentum)
{
    for (size_t i = 0; i < n; i++) {
        m[i] = momentum * m[i] - rate * g[i];
        p[i] += momentum * m[i] - rate * g[i];
    }
}

static unsigned slots_used(const void *arguments)
{
    const args *a = arguments;
    return a->momentum > 0 ? 1 : 0;
}

/* Keras' SGD: the slot holds sums of lr g (Sutskever et al., ICML 2013). */
static void step(const void *arguments, size_t n, float *params, const float *grads,
                 float *const *slots, const fmd_step_factors *f)
{
    const args *a = arguments;
    const float momentum = (float)a->momentum;
    if (slots[0] == NULL)
        plain(n, params, grads, f->rate);
    else if (a->nesterov)
        nesterov(n, params, grads, slots[0], f->rate, momentum);
    else
        heavy_ball(n, params, grads, slots[0], f->rate, momentum);
}

const fmd_optimizer_ops fmd_optimizer_sgd = {
    .name = "sgd",
    .keras_class = "SGD",
    .help = "gradient descent, also with momentum",
    .learning_rate = 0.01,
    .args_size = sizeof(args),
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .slots = {"momentum"},
    .slots_used = slots_used,
    .step = step,
};
