/* Stops training once a metric is good enough. */
#include "base/mem.h"
#include "train/callbacks/callbacks.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define LABEL "--stop-when"

enum op { LESS, GREATER, LESS_EQUAL, GREATER_EQUAL, N_OPS };

static const char *const op_text[N_OPS] = {"<", ">", "<=", ">="};

typedef struct condition {
    const char *metric;
    enum op op;
    double threshold;
} condition;

typedef struct stop_when {
    fmd_callback base;
    size_t n;
    condition conditions[];
} stop_when;

static bool holds(const condition *c, double value)
{
    switch (c->op) {
    case LESS: return value < c->threshold;
    case GREATER: return value > c->threshold;
    case LESS_EQUAL: return value <= c->threshold;
    default: return value >= c->threshold;
    }
}

static void check(const stop_when *s, const fmd_metrics *metrics, fmd_control *control)
{
    for (size_t i = 0; i < s->n; i++) {
        const condition *k = &s->conditions[i];
        double value = *fmd_metric_find(metrics, k->metric);
        if (!holds(k, value))
            continue;
        if (fmd_metric_higher_is_better(k->metric) && (k->op == GREATER || k->op == GREATER_EQUAL))
            fmd_control_stop(control, "Reached %g%% %s so cancelling training!", 100 * k->threshold,
                             k->metric);
        else
            fmd_control_stop(control, "Reached %s %.6g %s %g so cancelling training!", k->metric,
                             value, op_text[k->op], k->threshold);
    }
}

static fmd_status epoch_end(fmd_callback *c, const fmd_event *e, fmd_control *control)
{
    check((const stop_when *)c, &e->metrics, control);
    return FMD_OK;
}

static fmd_status restored(fmd_callback *c, const fmd_event *e, fmd_control *control)
{
    if (e->epoch > 0 && e->step == 0)
        check((const stop_when *)c, &e->history[e->epoch - 1], control);
    return FMD_OK;
}

static void destroy(fmd_callback *c)
{
    free(c);
}

static const fmd_callback_ops ops = {
    .name = "stop_when",
    .epoch_end = epoch_end,
    .restored = restored,
    .destroy = destroy,
};

/* Cuts white space off both ends, in place. */
static char *trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t n = strlen(text);
    while (n > 0 && isspace((unsigned char)text[n - 1]))
        text[--n] = '\0';
    return text;
}

static fmd_status parse(condition *k, char *text, const fmd_metric_list *metrics, bool validation)
{
    text = trim(text);
    size_t at = strcspn(text, "<>");
    size_t op_bytes = text[at] == '\0' ? 0 : text[at + 1] == '=' ? 2 : 1;
    if (at == 0 || op_bytes == 0)
        return FMD_FAIL(FMD_EUSAGE,
                        LABEL ": '%s' is not METRIC OP NUMBER with one of < > <= >=, as in "
                              "'accuracy>0.99': in quotes, or the shell takes it for a file",
                        text);
    k->op = (text[at] == '<' ? LESS : GREATER) + (op_bytes == 2 ? 2 : 0);

    char *end, *number = trim(text + at + op_bytes);
    k->threshold = strtod(number, &end);
    if (end == number || *end != '\0' || !isfinite(k->threshold))
        return FMD_FAIL(FMD_EUSAGE, LABEL ": '%s' is not a number in '%s'", number, text);

    text[at] = '\0';
    const char *metric = trim(text);
    FMD_TRY(fmd_metric_check(metrics, metric, validation, LABEL));
    k->metric = fmd_metric_name(metrics, metric);
    if (fmd_metric_higher_is_better(k->metric) && (k->threshold < 0 || k->threshold > 1))
        return FMD_FAIL(FMD_EUSAGE, LABEL ": %s goes from 0 to 1, not to %s: 99%% is 0.99",
                        k->metric, number);
    return FMD_OK;
}

fmd_status fmd_cb_stop_when_create(fmd_callback **out, const char *conditions,
                                   const fmd_metric_list *metrics, bool validation)
{
    stop_when *s = NULL;
    char *text = NULL;
    fmd_status status;

    size_t n = 1;
    for (const char *p = conditions; *p != '\0'; p++)
        n += *p == ',';
    status = fmd_alloc(&s, 1, sizeof *s + n * sizeof s->conditions[0], "the conditions to stop");
    if (status != FMD_OK)
        goto out;
    s->base.ops = &ops;
    s->n = n;
    status = fmd_alloc(&text, strlen(conditions) + 1, 1, "the conditions to stop");
    if (status != FMD_OK)
        goto out;
    memcpy(text, conditions, strlen(conditions) + 1);

    char *rest = text;
    for (size_t i = 0; i < n && status == FMD_OK; i++)
        status = parse(&s->conditions[i], strsep(&rest, ","), metrics, validation);
    if (status != FMD_OK)
        goto out;
    *out = &s->base;
    s = NULL;
out:
    free(text);
    free(s);
    return status;
}
