#include "train/callbacks/callback.h"

#include "base/option.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* Keras' columns. */
static const struct metric {
    const char *name, *alias;
    size_t offset;
    bool watched, higher_is_better;
} metrics[] = {
    {"accuracy", "acc", offsetof(fmd_metrics, accuracy), true, true},
    {"loss", "loss", offsetof(fmd_metrics, loss), true, false},
    {"val_accuracy", "val_acc", offsetof(fmd_metrics, val_accuracy), true, true},
    {"val_loss", "val_loss", offsetof(fmd_metrics, val_loss), true, false},
    {"learning_rate", "learning_rate", offsetof(fmd_metrics, learning_rate), false, false},
};

enum { KERAS = sizeof metrics / sizeof *metrics };

static const struct metric *find(const char *name)
{
    for (size_t i = 0; i < KERAS; i++)
        if (strcmp(metrics[i].name, name) == 0 || strcmp(metrics[i].alias, name) == 0)
            return &metrics[i];
    return NULL;
}

fmd_metrics fmd_metrics_none(const fmd_metric_list *list)
{
    fmd_metrics m = {.list = list != NULL && list->n > 0 ? list : NULL};
    for (size_t i = 0; i < FMD_METRICS_COLUMNS; i++)
        *fmd_metrics_at(&m, i) = (double)NAN;
    return m;
}

const char *fmd_metrics_column(const fmd_metric_list *list, size_t i)
{
    const size_t extra = i - KERAS;
    if (i < KERAS)
        return metrics[i].name;
    if (list == NULL || extra / 2 >= list->n)
        return NULL;
    const fmd_metric *m = &list->of[extra / 2];
    return extra % 2 == 0 ? fmd_metric_column(m) : m->val_name;
}

double *fmd_metrics_at(fmd_metrics *m, size_t i)
{
    const size_t extra = i - KERAS;
    if (i < KERAS)
        return (double *)((char *)m + metrics[i].offset);
    return extra % 2 == 0 ? &m->extra[extra / 2] : &m->val_extra[extra / 2];
}

const double *fmd_metric_find(const fmd_metrics *m, const char *name)
{
    const struct metric *found = find(name);
    if (found != NULL)
        return (const double *)((const char *)m + found->offset);
    for (size_t i = 0; m->list != NULL && i < m->list->n; i++) {
        if (strcmp(fmd_metric_column(&m->list->of[i]), name) == 0)
            return &m->extra[i];
        if (strcmp(m->list->of[i].val_name, name) == 0)
            return &m->val_extra[i];
    }
    return NULL;
}

const char *fmd_metric_name(const fmd_metric_list *list, const char *name)
{
    const struct metric *found = find(name);
    const char *column;
    if (found != NULL)
        return found->watched ? found->name : NULL;
    for (size_t i = KERAS; (column = fmd_metrics_column(list, i)) != NULL; i++)
        if (strcmp(column, name) == 0)
            return column;
    return NULL;
}

static void join_names(const fmd_metric_list *list, char text[FMD_OPTION_TEXT_BYTES])
{
    const char *column;
    size_t used = 0;
    for (size_t i = 0; (column = fmd_metrics_column(list, i)) != NULL; i++)
        if (i >= KERAS || metrics[i].watched)
            used += (size_t)snprintf(text + used, FMD_OPTION_TEXT_BYTES - used, "%s%s",
                                     i > 0 ? "|" : "", column);
}

fmd_status fmd_metric_check(const fmd_metric_list *list, const char *name, bool validation,
                            const char *label)
{
    const char *found = fmd_metric_name(list, name);
    if (found == NULL) {
        char names[FMD_OPTION_TEXT_BYTES], hint[FMD_OPTION_TEXT_BYTES];
        join_names(list, names);
        return FMD_FAIL(FMD_EUSAGE, "%s: '%s' is not one of %s%s%s", label, name, names,
                        fmd_did_you_mean(names, name, hint),
                        fmd_metric_ops_of_column(name) != NULL ? "; --metrics adds more" : "");
    }
    if (!validation && strncmp(found, "val_", 4) == 0)
        return FMD_FAIL(FMD_EUSAGE,
                        "%s: there is no %s without validation data: give --validation-split or "
                        "--validation-data test",
                        label, found);
    return FMD_OK;
}

bool fmd_metric_higher_is_better(const char *name)
{
    const struct metric *found = find(name);
    if (found != NULL)
        return found->higher_is_better;
    const fmd_metric_ops *ops = fmd_metric_ops_of_column(name);
    return ops != NULL && ops->higher_is_better;
}

bool fmd_metric_better(const char *name, fmd_monitor_mode mode, double min_delta, double value,
                       double than)
{
    const bool more =
        mode == FMD_MODE_AUTO ? fmd_metric_higher_is_better(name) : mode == FMD_MODE_MAX;
    if (more)
        return (float)(value - min_delta) > (float)than;
    return (float)(value + min_delta) < (float)than;
}

bool fmd_metric_is_best(const char *name, fmd_monitor_mode mode, double value, double best)
{
    return !isnan(value) && (isnan(best) || fmd_metric_better(name, mode, 0, value, best));
}

void fmd_control_stop(fmd_control *control, const char *format, ...)
{
    if (control->stop)
        return;
    control->stop = true;
    va_list args;
    va_start(args, format);
    vsnprintf(control->reason, sizeof control->reason, format, args);
    va_end(args);
}
