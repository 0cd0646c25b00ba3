/* A convolution with random operands, and its results. */
#ifndef FMD_TESTS_SUPPORT_CONV_LAYER_H
#define FMD_TESTS_SUPPORT_CONV_LAYER_H

#include "math/conv/conv.h"
#include "math/kernels.h"

enum { CONV_IMAGES = 3, CONV_TABLES = 3 };

/* Height and width, channels in and out, kernel, strides, dilation, groups. */
typedef struct conv_geometry {
    int h, w, in_c, out_c, kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, groups;
} conv_geometry;

/* Operands, results, and how many values they have. */
typedef struct conv_layer {
    fmd_conv c;
    size_t n_x, n_y, n_kernel;
    float *x, *y, *dx, *dy, *kernel, *dkernel, *bias;
} conv_layer;

conv_layer conv_layer_create(const conv_geometry *g, fmd_padding padding);
void conv_layer_free(conv_layer *l);

/* Leaves one value of dy in `every`; as behind relu and a pool, zeros come with either sign. */
void conv_layer_strew_zeros(conv_layer *l, unsigned every);

/* Results and scratch memory are spoilt first, and nothing behind their ends is touched. */
void conv_layer_compute(conv_layer *l, size_t images, const float *bias, bool relu);

/* The kernels that this CPU can run. */
size_t conv_layer_kernels(const fmd_kernels *tables[CONV_TABLES]);

#endif
