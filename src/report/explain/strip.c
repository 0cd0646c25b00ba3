#include "report/explain/strip.h"

#include "base/mem.h"
#include "report/plots/plots_private.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Pixels of the page: cells with gaps, a title above each strip, classes below it. */
enum { CELL = 96, GAP = 8, TITLE = 24, CLASSES = 22, LEFT = 20, HEAD = 64, MOST_NAME = 15 };
enum { ROW = TITLE + CELL + CLASSES, WIDTH = FMD_STRIP_CELLS * (CELL + GAP) - GAP };

/* White for 0, orange for 1, blue for -1. */
static void put_signed(double value, uint8_t rgb[3])
{
    static const double ends[2][3] = {{0x00, 0x4c, 0x80}, {0xc2, 0x4d, 0x00}};
    const double share = sqrt(fmin(fabs(value), 1)); /* small values can be seen */
    for (int c = 0; c < 3; c++)
        rgb[c] = (uint8_t)lrint(255 + share * (ends[value > 0][c] - 255));
}

/* The place in an image, as large as fits into a square cell and in the middle of it; false: the
 * pixel of the cell is beside the image. */
static bool place_in(fmd_shape s, size_t cell, size_t x, size_t y, size_t *pixel)
{
    const size_t height = (size_t)s.dim[0], width = (size_t)s.dim[1];
    const size_t longest = height > width ? height : width;
    const size_t h = height * cell / longest, w = width * cell / longest;
    const size_t top = (cell - h) / 2, left = (cell - w) / 2;
    if (y < top || y >= top + h || x < left || x >= left + w)
        return false;
    *pixel = (y - top) * height / h * width + (x - left) * width / w;
    return true;
}

static uint8_t *at(fmd_picture *p, size_t cell, size_t i, size_t x, size_t y)
{
    return p->pixels + 3 * (y * p->width + i * (cell + GAP) + x);
}

static void put_image(fmd_picture *p, size_t cell, size_t i, fmd_shape s, const uint8_t *bytes)
{
    const size_t channels = (size_t)s.dim[2];
    size_t pixel;
    for (size_t y = 0; y < cell; y++)
        for (size_t x = 0; x < cell; x++)
            if (place_in(s, cell, x, y, &pixel))
                for (size_t c = 0; c < 3; c++)
                    at(p, cell, i, x, y)[c] = bytes[pixel * channels + (channels == 3 ? c : 0)];
}

/* Scaled to its largest value; `least` is the scale of a map of small values. */
static void put_map(fmd_picture *p, size_t cell, size_t i, fmd_shape s, const float *map,
                    double least)
{
    double most = least;
    size_t pixel;
    for (size_t k = 0; k < (size_t)s.dim[0] * (size_t)s.dim[1]; k++) {
        const double size = fabs((double)map[k]); /* fmax here crashes gcc 12 for aarch64 */
        most = size > most ? size : most;
    }
    for (size_t y = 0; y < cell; y++)
        for (size_t x = 0; x < cell; x++) {
            if (place_in(s, cell, x, y, &pixel))
                put_signed((double)map[pixel] / most, at(p, cell, i, x, y));
            if (x == 0 || y == 0 || x + 1 == cell || y + 1 == cell)
                memset(at(p, cell, i, x, y), 0xbb, 3);
        }
}

fmd_status fmd_explain_strip(fmd_picture *out, fmd_explainer *e, const fmd_explained *of,
                             size_t cell)
{
    const fmd_loaded_model *t = fmd_explainer_model(e);
    const fmd_shape s = fmd_explain_shape(fmd_model_in(t->model));
    const fmd_split *train = &t->data.train;
    float *map;
    FMD_TRY(fmd_alloc(&map, (size_t)s.dim[0] * (size_t)s.dim[1], sizeof *map, "the explanation"));
    const fmd_status st = fmd_picture_create(out, FMD_STRIP_CELLS * (cell + GAP) - GAP, cell, 3);
    if (st == FMD_OK) {
        memset(out->pixels, 255, out->width * out->height * 3);
        put_image(out, cell, 0, s, of->image);
        fmd_explainer_saliency(e, of->image, of->predicted, map);
        put_map(out, cell, 1, s, map, 1e-6);
        fmd_explainer_occlusion(e, of->image, of->predicted, map);
        put_map(out, cell, 2, s, map, 0.02);
        for (size_t i = 0; i < of->near.n; i++)
            put_image(out, cell, 3 + i, s, train->images + of->near.index[i] * fmd_shape_count(s));
    }
    free(map);
    return st;
}

static void put_label(fmd_plot_draft *d, int tag, const char *text, int x, int y, int size)
{
    char variable[16];
    snprintf(variable, sizeof variable, "text%d", tag);
    fmd_plot_string(d, variable, text);
    fprintf(d->commands,
            "set label %d %s at screen %d / width, screen 1 - %d / height front font \",%d\"\n",
            tag, variable, x, y, size);
}

static void put_texts(fmd_plot_draft *d, const fmd_loaded_model *t, const fmd_explained *of,
                      size_t row)
{
    const fmd_split *train = &t->data.train;
    const int top = HEAD + (int)row * ROW, tag = 10 + (int)row * (FMD_STRIP_CELLS + 1);
    char name[FMD_CLASS_TEXT], text[FMD_CLASS_TEXT];
    put_label(d, tag, of->title, LEFT, top + TITLE / 2 + 3, 11);
    for (size_t i = 0; i < of->near.n; i++) {
        fmd_class_text(&t->data.info, train->labels[of->near.index[i]], name);
        snprintf(text, sizeof text, "%.*s", (int)MOST_NAME, name);
        put_label(d, tag + 1 + (int)i, text, LEFT + (3 + (int)i) * (CELL + GAP),
                  top + TITLE + CELL + CLASSES / 2 - 1, 9);
        fprintf(d->data, "%zu,%zu,%u,%d,%.6g\n", row, i + 1, of->near.index[i],
                train->labels[of->near.index[i]], (double)of->near.distance[i]);
    }
}

static void put_head(fmd_plot_draft *d, size_t n, size_t searched, size_t all)
{
    const int height = HEAD + (int)n * ROW;
    char text[160], of[64] = "";
    if (searched < all)
        snprintf(of, sizeof of, ", of the first %zu", searched);
    fprintf(d->commands,
            "width = %d.0; height = %d.0\n"
            "set lmargin at screen %d / width\nset rmargin at screen %d / width\n"
            "set bmargin at screen 0\nset tmargin at screen %d / height\n",
            LEFT + WIDTH + LEFT, height, LEFT, LEFT + WIDTH, height - HEAD);
    put_label(d, 1,
              "Explanations. Orange: speaks for the predicted class; blue: speaks against it.",
              LEFT, 20, 12);
    put_label(d, 2, "image", LEFT, 48, 8);
    put_label(d, 3, "gradient × input", LEFT + CELL + GAP, 48, 8);
    put_label(d, 4, "occlusion", LEFT + 2 * (CELL + GAP), 48, 8);
    snprintf(text, sizeof text, "nearest training images by the last hidden layer%s", of);
    put_label(d, 5, text, LEFT + 3 * (CELL + GAP), 48, 8);
    fprintf(d->data, "row,neighbour,training_image,label,distance\n");
}

/* Copies a strip into the page. */
static void put_strip(fmd_picture *page, const fmd_picture *strip, size_t row)
{
    for (size_t y = 0; y < strip->height; y++)
        memcpy(page->pixels + 3 * (row * ROW + TITLE + y) * page->width,
               strip->pixels + 3 * y * strip->width, 3 * strip->width);
}

static fmd_status put_rows(fmd_plot_draft *d, fmd_picture *page, fmd_explainer *e,
                           const fmd_loaded_model *t, const fmd_explained *images, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        fmd_picture strip;
        FMD_TRY(fmd_explain_strip(&strip, e, &images[i], CELL));
        put_strip(page, &strip, i);
        put_texts(d, t, &images[i], i);
        fmd_picture_free(&strip);
    }
    fprintf(d->commands,
            "unset key\nunset tics\nset border 0\nset xrange [-0.5:%d - 0.5]\nset yrange "
            "[-0.5:%zu - 0.5]\n"
            "plot \"explanations-cells.png\" binary filetype=png with rgbimage\n",
            (int)WIDTH, n * ROW);
    return FMD_OK;
}

fmd_status fmd_explain_draw(const fmd_plot_target *target, fmd_explainer *e,
                            const fmd_explained *images, size_t n, size_t searched)
{
    const fmd_loaded_model *t = fmd_explainer_model(e);
    fmd_picture page;
    fmd_plot_draft d;
    FMD_TRY(fmd_picture_create(&page, WIDTH, n * ROW, 3));
    memset(page.pixels, 255, page.width * page.height * 3);
    fmd_status st = fmd_plot_begin(&d);
    if (st == FMD_OK) {
        put_head(&d, n, searched, t->data.train.n);
        st = put_rows(&d, &page, e, t, images, n);
        if (st == FMD_OK)
            st = fmd_plot_write_picture(target, "explanations-cells", &page);
        const fmd_status drawn =
            fmd_plot_write(&d, target, "explanations", LEFT + WIDTH + LEFT, HEAD + (int)n * ROW);
        st = st != FMD_OK ? st : drawn;
    }
    fmd_picture_free(&page);
    return st;
}
