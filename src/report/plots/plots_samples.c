/* Samples of a data set: a row for each class, with its first training images and numbers of images. */
#include "base/mem.h"
#include "data/image.h"
#include "report/plots/class_labels.h"
#include "report/plots/plots_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Pixels: names on the left, images, bars of numbers on the right. */
enum {
    SAMPLES = 10,
    TILE = 40,
    GAP = 4,
    ROW = TILE + GAP,
    HEAD = 40,
    NAMES = 190,
    BARS = 150,
    NUMBERS = 110,
    MOST_ROWS = 128,
    LABEL_CHARACTERS = 24,
};

static size_t channels_of(const fmd_dataset *d)
{
    return d->info.image.rank == 3 ? (size_t)d->info.image.dim[2] : 1;
}

static int rows_of(const fmd_dataset *d)
{
    return d->info.classes < MOST_ROWS ? d->info.classes : MOST_ROWS;
}

/* Puts an image of any size into its tile. */
static void put_tile(fmd_picture *p, const fmd_dataset *d, size_t image, size_t row, size_t column)
{
    const fmd_shape s = d->info.image;
    const fmd_size from = {.width = (size_t)s.dim[1], .height = (size_t)s.dim[0]};
    const fmd_size to = {.width = TILE, .height = TILE};
    uint8_t tile[TILE * TILE * 3], scratch[TILE * TILE * 3];
    fmd_image_fit(d->train.images + image * fmd_shape_count(s), from, p->channels, tile, to,
                  scratch);
    for (size_t y = 0; y < TILE; y++)
        memcpy(p->pixels + ((row * ROW + y) * p->width + column * ROW) * p->channels,
               tile + y * TILE * p->channels, TILE * p->channels);
}

/* The first images of each class on white; counts training images. */
static fmd_status write_tiles(const fmd_plot_target *t, const fmd_dataset *d,
                              size_t count[FMD_CLASSES_MAX])
{
    fmd_picture p;
    if (channels_of(d) != 1 && channels_of(d) != 3)
        return FMD_FAIL(FMD_EDATA, "images of %zu channels cannot be shown", channels_of(d));
    FMD_TRY(
        fmd_picture_create(&p, (size_t)SAMPLES * ROW, (size_t)rows_of(d) * ROW, channels_of(d)));
    memset(p.pixels, 255, p.width * p.height * p.channels);
    for (size_t i = 0; i < d->train.n; i++) {
        const uint8_t class = d->train.labels[i];
        if (class < rows_of(d) && count[class] < SAMPLES)
            put_tile(&p, d, i, class, count[class]);
        count[class]++;
    }
    const fmd_status st = fmd_plot_write_picture(t, "samples-images", &p);
    fmd_picture_free(&p);
    return st;
}

static void put_rows(fmd_plot_draft *d, const fmd_dataset *data,
                     const size_t train[FMD_CLASSES_MAX])
{
    size_t test[FMD_CLASSES_MAX] = {0}, most = 1;
    for (size_t i = 0; i < data->test.n; i++)
        test[data->test.labels[i]]++;
    for (int i = 0; i < rows_of(data); i++)
        most = train[i] > most ? train[i] : most;
    fprintf(d->data, "class,train_images,test_images\n");
    fprintf(d->strings, "array train[%d]\narray test[%d]\nmost = %zu.0\n", rows_of(data),
            rows_of(data), most);
    for (int i = 0; i < rows_of(data); i++) {
        fprintf(d->data, "%d,%zu,%zu\n", i, train[i], test[i]);
        fprintf(d->strings, "train[%d] = %zu; test[%d] = %zu\n", i + 1, train[i], i + 1, test[i]);
    }
}

static void put_commands(fmd_plot_draft *d, const fmd_dataset *data, int width, int height)
{
    const int rows = rows_of(data), right = NAMES + SAMPLES * ROW;
    fprintf(
        d->commands,
        "width = %d.0; height = %d.0; blue = 0x0072B2\n"
        "unset border; unset tics; unset key\n"
        "set label 1 \"The first training images of each class, and the numbers of images to "
        "train + test\" at screen 12 / width, screen 1 - 20 / height\n"
        "do for [k = 0:%d] {\n"
        "    y = height - %d - %d * k - %d\n"
        "    set label 10 + k name(k) at screen %d / width, screen y / height right\n"
        "    set label 300 + k sprintf(\"%%d + %%d\", train[k + 1], test[k + 1]) at screen (%d + "
        "%d * train[k + 1] / most) / width, screen y / height\n"
        "    set object 10 + k rectangle from screen %d / width, screen (y - 8) / height to "
        "screen (%d + %d * train[k + 1] / most) / width, screen (y + 8) / height fillcolor rgb "
        "blue fillstyle solid 1 noborder\n"
        "}\n",
        width, height, rows - 1, HEAD, ROW, TILE / 2, NAMES - 10, right + 14, BARS, right + 6,
        right + 6, BARS);
    fprintf(d->commands,
            "set lmargin at screen %d / width; set rmargin at screen %d / width\n"
            "set tmargin at screen 1 - %d / height; set bmargin at screen %d / height\n"
            "set xrange [-0.5:%d.5]; set yrange [-0.5:%d.5]\n"
            "plot \"samples-images.png\" binary filetype=png with rgbimage\n",
            NAMES, right, HEAD, height - HEAD - rows * ROW, SAMPLES * ROW - 1, rows * ROW - 1);
}

static fmd_status draw(const fmd_plot_target *t, const fmd_run_view *v)
{
    const fmd_dataset *data = &v->trained.data;
    const int width = NAMES + SAMPLES * ROW + BARS + NUMBERS;
    const int height = HEAD + rows_of(data) * ROW + GAP;
    size_t train[FMD_CLASSES_MAX] = {0};
    fmd_plot_draft d;
    FMD_TRY(write_tiles(t, data, train));
    FMD_TRY(fmd_plot_begin(&d));
    put_rows(&d, data, train);
    fmd_class_labels(&d, v, LABEL_CHARACTERS, t->formats, "samples");
    put_commands(&d, data, width, height);
    return fmd_plot_write(&d, t, "samples", width, height);
}

fmd_status fmd_plot_samples(const fmd_plot_target *t, const fmd_dataset *d)
{
    fmd_run_view *v; /* with the data alone */
    FMD_TRY(fmd_alloc(&v, 1, sizeof *v, "a picture"));
    v->trained.data = *d;
    v->classification.classes = (size_t)d->info.classes;
    const fmd_status st = draw(t, v);
    free(v);
    return st;
}
