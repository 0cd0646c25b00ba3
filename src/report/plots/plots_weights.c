/* The weights of the first layer as images. */
#include "report/plots/plots_private.h"

#include <math.h>
#include <stdio.h>

enum { UNIT_COLUMNS = 16, MOST_UNITS = 128 };

/* The first kernel, if each of its units has a weight for each pixel. */
static const fmd_tensor *first_kernel(const fmd_model *m)
{
    const fmd_shape in = fmd_model_in(m);
    const fmd_tensor *k = fmd_model_n_tensors(m) > 0 ? fmd_model_tensor(m, 0) : NULL;
    const bool image = in.rank == 2 || (in.rank == 3 && in.dim[2] == 1);
    return k != NULL && image && k->shape.rank == 2 &&
                   (size_t)k->shape.dim[0] == fmd_shape_count(in)
               ? k
               : NULL;
}

/* How the units lie side by side, with a line of a pixel between them. */
typedef struct tiles {
    const char *layer;
    const float *weights; /* pixels times all */
    int all, units, columns, rows, width, height, wide, high;
    double limit; /* three standard deviations */
} tiles;

static bool lay_tiles(const fmd_run_view *v, tiles *t)
{
    const fmd_tensor *k = first_kernel(v->trained.model);
    const fmd_shape in = fmd_model_in(v->trained.model);
    double squares = 0;
    if (k == NULL)
        return false;
    *t = (tiles){.layer = fmd_model_layer(v->trained.model, (size_t)k->layer)->name,
                 .weights = fmd_model_params(v->trained.model) + k->offset,
                 .all = k->shape.dim[1]};
    for (size_t i = 0; i < k->count; i++)
        squares += (double)t->weights[i] * (double)t->weights[i];
    t->limit = fmax(3 * sqrt(squares / (double)k->count), 1e-30);
    t->units = t->all < MOST_UNITS ? t->all : MOST_UNITS;
    t->columns = t->units < UNIT_COLUMNS ? t->units : UNIT_COLUMNS;
    t->rows = (t->units + t->columns - 1) / t->columns;
    t->width = in.dim[1];
    t->height = in.dim[0];
    t->wide = t->columns * (t->width + 1) - 1;
    t->high = t->rows * (t->height + 1) - 1;
    return true;
}

/* The weight that is seen at a place; 0 between the tiles. */
static double weight_at(const tiles *t, int x, int y)
{
    const int unit = y / (t->height + 1) * t->columns + x / (t->width + 1);
    const int column = x % (t->width + 1), row = y % (t->height + 1);
    if (column == t->width || row == t->height || unit >= t->units)
        return 0;
    return (double)t->weights[(row * t->width + column) * t->all + unit];
}

/* From dark blue through white to dark orange, as above; 16 shades on either side. */
static void put_shade(double share, uint8_t rgb[3])
{
    static const double ends[2][2][3] = {{{0x5a, 0xa9, 0xd6}, {0x00, 0x4a, 0x75}},
                                         {{0xea, 0x9a, 0x55}, {0x8f, 0x3f, 0x00}}};
    const double size = rint(16 * fmin(fabs(share), 1)) / 16;
    for (int c = 0; c < 3; c++) {
        const double half = ends[share > 0][0][c], full = ends[share > 0][1][c];
        rgb[c] = (uint8_t)rint(size < 0.5 ? 255 + (half - 255) * 2 * size
                                          : half + (full - half) * (2 * size - 1));
    }
}

fmd_status fmd_plot_weight_tiles(const fmd_run_view *v, size_t scale, fmd_picture *out, int *units,
                                 double *limit)
{
    tiles t;
    *units = 0;
    if (!lay_tiles(v, &t))
        return FMD_OK;
    FMD_TRY(fmd_picture_create(out, (size_t)t.wide * scale, (size_t)t.high * scale, 3));
    for (size_t y = 0; y < out->height; y++)
        for (size_t x = 0; x < out->width; x++)
            put_shade(weight_at(&t, (int)(x / scale), (int)(y / scale)) / t.limit,
                      out->pixels + 3 * (y * out->width + x));
    *units = t.units;
    if (limit != NULL)
        *limit = t.limit;
    return FMD_OK;
}

enum { LEFT = 24, RIGHT = 110, TOP = 48, BOTTOM = 24 };

static void put_weights_commands(fmd_plot_draft *d, const tiles *t, int wide, int high)
{
    const int width = LEFT + wide + RIGHT, height = TOP + high + BOTTOM;
    fmd_plot_string(d, "layer", t->layer);
    fprintf(d->commands,
            "# With other colours: set palette ...; plot data matrix with image\n"
            "width = %d.0; height = %d.0\n"
            "set lmargin at screen %d / width\nset rmargin at screen %d / width\n"
            "set bmargin at screen %d / height\nset tmargin at screen %d / height\n"
            "set label 1 \"Weights of the %s%d units of layer \".layer.\", one image each\" at "
            "screen %d / width, screen 1 - 24 / height\n",
            width, height, LEFT, LEFT + wide, BOTTOM, BOTTOM + high,
            t->units < t->all ? "first " : "", t->units, LEFT);
    fprintf(
        d->commands,
        "unset key\nunset tics\nset border 0\nset xrange [0:%d]\nset yrange [0:%d]\n"
        "set cbrange [-%.3g:%.3g]\nset cbtics scale 0.5 tc rgb \"#333333\"\nset cblabel \"weight "
        "of the pixel\" "
        "offset 1\n"
        "set colorbox user origin screen %d / width, screen %d / height size screen 18 / width, "
        "screen %d / height\n"
        "set palette defined (-1 \"#004a75\", -0.5 \"#5aa9d6\", 0 \"#ffffff\", 0.5 \"#ea9a55\", "
        "1 \"#8f3f00\")\n"
        "plot \"weights-units.png\" binary filetype=png with rgbimage, \\\n"
        "     NaN with points palette\n",
        wide, high, t->limit, t->limit, LEFT + wide + 14, BOTTOM, high);
}

/* Browsers would blur the pixels of gnuplot's image, so the script shows a PNG file with larger ones. */
fmd_status fmd_plot_weights(const fmd_plot_target *target, const fmd_run_view *v)
{
    enum { SCALE = 2 };
    tiles t;
    int units;
    fmd_picture picture;
    fmd_plot_draft d;
    if (!lay_tiles(v, &t))
        return FMD_FAIL(FMD_EDATA,
                        "skipping the weights picture of '%s': it needs a first dense "
                        "layer on greyscale input",
                        v->path);
    FMD_TRY(fmd_plot_weight_tiles(v, SCALE, &picture, &units, NULL));
    fmd_status st = fmd_plot_write_picture(target, "weights-units", &picture);
    const int wide = (int)picture.width, high = (int)picture.height;
    fmd_picture_free(&picture);
    if (st == FMD_OK)
        st = fmd_plot_begin(&d);
    if (st != FMD_OK)
        return st;
    for (int y = 0; y < t.high; y++)
        for (int x = 0; x < t.wide; x++)
            fprintf(d.data, "%.4g%c", weight_at(&t, x, y), x + 1 < t.wide ? ',' : '\n');
    put_weights_commands(&d, &t, wide, high);
    return fmd_plot_write(&d, target, "weights", LEFT + wide + RIGHT, TOP + high + BOTTOM);
}
