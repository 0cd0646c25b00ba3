#include "report/plots.h"

#include "base/system/print.h"
#include "report/plot_draft.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Draws, and tells what is there now. */
static fmd_status finish(fmd_plot_draft *d, const fmd_plot_target *t, const char *name, int width,
                         int height)
{
    bool drawn = false;
    FMD_TRY(fmd_plot_finish(d,
                            (fmd_gnuplot){.folder = t->folder,
                                          .name = name,
                                          .formats = t->formats,
                                          .width = width,
                                          .height = height},
                            &drawn));
    fmd_print("%s/%s.csv\n", t->folder, name);
    fmd_print("%s/%s.gp\n", t->folder, name);
    for (const char *f = t->formats; drawn && *f != '\0'; f += f[3] == ' ' ? 4 : 3)
        fmd_print("%s/%s.%.3s\n", t->folder, name, f);
    return FMD_OK;
}

/* A string of gnuplot and of CSV, without what would end it. */
static void put_quoted(FILE *out, const char *text)
{
    fputc('"', out);
    for (const char *c = text; *c != '\0'; c++)
        fputc(*c == '"' || (unsigned char)*c < ' ' ? ' ' : *c, out);
    fputc('"', out);
}

fmd_status fmd_plot_curves(const fmd_plot_target *t, const fmd_run_view *v)
{
    static const struct panel {
        const char *title;
        int column; /* of the training value; that of the validation follows */
    } panels[] = {{"Loss", 2}, {"Accuracy", 4}};
    const fmd_history *h = &v->history;
    const char *metric;
    const int best = fmd_run_view_best(v, &metric);
    const char *style = h->n <= 60 ? "linespoints" : "lines";
    fmd_plot_draft d;
    FMD_TRY(fmd_plot_begin(&d));
    fprintf(d.data, "epoch,loss,val_loss,accuracy,val_accuracy,learning_rate\n");
    for (size_t i = 0; i < h->n; i++) {
        const fmd_metrics *m = &h->epochs[i].metrics;
        fprintf(d.data, "%zu", i + 1);
        fmd_plot_number(&d, m->loss);
        fmd_plot_number(&d, m->val_loss);
        fmd_plot_number(&d, m->accuracy);
        fmd_plot_number(&d, m->val_accuracy);
        fmd_plot_number(&d, m->learning_rate);
        fputc('\n', d.data);
    }
    fprintf(d.commands,
            "set multiplot layout 1,2 margins 0.06,0.98,0.23,0.9 spacing 0.08\n"
            "set grid ytics lc rgb \"#dddddd\" lw 1\nset xlabel \"epoch\" offset 0,0.4\n"
            "set key at screen 0.5, 0.05 center center horizontal samplen 3 width 2\n"
            "set xrange [%s:%zu]\n",
            h->n > 1 ? "1" : "0", h->n > 1 ? h->n : 2);
    if (h->n <= 12)
        fprintf(d.commands, "set xtics 1\n");
    if (best >= 0)
        fprintf(d.commands,
                "set arrow from %d, graph 0 to %d, graph 1 nohead dt (3,3) lw 1.5 lc rgb "
                "\"#555555\"\n",
                best + 1, best + 1);
    for (size_t i = 0; i < sizeof panels / sizeof *panels; i++) {
        const struct panel *p = &panels[i];
        fprintf(d.commands, "\nset title \"%s", p->title);
        if (best >= 0)
            fprintf(d.commands, " (dotted: epoch %d, the best by %s)", best + 1, metric);
        fprintf(d.commands,
                "\" offset 0,-0.5\n"
                "plot data using 1:%d skip 1 with %s lt 1 ps 0.7 title \"training\"",
                p->column, style);
        if (h->validation)
            fprintf(d.commands,
                    ", \\\n     data using 1:%d skip 1 with %s lt 2 ps 0.7 title "
                    "\"validation\"",
                    p->column + 1, style);
        fprintf(d.commands, "\nunset key\n"); /* one serves both */
    }
    fprintf(d.commands, "unset multiplot\n");
    return finish(&d, t, "curves", 960, 400);
}

fmd_status fmd_plot_confusion(const fmd_plot_target *t, const fmd_run_view *v)
{
    const fmd_classification *r = &v->classification;
    const size_t n = r->classes;
    char name[64], other[64];
    fmd_plot_draft d;
    FMD_TRY(fmd_plot_begin(&d));
    fprintf(d.data, "label,predicted,images,share,label_name,predicted_name\n");
    for (size_t i = 0; i < n * n; i++) {
        const size_t label = i / n, support = r->of_class[label].support;
        fprintf(d.data, "%zu,%zu,%zu,%.6g,", label, i % n, r->confusion[i],
                support > 0 ? (double)r->confusion[i] / (double)support : 0);
        put_quoted(d.data, fmd_run_view_class(v, label, name));
        fputc(',', d.data);
        put_quoted(d.data, fmd_run_view_class(v, i % n, other));
        fputc('\n', d.data);
    }
    fprintf(
        d.commands,
        "set title \"Test images: what they are, and what they are taken for\"\n"
        "set size ratio 1\nset border 0\nunset key\nset tics scale 0\n"
        "set xrange [-0.5:%zu.5]\nset yrange [%zu.5:-0.5]\n"
        "set xlabel \"predicted\"\nset ylabel \"label\"\n"
        "set cbrange [0:1]\nset format cb \"%%h\"\nset cblabel \"share of the label\" offset 1\n"
        "set palette defined (0 \"#ffffff\", 0.02 \"#e8f2f8\", 0.3 \"#74aed3\", "
        "0.6 \"#1c6aa0\", 1 \"#063c62\")\n",
        n - 1, n - 1);
    /* More names, or counts, would not fit. */
    for (int axis = 0; n <= 30 && axis < 2; axis++) {
        fprintf(d.commands, axis == 0 ? "set xtics rotate by 40 right (" : "set ytics (");
        for (size_t k = 0; k < n; k++) {
            fprintf(d.commands, k > 0 ? ", " : "");
            put_quoted(d.commands, fmd_run_view_class(v, k, name));
            fprintf(d.commands, " %zu", k);
        }
        fprintf(d.commands, ")\n");
    }
    fprintf(d.commands, "plot data using 2:1:4 skip 1 with image");
    if (n <= 20)
        fprintf(d.commands,
                ", \\\n     data using 2:1:($4 < 0.4 && $3 > 0 ? sprintf(\"%%d\", $3) : \"\") "
                "skip 1 with labels tc rgb \"#1a1d21\""
                ", \\\n     data using 2:1:($4 >= 0.4 ? sprintf(\"%%d\", $3) : \"\") skip 1 with "
                "labels tc rgb \"#ffffff\"");
    fputc('\n', d.commands);
    return finish(&d, t, "confusion", 760, 640);
}

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

enum { GRID_ROWS = 5, GRID_COLUMNS = 3, GRID_SCALE = 4 };

/* The images of the grid, side by side, as gnuplot reads them. */
static fmd_status write_images(const fmd_plot_target *t, const fmd_run_view *v, size_t n)
{
    fmd_picture strip;
    char path[FMD_RUN_PATH_BYTES + 64];
    if (!fmd_plot_has_images(v))
        return FMD_FAIL(FMD_EDATA, "images of %zu channels cannot be shown", channels_of(v));
    FMD_TRY(fmd_plot_images(v, 0, n, GRID_SCALE, channels_of(v) == 1, &strip));
    snprintf(path, sizeof path, "%s/predictions-images.png", t->folder);
    const fmd_status st = fmd_picture_write(&strip, path);
    fmd_picture_free(&strip);
    if (st == FMD_OK)
        fmd_print("%s\n", path);
    return st;
}

static void put_predictions(fmd_plot_draft *d, const fmd_run_view *v, size_t n)
{
    const fmd_prediction *p = &v->prediction;
    char name[64], other[64];
    fprintf(d->data, "image,label,predicted,class,probability\n");
    for (size_t i = 0; i < n * p->classes; i++)
        fprintf(d->data, "%zu,%d,%d,%zu,%.6g\n", i / p->classes,
                v->trained.split.labels[i / p->classes], p->predicted[i / p->classes],
                i % p->classes, (double)p->probabilities[i]);
    fprintf(d->commands, "array caption[%zu]\narray right[%zu]\n", n, n);
    for (size_t i = 0; i < n; i++) {
        const int label = v->trained.split.labels[i], predicted = p->predicted[i];
        char text[192];
        int used = snprintf(text, sizeof text, "%s %.0f %%",
                            fmd_run_view_class(v, (size_t)predicted, name),
                            (double)fmd_confidence(p, i) * 100);
        if (label != predicted)
            snprintf(text + used, sizeof text - (size_t)used, ", but: %s",
                     fmd_run_view_class(v, (size_t)label, other));
        fprintf(d->commands, "caption[%zu] = ", i + 1);
        put_quoted(d->commands, text);
        fprintf(d->commands, "; right[%zu] = %d\n", i + 1, label == predicted);
    }
}

fmd_status fmd_plot_predictions(const fmd_plot_target *t, const fmd_run_view *v)
{
    const size_t all = v->trained.split.n, cells = (size_t)GRID_ROWS * GRID_COLUMNS;
    const size_t n = all < cells ? all : cells, classes = v->prediction.classes;
    const int width = v->trained.data.info.image.dim[1] * GRID_SCALE;
    fmd_plot_draft d;
    FMD_TRY(write_images(t, v, n));
    FMD_TRY(fmd_plot_begin(&d));
    put_predictions(&d, v, n);
    fprintf(d.commands,
            "blue = 0x0072B2; red = 0xD55E00; grey = 0x999999\n"
            "set multiplot\nset label 1 \"The first test images: predicted class and probability. "
            "Blue: right, or the label; red: wrong\" at screen 0.5, 0.985 center\n"
            "do for [i = 0:%zu] {\n"
            "    left = (i %% %d) / %d.0; bottom = 0.965 - (i / %d + 1) * 0.193\n"
            "    unset border; unset tics; unset key; set size ratio -1\n"
            "    set lmargin at screen left + 0.015; set rmargin at screen left + 0.125\n"
            "    set bmargin at screen bottom + 0.035; set tmargin at screen bottom + 0.16\n"
            "    set xrange [%d*i:%d*i + %d]; set yrange [*:*]\n"
            "    set label 2 caption[i + 1] at screen left + 0.015, bottom + 0.018 left "
            "textcolor rgb (right[i + 1] ? blue : red)\n"
            "    plot \"predictions-images.png\" binary filetype=png with rgbimage\n"
            "    unset label 1; unset label 2\n",
            n - 1, GRID_COLUMNS, GRID_COLUMNS, GRID_COLUMNS, width, width, width - 1);
    fprintf(
        d.commands,
        "    set size noratio; set border 1; set xtics %s scale 0 offset 0,0.6\n"
        "    set lmargin at screen left + 0.15; set rmargin at screen left + 0.32\n"
        "    set bmargin at screen bottom + 0.06; set tmargin at screen bottom + 0.16\n"
        "    set xrange [-0.6:%zu.6]; set yrange [0:1]; set boxwidth 0.8; set style fill solid\n"
        "    plot data using 4:5:($4 == $2 ? blue : $4 == $3 ? red : grey) skip 1 every "
        "::%zu*i::%zu*i + %zu with boxes linecolor rgb variable\n"
        "}\nunset multiplot\n",
        classes <= 12 ? "1" : "autofreq", classes - 1, classes, classes, classes - 1);
    return finish(&d, t, "predictions", 1080, 900);
}

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

fmd_status fmd_plot_weights(const fmd_plot_target *target, const fmd_run_view *v)
{
    tiles t;
    fmd_plot_draft d;
    if (!lay_tiles(v, &t))
        return FMD_FAIL(FMD_EDATA,
                        "the weights of '%s' are no images: its first layer does not "
                        "see grey pixels",
                        v->path);
    FMD_TRY(fmd_plot_begin(&d));
    for (int y = 0; y < t.high; y++)
        for (int x = 0; x < t.wide; x++)
            fprintf(d.data, "%.4g%c", weight_at(&t, x, y), x + 1 < t.wide ? ',' : '\n');
    fprintf(
        d.commands,
        "set title \"Weights of the %s%d units of layer %s, pixel by pixel\"\n"
        "unset key\nunset tics\nset border 0\nset size ratio -1\nset yrange [%d.5:-0.5]\n"
        "set xrange [-0.5:%d.5]\nset cbrange [-%.3g:%.3g]\nset cbtics scale 0.5\n"
        "set palette defined (-1 \"#004a75\", -0.5 \"#5aa9d6\", 0 \"#ffffff\", 0.5 \"#ea9a55\", "
        "1 \"#8f3f00\")\n"
        "plot data matrix with image\n",
        t.units < t.all ? "first " : "", t.units, t.layer, t.high - 1, t.wide - 1, t.limit,
        t.limit);
    return finish(&d, target, "weights", 60 + t.columns * 56 + 100, 90 + t.rows * 56);
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

fmd_status fmd_plot_weight_tiles(const fmd_run_view *v, fmd_picture *out, int *units)
{
    tiles t;
    *units = 0;
    if (!lay_tiles(v, &t))
        return FMD_OK;
    FMD_TRY(fmd_picture_create(out, (size_t)t.wide, (size_t)t.high, 3));
    for (int y = 0; y < t.high; y++)
        for (int x = 0; x < t.wide; x++)
            put_shade(weight_at(&t, x, y) / t.limit,
                      out->pixels + 3 * ((size_t)y * out->width + (size_t)x));
    *units = t.units;
    return FMD_OK;
}
