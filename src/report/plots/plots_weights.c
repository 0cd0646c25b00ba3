/* The weights of the first layer as images. */
#include "report/plots/plots_private.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Tiles of small kernels are magnified to about TILE pixels. */
enum { UNIT_COLUMNS = 16, MOST_UNITS = 128, TILE = 24 };

/* How the units lie side by side, with a line of a pixel between them. */
typedef struct tiles {
    fmd_weight_tiles facts;
    const float *weights; /* rows, columns and channels of a tile, times all */
    int all, columns, width, height, magnify, wide, high;
} tiles;

/* Whether each unit of the first kernel has a weight for each pixel, or each pixel of a window; sets
 * the size of a tile. */
static bool set_size(tiles *t, const fmd_model *m, const fmd_tensor *k)
{
    const fmd_shape in = fmd_model_in(m), s = k->shape;
    const size_t channels = in.rank == 3 ? (size_t)in.dim[2] : 1;
    t->facts.convolution = s.rank == 4;
    t->facts.channels = s.rank == 4 ? (size_t)s.dim[2] : channels;
    t->height = s.rank == 4 ? s.dim[0] : in.dim[0];
    t->width = s.rank == 4 ? s.dim[1] : in.dim[1];
    t->all = s.dim[s.rank - 1];
    const bool dense = s.rank == 2 && in.rank >= 2 && (size_t)s.dim[0] == fmd_shape_count(in);
    return (dense || s.rank == 4) && (t->facts.channels == 1 || t->facts.channels == 3);
}

static bool lay_tiles(const fmd_run_view *v, tiles *t)
{
    const fmd_model *m = v->trained.model;
    const fmd_tensor *k = fmd_model_n_tensors(m) > 0 ? fmd_model_tensor(m, 0) : NULL;
    double squares = 0;
    *t = (tiles){.columns = 0};
    if (k == NULL || !set_size(t, m, k))
        return false;
    t->facts.layer = fmd_model_layer(m, (size_t)k->layer)->name;
    t->weights = fmd_model_params(m) + k->offset;
    for (size_t i = 0; i < k->count; i++)
        squares += (double)t->weights[i] * (double)t->weights[i];
    t->facts.limit = fmax(3 * sqrt(squares / (double)k->count), 1e-30);
    t->facts.units = t->all < MOST_UNITS ? t->all : MOST_UNITS;
    t->columns = t->facts.units < UNIT_COLUMNS ? t->facts.units : UNIT_COLUMNS;
    const int longest = t->width > t->height ? t->width : t->height;
    t->magnify = longest < TILE ? TILE / longest : 1;
    const int rows = (t->facts.units + t->columns - 1) / t->columns;
    t->wide = t->columns * (t->width * t->magnify + 1) - 1;
    t->high = rows * (t->height * t->magnify + 1) - 1;
    return true;
}

/* The weight of a channel that is seen at a place; 0 between the tiles. */
static double weight_at(const tiles *t, int x, int y, size_t channel)
{
    const int across = t->width * t->magnify + 1, down = t->height * t->magnify + 1;
    const int unit = y / down * t->columns + x / across;
    const int column = x % across / t->magnify, row = y % down / t->magnify;
    if (column == t->width || row == t->height || unit >= t->facts.units)
        return 0;
    const size_t pixel = (size_t)(row * t->width + column) * t->facts.channels + channel;
    return (double)t->weights[pixel * (size_t)t->all + (size_t)unit];
}

static bool between_tiles(const tiles *t, int x, int y)
{
    const int across = t->width * t->magnify + 1, down = t->height * t->magnify + 1;
    return x % across == across - 1 || y % down == down - 1 ||
           y / down * t->columns + x / across >= t->facts.units;
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

/* The weights for red, green and blue as the colour that they look for: grey is 0. */
static void put_colour(const tiles *t, int x, int y, uint8_t rgb[3])
{
    for (size_t c = 0; c < 3; c++) {
        const double share = weight_at(t, x, y, c) / t->facts.limit;
        rgb[c] = (uint8_t)rint(128 + 8 * rint(15 * fmax(fmin(share, 1), -1)));
    }
}

/* A pixel of the picture; lines between small kernels are grey, since white is a weight of 0. */
static void put_pixel(const tiles *t, int x, int y, uint8_t rgb[3])
{
    if (t->facts.convolution && between_tiles(t, x, y))
        memset(rgb, 0xcc, 3);
    else if (t->facts.channels == 3)
        put_colour(t, x, y, rgb);
    else
        put_shade(weight_at(t, x, y, 0) / t->facts.limit, rgb);
}

fmd_status fmd_plot_weight_tiles(const fmd_run_view *v, size_t scale, fmd_picture *out,
                                 fmd_weight_tiles *facts)
{
    tiles t;
    *facts = (fmd_weight_tiles){.units = 0};
    if (!lay_tiles(v, &t))
        return FMD_OK;
    FMD_TRY(fmd_picture_create(out, (size_t)t.wide * scale, (size_t)t.high * scale, 3));
    for (size_t y = 0; y < out->height; y++)
        for (size_t x = 0; x < out->width; x++)
            put_pixel(&t, (int)(x / scale), (int)(y / scale),
                      out->pixels + 3 * (y * out->width + x));
    *facts = t.facts;
    return FMD_OK;
}

enum { LEFT = 24, RIGHT = 110, TOP = 48, BOTTOM = 24, LEAST_WIDTH = 560, LOW = 120 };

static int canvas_width(int wide)
{
    return LEFT + wide + RIGHT > LEAST_WIDTH ? LEFT + wide + RIGHT : LEAST_WIDTH;
}

/* What the shades mean: a colour box, or a sentence. */
static void put_legend(fmd_plot_draft *d, const tiles *t, int wide, int high)
{
    char tics[64]; /* two of them, where there is space for no more */
    snprintf(tics, sizeof tics, "(-%.3g, %.3g)", t->facts.limit, t->facts.limit);
    if (t->facts.channels == 3)
        fprintf(d->commands,
                "set label 2 \"Grey: 0. A colour: positive for that colour, at most %.3g.\" at "
                "screen %d / width, screen 10 / height font \",9\" tc rgb \"#333333\"\n"
                "plot \"weights-units.png\" binary filetype=png with rgbimage\n",
                t->facts.limit, LEFT);
    else
        fprintf(d->commands,
                "set cbrange [-%.3g:%.3g]\nset cbtics %s scale 0.5 tc rgb \"#333333\"\n%s"
                "set colorbox user origin screen %d / width, screen %d / height size screen 18 / "
                "width, screen %d / height\n"
                "set palette defined (-1 \"#004a75\", -0.5 \"#5aa9d6\", 0 \"#ffffff\", 0.5 "
                "\"#ea9a55\", 1 \"#8f3f00\")\n"
                "plot \"weights-units.png\" binary filetype=png with rgbimage, \\\n"
                "     NaN with points palette\n",
                t->facts.limit, t->facts.limit, high < LOW ? tics : "",
                high < LOW ? "" : "set cblabel \"weight of the pixel\" offset 1\n",
                LEFT + wide + 14, BOTTOM, high);
}

static void put_weights_commands(fmd_plot_draft *d, const tiles *t, int wide, int high)
{
    const int width = canvas_width(wide), height = TOP + high + BOTTOM;
    fmd_plot_string(d, "layer", t->facts.layer);
    fprintf(d->commands,
            "# With other colours: set palette ...; plot data matrix with image\n"
            "width = %d.0; height = %d.0\n"
            "set lmargin at screen %d / width\nset rmargin at screen %d / width\n"
            "set bmargin at screen %d / height\nset tmargin at screen %d / height\n"
            "set label 1 \"Weights of the %s%d %s of layer \".layer.\", one image each\" at "
            "screen %d / width, screen 1 - 24 / height\n"
            "unset key\nunset tics\nset border 0\nset xrange [0:%d]\nset yrange [0:%d]\n",
            width, height, LEFT, LEFT + wide, BOTTOM, BOTTOM + high,
            t->facts.units < t->all ? "first " : "", t->facts.units,
            t->facts.convolution ? "filters" : "units", LEFT, wide, high);
    put_legend(d, t, wide, high);
}

/* Of colours three matrices, one below the other. */
static void put_weights_data(fmd_plot_draft *d, const fmd_run_view *v)
{
    tiles t;
    lay_tiles(v, &t);
    t.wide = t.columns * (t.width + 1) - 1;
    t.high = (t.high + 1) / (t.height * t.magnify + 1) * (t.height + 1) - 1;
    t.magnify = 1;
    for (size_t c = 0; c < t.facts.channels; c++)
        for (int y = 0; y < t.high; y++)
            for (int x = 0; x < t.wide; x++)
                fprintf(d->data, "%.4g%c", weight_at(&t, x, y, c), x + 1 < t.wide ? ',' : '\n');
}

/* Browsers would blur the pixels of gnuplot's image, so the script shows a PNG file with larger ones. */
fmd_status fmd_plot_weights(const fmd_plot_target *target, const fmd_run_view *v)
{
    enum { SCALE = 2 };
    tiles t;
    fmd_weight_tiles facts;
    fmd_picture picture = {.width = 0};
    fmd_plot_draft d;
    if (!lay_tiles(v, &t))
        return FMD_FAIL(FMD_EDATA,
                        "skipping the weights picture of '%s': it needs a dense layer or a "
                        "convolution of the grey or RGB images as the first layer with weights",
                        v->path);
    FMD_TRY(fmd_plot_weight_tiles(v, SCALE, &picture, &facts));
    fmd_status st = fmd_plot_write_picture(target, "weights-units", &picture);
    const int wide = (int)picture.width, high = (int)picture.height;
    fmd_picture_free(&picture);
    if (st == FMD_OK)
        st = fmd_plot_begin(&d);
    if (st != FMD_OK)
        return st;
    put_weights_data(&d, v);
    put_weights_commands(&d, &t, wide, high);
    return fmd_plot_write(&d, target, "weights", canvas_width(wide), TOP + high + BOTTOM);
}
