#include "support/conv_layer.h"

#include "support/fmd_test.h"
#include "support/values.h"

#include "base/rng.h"

#include <stdlib.h>
#include <string.h>

static fmd_conv planned(const conv_geometry *g, fmd_padding padding)
{
    fmd_conv c = {.in_h = g->h,
                  .in_w = g->w,
                  .in_c = g->in_c,
                  .out_c = g->out_c,
                  .kernel_h = g->kernel_h,
                  .kernel_w = g->kernel_w,
                  .stride_h = g->stride_h,
                  .stride_w = g->stride_w,
                  .dilation_h = g->dilation_h,
                  .dilation_w = g->dilation_w,
                  .groups = g->groups};
    fmd_conv_plan(&c, padding);
    return c;
}

conv_layer conv_layer_create(const conv_geometry *g, fmd_padding padding)
{
    conv_layer l = {.c = planned(g, padding)};
    const fmd_conv *c = &l.c;
    l.n_x = CONV_IMAGES * (size_t)(c->in_h * c->in_w * c->in_c);
    l.n_y = CONV_IMAGES * (size_t)(c->out_h * c->out_w * c->out_c);
    l.n_kernel = (size_t)(c->kernel_h * c->kernel_w * (c->in_c / c->groups) * c->out_c);
    l.x = values_random(l.n_x, 0);
    l.dy = values_random(l.n_y, 1);
    l.kernel = values_random(l.n_kernel, 2);
    l.bias = values_random((size_t)c->out_c, 3);
    l.y = values_zero(l.n_y);
    l.dx = values_zero(l.n_x);
    l.dkernel = values_zero(l.n_kernel);
    return l;
}

void conv_layer_free(conv_layer *l)
{
    free(l->x);
    free(l->y);
    free(l->dx);
    free(l->dy);
    free(l->kernel);
    free(l->dkernel);
    free(l->bias);
}

void conv_layer_compute(conv_layer *l, size_t images, const float *bias, bool relu)
{
    const fmd_conv *c = &l->c;
    const size_t n_packed = fmd_conv_packed_floats(c), n_input = fmd_conv_input_packed_floats(c);
    const size_t n_scratch = fmd_conv_scratch_floats(c);
    float *packed = values_zero(n_packed), *input = values_zero(n_input),
          *scratch = values_zero(n_scratch);
    memset(scratch, 0xff, n_scratch * sizeof(float)); /* NaN */
    memset(packed, 0xff, n_packed * sizeof(float));
    memset(input, 0xff, n_input * sizeof(float));
    memset(l->y, 0x7f, l->n_y * sizeof(float));
    memset(l->dx, 0x7f, l->n_x * sizeof(float));
    memset(l->dkernel, 0x7f, l->n_kernel * sizeof(float));
    fmd_conv_pack(c, l->kernel, packed);
    fmd_conv_input_pack(c, l->kernel, input);
    fmd_conv_forward(c, images, l->x, packed, bias, relu, scratch, l->y);
    fmd_conv_input_gradient(c, images, l->dy, input, scratch, l->dx);
    fmd_conv_weight_gradient(c, images, l->x, l->dy, scratch, l->dkernel);
    assert_true(packed[n_packed] == 0 && input[n_input] == 0 && scratch[n_scratch] == 0);
    assert_true(l->y[l->n_y] == 0 && l->dx[l->n_x] == 0 && l->dkernel[l->n_kernel] == 0);
    free(packed);
    free(input);
    free(scratch);
}

size_t conv_layer_kernels(const fmd_kernels *tables[CONV_TABLES])
{
    size_t n = 0;
    tables[n++] = &fmd_kernels_plain;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        tables[n++] = &fmd_kernels_avx2;
    if (__builtin_cpu_supports("avx512f"))
        tables[n++] = &fmd_kernels_avx512;
#endif
    return n;
}

void conv_layer_strew_zeros(conv_layer *l, unsigned every)
{
    const fmd_rng rng = {.seed = 5, .purpose = FMD_RNG_INIT, .stream = 4};
    for (size_t i = 0; i < l->n_y; i++) {
        uint32_t r[4];
        fmd_rng_block(&rng, i, r);
        if (r[0] % every != 0)
            l->dy[i] = r[1] % 2 == 0 ? 0.0f : -0.0f;
    }
}
