#include "report/plots/plots.h"

#include "base/system/print.h"
#include "report/plots/class_labels.h"
#include "report/plots/plots_private.h"

#include <stdio.h>

enum { LABEL_CHARACTERS = 32 }; /* of a name in the confusion matrix */

fmd_status fmd_plot_write(fmd_plot_draft *d, const fmd_plot_target *t, const char *name, int width,
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

fmd_status fmd_plot_write_picture(const fmd_plot_target *t, const char *name,
                                  const fmd_picture *picture)
{
    char path[FMD_RUN_PATH_BYTES + 64];
    snprintf(path, sizeof path, "%s/%s.png", t->folder, name);
    FMD_TRY(fmd_picture_write(picture, path));
    fmd_print("%s\n", path);
    return FMD_OK;
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
            fprintf(d.commands, " (dotted line: epoch %d, best %s)", best + 1, metric);
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
    return fmd_plot_write(&d, t, "curves", 960, 400);
}

/* Cells are square; the canvas grows with their number and with the names. */
enum { RIGHT = 120, TOP = 50, MOST_NAMES = 40, MOST_COUNTS = 20 };

typedef struct layout {
    int cell, left, bottom, width, height;
    bool names;
} layout;

static layout confusion_layout(size_t n, int longest)
{
    layout l = {.names = n <= MOST_NAMES};
    const int name = l.names ? longest : 30;
    l.cell = n <= 12 ? 48 : n <= MOST_COUNTS ? 38 : n <= MOST_NAMES ? 20 : 4;
    l.left = 44 + name;
    l.bottom = 54 + (l.names ? (int)(0.71 * name) : 20);
    l.width = l.left + l.cell * (int)n + RIGHT;
    l.height = TOP + l.cell * (int)n + l.bottom;
    return l;
}

static void put_confusion_data(fmd_plot_draft *d, const fmd_run_view *v)
{
    const fmd_classification *r = &v->classification;
    const size_t n = r->classes;
    char name[64];
    fprintf(d->data, "label,predicted,images,share,label_name,predicted_name\n");
    for (size_t i = 0; i < n * n; i++) {
        const size_t label = i / n, support = r->of_class[label].support;
        fprintf(d->data, "%zu,%zu,%zu,%.6g,", label, i % n, r->confusion[i],
                support > 0 ? (double)r->confusion[i] / (double)support : 0);
        fmd_plot_text(d, fmd_run_view_class(v, label, name));
        fputc(',', d->data);
        fmd_plot_text(d, fmd_run_view_class(v, i % n, name));
        fputc('\n', d->data);
    }
}

/* Each cell is a box of its own: browsers would blur the pixels of an image. */
static void put_confusion_commands(fmd_plot_draft *d, size_t n, const layout *l)
{
    fprintf(
        d->commands,
        "classes = %zu; width = %d.0; height = %d.0; cell = %d\n"
        "set lmargin at screen %d / width\nset rmargin at screen (%d + cell * classes) / width\n"
        "set bmargin at screen %d / height\nset tmargin at screen (%d + cell * classes) / height\n",
        n, l->width, l->height, l->cell, l->left, l->left, l->bottom, l->bottom);
    fprintf(d->commands,
            "set label 1 \"Confusion matrix of the test images\" at screen %d / width, screen "
            "1 - 24 / height\n"
            "set label 2 \"predicted class\" at graph 0.5, screen 18 / height center\n"
            "set label 3 \"actual class\" at screen 18 / width, graph 0.5 center rotate by 90\n",
            l->left);
    fprintf(d->commands,
            "unset key\nunset tics\nset border 15 lw 0.5 lc rgb \"#aaaaaa\"\n"
            "set xrange [-0.5:classes - 0.5]\nset yrange [classes - 0.5:-0.5]\n"
            "set cbrange [0:1]\nset cbtics 0.2 scale 0.5 tc rgb \"#333333\"\n"
            "set cblabel \"share of the actual class\" offset 1\n"
            "set colorbox user origin screen (%d + cell * classes) / width, screen %d / height "
            "size screen 18 / width, screen cell * classes / height\n"
            "set palette defined (0 \"#ffffff\", 0.02 \"#e8f2f8\", 0.3 \"#74aed3\", "
            "0.6 \"#1c6aa0\", 1 \"#063c62\")\n"
            "set style fill solid 1 noborder\n",
            l->left + 16, l->bottom);
    if (l->names)
        fprintf(
            d->commands,
            "do for [k = 0:classes - 1] {\n"
            "    set label 10 + 2*k name(k) at graph 0, first k right offset screen -6 / width, 0\n"
            "    set label 11 + 2*k name(k) at first k, graph 0 right rotate by 45 offset "
            "screen 4 / width, screen -10 / height\n"
            "}\n");
    else
        fprintf(d->commands, "set tics out nomirror\n");
    fprintf(d->commands, "plot data using 2:1:(0.5):(0.5):($3 > 0 ? $4 : NaN) skip 1 with "
                         "boxxyerror lc palette");
    if (n <= MOST_COUNTS)
        fprintf(d->commands,
                ", \\\n     data using 2:1:($4 < 0.4 && $3 > 0 ? sprintf(\"%%d\", $3) : \"\") "
                "skip 1 with labels tc rgb \"#1a1d21\""
                ", \\\n     data using 2:1:($4 >= 0.4 ? sprintf(\"%%d\", $3) : \"\") skip 1 with "
                "labels tc rgb \"#ffffff\"");
    fputc('\n', d->commands);
}

fmd_status fmd_plot_confusion(const fmd_plot_target *t, const fmd_run_view *v)
{
    const layout l =
        confusion_layout(v->classification.classes, fmd_class_labels_width(v, LABEL_CHARACTERS));
    fmd_plot_draft d;
    FMD_TRY(fmd_plot_begin(&d));
    put_confusion_data(&d, v);
    fmd_class_labels(&d, v, LABEL_CHARACTERS, t->formats, "confusion");
    put_confusion_commands(&d, v->classification.classes, &l);
    return fmd_plot_write(&d, t, "confusion", l.width, l.height);
}
