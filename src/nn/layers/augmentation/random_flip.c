#include "nn/layers/augmentation/augmentation.h"

#include <string.h>

typedef struct args {
    int mode;
} args;

enum { HORIZONTAL, VERTICAL, BOTH };

static const fmd_option options[] = {
    {.name = "mode",
     .kind = FMD_OPTION_CHOICE,
     .offset = offsetof(args, mode),
     .initial = "horizontal_and_vertical",
     .choices = "horizontal|vertical|horizontal_and_vertical",
     .keras = "mode",
     .help = "direction; the last one turns images by 180 degrees"},
};

static void flip(fmd_shape s, int mode, const float *x, float *y)
{
    const size_t h = (size_t)s.dim[0], w = (size_t)s.dim[1], c = (size_t)s.dim[2];
    for (size_t i = 0; i < h; i++) {
        const float *from = x + (mode == HORIZONTAL ? i : h - 1 - i) * w * c;
        float *to = y + i * w * c;
        if (mode == VERTICAL)
            memcpy(to, from, w * c * sizeof *to);
        for (size_t j = 0; mode != VERTICAL && j < w; j++)
            for (size_t k = 0; k < c; k++)
                to[j * c + k] = from[(w - 1 - j) * c + k];
    }
}

/* One decision for each image, as in Keras: half of the images are flipped. */
static void forward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                    const fmd_gradient_sink *sink)
{
    (void)sink;
    const size_t n = fmd_shape_count(l->out), rows = fmd_pass_samples(p);
    for (size_t i = 0; i < rows; i++) {
        float u[FMD_AUGMENT_NUMBERS];
        fmd_augment_draw(l, p, p->first_sample + i, u);
        if (p->training && u[0] < 0.5f)
            flip(l->out, ((const args *)l->args)->mode, v->x[0] + i * n, v->y + i * n);
        else
            memcpy(v->y + i * n, v->x[0] + i * n, n * sizeof *v->y);
    }
}

const fmd_layer_ops fmd_layer_random_flip = {
    .name = "random_flip",
    .keras_class = "RandomFlip",
    .help = "in training flips half of the images",
    .example = "random_flip:horizontal",
    .example_in = {.rank = 3, .dim = {3, 4, 2}},
    .args_size = sizeof(args),
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .needs_image = true,
    .build = fmd_augment_build,
    .forward = forward,
    .cost = fmd_augment_cost,
};
