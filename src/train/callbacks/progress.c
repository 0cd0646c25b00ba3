/* The progress display: Keras 3's bar (keras/src/utils/progbar.py) on a terminal, otherwise a line
 * for each epoch. Both end with the samples per second, which Keras does not show. */
#include "base/log.h"
#include "base/mem.h"
#include "base/system/terminal.h"
#include "train/callbacks/callbacks.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BAR_WIDTH = 20 };
static const double REDRAW_SECONDS = 0.05;

typedef struct style {
    const char *bold, *done, *to_come, *plain;
} style;

/* Symbols of the bar for completed and remaining steps. */
typedef struct signs {
    const char *done, *to_come;
} signs;

static const style styled = {"\033[1m", "\033[32m", "\033[37m", "\033[0m"};
static const style unstyled = {"", "", "", ""};
static const signs coloured = {"━", "━"}, plain = {"━", "─"}, ascii = {"#", "-"};

typedef struct progress {
    fmd_callback base;
    const style *style;
    const signs *signs;
    int screen;                            /* its columns; 0: not known */
    int columns;                           /* of the unfinished line on it */
    double drawn_at;                       /* these three: seconds of the epoch */
    double first_step_seconds;             /* NAN before it */
    double training_seconds;               /* without validation */
    uint64_t steps_before, samples_before; /* of this epoch, by an earlier process */
} progress;

/* A line under construction; excess text is cut off. */
typedef struct line {
    char text[1024];
    size_t used;
} line;

__attribute__((format(printf, 2, 3))) static void add(line *l, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(l->text + l->used, sizeof l->text - l->used, format, args);
    va_end(args);
    size_t room = sizeof l->text - l->used - 1;
    l->used += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room;
}

/* Columns that UTF-8 text takes on the screen, escape sequences left out. */
static int count_columns(const char *text)
{
    int n = 0;
    for (const char *s = text; *s != '\0'; s++) {
        if (*s == '\033')
            s += strcspn(s, "m");
        else
            n += ((unsigned char)*s & 0xC0) != 0x80;
    }
    return n;
}

/* The first step, which warms up caches, counts only if there is no other. */
static double seconds_per_step(const progress *p, const fmd_event *e)
{
    const uint64_t steps = e->step - p->steps_before;
    if (steps == 0)
        return 0;
    if (steps > 1 && !isnan(p->first_step_seconds))
        return (e->seconds - p->first_step_seconds) / (double)(steps - 1);
    return e->seconds / (double)steps;
}

static void add_seconds_per_step(line *l, double seconds)
{
    if (seconds >= 1 || seconds == 0)
        add(l, "%.0fs/step", seconds);
    else if (seconds >= 1e-3)
        add(l, "%.0fms/step", seconds * 1e3);
    else
        add(l, "%.0fus/step", seconds * 1e6);
}

static void add_time_left(line *l, double seconds)
{
    int s = (int)fmin(seconds, 1e9);
    if (seconds > 3600)
        add(l, "%d:%02d:%02d", s / 3600, s % 3600 / 60, s % 60);
    else if (seconds > 60)
        add(l, "%d:%02d", s / 60, s % 60);
    else
        add(l, "%ds", s);
}

static void add_metric(line *l, const char *name, double value)
{
    if (fabs(value) > 1e-3)
        add(l, " - %s: %.4f", name, value);
    else
        add(l, " - %s: %.4e", name, value);
}

static void add_metrics(line *l, const fmd_metrics *m)
{
    add_metric(l, "accuracy", m->accuracy);
    add_metric(l, "loss", m->loss);
    for (size_t i = 0; m->list != NULL && i < m->list->n; i++)
        add_metric(l, fmd_metric_column(&m->list->of[i]), m->extra[i]);
    if (isnan(m->val_accuracy))
        return;
    add_metric(l, "val_accuracy", m->val_accuracy);
    add_metric(l, "val_loss", m->val_loss);
    for (size_t i = 0; m->list != NULL && i < m->list->n; i++)
        add_metric(l, m->list->of[i].val_name, m->val_extra[i]);
}

static void add_samples_per_second(line *l, const progress *p, uint64_t samples)
{
    if (!(p->training_seconds > 0))
        return;
    double rate = (double)samples / p->training_seconds;
    if (rate < 999.5)
        add(l, " - %.0f samples/s", rate);
    else if (rate < 9950)
        add(l, " - %.1fk samples/s", rate / 1e3);
    else if (rate < 999500)
        add(l, " - %.0fk samples/s", rate / 1e3);
    else
        add(l, " - %.1fM samples/s", rate / 1e6);
}

static void add_signs(line *l, const char *begin, const char *sign, int n, const char *end)
{
    if (n == 0)
        return;
    add(l, "%s", begin);
    for (int i = 0; i < n; i++)
        add(l, "%s", sign);
    add(l, "%s", end);
}

static void add_bar(line *l, const progress *p, const fmd_event *e)
{
    const style *s = p->style;
    int digits = snprintf(NULL, 0, "%" PRIu64, e->steps);
    int done = e->steps > 0 ? (int)(BAR_WIDTH * e->step / e->steps) : BAR_WIDTH;
    add(l, "%s%*" PRIu64 "/%" PRIu64 "%s ", s->bold, digits, e->step, e->steps, s->plain);
    add_signs(l, s->done, p->signs->done, done, s->plain);
    add_signs(l, s->to_come, p->signs->to_come, BAR_WIDTH - done, s->plain);
    add(l, " ");
}

/* A line that wraps could not be overwritten by the next. */
static void cut_to_screen(line *l, const progress *p)
{
    int n = 0;
    for (char *s = l->text; *s != '\0' && p->screen > 0; s++) {
        if (*s == '\033')
            s += strcspn(s, "m");
        else if (((unsigned char)*s & 0xC0) != 0x80 && ++n == p->screen) {
            l->used = (size_t)(s - l->text);
            add(l, "%s", p->style->plain);
            return;
        }
    }
}

static void redraw(progress *p, const line *l, const char *end)
{
    int columns = count_columns(l->text);
    int rest = p->columns > columns ? p->columns - columns : 0;
    printf("\r%s%*s%s", l->text, rest, "", end);
    fflush(stdout);
    p->columns = columns;
}

static void epoch_begin(fmd_callback *c, const fmd_event *e)
{
    progress *p = (progress *)c;
    p->steps_before = e->step;
    p->samples_before = e->samples;
    p->columns = 0;
    p->drawn_at = -(double)INFINITY;
    p->first_step_seconds = (double)NAN;
    p->training_seconds = 0;
}

static void bar_epoch_begin(fmd_callback *c, const fmd_event *e)
{
    epoch_begin(c, e);
    printf("Epoch %d/%d\n", e->epoch + 1, e->epochs);
    fflush(stdout);
}

static void batch_end(fmd_callback *c, const fmd_event *e, fmd_control *control)
{
    (void)control;
    progress *p = (progress *)c;
    p->training_seconds = e->seconds;
    if (e->step == p->steps_before + 1)
        p->first_step_seconds = e->seconds;
}

static void bar_batch_end(fmd_callback *c, const fmd_event *e, fmd_control *control)
{
    batch_end(c, e, control);
    progress *p = (progress *)c;
    if (e->seconds - p->drawn_at < REDRAW_SECONDS)
        return;
    p->drawn_at = e->seconds;
    double per_step = seconds_per_step(p, e);
    line l = {.used = 0};
    add_bar(&l, p, e);
    add(&l, "%s", p->style->bold);
    add_time_left(&l, per_step * (double)(e->steps - e->step));
    add(&l, "%s ", p->style->plain);
    add_seconds_per_step(&l, per_step);
    add_metrics(&l, &e->metrics);
    cut_to_screen(&l, p);
    redraw(p, &l, "");
}

static fmd_status bar_epoch_end(fmd_callback *c, const fmd_event *e, fmd_control *control)
{
    (void)control;
    progress *p = (progress *)c;
    line l = {.used = 0};
    add_bar(&l, p, e);
    add(&l, "%s%.0fs%s ", p->style->bold, e->seconds, p->style->plain);
    add_seconds_per_step(&l, seconds_per_step(p, e));
    add_metrics(&l, &e->metrics);
    add_samples_per_second(&l, p, e->samples - p->samples_before);
    redraw(p, &l, "\n");
    p->columns = 0;
    return FMD_OK;
}

static fmd_status line_epoch_end(fmd_callback *c, const fmd_event *e, fmd_control *control)
{
    (void)control;
    const progress *p = (const progress *)c;
    line l = {.used = 0};
    add(&l, "Epoch %d/%d - %.0fs - ", e->epoch + 1, e->epochs, e->seconds);
    add_seconds_per_step(&l, seconds_per_step(p, e));
    add_metrics(&l, &e->metrics);
    add_samples_per_second(&l, p, e->samples - p->samples_before);
    printf("%s\n", l.text);
    fflush(stdout);
    return FMD_OK;
}

/* Ends the unfinished line of the bar, so that a message starts on a new line. */
static void end_line(void *self)
{
    progress *p = self;
    if (p->columns > 0) {
        putchar('\n');
        fflush(stdout);
    }
    p->columns = 0;
}

static fmd_status bar_train_begin(fmd_callback *c, const fmd_event *e)
{
    (void)e;
    fmd_log_before_line(end_line, c);
    return FMD_OK;
}

static void bar_fit_end(fmd_callback *c)
{
    fmd_log_before_line(NULL, NULL);
    end_line(c);
}

static void destroy(fmd_callback *c)
{
    bar_fit_end(c);
    free(c);
}

static const fmd_callback_ops bar_ops = {
    .name = "progress",
    .train_begin = bar_train_begin,
    .epoch_begin = bar_epoch_begin,
    .batch_end = bar_batch_end,
    .epoch_end = bar_epoch_end,
    .fit_end = bar_fit_end,
    .destroy = destroy,
};

static const fmd_callback_ops line_ops = {
    .name = "progress",
    .epoch_begin = epoch_begin,
    .batch_end = batch_end,
    .epoch_end = line_epoch_end,
    .destroy = destroy,
};

static const fmd_callback_ops none_ops = {
    .name = "progress",
    .destroy = destroy,
};

fmd_status fmd_cb_progress_create(fmd_callback **out, fmd_progress kind)
{
    const fmd_terminal t = fmd_terminal_of_stdout();
    if (kind == FMD_PROGRESS_AUTO)
        kind = t.terminal ? FMD_PROGRESS_BAR : FMD_PROGRESS_LINE;
    progress *p;
    FMD_TRY(fmd_alloc(&p, 1, sizeof *p, "the progress display"));
    p->base.ops = kind == FMD_PROGRESS_BAR    ? &bar_ops
                  : kind == FMD_PROGRESS_LINE ? &line_ops
                                              : &none_ops;
    p->style = t.colour != FMD_COLOUR_NONE ? &styled : &unstyled;
    p->signs = !t.utf8 ? &ascii : t.colour != FMD_COLOUR_NONE ? &coloured : &plain;
    p->screen = t.columns;
    *out = &p->base;
    return FMD_OK;
}
