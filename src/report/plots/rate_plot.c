#include "report/plots/rate_plot.h"

#include "data/dataset.h"
#include "report/plots/plot_draft.h"

#include <math.h>
#include <string.h>

enum { WIDTH = 640, HEIGHT = 400 };

fmd_status fmd_rate_plot_check(const char *path)
{
    const char *dot = strrchr(path, '.'), *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    if (dot == NULL || dot <= name || (strcmp(dot, ".svg") != 0 && strcmp(dot, ".png") != 0))
        return FMD_FAIL(FMD_EUSAGE, "--output: '%s' does not end in .svg or .png", path);
    return FMD_OK;
}

fmd_status fmd_rate_plot(const fmd_rate_test *t, const char *path, bool *drawn)
{
    char folder[FMD_PATH_BYTES], name[FMD_PATH_BYTES];
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
    const char *base = slash != NULL ? slash + 1 : path;
    fmd_plot_draft d;
    FMD_TRY(fmd_rate_plot_check(path));
    snprintf(folder, sizeof folder, "%.*s", slash != NULL ? (int)(slash - path) : 1,
             slash != NULL ? path : ".");
    if (slash == path)
        snprintf(folder, sizeof folder, "/");
    snprintf(name, sizeof name, "%.*s", (int)(dot - base), base);
    FMD_TRY(fmd_plot_begin(&d));
    fprintf(d.data, "learning_rate,loss,smoothed\n");
    for (size_t i = 0; i < t->n; i++) {
        fprintf(d.data, "%.9g", t->rate[i]);
        fmd_plot_number(&d, t->loss[i]);
        fmd_plot_number(&d, t->smooth[i]);
        fputc('\n', d.data);
    }
    fprintf(d.commands,
            "set logscale x\nset format x \"%%g\"\nset xlabel \"learning rate\"\n"
            "set ylabel \"loss\" offset 1\nset xrange [%.9g:%.9g]\nset yrange [0:%g]\n"
            "set grid lc rgb \"#dddddd\" lw 1 dt 1\nset key bottom left Left reverse samplen 2\n",
            t->rate[0], t->rate[t->n - 1], 1.3 * t->smooth[0]);
    if (!isnan(t->suggestion))
        fprintf(d.commands,
                "set arrow from %.9g, graph 0 to %.9g, graph 1 nohead dt (4,3) lw 1.5 lc rgb "
                "\"#555555\"\nset label \"suggestion: %.2g\" at %.9g, graph 0.95 right offset "
                "-0.6,0 tc rgb \"#333333\"\n",
                t->suggestion, t->suggestion, t->suggestion, t->suggestion);
    fprintf(d.commands, "plot data using 1:2 skip 1 with points lt 8 pt 7 ps 0.35 title \"loss\", "
                        "\\\n     data using 1:3 skip 1 with lines lt 1 lw 2 title \"smoothed\"\n");
    return fmd_plot_finish(
        &d,
        (fmd_gnuplot){
            .folder = folder, .name = name, .formats = dot + 1, .width = WIDTH, .height = HEIGHT},
        drawn);
}
