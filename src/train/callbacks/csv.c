/* history.csv: one line for each epoch, as written by Keras' CSVLogger: `epoch` first, then the
 * other columns sorted by name, those of --metrics last. The two columns that depend on time come last, where `cut` can drop
 * them. */
#include "base/mem.h"
#include "train/callbacks/callbacks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct csv {
    fmd_callback base;
    FILE *file;
    bool has_header, validation;
    double training_seconds; /* of this epoch, without validation */
    uint64_t samples_before; /* of this epoch, by an earlier process */
    char path[];
} csv;

/* The shortest text that reads back as the same number. */
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

static void put_header(csv *s, const fmd_metric_list *list)
{
    fprintf(s->file, "epoch,accuracy,learning_rate,loss,%s",
            s->validation ? "val_accuracy,val_loss," : "");
    for (size_t i = 0; list != NULL && i < list->n; i++) {
        fprintf(s->file, "%s,", fmd_metric_column(&list->of[i]));
        if (s->validation)
            fprintf(s->file, "%s,", list->of[i].val_name);
    }
    fprintf(s->file, "time,samples_per_s\n");
}

/* A line without its times. */
static void put_metrics(csv *s, int epoch, const fmd_metrics *m)
{
    fprintf(s->file, "%d", epoch);
    put(s->file, m->accuracy);
    put(s->file, m->learning_rate);
    put(s->file, m->loss);
    if (s->validation) {
        put(s->file, m->val_accuracy);
        put(s->file, m->val_loss);
    }
    for (size_t i = 0; m->list != NULL && i < m->list->n; i++) {
        put(s->file, m->extra[i]);
        if (s->validation)
            put(s->file, m->val_extra[i]);
    }
}

/* The offset behind the lines of the first `epochs` epochs; -1 if some are missing. */
static long end_of_epochs(FILE *file, int epochs)
{
    char line[512];
    for (int i = -1; i < epochs; i++) {
        if (fgets(line, sizeof line, file) == NULL || strchr(line, '\n') == NULL)
            return -1;
        if (i < 0 ? strncmp(line, "epoch,", 6) != 0 : atoi(line) != i)
            return -1;
    }
    return ftell(file);
}

/* A resumed run keeps the lines of the epochs in its checkpoint. If they are lost, it writes them
 * again without times. */
static fmd_status train_begin(fmd_callback *c, const fmd_event *e)
{
    csv *s = (csv *)c;
    long end = -1;
    s->has_header = e->epoch > 0;
    s->validation = e->epoch > 0 && !isnan(e->history[0].val_accuracy);
    if (e->epoch > 0 && (s->file = fopen(s->path, "r+")) != NULL) {
        end = end_of_epochs(s->file, e->epoch);
        if (end < 0)
            fclose(s->file);
    }
    if (end >= 0) {
        if (fseek(s->file, end, SEEK_SET) != 0 || ftruncate(fileno(s->file), end) != 0)
            return FMD_FAIL(FMD_EIO, "cannot write '%s': %s", s->path, strerror(errno));
        return FMD_OK;
    }
    /* O_NONBLOCK: opening a FIFO would otherwise wait for a reader. */
    const int fd = open(s->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0666);
    if (fd < 0 || (s->file = fdopen(fd, "w")) == NULL)
        return FMD_FAIL(FMD_EIO, "cannot write '%s': %s", s->path, strerror(errno));
    if (e->epoch > 0)
        put_header(s, e->history[0].list);
    for (int i = 0; i < e->epoch; i++) {
        put_metrics(s, i, &e->history[i]);
        fprintf(s->file, ",NA,NA\n");
    }
    return FMD_OK;
}

static void epoch_begin(fmd_callback *c, const fmd_event *e)
{
    ((csv *)c)->samples_before = e->samples;
}

static void batch_end(fmd_callback *c, const fmd_event *e, fmd_control *control)
{
    (void)control;
    ((csv *)c)->training_seconds = e->seconds;
}

static fmd_status epoch_end(fmd_callback *c, const fmd_event *e, fmd_control *control)
{
    (void)control;
    csv *s = (csv *)c;
    const fmd_metrics *m = &e->metrics;
    if (!s->has_header) {
        s->has_header = true;
        s->validation = !isnan(m->val_accuracy);
        put_header(s, m->list);
    }
    put_metrics(s, e->epoch, m);
    double rate = s->training_seconds > 0
                      ? (double)(e->samples - s->samples_before) / s->training_seconds
                      : 0;
    fprintf(s->file, ",%.6f,%.1f\n", e->seconds, rate);
    if (fflush(s->file) != 0)
        return FMD_FAIL(FMD_EIO, "cannot write '%s': %s", s->path, strerror(errno));
    return FMD_OK;
}

static fmd_status train_end(fmd_callback *c, const fmd_event *e, fmd_final_weights *weights)
{
    (void)e;
    (void)weights;
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
    .epoch_begin = epoch_begin,
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
