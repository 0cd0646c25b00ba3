#include "fmd/callback.h"

#include "base/option.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

const char *const fmd_metric_names = "accuracy|loss|val_accuracy|val_loss";

static const struct metric {
    const char *name, *alias;
    size_t offset;
} metrics[] = {
    {"accuracy", "acc", offsetof(fmd_metrics, accuracy)},
    {"loss", "loss", offsetof(fmd_metrics, loss)},
    {"val_accuracy", "val_acc", offsetof(fmd_metrics, val_accuracy)},
    {"val_loss", "val_loss", offsetof(fmd_metrics, val_loss)},
};

static const struct metric *find(const char *name)
{
    for (size_t i = 0; i < sizeof metrics / sizeof metrics[0]; i++)
        if (strcmp(metrics[i].name, name) == 0 || strcmp(metrics[i].alias, name) == 0)
            return &metrics[i];
    return NULL;
}

const double *fmd_metric_find(const fmd_metrics *m, const char *name)
{
    const struct metric *found = find(name);
    return found != NULL ? (const double *)((const char *)m + found->offset) : NULL;
}

const char *fmd_metric_name(const char *name)
{
    const struct metric *found = find(name);
    return found != NULL ? found->name : NULL;
}

fmd_status fmd_metric_check(const char *name, bool validation, const char *label)
{
    const struct metric *found = find(name);
    if (found == NULL) {
        char hint[FMD_OPTION_TEXT_BYTES];
        return FMD_FAIL(FMD_EUSAGE, "%s: '%s' is not one of %s%s", label, name, fmd_metric_names,
                        fmd_did_you_mean(fmd_metric_names, name, hint));
    }
    if (!validation && strncmp(found->name, "val_", 4) == 0)
        return FMD_FAIL(FMD_EUSAGE,
                        "%s: there is no %s without validation data: give --validation-split or "
                        "--validation-data test",
                        label, found->name);
    return FMD_OK;
}

bool fmd_metric_better(const char *name, fmd_monitor_mode mode, double min_delta, double value,
                       double than)
{
    const bool more =
        mode == FMD_MODE_AUTO ? strstr(name, "accuracy") != NULL : mode == FMD_MODE_MAX;
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
