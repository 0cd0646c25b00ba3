/* history.csv: a line an epoch as Keras' CSVLogger has it, `epoch` first and the other names
 * sorted; but the two columns that depend on time come last, where `cut` can drop them. */
#include "fmd/callback.h"
#include "fmd/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct csv {
    fmd_callback base;
    FILE *file;
    bool has_header, validation;
    double training_seconds; /* of this epoch, without validation */
    char path[];
} csv;

static fmd_status train_begin(fmd_callback *c, const fmd_event *e)
{
    (void)e;
    csv *s = (csv *)c;
    s->file = fopen(s->path, "w");
    if (s->file == NULL)
        return FMD_FAIL(FMD_EIO, "cannot write '%s': %s", s->path, strerror(errno));
    return FMD_OK;
}

static void batch_end(fmd_callback *c, const fmd_event *e, fmd_control *control)
{
    (void)control;
    ((csv *)c)->training_seconds = e->seconds;
}

/* In the shortest form that reads back as the same number. */
static void put(FILE *file, double value)
{
    char text[32];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    fprintf(file, ",%s", isnan(value) ? "nan" : text);
}

static fmd_status epoch_end(fmd_callback *c, const fmd_event *e, fmd_control *control)
{
    (void)control;
    csv *s = (csv *)c;
    const fmd_metrics *m = &e->metrics;
    if (!s->has_header) {
        s->has_header = true;
        s->validation = !isnan(m->val_accuracy);
        fprintf(s->file, "epoch,accuracy,learning_rate,loss,%stime,samples_per_s\n",
                s->validation ? "val_accuracy,val_loss," : "");
    }
    fprintf(s->file, "%d", e->epoch);
    put(s->file, m->accuracy);
    put(s->file, m->learning_rate);
    put(s->file, m->loss);
    if (s->validation) {
        put(s->file, m->val_accuracy);
        put(s->file, m->val_loss);
    }
    double rate = s->training_seconds > 0 ? (double)e->samples / s->training_seconds : 0;
    fprintf(s->file, ",%.6f,%.1f\n", e->seconds, rate);
    if (fflush(s->file) != 0)
        return FMD_FAIL(FMD_EIO, "cannot write '%s': %s", s->path, strerror(errno));
    return FMD_OK;
}

static fmd_status train_end(fmd_callback *c, const fmd_event *e, float *params)
{
    (void)e;
    (void)params;
    csv *s = (csv *)c;
    FILE *file = s->file;
    s->file = NULL;
    if (fclose(file) != 0)
        return FMD_FAIL(FMD_EIO, "cannot write '%s': %s", s->path, strerror(errno));
    return FMD_OK;
}

static void destroy(fmd_callback *c)
{
    csv *s = (csv *)c;
    if (s->file != NULL)
        fclose(s->file);
    free(s);
}

static const fmd_callback_ops ops = {
    .name = "csv",
    .train_begin = train_begin,
    .batch_end = batch_end,
    .epoch_end = epoch_end,
    .train_end = train_end,
    .destroy = destroy,
};

fmd_status fmd_cb_csv_create(fmd_callback **out, const char *path)
{
    csv *s;
    FMD_TRY(fmd_alloc(&s, 1, sizeof *s + strlen(path) + 1, "the history file"));
    s->base.ops = &ops;
    memcpy(s->path, path, strlen(path) + 1);
    *out = &s->base;
    return FMD_OK;
}
