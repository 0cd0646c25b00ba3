#include "nn/convolution.h"
#include "nn/layers/augmentation/augmentation.h"

#include <string.h>

typedef struct args {
    int64_t height, width;
} args;

static const fmd_option options[] = {
    {.name = "height",
     .kind = FMD_OPTION_INT,
     .offset = offsetof(args, height),
     .min = 1,
     .max = 65536,
     .keras = "height",
     .help = "height of the output"},
    {.name = "width",
     .kind = FMD_OPTION_INT,
     .offset = offsetof(args, width),
     .min = 1,
     .max = 65536,
     .keras = "width",
     .help = "width of the output"},
};

static fmd_status build(fmd_layer *l, fmd_plan *plan)
{
    const args *a = l->args;
    char shape[FMD_SHAPE_TEXT];
    FMD_TRY(fmd_augment_build(l, plan));
    if (a->height > l->in[0].dim[0] || a->width > l->in[0].dim[1])
        return FMD_FAIL(FMD_EUSAGE,
                        "model: %s: %dx%d does not fit into its input %s: pad the images with "
                        "zero_padding2d before it",
                        l->name, (int)a->height, (int)a->width, fmd_shape_text(l->in[0], 0, shape));
    l->out.dim[0] = (int)a->height;
    l->out.dim[1] = (int)a->width;
    return FMD_OK;
}

/* One box for the whole batch, as in Keras. An evaluation takes the box in the middle, where Keras
 * 3.15 returns images of another size than it announced. */
static void forward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                    const fmd_gradient_sink *sink)
{
    (void)sink;
    const size_t rows = fmd_pass_samples(p), h = (size_t)l->out.dim[0];
    const size_t in_row = (size_t)l->in[0].dim[1] * (size_t)l->in[0].dim[2];
    const size_t out_row = (size_t)l->out.dim[1] * (size_t)l->out.dim[2];
    int top = l->in[0].dim[0] - l->out.dim[0], left = l->in[0].dim[1] - l->out.dim[1];
    float u[FMD_AUGMENT_NUMBERS];
    fmd_augment_draw(l, p, 0, u);
    top = p->training ? (int)(u[0] * (float)(top + 1)) : top / 2;
    left = p->training ? (int)(u[1] * (float)(left + 1)) : left / 2;
    const float *x = v->x[0] + (size_t)top * in_row + (size_t)(left * l->in[0].dim[2]);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < h; j++)
            memcpy(v->y + (i * h + j) * out_row, x + (i * (size_t)l->in[0].dim[0] + j) * in_row,
                   out_row * sizeof *v->y);
}

const fmd_layer_ops fmd_layer_random_crop = {
    .name = "random_crop",
    .keras_class = "RandomCrop",
    .help = "in training cuts a random box out of the images, else the middle",
    .example = "random_crop:3:2",
    .example_in = {.rank = 3, .dim = {5, 4, 2}},
    .args_size = sizeof(args),
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .needs_image = true,
    .build = build,
    .forward = forward,
    .cost = fmd_augment_cost,
};
