/* What the convolution and pooling layers make of one image. */
#include "report/plots/plots_private.h"

#include "data/sampler.h"
#include "nn/losses/loss.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Pixels: maps lie in rows of at most COLUMNS, a row for each layer; more layers are left out. */
enum {
    COLUMNS = 16,
    MOST_LAYERS = 24,
    CELL = 64,
    GAP = 4,
    LABEL = 26,
    ROW = LABEL + CELL + GAP,
    LEFT = 24,
    TOP = 44,
    EDGE = 1, /* of the frames */
    WIDTH = COLUMNS * (CELL + GAP) - GAP + 2 * EDGE,
};

/* A picture under construction, and the text that goes with it. */
typedef struct features {
    fmd_picture picture;
    fmd_plot_draft draft;
    fmd_model *model; /* with the output of every layer */
    int rows;
} features;

static bool makes_maps(const fmd_layer *l)
{
    return l->out.rank == 3 && l->ops->forward != NULL &&
           (strstr(l->ops->name, "conv2d") != NULL || strstr(l->ops->name, "pooling2d") != NULL);
}

static int count_rows(const fmd_model *m)
{
    int n = 0;
    for (size_t i = 0; i < fmd_model_n_layers(m); i++)
        n += makes_maps(fmd_model_layer(m, i));
    return n < MOST_LAYERS ? n : MOST_LAYERS;
}

bool fmd_plot_has_features(const fmd_run_view *v)
{
    return count_rows(v->trained.model) > 0;
}

/* The output of layer i for one image. */
static const float *output_of(const features *f, const fmd_run_view *v, size_t i,
                              const uint8_t *image)
{
    fmd_model *m = f->model;
    const fmd_pass pass = {.microbatches = 1, .microbatch_size = 1};
    fmd_gather_images(&(fmd_split){.n = 1, .images = image}, fmd_shape_count(fmd_model_in(m)), NULL,
                      1, 1, v->trained.divisor, fmd_model_input(m));
    return fmd_model_forward_to(m, &pass, i);
}

/* The pixels of a cell that an image takes: each of its own is as large as fits. */
static int shown(int length, int longest)
{
    return longest <= CELL ? length * (CELL / longest) : length * CELL / longest;
}

/* White for the lowest value, dark blue for the highest. */
static void put_shade(double share, uint8_t rgb[3])
{
    static const double stops[4][3] = {
        {0xff, 0xff, 0xff}, {0x74, 0xae, 0xd3}, {0x1c, 0x6a, 0xa0}, {0x06, 0x3c, 0x62}};
    const double at = 3 * fmax(0, fmin(share, 1));
    const int stop = at < 2 ? (int)at : 2;
    for (int c = 0; c < 3; c++)
        rgb[c] =
            (uint8_t)rint(stops[stop][c] + (at - stop) * (stops[stop + 1][c] - stops[stop][c]));
}

/* The place of a pixel of a cell in an array (height, width, channels). */
static size_t place_in(fmd_shape s, int x, int y, size_t channel)
{
    const int longest = s.dim[0] > s.dim[1] ? s.dim[0] : s.dim[1];
    const size_t row = (size_t)(y * s.dim[0] / shown(s.dim[0], longest));
    const size_t column = (size_t)(x * s.dim[1] / shown(s.dim[1], longest));
    return (row * (size_t)s.dim[1] + column) * (size_t)s.dim[2] + channel;
}

static uint8_t *pixel_at(features *f, int x, int y)
{
    return f->picture.pixels + 3 * ((size_t)y * f->picture.width + (size_t)x);
}

/* A line around a map, which may be white. */
static void put_frame(features *f, int left, int width, int height)
{
    const int top = f->rows * ROW + LABEL;
    for (int y = -1; y <= height; y++)
        for (int x = -1; x <= width; x++)
            if (x < 0 || x == width || y < 0 || y == height)
                memset(pixel_at(f, left + x, top + y), 0xcc, 3);
}

/* Draws the first maps of a layer, with the same scale for all of them. */
static void put_maps(features *f, const float *values, fmd_shape s)
{
    const int longest = s.dim[0] > s.dim[1] ? s.dim[0] : s.dim[1];
    const int maps = s.dim[2] < COLUMNS ? s.dim[2] : COLUMNS;
    double low = 0, high = 1e-30;
    for (size_t i = 0; i < fmd_shape_count(s); i++)
        if (i % (size_t)s.dim[2] < (size_t)maps) {
            low = fmin(low, (double)values[i]);
            high = fmax(high, (double)values[i]);
        }
    for (int k = 0; k < maps; k++) {
        put_frame(f, EDGE + k * (CELL + GAP), shown(s.dim[1], longest), shown(s.dim[0], longest));
        for (int y = 0; y < shown(s.dim[0], longest); y++)
            for (int x = 0; x < shown(s.dim[1], longest); x++)
                put_shade(((double)values[place_in(s, x, y, (size_t)k)] - low) / (high - low),
                          pixel_at(f, EDGE + k * (CELL + GAP) + x, f->rows * ROW + LABEL + y));
    }
}

static void put_image(features *f, const uint8_t *bytes, fmd_shape s)
{
    const int longest = s.dim[0] > s.dim[1] ? s.dim[0] : s.dim[1];
    for (int y = 0; y < shown(s.dim[0], longest); y++)
        for (int x = 0; x < shown(s.dim[1], longest); x++)
            for (size_t c = 0; c < 3; c++)
                pixel_at(f, EDGE + x, LABEL + y)[c] =
                    s.dim[2] == 3 ? bytes[place_in(s, x, y, c)]
                                  : (uint8_t)(255 - bytes[place_in(s, x, y, 0)]);
}

static void put_values(features *f, const char *layer, const float *values, fmd_shape s)
{
    for (size_t i = 0; i < fmd_shape_count(s); i++) {
        const size_t map = i % (size_t)s.dim[2], pixel = i / (size_t)s.dim[2];
        fprintf(f->draft.data, "%s,%zu,%zu,%zu,%.6g\n", layer, map, pixel / (size_t)s.dim[1],
                pixel % (size_t)s.dim[1], (double)values[i]);
    }
}

static void put_label(features *f, const char *text)
{
    char variable[16];
    snprintf(variable, sizeof variable, "row%d", f->rows);
    fmd_plot_string(&f->draft, variable, text);
    fprintf(f->draft.commands,
            "set label %d %s at screen %d / width, screen 1 - %d / height front font \",10\"\n",
            f->rows + 2, variable, LEFT, TOP + f->rows * ROW + LABEL / 2 + 2);
}

static void put_layer(features *f, const fmd_run_view *v, size_t i, const uint8_t *image)
{
    const fmd_layer *l = fmd_model_layer(v->trained.model, i);
    const float *values = output_of(f, v, i, image);
    char text[160], first[48] = "";
    if (l->out.dim[2] > COLUMNS)
        snprintf(first, sizeof first, "the first %d of ", (int)COLUMNS);
    snprintf(text, sizeof text, "%s: %s%d maps of %d x %d", l->name, first, l->out.dim[2],
             l->out.dim[0], l->out.dim[1]);
    put_label(f, text);
    put_maps(f, values, l->out);
    put_values(f, l->name, values, l->out);
    f->rows++;
}

static void put_rows(features *f, const fmd_run_view *v, const fmd_plot_target *target)
{
    const fmd_loaded_model *t = &v->trained;
    const size_t at = target->image, layers = fmd_model_n_layers(t->model);
    const uint8_t *image = target->own != NULL
                               ? target->own
                               : t->split.images + at * fmd_shape_count(t->data.info.image);
    fmd_shape s = t->data.info.image;
    char text[160], label[64], predicted[64];
    if (s.rank == 2)
        s = (fmd_shape){.rank = 3, .dim = {s.dim[0], s.dim[1], 1}};
    fmd_run_view_class(
        v, fmd_argmax((size_t)fmd_model_classes(t->model), output_of(f, v, layers - 1, image)),
        predicted);
    if (target->own != NULL)
        snprintf(text, sizeof text, "%.80s: predicted %s", target->own_name, predicted);
    else
        snprintf(text, sizeof text, "test image %zu: %s, predicted %s", at,
                 fmd_run_view_class(v, t->split.labels[at], label), predicted);
    put_label(f, text);
    put_image(f, image, s);
    f->rows++;
    fprintf(f->draft.data, "layer,map,row,column,value\n");
    for (size_t i = 0; i < layers && f->rows <= MOST_LAYERS; i++)
        if (makes_maps(fmd_model_layer(t->model, i)))
            put_layer(f, v, i, image);
}

/* A copy of the trained model that keeps the output of every layer. */
static fmd_status copy_model(fmd_model **out, const fmd_model *trained)
{
    FMD_TRY(fmd_model_create_unfused(out, fmd_model_spec(trained), fmd_model_in(trained), 1));
    memcpy(fmd_model_params(*out), fmd_model_params(trained),
           fmd_model_n_params(trained) * sizeof(float));
    return FMD_OK;
}

fmd_status fmd_plot_features(const fmd_plot_target *target, const fmd_run_view *v)
{
    const int height = ROW * (count_rows(v->trained.model) + 1);
    features f = {.rows = 0};
    if (!fmd_plot_has_features(v) || !fmd_plot_has_images(v))
        return FMD_FAIL(FMD_EDATA,
                        "no picture of the features of '%s': the model has no convolution or "
                        "pooling layer",
                        v->path);
    FMD_TRY(fmd_picture_create(&f.picture, WIDTH, (size_t)height, 3));
    memset(f.picture.pixels, 255, f.picture.width * f.picture.height * 3);
    fmd_status st = copy_model(&f.model, v->trained.model);
    if (st == FMD_OK)
        st = fmd_plot_begin(&f.draft);
    if (st != FMD_OK) {
        fmd_model_destroy(f.model);
        fmd_picture_free(&f.picture);
        return st;
    }
    fprintf(
        f.draft.commands,
        "width = %d.0; height = %d.0\n"
        "set lmargin at screen %d / width\nset rmargin at screen %d / width\n"
        "set bmargin at screen 0\nset tmargin at screen %d / height\n"
        "set label 1 \"Feature maps: what each filter makes of the image. Dark: high; white: the "
        "lowest value of the layer.\" at screen %d / width, screen 1 - 22 / height\n",
        LEFT + WIDTH + LEFT, TOP + height, LEFT, LEFT + WIDTH, height, LEFT);
    put_rows(&f, v, target);
    fmd_model_destroy(f.model);
    fprintf(f.draft.commands,
            "unset key\nunset tics\nset border 0\nset xrange [-0.5:%d - 0.5]\nset yrange "
            "[-0.5:%d - 0.5]\n"
            "plot \"features-maps.png\" binary filetype=png with rgbimage\n",
            (int)WIDTH, height);
    st = fmd_plot_write_picture(target, "features-maps", &f.picture);
    fmd_picture_free(&f.picture);
    const fmd_status drawn =
        fmd_plot_write(&f.draft, target, "features", LEFT + WIDTH + LEFT, TOP + height);
    return st != FMD_OK ? st : drawn;
}
