#include "math/gemm.h"
#include "math/vec.h"
#include "nn/activations/activation.h"
#include "nn/plan.h"
#include "nn/regularizer.h"

typedef struct args {
    int64_t units;
    int activation, init;
    bool bias;
    fmd_regularizer regularizer;
} args;

static const fmd_option options[] = {
    {.name = "units",
     .kind = FMD_OPTION_INT,
     .offset = offsetof(args, units),
     .min = 1,
     .max = 65536,
     .keras = "units",
     .help = "size of the output"},
    {.name = "activation",
     .kind = FMD_OPTION_CHOICE,
     .offset = offsetof(args, activation),
     .initial = "linear",
     .choices = FMD_ACTIVATION_NAMES,
     .keras = "activation",
     .help = "applied to the output"},
    {.name = "init",
     .kind = FMD_OPTION_CHOICE,
     .offset = offsetof(args, init),
     .initial = "glorot_uniform",
     .choices = FMD_INIT_NAMES,
     .keras = "kernel_initializer",
     .help = "how the kernel starts"},
    {.name = "bias",
     .kind = FMD_OPTION_BOOL,
     .offset = offsetof(args, bias),
     .initial = "true",
     .keras = "use_bias",
     .help = "adds a vector to the output"},
    FMD_REGULARIZER_OPTIONS(args, regularizer, "", "kernel"),
};

enum { KERNEL, BIAS };  /* parameters */
enum { PREACTIVATION }; /* saved, only where the activation needs it */

/* Works on the last dimension, as Keras' Dense: kernel (in, units), bias (units). */
static fmd_status build(fmd_layer *l, fmd_plan *plan)
{
    const args *a = l->args;
    const int last = l->in[0].rank - 1;
    l->activation = fmd_activation_at(a->activation);
    l->out = l->in[0];
    l->out.dim[last] = (int)a->units;
    fmd_plan_param(plan, (fmd_param){.name = "kernel",
                                     .shape = {2, {l->in[0].dim[last], (int)a->units}},
                                     .init = (fmd_init)a->init,
                                     .decays = true,
                                     .regularizer = a->regularizer});
    if (a->bias)
        fmd_plan_param(
            plan,
            (fmd_param){.name = "bias", .shape = {1, {(int)a->units}}, .init = FMD_INIT_zeros});
    if (l->activation->needs_input)
        fmd_plan_saved(plan, fmd_shape_count(l->out) * sizeof(float));
    return FMD_OK;
}

/* Rows of matrix products to a microbatch, columns in, columns out. */
typedef struct sizes {
    size_t m, in, out;
} sizes;

static sizes sizes_of(const fmd_layer *l, const fmd_pass *p)
{
    size_t in = (size_t)l->in[0].dim[l->in[0].rank - 1];
    return (sizes){.m = (size_t)p->microbatch_size * (fmd_shape_count(l->in[0]) / in),
                   .in = in,
                   .out = (size_t)l->out.dim[l->out.rank - 1]};
}

/* y = f(x K + b), microbatch by microbatch. */
static void forward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                    const fmd_gradient_sink *sink)
{
    (void)sink;
    const args *a = l->args;
    const sizes s = sizes_of(l, p);
    const size_t microbatches = (size_t)p->microbatches;
    float *z = l->activation->needs_input ? v->saved[PREACTIVATION] : v->y;
    fmd_gemm(microbatches, s.m, s.out, s.in, v->x[0], l->param[KERNEL],
             a->bias ? l->param[BIAS] : NULL, z);
    l->activation->forward(microbatches * s.m, s.out, z, v->y);
}

/* dK = x^T dz of each microbatch, in panels of kernel rows whose sums stay in the cache until all microbatches
 * are added. */
static void kernel_gradient(const fmd_layer *l, const fmd_pass *p, const sizes *s, const float *x,
                            const float *dz, const fmd_gradient_sink *sink)
{
    const size_t tensor = l->first_tensor + KERNEL;
    const size_t panel = fmd_gemm_panel((size_t)p->microbatches, s->in, s->out, s->m);
    fmd_fixed *fixed = sink->fixed != NULL ? sink->fixed(sink->self, tensor) : NULL;
    for (size_t row = 0; row < s->in; row += panel) {
        const size_t rows = s->in - row < panel ? s->in - row : panel;
        if (fixed != NULL) {
            fmd_gemm_at_fixed((size_t)p->microbatches, rows, s->out, s->m, x + row, s->in, dz,
                              fixed, row * s->out);
            continue;
        }
        for (size_t i = 0; i < (size_t)p->microbatches; i++) {
            const float *microbatch_x = x + i * s->m * s->in + row,
                        *microbatch_dz = dz + i * s->m * s->out;
            float *sum = sink->begin(sink->self, tensor, row * s->out, rows * s->out);
            fmd_gemm_at(rows, s->out, s->m, microbatch_x, s->in, microbatch_dz, sum);
            sink->commit(sink->self, tensor, row * s->out, rows * s->out);
        }
    }
}

static void bias_gradient(const fmd_layer *l, const fmd_pass *p, const sizes *s, const float *dz,
                          const fmd_gradient_sink *sink)
{
    const size_t tensor = l->first_tensor + BIAS;
    for (size_t i = 0; i < (size_t)p->microbatches; i++) {
        float *sum = sink->begin(sink->self, tensor, 0, s->out);
        fmd_sum_rows(s->m, s->out, dz + i * s->m * s->out, sum);
        sink->commit(sink->self, tensor, 0, s->out);
    }
}

static void backward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                     const fmd_gradient_sink *sink)
{
    const args *a = l->args;
    const sizes s = sizes_of(l, p);
    const size_t microbatches = (size_t)p->microbatches;
    if (l->activation->backward != NULL) {
        const float *z = l->activation->needs_input ? v->saved[PREACTIVATION] : NULL;
        l->activation->backward(microbatches * s.m, s.out, z, v->y, v->dy);
    }
    kernel_gradient(l, p, &s, v->x[0], v->dy, sink);
    if (a->bias)
        bias_gradient(l, p, &s, v->dy, sink);
    if (v->dx[0] != NULL)
        fmd_gemm_bt(microbatches, s.m, s.in, s.out, v->dy, l->param[KERNEL], v->dx[0]);
}

static fmd_cost cost(const fmd_layer *l, size_t samples)
{
    const sizes s = sizes_of(l, &(fmd_pass){.microbatches = 1, .microbatch_size = (int)samples});
    const double product = 2 * (double)s.m * (double)s.in * (double)s.out;
    const double x = (double)(s.m * s.in), y = (double)(s.m * s.out), k = (double)(s.in * s.out);
    fmd_cost c = {.forward_flops = product,
                  .forward_bytes = sizeof(float) * (x + k + y),
                  .backward_flops = product,
                  .backward_bytes = sizeof(float) * (x + k + y)};
    if (l->sends_gradient) {
        c.backward_flops += product;
        c.backward_bytes += sizeof(float) * (x + k + y);
    }
    return c;
}

const fmd_layer_ops fmd_layer_dense = {
    .name = "dense",
    .keras_class = "Dense",
    .help = "fully connected layer",
    .example = "dense:5:tanh",
    .example_in = {.rank = 1, .dim = {6}},
    .args_size = sizeof(args),
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .build = build,
    .forward = forward,
    .backward = backward,
    .cost = cost,
};
