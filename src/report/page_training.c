/* Sections of a report about the training: result, curves, epochs, time. */
#include "base/format.h"
#include "base/mem.h"
#include "io/run_names.h"
#include "report/html_chart.h"
#include "report/page.h"
#include "run/reader/model_title.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rows of the table of epochs, and points of a curve. */
enum { MOST_ROWS = 200, MOST_POINTS = 1000, MOST_COLUMNS = 8 + 2 * FMD_METRICS_MAX };

/* Points of a curve, with the last. */
static const size_t one_curve = MOST_POINTS + 1;

/* How the run ended, by STATUS.json and by whether a process holds the folder. */
static void put_state(fmd_html *h, const fmd_run_view *v)
{
    if (v->status == NULL) {
        fmd_html_paragraph(h, "bad", "How the run ended is not known: %s.", v->no_status.why);
        return;
    }
    const char *state = fmd_json_get_text(v->status, NULL, FMD_KEY_STATE);
    const char *message = fmd_json_get_text(v->status, NULL, FMD_KEY_MESSAGE);
    const int code = (int)fmax(fmd_json_get_real(v->status, NULL, FMD_KEY_EXIT_CODE), 0);
    char step[32];
    fmd_format_count((size_t)fmax(fmd_json_get_real(v->status, NULL, FMD_KEY_STEP), 0), step);
    state = state != NULL ? state : "";
    message = message != NULL ? message : "";
    if (strcmp(state, "running") == 0 && v->running)
        fmd_html_paragraph(h, "note", "Still running: this report shows %zu complete epochs.",
                           v->history.n);
    else if (strcmp(state, "running") == 0)
        fmd_html_paragraph(
            h, "bad",
            "Interrupted: the run began at step %s and never reported its end, and no "
            "process holds its folder any more. To resume from the newest checkpoint, "
            "repeat the command with --run-dir %s.",
            step, v->path);
    else if (code == FMD_ESTOPPED)
        fmd_html_paragraph(
            h, "note",
            "Stopped by a signal or a limit after step %s%s%s. To resume, repeat the command with "
            "--run-dir %s.",
            step, *message != '\0' ? ": " : "", message, v->path);
    else if (strcmp(state, "failed") == 0)
        fmd_html_paragraph(h, "bad", "Failed after step %s with exit code %d: %s", step, code,
                           message);
    else if (strcmp(state, "stopped") == 0)
        fmd_html_paragraph(h, "good", "Stopped early, after epoch %zu of %lld (step %s): %s",
                           v->history.n, (long long)v->config.training.epochs, step, message);
    else
        fmd_html_paragraph(h, "good", "Finished: %zu epoch%s, %s steps.", v->history.n,
                           v->history.n == 1 ? "" : "s", step);
}

/* The headline: test accuracy, or how far the run has come. */
static void put_headline(fmd_html *h, const fmd_run_view *v)
{
    const fmd_classification *r = &v->classification;
    const fmd_history *history = &v->history;
    double accuracy = fmd_run_view_real(v, FMD_KEY_RESULT, FMD_KEY_TEST_ACCURACY), low = r->low,
           high = r->high;
    const double images = fmd_run_view_real(v, FMD_KEY_DATA, FMD_KEY_N_TEST);
    char figure[32], n[32];
    if (v->no_data.status == FMD_OK) {
        accuracy = r->accuracy;
        fmd_format_count(r->n, n);
    } else if (images >= 1 && accuracy >= 0) {
        fmd_wilson((size_t)rint(accuracy * images), (size_t)images, &low, &high);
        fmd_format_count((size_t)images, n);
    } else {
        snprintf(figure, sizeof figure, "%zu", history->n);
        fmd_html_figure(h, figure, "of %lld epochs done; there is no test accuracy",
                        (long long)v->config.training.epochs);
        return;
    }
    snprintf(figure, sizeof figure, "%.2f %%", 100 * accuracy);
    fmd_html_figure(h, figure, "test accuracy on %s images (95 %% interval: %.2f to %.2f %%)%s", n,
                    100 * low, 100 * high, v->no_data.status == FMD_OK ? "" : ", from run.json");
}

/* "2026-11-28T19:18:48Z" as "2026-11-28 19:18 UTC" */
static void put_date(fmd_html *h, const fmd_run_view *v)
{
    const char *started = fmd_run_view_text(v, NULL, FMD_KEY_STARTED);
    if (started != NULL && strlen(started) == 20 && started[10] == 'T')
        fmd_html_fact(h, "Date", "%.10s %.5s UTC", started, started + 11);
}

/* The name of the model, or its layers with room for breaks between them. */
static void put_layers(fmd_html *h, const char *name, const char *layers)
{
    char title[FMD_MODEL_TITLE], text[2 * FMD_MODEL_TITLE];
    size_t n = 0;
    for (const char *c = fmd_model_title(name, layers, title); *c != '\0'; c++) {
        text[n++] = *c;
        if (*c == ',' && c[1] != ' ')
            text[n++] = ' ';
    }
    text[n] = '\0';
    fmd_html_fact(h, "Model", "%s", text);
}

/* Seconds of training; of a resumed run, over all processes. */
static double training_seconds(const fmd_run_view *v)
{
    return v->times.processes > 1 ? v->times.seconds
                                  : fmd_run_view_real(v, FMD_KEY_TIME, FMD_KEY_TRAINING_SECONDS);
}

/* Seconds of a phase: the mean over the ranks (""), "_min" or "_max". run.json has those of the last
 * process: "forward_seconds_min". */
static double part_seconds(const fmd_run_view *v, size_t phase, const char *end)
{
    char key[64];
    const fmd_run_times *t = &v->times;
    if (t->processes > 1)
        return *end == '\0'               ? t->mean[phase]
               : strcmp(end, "_min") == 0 ? t->min[phase]
                                          : t->max[phase];
    snprintf(key, sizeof key, "%s_seconds%s", fmd_phase_names[phase], end);
    return fmd_run_view_real(v, FMD_KEY_TIME, key);
}

static void put_facts(fmd_html *h, const fmd_run_view *v)
{
    const char *layers = fmd_run_view_text(v, FMD_KEY_MODEL, FMD_KEY_LAYERS);
    const char *data = fmd_run_view_text(v, FMD_KEY_DATA, FMD_KEY_NAME);
    const double ranks = fmd_run_view_real(v, NULL, FMD_KEY_RANKS),
                 nodes = fmd_run_view_real(v, NULL, FMD_KEY_NODES);
    const double seconds = training_seconds(v);
    if (layers == NULL && v->trained.model != NULL)
        layers = fmd_model_spec(v->trained.model);
    fmd_html_facts_begin(h);
    if (layers != NULL)
        put_layers(h, v->config.model.name, layers);
    fmd_html_fact(h, "Data", "%s", data != NULL ? data : v->config.data.dataset);
    put_date(h, v);
    if (ranks >= 1)
        fmd_html_fact(h, "Ranks", nodes > 1 ? "%.0f on %.0f nodes" : "%.0f", ranks, nodes);
    fmd_html_fact(h, "Epochs", "%zu", v->history.n);
    if (seconds > 0 && v->times.processes > 1)
        fmd_html_fact(h, "Training time", "%.3g s in %d processes", seconds, v->times.processes);
    else if (seconds > 0)
        fmd_html_fact(h, "Training time", "%.3g s", seconds);
    fmd_html_facts_end(h);
}

/* Whether more or less training would have been better, and which weights are kept. */
static void put_fit(fmd_html *h, const fmd_run_view *v)
{
    const fmd_history *history = &v->history;
    const char *metric;
    const int best = fmd_run_view_best(v, &metric);
    if (best < 0)
        return;
    const double value = *fmd_metric_find(&history->epochs[best].metrics, metric);
    const double last = *fmd_metric_find(&history->epochs[history->n - 1].metrics, metric);
    const bool restored = v->config.stopping.restore_best && v->record != NULL;
    const bool is_last = (size_t)best + 1 == history->n;
    fmd_html_markup(h, "<li>");
    if (restored)
        fmd_html_text(h,
                      "The final weights are those of epoch %d of %zu, the best by %s (%.4g), as "
                      "--restore-best asks.",
                      best + 1, history->n, metric, value);
    else if (!history->validation)
        fmd_html_text(h, "Without validation images nothing tells when to stop: --validation-split "
                         "0.1 sets some aside.");
    else if (is_last)
        fmd_html_text(h, "The last epoch is the best by %s (%.4g): more epochs may help.", metric,
                      value);
    else
        fmd_html_text(h,
                      "Epoch %d of %zu is the best by %s (%.4g); the last one has %.4g. "
                      "--restore-best keeps the best epoch%s.",
                      best + 1, history->n, metric, value, last,
                      v->config.stopping.patience == FMD_UNSET_INT
                          ? ", and --patience stops when nothing improves"
                          : "");
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
    fmd_html_text(h, "Most frequent confusion: %s predicted as %s, %s of %s images.",
                  fmd_run_view_class(v, worst.label, label),
                  fmd_run_view_class(v, worst.predicted, predicted), fmd_format_count(worst.n, n),
                  fmd_format_count(v->classification.of_class[worst.label].support, of));
    fmd_html_markup(h, "</li>\n");
}

static void put_speed(fmd_html *h, const fmd_run_view *v)
{
    const double seconds = training_seconds(v);
    const double images = fmd_run_view_real(v, FMD_KEY_DATA, "n_train") * (double)v->history.n;
    const double rate = v->times.processes > 1
                            ? images / seconds
                            : fmd_run_view_real(v, FMD_KEY_TIME, FMD_KEY_IMAGES_PER_SECOND);
    const double reduce = part_seconds(v, FMD_PHASE_reduce, "");
    const double ranks = fmd_run_view_real(v, NULL, FMD_KEY_RANKS);
    char n[32];
    if (!(seconds > 0) || !(rate > 0))
        return;
    fmd_html_markup(h, "<li>");
    fmd_html_text(h, "%s images/s on %.0f rank%s; %.3g s of training",
                  fmd_format_count((size_t)rate, n), ranks, ranks == 1 ? "" : "s", seconds);
    if (reduce > 0 && ranks > 1)
        fmd_html_text(h, ", %.0f %% of it for the sums over the ranks, waiting included",
                      100 * reduce / seconds);
    fmd_html_markup(h, ".</li>\n");
}

void fmd_page_verdict(fmd_html *h, const fmd_run_view *v)
{
    put_headline(h, v);
    put_facts(h, v);
    fmd_html_contents(h);
    fmd_html_section(h, "verdict", "Summary");
    put_state(h, v);
    fmd_html_markup(h, "<ul>\n");
    put_fit(h, v);
    put_confusion(h, v);
    put_speed(h, v);
    fmd_html_markup(h, "</ul>\n");
}

/* A metric of the training images and of the validation images, multiplied by `factor`. */
static void put_curve(fmd_html *h, const fmd_run_view *v, const char *names[2], const char *title,
                      double factor, double *scratch)
{
    const fmd_history *history = &v->history;
    const size_t stride = (history->n + MOST_POINTS - 1) / MOST_POINTS;
    const char *metric;
    const int best = fmd_run_view_best(v, &metric);
    char caption[128] = "";
    double *x = scratch, *y = x + one_curve, *val = y + one_curve;
    size_t n = 0;
    for (size_t i = 0; i < history->n; i += stride, n++) {
        x[n] = (double)(i + 1);
        y[n] = factor * *fmd_metric_find(&history->epochs[i].metrics, names[0]);
        val[n] = factor * *fmd_metric_find(&history->epochs[i].metrics, names[1]);
    }
    if (best >= 0)
        snprintf(caption, sizeof caption, "Dashed line: epoch %d, the best by %s.", best + 1,
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

static void put_count(char text[48], double value)
{
    char count[32];
    snprintf(text, 48, "%s", value >= 0 ? fmd_format_count((size_t)rint(value), count) : "-");
}

/* A column of the table of epochs. */
typedef struct column {
    char title[64];
    char metric[FMD_METRIC_NAME_BYTES]; /* "": not of the metrics */
} column;

/* Loss and accuracy, then the metrics of --metrics: training and validation. */
static size_t list_columns(const fmd_history *history, column out[MOST_COLUMNS])
{
    size_t n = 0;
    for (int val = 0; val <= history->validation; val++) {
        const char *prefix = val ? "Validation " : "";
        out[n] = (column){.metric = ""};
        snprintf(out[n].title, sizeof out[n].title, "#%s", val ? "Validation loss" : "Loss");
        snprintf(out[n++].metric, sizeof out[0].metric, "%sloss", val ? "val_" : "");
        snprintf(out[n].title, sizeof out[n].title, "#%s, %%",
                 val ? "Validation accuracy" : "Accuracy");
        snprintf(out[n++].metric, sizeof out[0].metric, "%saccuracy", val ? "val_" : "");
        for (size_t i = 0; i < history->metrics->n; i++) {
            const fmd_metric *m = &history->metrics->of[i];
            snprintf(out[n].title, sizeof out[n].title, "#%s%s, %%", prefix, fmd_metric_column(m));
            snprintf(out[n++].metric, sizeof out[0].metric, "%s",
                     val ? m->val_name : fmd_metric_column(m));
        }
    }
    return n;
}

static void put_epochs(fmd_html *h, const fmd_run_view *v)
{
    const fmd_history *history = &v->history;
    const size_t stride = (history->n + MOST_ROWS - 1) / MOST_ROWS;
    const char *metric;
    const int best = fmd_run_view_best(v, &metric);
    column columns[MOST_COLUMNS];
    const size_t n_metrics = list_columns(history, columns);
    char caption[128], heads[MOST_COLUMNS * sizeof columns[0].title] = "#Epoch|";
    snprintf(caption, sizeof caption, "Epochs%s%s", best >= 0 ? "; * marks the best by " : "",
             best >= 0 ? metric : "");
    if (stride > 1)
        snprintf(caption + strlen(caption), sizeof caption - strlen(caption),
                 "; every %zuth, the best and the last", stride);
    for (size_t k = 0; k < n_metrics; k++)
        snprintf(heads + strlen(heads), sizeof heads - strlen(heads), "%.63s|", columns[k].title);
    snprintf(heads + strlen(heads), sizeof heads - strlen(heads),
             "#Learning rate|#Seconds|#Images/s");
    fmd_html_table_begin(h, "epochs", caption, heads);
    for (size_t i = 0; i < history->n; i++) {
        const fmd_epoch *e = &history->epochs[i];
        char cell[MOST_COLUMNS][48];
        const char *cells[MOST_COLUMNS];
        size_t n = 0;
        if (i % stride != 0 && (int)i != best && i + 1 != history->n)
            continue;
        snprintf(cell[n++], sizeof cell[0], "%s%zu", (int)i == best ? "* " : "", i + 1);
        for (size_t k = 0; k < n_metrics; k++) {
            const double value = *fmd_metric_find(&e->metrics, columns[k].metric);
            if (fmd_metric_higher_is_better(columns[k].metric))
                put_value(cell[n++], 2, 100 * value);
            else
                put_value(cell[n++], 4, value);
        }
        snprintf(cell[n++], sizeof cell[0], "%#.3g", e->metrics.learning_rate);
        put_value(cell[n++], 2, e->seconds);
        put_count(cell[n++], e->samples_per_s);
        for (size_t k = 0; k < n; k++)
            cells[k] = cell[k];
        fmd_html_row(h, cells);
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
    double *scratch;
    FMD_TRY(fmd_alloc(&scratch, 3 * one_curve, sizeof *scratch, "the curves"));
    if (!v->history.validation)
        fmd_html_paragraph(h, "note", "The run had no validation images.");
    fmd_html_markup(h, "<div class=\"row\">\n");
    put_curve(h, v, (const char *[]){"loss", "val_loss"}, "Loss", 1, scratch);
    put_curve(h, v, (const char *[]){"accuracy", "val_accuracy"}, "Accuracy, %", 100, scratch);
    for (size_t i = 0; i < v->history.metrics->n; i++) {
        const fmd_metric *m = &v->history.metrics->of[i];
        char title[FMD_METRIC_NAME_BYTES + 8];
        snprintf(title, sizeof title, "%s, %%", fmd_metric_column(m));
        put_curve(h, v, (const char *[]){fmd_metric_column(m), m->val_name}, title, 100, scratch);
    }
    fmd_html_markup(h, "</div>\n");
    put_epochs(h, v);
    free(scratch);
    return FMD_OK;
}

/* The scope of the times: all ranks and processes. */
static void put_whose(char *text, size_t size, const fmd_run_view *v, double seconds)
{
    const double ranks = fmd_run_view_real(v, NULL, FMD_KEY_RANKS);
    const double steps = fmd_run_view_real(v, FMD_KEY_RESULT, FMD_KEY_STEPS);
    size_t n = (size_t)snprintf(text, size, "%.2f s of training", seconds);
    if (steps > 0)
        n += (size_t)snprintf(text + n, size - n, ", %.3f ms a step", 1e3 * seconds / steps);
    if (v->times.processes > 1)
        n +=
            (size_t)snprintf(text + n, size - n,
                             ", in %d processes, with steps that were lost and repeated; parts are "
                             "those of complete epochs",
                             v->times.processes);
    if (ranks > 1)
        snprintf(text + n, size - n, ". Mean of %.0f ranks; brackets: fastest and slowest rank",
                 ranks);
}

/* The rank that the others wait for. */
static void put_slowest(fmd_html *h, const fmd_run_view *v)
{
    const double ranks = fmd_run_view_real(v, NULL, FMD_KEY_RANKS);
    const double rank = fmd_run_view_real(v, FMD_KEY_SLOWEST, FMD_KEY_RANK);
    const char *host = fmd_run_view_text(v, FMD_KEY_SLOWEST, FMD_KEY_HOST);
    if (!(ranks > 1) || !(rank >= 0) || host == NULL)
        return;
    fmd_html_paragraph(
        h, "",
        "Rank %.0f on %s was the slowest%s: it computed for %.2f s, %.0f %% above the mean "
        "of the ranks. The others waited for it; their sums over the ranks include the wait.",
        rank, host, v->times.processes > 1 ? " in the last process" : "",
        fmd_run_view_real(v, FMD_KEY_SLOWEST, FMD_KEY_COMPUTE_SECONDS),
        100 * fmd_run_view_real(v, FMD_KEY_SLOWEST, FMD_KEY_ABOVE_MEAN));
}

static void put_part(fmd_bar *bar, const fmd_run_view *v, size_t phase, double all)
{
    const double mean = part_seconds(v, phase, ""), least = part_seconds(v, phase, "_min");
    const double seconds = fmax(mean, 0);
    const bool spread = least >= 0 && fmd_run_view_real(v, NULL, FMD_KEY_RANKS) > 1;
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
        size_t phase;
        const char *name, *colour;
    } parts[] = {{FMD_PHASE_forward, "Forward pass", "one"},
                 {FMD_PHASE_backward, "Backward pass", "one"},
                 {FMD_PHASE_update, "Optimizer update", "one"},
                 {FMD_PHASE_assemble, "Batch assembly", "three"},
                 {FMD_PHASE_reduce, "Sums over the ranks, waiting included", "two"}};
    enum { N_PARTS = sizeof parts / sizeof *parts };
    const double seconds = training_seconds(v);
    fmd_bar bars[N_PARTS + 1] = {[N_PARTS] = {.name = "Other", .colour = "rest"}};
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
