/* The parts that the convolution and pooling layers share: arguments, shapes, passes. */
#ifndef FMD_NN_CONVOLUTION_H
#define FMD_NN_CONVOLUTION_H

#include "math/conv/conv.h"
#include "nn/activations/activation.h"
#include "nn/plan.h"

/* Arguments of convolutions, with Keras' names and defaults. */
typedef struct fmd_conv_args {
    fmd_shape kernel_size, strides, dilation_rate;
    int padding; /* fmd_padding */
    int activation, init;
    bool bias;
} fmd_conv_args;

/* Rows of an option table whose struct has the fmd_conv_args `conv`. */
#define FMD_CONV_OPTIONS(args, init_keras)                                                         \
    {.name = "kernel_size",                                                                        \
     .kind = FMD_OPTION_DIMS,                                                                      \
     .size = 2,                                                                                    \
     .offset = offsetof(args, conv.kernel_size),                                                   \
     .min = 1,                                                                                     \
     .max = 1024,                                                                                  \
     .keras = "kernel_size",                                                                       \
     .help = "height and width of the kernel, such as 3 or 3x5"},                                  \
        {.name = "padding",                                                                        \
         .kind = FMD_OPTION_CHOICE,                                                                \
         .offset = offsetof(args, conv.padding),                                                   \
         .initial = "valid",                                                                       \
         .choices = FMD_PADDING_NAMES,                                                             \
         .keras = "padding",                                                                       \
         .help = "same: zeros around the image, so that stride 1 keeps its size"},                 \
        {.name = "activation",                                                                     \
         .kind = FMD_OPTION_CHOICE,                                                                \
         .offset = offsetof(args, conv.activation),                                                \
         .initial = "linear",                                                                      \
         .choices = FMD_ACTIVATION_NAMES,                                                          \
         .keras = "activation",                                                                    \
         .help = "applied to the output"},                                                         \
        {.name = "strides",                                                                        \
         .kind = FMD_OPTION_DIMS,                                                                  \
         .size = 2,                                                                                \
         .offset = offsetof(args, conv.strides),                                                   \
         .initial = "1",                                                                           \
         .min = 1,                                                                                 \
         .max = 1024,                                                                              \
         .keras = "strides",                                                                       \
         .help = "step of the kernel"},                                                            \
        {.name = "dilation_rate",                                                                  \
         .kind = FMD_OPTION_DIMS,                                                                  \
         .size = 2,                                                                                \
         .offset = offsetof(args, conv.dilation_rate),                                             \
         .initial = "1",                                                                           \
         .min = 1,                                                                                 \
         .max = 1024,                                                                              \
         .keras = "dilation_rate",                                                                 \
         .help = "distance between the pixels that the kernel reads"},                             \
        {.name = "init",                                                                           \
         .kind = FMD_OPTION_CHOICE,                                                                \
         .offset = offsetof(args, conv.init),                                                      \
         .initial = "glorot_uniform",                                                              \
         .choices = FMD_INIT_NAMES,                                                                \
         .keras = (init_keras),                                                                    \
         .help = "initialiser of the kernel"},                                                     \
    {                                                                                              \
        .name = "bias", .kind = FMD_OPTION_BOOL, .offset = offsetof(args, conv.bias),              \
        .initial = "true", .keras = "use_bias", .help = "adds one value to each output channel"    \
    }

/* Local. The convolution of the layer's input 0 to `filters` channels in `groups` groups. */
fmd_conv fmd_convolution_of(const fmd_layer *l, const fmd_conv_args *a, int filters, int groups);

/* Local. Checks a convolution and sets the layer's output shape and activation. FMD_EUSAGE. */
FMD_CHECKED fmd_status fmd_convolution_build(fmd_layer *l, const fmd_conv_args *a, int filters,
                                             int groups);

/* Local. Asks for kernel, bias, saved values and workspace of a layer that is one convolution.
 * `kernel` has the kernel's shape, initialiser and fans. */
void fmd_convolution_plan(const fmd_layer *l, fmd_plan *plan, const fmd_conv_args *a,
                          const fmd_conv *c, fmd_param kernel);

/* Local. How many of the n layers behind this one its passes compute as well: relu, unless the layer
 * has an activation of its own, then a maximum pooling, for which products of bf16 values have no
 * form. Asks for the workspace. */
int fmd_convolution_fuse(const fmd_layer *l, const fmd_conv *c, int n, fmd_plan *plan);

/* Local. The passes of a layer that fmd_convolution_plan has planned, and their cost. */
void fmd_convolution_forward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                             const fmd_conv *c);
void fmd_convolution_backward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                              const fmd_conv *c, const fmd_gradient_sink *sink);
fmd_cost fmd_convolution_cost(const fmd_layer *l, size_t samples, const fmd_conv *c);

/* Local. Bytes of workspace that the two functions below need. */
size_t fmd_convolve_workspace(const fmd_conv *c);

/* Local. y = x * kernel + bias of n images; `bias` may be NULL; `relu`: negative sums are zero. */
void fmd_convolve(const fmd_conv *c, size_t n, const float *x, const float *kernel,
                  const float *bias, bool relu, void *workspace, float *y);

/* Local. From dy, computes the gradient of the kernel into `tensor`, microbatch by microbatch, and
 * the gradient of the input into dx unless it is NULL. */
void fmd_convolve_gradients(const fmd_conv *c, const fmd_pass *p, const float *x,
                            const float *kernel, size_t tensor, const float *dy, float *dx,
                            void *workspace, const fmd_gradient_sink *sink);

/* Local. The gradient of a bias: the sum of dy over the pixels of each microbatch. dy: samples times
 * `pixels` rows of `channels`. */
void fmd_bias_gradient(const fmd_pass *p, size_t pixels, size_t channels, const float *dy,
                       size_t tensor, const fmd_gradient_sink *sink);

/* Local. Multiplications and additions of one image. */
double fmd_convolution_flops(const fmd_conv *c);

#endif
