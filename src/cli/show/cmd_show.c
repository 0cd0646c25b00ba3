/* show: draws images of a data set in the terminal, as numbers or as a PNG file. */
#include "base/mem.h"
#include "base/system/print.h"
#include "cli/commands.h"
#include "cli/predict/index_list.h"
#include "cli/show/drawing.h"
#include "data/source.h"
#include "io/pictures/picture.h"
#include "run/loaded_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    GAP = 2,            /* columns between images */
    FILE_COLUMNS = 120, /* of a list of images where stdout is no terminal */
    CAPTION_BYTES = 96,
    DEFAULT_SCALE = 10,
    MOST_PLACES = 100, /* rows or columns of a grid */
};

/* Rows and columns of images. */
typedef struct grid {
    size_t rows, columns; /* 0: as many as fit */
} grid;

/* The images to show. */
typedef struct exhibition {
    fmd_dataset data;
    fmd_split split;
    const char *half; /* "test" or "train" */
    grid grid;
    fmd_index_list list;
    fmd_terminal terminal;
} exhibition;

static fmd_status parse_grid(grid *g, const char *text)
{
    int length = 0;
    *g = (grid){0};
    if (*text == '\0')
        return FMD_OK;
    if (sscanf(text, "%4zu%*1[xX]%4zu%n", &g->rows, &g->columns, &length) != 2 ||
        text[length] != '\0' || g->rows - 1 >= MOST_PLACES || g->columns - 1 >= MOST_PLACES)
        return FMD_FAIL(FMD_EUSAGE,
                        "--grid: '%s' is not ROWSxCOLUMNS, such as 5x5, each from 1 to %d", text,
                        MOST_PLACES);
    return FMD_OK;
}

/* Chooses the images of --index; for a grid, consecutive images from there. */
static fmd_status choose(exhibition *e, const fmd_config *config)
{
    char what[32], range[64];
    const size_t places = e->grid.rows * e->grid.columns;
    snprintf(what, sizeof what, "%s images", e->half);
    FMD_TRY(fmd_index_list_create(&e->list, config->view.index, places > 0 ? places : 1, e->split.n,
                                  what));
    if (places == 0 || *config->view.index == '\0')
        return FMD_OK;
    if (e->list.n > 1)
        return FMD_FAIL(FMD_EUSAGE, "--grid: --index names the first image only; leave out --grid "
                                    "to list several");
    const size_t first = e->list.at[0];
    const size_t last = e->split.n - first < places ? e->split.n - 1 : first + places - 1;
    fmd_index_list_free(&e->list);
    snprintf(range, sizeof range, "%zu-%zu", first, last);
    return fmd_index_list_create(&e->list, range, 0, e->split.n, what);
}

static const uint8_t *image_at(const exhibition *e, size_t i)
{
    return e->split.images + e->list.at[i] * fmd_shape_count(e->data.info.image);
}

/* "test image 0 · 9 Ankle boot"; of several images "0: 9 Ankle boot". */
static const char *caption(const exhibition *e, size_t i, char text[CAPTION_BYTES])
{
    char class[FMD_CLASS_TEXT];
    const uint32_t at = e->list.at[i];
    fmd_class_text(&e->data.info, e->split.labels[at], class);
    if (e->list.n > 1)
        snprintf(text, CAPTION_BYTES, "%u: %s", at, class);
    else
        snprintf(text, CAPTION_BYTES, "%s image %u · %s", e->half, at, class);
    return fmd_printable(text);
}

/* Prints an array as NumPy does, but without breaking its rows. */
static void print_channel(const fmd_drawing *d, size_t channel)
{
    for (size_t y = 0; y < d->size.height; y++) {
        fmd_print("%s", y == 0 ? "[[" : " [");
        for (size_t x = 0; x < d->size.width; x++)
            fmd_print("%s%3d", x > 0 ? " " : "",
                      d->bytes[(y * d->size.width + x) * d->channels + channel]);
        fmd_print("%s\n", y + 1 < d->size.height ? "]" : "]]");
    }
}

static void print_values(const exhibition *e)
{
    char text[CAPTION_BYTES];
    for (size_t i = 0; i < e->list.n; i++) {
        const fmd_drawing d = fmd_drawing_of(e->data.info.image, image_at(e, i), "");
        if (i > 0)
            fmd_print("\n");
        fmd_print("%s\n", caption(e, i, text));
        for (size_t c = 0; c < d.channels; c++) {
            if (d.channels > 1)
                fmd_print("channel %zu\n", c);
            print_channel(&d, c);
        }
    }
}

/* Columns to draw in; 0: no limit. */
static size_t screen(const exhibition *e)
{
    if (e->terminal.columns > 0)
        return (size_t)e->terminal.columns;
    return e->grid.columns > 0 ? 0 : FILE_COLUMNS;
}

/* Shrinks an image that is wider than the terminal. */
static fmd_size drawn_size(const exhibition *e, fmd_size size)
{
    const size_t pixels = screen(e) / (size_t)fmd_drawing_pixel_columns(&e->terminal);
    if (pixels == 0 || size.width <= pixels)
        return size;
    return fmd_image_within(size, (fmd_size){.width = pixels, .height = size.height});
}

/* Draws images in rows. `drawings`, `captions` and `pixels` hold all of them. */
static void draw_rows(const exhibition *e, fmd_drawing *drawings, char (*captions)[CAPTION_BYTES],
                      uint8_t *pixels)
{
    int columns = 1;
    for (size_t i = 0; i < e->list.n; i++) {
        fmd_drawing *d = &drawings[i];
        *d = fmd_drawing_of(e->data.info.image, image_at(e, i), caption(e, i, captions[i]));
        const fmd_size size = drawn_size(e, d->size);
        fmd_image_resize(d->bytes, d->size, d->channels, pixels, size);
        d->bytes = pixels;
        d->size = size;
        pixels += size.width * size.height * d->channels;
        const int own = fmd_drawing_columns(d, &e->terminal) + GAP;
        columns = own > columns ? own : columns;
    }
    size_t at_once = e->grid.columns > 0 ? e->grid.columns : e->list.n;
    const size_t fit = (screen(e) + GAP) / (size_t)columns;
    if (screen(e) > 0 && fit < at_once)
        at_once = fit > 0 ? fit : 1;
    for (size_t i = 0; i < e->list.n; i += at_once) {
        const size_t n = e->list.n - i < at_once ? e->list.n - i : at_once;
        if (i > 0)
            fmd_print("\n");
        fmd_drawing_print(drawings + i, n, columns, &e->terminal);
    }
}

static fmd_status draw(const exhibition *e)
{
    fmd_drawing *drawings = NULL;
    char(*captions)[CAPTION_BYTES] = NULL;
    uint8_t *pixels = NULL;
    fmd_status st = fmd_alloc(&drawings, e->list.n, sizeof *drawings, "the drawings");
    if (st == FMD_OK)
        st = fmd_alloc(&captions, e->list.n, sizeof *captions, "the captions");
    if (st == FMD_OK)
        st = fmd_alloc(&pixels, e->list.n, fmd_shape_count(e->data.info.image), "the drawings");
    if (st == FMD_OK)
        draw_rows(e, drawings, captions, pixels);
    free(drawings);
    free(captions);
    free(pixels);
    return st;
}

/* Paints an enlarged image into a picture, its upper left corner at (left, top). */
static void paint(fmd_picture *p, const fmd_drawing *d, size_t scale, size_t left, size_t top)
{
    uint8_t rgb[3];
    for (size_t y = 0; y < d->size.height * scale; y++)
        for (size_t x = 0; x < d->size.width * scale; x++) {
            fmd_drawing_pixel(d, x / scale, y / scale, rgb);
            memcpy(p->pixels + ((top + y) * p->width + left + x) * p->channels, rgb, p->channels);
        }
}

/* Writes one picture of all images, in the grid or in a square, with white lines between them. */
static fmd_status write_picture(const exhibition *e, const char *path, size_t scale)
{
    const fmd_drawing first = fmd_drawing_of(e->data.info.image, image_at(e, 0), "");
    size_t columns = e->grid.columns > 0 ? e->grid.columns : 1;
    while (e->grid.columns == 0 && columns * columns < e->list.n)
        columns++;
    columns = columns < e->list.n ? columns : e->list.n;
    const size_t rows = (e->list.n + columns - 1) / columns;
    const size_t width = (first.size.width + 1) * scale, height = (first.size.height + 1) * scale;
    char text[CAPTION_BYTES];
    fmd_picture p;
    FMD_TRY(fmd_picture_create(&p, columns * width - scale, rows * height - scale,
                               first.channels == 3 ? 3 : 1));
    memset(p.pixels, 255, p.width * p.height * p.channels);
    for (size_t i = 0; i < e->list.n; i++) {
        const fmd_drawing d = fmd_drawing_of(e->data.info.image, image_at(e, i), "");
        paint(&p, &d, scale, i % columns * width, i / columns * height);
    }
    const fmd_status st = fmd_picture_write(&p, path);
    if (st == FMD_OK && e->list.n == 1)
        fmd_print("%s: %zu x %zu pixels, %s\n", path, p.width, p.height, caption(e, 0, text));
    else if (st == FMD_OK)
        fmd_print("%s: %zu x %zu pixels, %zu %s images\n", path, p.width, p.height, e->list.n,
                  e->half);
    fmd_picture_free(&p);
    return st;
}

static fmd_status check_options(const fmd_config *config)
{
    if (config->view.scale != FMD_UNSET_INT && *config->output.path == '\0')
        return FMD_FAIL(FMD_EUSAGE, "--scale needs --output");
    if (config->view.values && *config->output.path != '\0')
        return FMD_FAIL(FMD_EUSAGE, "--values and --output exclude each other");
    return FMD_OK;
}

static fmd_status exhibit(const exhibition *e, const fmd_config *config)
{
    const int64_t scale = config->view.scale == FMD_UNSET_INT ? DEFAULT_SCALE : config->view.scale;
    if (*config->output.path != '\0')
        return write_picture(e, config->output.path, (size_t)scale);
    if (!config->view.values)
        return draw(e);
    print_values(e);
    return FMD_OK;
}

static fmd_status run_show(fmd_comm *c, const fmd_config *config)
{
    (void)c;
    void *memory = NULL;
    exhibition e = {.terminal = fmd_terminal_of_stdout()};
    FMD_TRY(check_options(config));
    FMD_TRY(parse_grid(&e.grid, config->view.grid));
    fmd_status st = fmd_source_read(&e.data, &memory, config->data.dataset, config->data.dir);
    if (st != FMD_OK)
        goto out;
    e.split = config->view.split == FMD_SPLIT_TEST ? e.data.test : e.data.train;
    e.half = config->view.split == FMD_SPLIT_TEST ? "test" : "train";
    st = choose(&e, config);
    if (st == FMD_OK)
        st = exhibit(&e, config);
out:
    fmd_index_list_free(&e.list);
    free(memory);
    return st;
}

const fmd_command fmd_command_show = {
    .name = "show",
    .usage = "[N,...] [OPTIONS]",
    .help = "draws images of a data set in the terminal or as a PNG file",
    .section = FMD_TO_LOOK,
    .example = "0,42 --split train",
    .groups = "data|images|selection|grid|picture|file",
    .words = "index",
    .run = run_show,
};
