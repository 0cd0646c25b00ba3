/* What a report says of the training: verdict, curves, epochs, time. */
#include "base/format.h"
#include "base/mem.h"
#include "report/html_chart.h"
#include "report/page.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rows of the table of epochs, and points of a curve. */
enum { MOST_ROWS = 200, MOST_POINTS = 1000 };

/* Memory for the points of two curves and their x. */
static const size_t room_for_one = MOST_POINTS + 1;

/* How it ended, by STATUS.json and by whether somebody is still at it. */
static void put_state(fmd_html *h, const fmd_run_view *v)
{
    if (v->status == NULL) {
        fmd_html_paragraph(h, "bad", "How the run ended is not known: %s.", v->no_status.why);
        return;
    }
    const char *state = fmd_json_get_text(v->status, NULL, "state");
    const char *message = fmd_json_get_text(v->status, NULL, "message");
    const int code = (int)fmax(fmd_json_get_real(v->status, NULL, "exit_code"), 0);
    char step[32];
    fmd_format_count((size_t)fmax(fmd_json_get_real(v->status, NULL, "step"), 0), step);
    state = state != NULL ? state : "";
    message = message != NULL ? message : "";
    if (strcmp(state, "running") == 0 && v->running)
        fmd_html_paragraph(h, "note", "Still running: this report shows %zu complete epochs.",
                           v->history.n);
    else if (strcmp(state, "running") == 0)
        fmd_html_paragraph(h, "bad",
                           "Interrupted: it began at step %s and never reported its end, and no "
                           "process holds its folder any more. The same command with --run-dir %s "
                           "goes on from the newest checkpoint.",
                           step, v->path);
    else if (code == FMD_ESTOPPED)
        fmd_html_paragraph(
            h, "note",
            "Stopped from outside after step %s%s%s. The same command with --run-dir "
            "%s goes on from there.",
            step, *message != '\0' ? ": " : "", message, v->path);
    else if (strcmp(state, "failed") == 0)
        fmd_html_paragraph(h, "bad", "Failed after step %s with exit code %d: %s", step, code,
                           message);
    else if (strcmp(state, "stopped") == 0)
        fmd_html_paragraph(h, "good", "Finished by its own rule after step %s: %s", step, message);
    else
        fmd_html_paragraph(h, "good", "Finished: %zu epochs, %s steps.", v->history.n, step);
}

/* The share of the test images that are right, with its interval. */
static void put_accuracy(fmd_html *h, const fmd_run_view *v)
{
    const fmd_classification *r = &v->classification;
    const double accuracy = fmd_run_view_real(v, "result", "test_accuracy");
    const double images = fmd_run_view_real(v, "data", "n_test");
    double low = r->low, high = r->high;
    char n[32];
    if (v->no_data.status == FMD_OK) {
        fmd_html_paragraph(
            h, "lead",
            "%.2f %% of %s test images are classified right (95 %% interval: %.2f to "
            "%.2f %%).",
            100 * r->accuracy, fmd_format_count(r->n, n), 100 * low, 100 * high);
    } else if (images >= 1 && accuracy >= 0) {
        fmd_wilson((size_t)rint(accuracy * images), (size_t)images, &low, &high);
        fmd_html_paragraph(h, "lead",
                           "%.2f %% of %s test images were classified right (95 %% interval: %.2f "
                           "to %.2f %%), by run.json.",
                           100 * accuracy, fmd_format_count((size_t)images, n), 100 * low,
                           100 * high);
    }
}

/* Whether more or less training would have been better. */
static void put_fit(fmd_html *h, const fmd_run_view *v)
{
    const fmd_history *history = &v->history;
    const char *metric;
    const int best = fmd_run_view_best(v, &metric);
    if (best < 0)
        return;
    if (!history->validation) {
        fmd_html_markup(h, "<li>");
        fmd_html_text(h, "Without validation images nothing shows when training has been enough: "
                         "--validation-split 0.1 would.");
    } else {
        const double *value = fmd_metric_find(&history->epochs[best].metrics, metric);
        const double *last = fmd_metric_find(&history->epochs[history->n - 1].metrics, metric);
        fmd_html_markup(h, "<li>");
        if ((size_t)best + 1 == history->n)
            fmd_html_text(h, "The last epoch is the best by %s, %.4g: more epochs may help.",
                          metric, *value);
        else
            fmd_html_text(h,
                          "Epoch %d of %zu is the best by %s, %.4g; it ends at %.4g. To keep the "
                          "best: --restore-best, and --patience to stop in time.",
                          best + 1, history->n, metric, *value, *last);
    }
    fmd_html_markup(h, "</li>\n");
}

/* The pair of classes that is confused most often. */
static void put_confusion(fmd_html *h, const fmd_run_view *v)
{
    fmd_confused worst;
    char label[64], predicted[64], n[32], of[32];
    if (v->no_data.status != FMD_OK || fmd_most_confused(&v->classification, &worst, 1) == 0)
        return;
    fmd_html_markup(h, "<li>");
    fmd_html_text(h, "The most frequent mistake: %s taken for %s, %s of %s.",
                  fmd_run_view_class(v, worst.label, label),
                  fmd_run_view_class(v, worst.predicted, predicted), fmd_format_count(worst.n, n),
                  fmd_format_count(v->classification.of_class[worst.label].support, of));
    fmd_html_markup(h, "</li>\n");
}

static void put_speed(fmd_html *h, const fmd_run_view *v)
{
    const double seconds = fmd_run_view_real(v, "time", "training_seconds");
    const double rate = fmd_run_view_real(v, "time", "images_per_second");
    const double reduce = fmd_run_view_real(v, "time", "reduce_seconds");
    const double ranks = fmd_run_view_real(v, NULL, "ranks");
    char n[32];
    if (!(seconds > 0) || !(rate > 0))
        return;
    fmd_html_markup(h, "<li>");
    fmd_html_text(h, "%s images a second on %.0f rank%s, %.3g s of training",
                  fmd_format_count((size_t)rate, n), ranks, ranks == 1 ? "" : "s", seconds);
    if (reduce > 0 && ranks > 1)
        fmd_html_text(h, "; %.0f %% of it to sum over the ranks, waiting included",
                      100 * reduce / seconds);
    fmd_html_markup(h, ".</li>\n");
}

void fmd_page_verdict(fmd_html *h, const fmd_run_view *v)
{
    fmd_html_section(h, "verdict", "Verdict");
    put_state(h, v);
    put_accuracy(h, v);
    fmd_html_markup(h, "<ul>\n");
    put_fit(h, v);
    put_confusion(h, v);
    put_speed(h, v);
    fmd_html_markup(h, "</ul>\n");
}

/* One pair of curves; `offset` is that of the training value in fmd_metrics. */
static void put_curve(fmd_html *h, const fmd_run_view *v, const char *names[2], const char *title,
                      double *room)
{
    const fmd_history *history = &v->history;
    const size_t stride = (history->n + MOST_POINTS - 1) / MOST_POINTS;
    const char *metric;
    const int best = fmd_run_view_best(v, &metric);
    char caption[128] = "";
    double *x = room, *y = x + room_for_one, *val = y + room_for_one;
    size_t n = 0;
    for (size_t i = 0; i < history->n; i += stride, n++) {
        x[n] = (double)(i + 1);
        y[n] = *fmd_metric_find(&history->epochs[i].metrics, names[0]);
        val[n] = *fmd_metric_find(&history->epochs[i].metrics, names[1]);
    }
    if (best >= 0)
        snprintf(caption, sizeof caption, "Vertical line: epoch %d, the best by %s.", best + 1,
                 metric);
    fmd_html_chart(h, &(fmd_chart){.id = names[0],
                                   .title = title,
                                   .x_name = "epoch",
                                   .caption = caption,
                                   .n = n,
                                   .x = x,
                                   .n_series = history->validation ? 2 : 1,
                                   .series = {{"training", y}, {"validation", val}},
                                   .mark = best >= 0 ? best + 1 : (double)NAN});
}

static void put_value(char text[48], int digits, double value)
{
    if (isnan(value))
        snprintf(text, 48, "-");
    else
        snprintf(text, 48, "%.*f", digits, value);
}

static void put_epochs(fmd_html *h, const fmd_run_view *v)
{
    static const char all[] = "#Epoch|#Loss|#Accuracy|#Validation loss|#Validation accuracy|"
                              "#Learning rate|#Seconds|#Images/s";
    static const char without[] = "#Epoch|#Loss|#Accuracy|#Learning rate|#Seconds|#Images/s";
    const fmd_history *history = &v->history;
    const size_t stride = (history->n + MOST_ROWS - 1) / MOST_ROWS;
    const char *metric;
    const int best = fmd_run_view_best(v, &metric);
    char caption[128];
    snprintf(caption, sizeof caption, "The epochs%s%s", best >= 0 ? "; * is the best by " : "",
             best >= 0 ? metric : "");
    if (stride > 1)
        snprintf(caption + strlen(caption), sizeof caption - strlen(caption),
                 "; one in %zu, the best and the last", stride);
    fmd_html_table_begin(h, "epochs", caption, history->validation ? all : without);
    for (size_t i = 0; i < history->n; i++) {
        const fmd_epoch *e = &history->epochs[i];
        char cell[8][48];
        size_t n = 0;
        if (i % stride != 0 && (int)i != best && i + 1 != history->n)
            continue;
        snprintf(cell[n++], sizeof cell[0], "%s%zu", (int)i == best ? "* " : "", i + 1);
        put_value(cell[n++], 4, e->metrics.loss);
        put_value(cell[n++], 4, e->metrics.accuracy);
        if (history->validation) {
            put_value(cell[n++], 4, e->metrics.val_loss);
            put_value(cell[n++], 4, e->metrics.val_accuracy);
        }
        snprintf(cell[n++], sizeof cell[0], "%.3g", e->metrics.learning_rate);
        put_value(cell[n++], 2, e->seconds);
        put_value(cell[n++], 0, e->samples_per_s);
        fmd_html_row(h, (const char *const[]){cell[0], cell[1], cell[2], cell[3], cell[4], cell[5],
                                              cell[6], cell[7]});
    }
    fmd_html_table_end(h);
}

fmd_status fmd_page_training(fmd_html *h, const fmd_run_view *v)
{
    fmd_html_section(h, "training", "Training");
    if (v->no_history.status != FMD_OK) {
        fmd_html_paragraph(h, "note", "There are no curves: %s.", v->no_history.why);
        return FMD_OK;
    }
    double *room;
    FMD_TRY(fmd_alloc(&room, 3 * room_for_one, sizeof *room, "the curves"));
    if (!v->history.validation)
        fmd_html_paragraph(h, "note", "The run had no validation images.");
    fmd_html_markup(h, "<div class=\"row\">\n");
    put_curve(h, v, (const char *[]){"loss", "val_loss"}, "Loss", room);
    put_curve(h, v, (const char *[]){"accuracy", "val_accuracy"}, "Accuracy", room);
    fmd_html_markup(h, "</div>\n");
    put_epochs(h, v);
    free(room);
    return FMD_OK;
}

/* What the times are of: all ranks, and the steps that the last process of the run has done. */
static void put_whose(char *text, size_t size, const fmd_run_view *v, double seconds)
{
    const double ranks = fmd_run_view_real(v, NULL, "ranks");
    const double all = fmd_run_view_real(v, "result", "steps");
    const double steps = fmd_run_view_real(v, "time", "steps");
    size_t n = (size_t)snprintf(text, size, "%.2f s of training", seconds);
    if (steps > 0)
        n += (size_t)snprintf(text + n, size - n, ", %.3f ms a step", 1e3 * seconds / steps);
    if (steps < all)
        n += (size_t)snprintf(text + n, size - n,
                              ", since the run was resumed: the last %.0f of %.0f steps", steps,
                              all);
    if (ranks > 1)
        snprintf(text + n, size - n,
                 ". The mean of %.0f ranks; in brackets the rank with the least and the one with "
                 "the most",
                 ranks);
}

/* Who keeps the others waiting. */
static void put_slowest(fmd_html *h, const fmd_run_view *v)
{
    const double ranks = fmd_run_view_real(v, NULL, "ranks");
    const double rank = fmd_run_view_real(v, "slowest", "rank");
    const char *host = fmd_run_view_text(v, "slowest", "host");
    if (!(ranks > 1) || !(rank >= 0) || host == NULL)
        return;
    fmd_html_paragraph(h, "",
                       "Rank %.0f on %s computed longest: %.2f s, %.0f %% above the mean of the "
                       "ranks. The others wait for it; the waiting is part of their reduce.",
                       rank, host, fmd_run_view_real(v, "slowest", "compute_seconds"),
                       100 * fmd_run_view_real(v, "slowest", "above_mean"));
}

/* Where run.json has a part of the time: "forward_seconds", and with _min and _max over the ranks. */
static double part_seconds(const fmd_run_view *v, const char *phase, const char *end)
{
    char key[64];
    snprintf(key, sizeof key, "%s_seconds%s", phase, end);
    return fmd_run_view_real(v, "time", key);
}

static void put_part(fmd_bar *bar, const fmd_run_view *v, const char *phase, double all)
{
    const double mean = part_seconds(v, phase, ""), least = part_seconds(v, phase, "_min");
    const double seconds = fmax(mean, 0);
    const bool spread = least >= 0 && fmd_run_view_real(v, NULL, "ranks") > 1;
    size_t n = (size_t)snprintf(bar->text, sizeof bar->text, "%.2f s", seconds);
    if (spread)
        n += (size_t)snprintf(bar->text + n, sizeof bar->text - n, " (%.2f to %.2f)", least,
                              part_seconds(v, phase, "_max"));
    snprintf(bar->text + n, sizeof bar->text - n, " · %.0f %%", 100 * seconds / all);
    bar->share = seconds / all;
}

void fmd_page_time(fmd_html *h, const fmd_run_view *v)
{
    static const struct part {
        const char *phase, *name, *colour;
    } parts[] = {{"forward", "forward: what the model says", "one"},
                 {"backward", "backward: gradients", "one"},
                 {"update", "update: the optimizer", "one"},
                 {"assemble", "assemble: batches from bytes", "three"},
                 {"reduce", "reduce: sums over the ranks, with waiting", "two"}};
    enum { N_PARTS = sizeof parts / sizeof *parts };
    const double seconds = fmd_run_view_real(v, "time", "training_seconds");
    fmd_bar bars[N_PARTS + 1] = {[N_PARTS] = {.name = "everything else", .colour = "rest"}};
    char caption[256];
    double rest = 1;
    fmd_html_section(h, "time", "Time");
    if (!(seconds > 0)) {
        fmd_html_paragraph(h, "note", "There are no times: %s.",
                           v->record == NULL ? v->no_record.why : "no step was done");
        return;
    }
    for (size_t i = 0; i < N_PARTS; i++) {
        snprintf(bars[i].name, sizeof bars[i].name, "%s", parts[i].name);
        bars[i].colour = parts[i].colour;
        put_part(&bars[i], v, parts[i].phase, seconds);
        rest -= bars[i].share;
    }
    rest = fmax(rest, 0);
    bars[N_PARTS].share = rest;
    snprintf(bars[N_PARTS].text, sizeof bars[N_PARTS].text, "%.2f s · %.0f %%", rest * seconds,
             100 * rest);
    put_whose(caption, sizeof caption, v, seconds);
    fmd_html_bars(h, caption, bars, N_PARTS + 1);
    put_slowest(h, v);
}
