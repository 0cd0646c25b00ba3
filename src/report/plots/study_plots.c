/* Speed-up and efficiency with ideal and model, the breakdown of a step, the allreduce. Points in which
 * ranks shared cores are hollow, and no line leads to them. */
#include "report/plots/study_plots.h"

#include "report/plots/plot_draft.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { WIDTH = 900, HEIGHT = 400 };

static fmd_status finish(fmd_plot_draft *d, const fmd_study *s, const char *name, bool *drawn)
{
    char folder[FMD_STUDY_PATH];
    return fmd_plot_finish(d,
                           (fmd_gnuplot){.folder = fmd_study_path(s, folder, "plots"),
                                         .name = name,
                                         .formats = "svg png",
                                         .width = WIDTH,
                                         .height = HEIGHT},
                           drawn);
}

/* The base of the comparison. */
static const fmd_scaling_point *base_of(const fmd_study_mode *m)
{
    for (int i = 0; i < m->n; i++)
        if (m->scaling[i].counts)
            return &m->scaling[i];
    return NULL;
}

/* Measured speed-up with its interval; then that of the model. */
static void put_speedups(const fmd_study *s, const fmd_study_mode *m, fmd_plot_draft *d, int most)
{
    fprintf(d->data, "ranks,counted,low,high,marked,model\n");
    for (int i = 0; i < m->n; i++) {
        const fmd_scaling_point *q = &m->scaling[i];
        const fmd_stats *t = &m->points[i].step;
        const double none = (double)NAN;
        const double low = isnan(t->high) ? t->max : t->high,
                     high = isnan(t->low) ? t->min : t->low;
        fprintf(d->data, "%d", q->ranks);
        fmd_plot_number(d, q->counts ? q->speedup : none);
        fmd_plot_number(d, q->speedup * t->median / low);
        fmd_plot_number(d, q->speedup * t->median / high);
        fmd_plot_number(d, q->counts ? none : q->speedup);
        fmd_plot_number(d, none);
        fputc('\n', d->data);
    }
    for (int p = 1; s->has_model && base_of(m) != NULL && p <= most; p *= 2)
        fprintf(d->data, "%d,nan,nan,nan,nan,%.9g\n", p, fmd_study_model_speedup(s, m, p));
}

/* Speed-up, and beside it efficiency: the same numbers over the ranks. */
static fmd_status draw_speedup(const fmd_study *s, const fmd_study_mode *m, bool *drawn)
{
    static const struct panel {
        const char *title, *ideal, *over;
    } panels[] = {{"Speed-up", "x", ""}, {"Efficiency, %", "100", "*100/$1"}};
    int most = m->scaling[m->n - 1].ranks, marked = 0;
    double least = 0.5;
    for (int i = 0; i < m->n; i++) {
        marked += !m->scaling[i].counts;
        least = fmin(least, m->scaling[i].speedup);
    }
    most = most < 2 ? 2 : most;
    fmd_plot_draft d;
    FMD_TRY(fmd_plot_begin(&d));
    put_speedups(s, m, &d, most);
    fprintf(d.commands,
            "set multiplot layout 1,2 margins 0.06,0.98,0.24,0.9 spacing 0.08\n"
            "set grid lc rgb \"#dddddd\" lw 1 dt 1\nset xlabel \"ranks\" offset 0,0.4\n"
            "set key at screen 0.5, 0.05 center center horizontal maxrows 1 samplen 3 width 2\n"
            "set logscale x 2\nset xrange [0.9:%g]\nset yrange [0:*]\nset bars 0.6\n",
            most * 1.12);
    for (size_t i = 0; i < 2; i++) {
        const struct panel *p = &panels[i];
        fprintf(d.commands, "\nset title \"%s, %s scaling\" offset 0,-0.5\n", p->title, m->name);
        if (i == 0)
            fprintf(d.commands, "set logscale y 2\nset yrange [%g:%g]\n", least * 0.88,
                    most * 1.12);
        else
            fprintf(d.commands, "unset logscale y\nset yrange [0:119]\n");
        fprintf(d.commands, "plot %s lt 8 lw 1.5 dt 1 title \"ideal\"", p->ideal);
        if (s->has_model)
            fprintf(d.commands,
                    ", \\\n     data using 1:($6%s) skip 1 with lines lt 2 title "
                    "\"model\"",
                    p->over);
        fprintf(d.commands,
                ", \\\n     data using 1:($2%s):($3%s):($4%s) skip 1 with yerrorbars lt 1 pt 0 "
                "notitle, \\\n     data using 1:($2%s) skip 1 with linespoints lt 1 ps 0.9 title "
                "\"measured\"",
                p->over, p->over, p->over, p->over);
        if (marked > 0)
            fprintf(d.commands,
                    ", \\\n     data using 1:($5%s) skip 1 with points lt 7 pt 6 ps 1.1 title "
                    "\"oversubscribed\"",
                    p->over);
        fprintf(d.commands, "\nunset key\n");
    }
    fprintf(d.commands, "unset multiplot\n");
    char name[32];
    snprintf(name, sizeof name, "speedup-%s", m->name);
    return finish(&d, s, name, drawn);
}

/* Milliseconds of a step, stacked; of oversubscribed points only the outline. */
static fmd_status draw_breakdown(const fmd_study *s, const fmd_study_mode *m, bool *drawn)
{
    static const char *const shares[] = {"compute", "allreduce", "waiting for the slowest rank"};
    int marked = 0;
    fmd_plot_draft d;
    FMD_TRY(fmd_plot_begin(&d));
    fprintf(d.data, "ranks,compute,allreduce,wait,marked\n");
    for (int i = 0; i < m->n; i++) {
        const fmd_study_point *p = &m->points[i];
        const double ms = p->step.median * 1e3;
        const bool counts = m->scaling[i].counts;
        marked += !counts;
        fprintf(d.data, "%d,%.9g,%.9g,%.9g,%.9g\n", m->scaling[i].ranks,
                counts ? ms * p->compute : 0, counts ? ms * p->reduce : 0,
                counts ? ms * p->wait : 0, counts ? 0 : ms);
    }
    fprintf(d.commands,
            "set style data histogram\nset style histogram rowstacked\nset boxwidth 0.6\n"
            "set style fill solid 0.85 border lc rgb \"#333333\"\n"
            "set grid ytics lc rgb \"#dddddd\" lw 1 dt 1\nset yrange [0:*]\n"
            "set title \"Time of a step, %s scaling\" offset 0,-0.5\n"
            "set xlabel \"ranks\"\nset ylabel \"milliseconds\" offset 1\n"
            "set key outside right top Left reverse samplen 2\nset xtics scale 0\nplot ",
            m->name);
    static const char *const colours[] = {"#0072B2", "#D55E00", "#E69F00"};
    for (int k = 0; k < 3; k++)
        fprintf(d.commands,
                "%sdata using %d:xtic(1) skip 1 lt 1 lw 1 dt 1 lc rgb \"%s\" title \"%s\"",
                k > 0 ? ", \\\n     " : "", k + 2, colours[k], shares[k]);
    if (marked > 0)
        fprintf(d.commands,
                ", \\\n     data using 5 skip 1 lw 1.5 dt (4,3) lc rgb \"#555555\" fs empty "
                "border lc rgb \"#555555\" title \"oversubscribed\"");
    fputc('\n', d.commands);
    char name[32];
    snprintf(name, sizeof name, "breakdown-%s", m->name);
    return finish(&d, s, name, drawn);
}

/* One block of data for each number of ranks. */
static fmd_status draw_allreduce(const fmd_study *s, bool *drawn)
{
    fmd_plot_draft d;
    int block = 0;
    FMD_TRY(fmd_plot_begin(&d));
    fprintf(
        d.commands,
        "set logscale xy\nset grid lc rgb \"#dddddd\" lw 1 dt 1\n"
        "set format x \"%%.0s %%cB\"\nset format y \"%%g\"\n"
        "set title \"Allreduce alone\" offset 0,-0.5\nset xlabel \"bytes\"\n"
        "set ylabel \"microseconds, median\" offset 1\nset key top left Left reverse samplen 2\n"
        "set arrow from %.9g, graph 0 to %.9g, graph 1 nohead dt (3,3) lw 1.5 lc rgb "
        "\"#555555\"\nset label \"message of a step\" at %.9g, graph 0.06 right offset -0.6,0 "
        "tc rgb \"#555555\"\nplot ",
        s->message_bytes, s->message_bytes, s->message_bytes);
    for (size_t i = 0; i < s->n_samples; i++) {
        const fmd_allreduce_sample *q = &s->samples[i];
        const bool counts = s->sample_counts[i];
        if (i == 0 || q->ranks != q[-1].ranks) {
            fprintf(d.data, "%sranks,bytes,us,model_us\n", i > 0 ? "\n\n" : "");
            const int line = 1 + block % 6;
            fprintf(d.commands,
                    "%sdata index %d using 2:3 skip 1 with points lt %d pt %d ps 0.8 "
                    "title \"%d ranks%s\"",
                    block > 0 ? ", \\\n     " : "", block, line, counts ? 7 : 6, q->ranks,
                    counts ? "" : " (oversubscribed)");
            if (s->has_model && counts)
                fprintf(d.commands,
                        ", \\\n     data index %d using 2:4 skip 1 with lines lt %d dt 1 "
                        "title \"model\"",
                        block, line);
            block++;
        }
        fprintf(d.data, "%d,%.9g,%.9g", q->ranks, q->bytes, q->seconds * 1e6);
        fmd_plot_number(&d, s->has_model && counts
                                ? fmd_allreduce_seconds(&s->model, q->ranks, q->bytes) * 1e6
                                : (double)NAN);
        fputc('\n', d.data);
    }
    fputc('\n', d.commands);
    return finish(&d, s, "allreduce", drawn);
}

fmd_status fmd_study_draw(const fmd_study *s, bool *drawn)
{
    char folder[FMD_STUDY_PATH];
    *drawn = true;
    if (mkdir(fmd_study_path(s, folder, "plots"), 0777) != 0 && errno != EEXIST)
        return FMD_FAIL(FMD_EIO, "cannot create the folder '%s': %s", folder, strerror(errno));
    for (int i = 0; i < FMD_STUDY_WAYS && *drawn; i++) {
        if (s->modes[i].n == 0)
            continue;
        FMD_TRY(draw_speedup(s, &s->modes[i], drawn));
        FMD_TRY(draw_breakdown(s, &s->modes[i], drawn));
    }
    if (s->n_samples > 0 && *drawn)
        FMD_TRY(draw_allreduce(s, drawn));
    return FMD_OK;
}
