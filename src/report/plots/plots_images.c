/* Test images, and the picture of their predictions. */
#include "report/plots/class_labels.h"
#include "report/plots/plots_private.h"

#include <stdio.h>

/* 1 is grey, 3 are colours. */
static size_t channels_of(const fmd_run_view *v)
{
    const fmd_shape s = v->trained.data.info.image;
    return s.rank == 3 ? (size_t)s.dim[2] : 1;
}

bool fmd_plot_has_images(const fmd_run_view *v)
{
    return channels_of(v) == 1 || channels_of(v) == 3;
}

fmd_status fmd_plot_images(const fmd_run_view *v, size_t first, size_t n, size_t scale,
                           bool inverted, fmd_picture *out)
{
    const fmd_shape s = v->trained.data.info.image;
    const size_t height = (size_t)s.dim[0], width = (size_t)s.dim[1], channels = channels_of(v);
    FMD_TRY(fmd_picture_create(out, n * width * scale, height * scale, channels));
    for (size_t y = 0; y < out->height; y++)
        for (size_t x = 0; x < out->width; x++) {
            const size_t image = first + x / (width * scale), column = x / scale % width;
            const uint8_t *from = v->trained.split.images +
                                  ((image * height + y / scale) * width + column) * channels;
            uint8_t *to = out->pixels + (y * out->width + x) * channels;
            for (size_t c = 0; c < channels; c++)
                to[c] = (uint8_t)(inverted ? 255 - from[c] : from[c]);
        }
    return FMD_OK;
}

/* Pixels of the picture: a cell has an image on the left and three bars on the right. */
enum {
    ROWS = 5,
    COLUMNS = 3,
    SCALE = 4,
    HEAD = 56,
    CELL_WIDTH = 372,
    CELL_HEIGHT = 166,
    IMAGE = 112,
    BARS = 3,
    LABEL_CHARACTERS = 20,
};

/* The images of the grid, side by side. */
static fmd_status write_images(const fmd_plot_target *t, const fmd_run_view *v, size_t n)
{
    fmd_picture strip;
    if (!fmd_plot_has_images(v))
        return FMD_FAIL(FMD_EDATA, "images of %zu channels cannot be shown", channels_of(v));
    FMD_TRY(fmd_plot_images(v, 0, n, SCALE, channels_of(v) == 1, &strip));
    const fmd_status st = fmd_plot_write_picture(t, "predictions-images", &strip);
    fmd_picture_free(&strip);
    return st;
}

static void put_predictions(fmd_plot_draft *d, const fmd_run_view *v, size_t n)
{
    const fmd_prediction *p = &v->prediction;
    fprintf(d->data, "image,label,predicted,class,probability\n");
    for (size_t i = 0; i < n * p->classes; i++)
        fprintf(d->data, "%zu,%d,%d,%zu,%.6g\n", i / p->classes,
                v->trained.split.labels[i / p->classes], p->predicted[i / p->classes],
                i % p->classes, (double)p->probabilities[i]);
    fprintf(d->strings,
            "array label[%zu]\narray predicted[%zu]\narray top[%zu]\narray share[%zu]\n", n, n,
            n * BARS, n * BARS);
    for (size_t i = 0; i < n; i++) {
        size_t top[BARS];
        const size_t bars = fmd_top_classes(p, i, top, BARS);
        fprintf(d->strings, "label[%zu] = %d; predicted[%zu] = %d\n", i + 1,
                v->trained.split.labels[i], i + 1, p->predicted[i]);
        for (size_t k = 0; k < bars; k++)
            fprintf(d->strings, "top[%zu] = %zu; share[%zu] = %.6g\n", i * BARS + k + 1, top[k],
                    i * BARS + k + 1, (double)p->probabilities[i * p->classes + top[k]]);
    }
}

/* The image, and beside it a bar and a label for each of the most probable classes. */
static void put_cell_commands(fmd_plot_draft *d, const fmd_run_view *v, size_t n)
{
    const size_t classes = v->prediction.classes, bars = classes < BARS ? classes : BARS;
    const int width = v->trained.data.info.image.dim[1] * SCALE;
    fprintf(d->commands,
            "do for [i = 0:%zu] {\n"
            "    left = 16 + %d * (i %% %d); top_edge = height - %d - %d * (i / %d)\n"
            "    right = label[i + 1] == predicted[i + 1]\n"
            "    set label 2 (right ? \"right\" : \"actual: \".name(label[i + 1])) at screen "
            "left / width, screen (top_edge - %d) / height textcolor rgb (right ? blue : red)\n",
            n - 1, CELL_WIDTH, COLUMNS, HEAD, CELL_HEIGHT, COLUMNS, IMAGE + 16);
    fprintf(
        d->commands,
        "    do for [k = 1:%zu] {\n"
        "        class = top[%d * i + k]; x = left + %d; y = top_edge - %d * (k - 1)\n"
        "        colour = class == label[i + 1] ? blue : class == predicted[i + 1] ? red : grey\n"
        "        set label 10 + k sprintf(\"%%s  %%.0f %%%%\", name(class), 100 * share[%d * i + "
        "k]) "
        "at screen x / width, screen (y - 8) / height\n"
        "        set object k rectangle from screen x / width, screen (y - 30) / height to screen "
        "(x + %d * share[%d * i + k]) / width, screen (y - 20) / height fillcolor rgb colour "
        "fillstyle solid 1 noborder\n"
        "    }\n",
        bars, BARS, IMAGE + 16, IMAGE / BARS, BARS, CELL_WIDTH - IMAGE - 48, BARS);
    fprintf(d->commands,
            "    set lmargin at screen left / width; set rmargin at screen (left + %d) / width\n"
            "    set bmargin at screen (top_edge - %d) / height; set tmargin at screen top_edge / "
            "height\n"
            "    set xrange [%d*i:%d*i + %d]\n"
            "    plot \"predictions-images.png\" binary filetype=png with rgbimage\n"
            "    unset label; unset object\n"
            "}\n",
            IMAGE, IMAGE, width, width, width - 1);
}

fmd_status fmd_plot_predictions(const fmd_plot_target *t, const fmd_run_view *v)
{
    const size_t all = v->trained.split.n, cells = (size_t)ROWS * COLUMNS;
    const size_t n = all < cells ? all : cells;
    const int width = 16 + CELL_WIDTH * COLUMNS;
    const int height = HEAD + CELL_HEIGHT * (int)((n + COLUMNS - 1) / COLUMNS);
    fmd_plot_draft d;
    FMD_TRY(write_images(t, v, n));
    FMD_TRY(fmd_plot_begin(&d));
    put_predictions(&d, v, n);
    fmd_class_labels(&d, v, LABEL_CHARACTERS, t->formats, "predictions");
    fprintf(d.commands,
            "width = %d.0; height = %d.0; blue = 0x0072B2; red = 0xD55E00; grey = 0x999999\n"
            "set multiplot\nunset border; unset tics; unset key; set size ratio -1\n"
            "set label 1 \"The first test images and the most probable classes. Blue: the actual "
            "class; red: a wrong prediction.\" at screen 16 / width, screen 1 - 22 / height\n",
            width, height);
    put_cell_commands(&d, v, n);
    fprintf(d.commands, "unset multiplot\n");
    return fmd_plot_write(&d, t, "predictions", width, height);
}
