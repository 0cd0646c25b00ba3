#include "run/history.h"

#include "base/system/regular_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_COLUMNS = 32 };

/* A file under reading. */
typedef struct table {
    const char *path;
    size_t line;
    char name[MAX_COLUMNS][FMD_METRIC_NAME_BYTES]; /* of each field */
    size_t n_fields;
} table;

/* The metrics of --metrics, which the columns that are not Keras' name. */
static void find_metrics(const table *t, fmd_metric_list *list)
{
    char spec[MAX_COLUMNS * FMD_METRIC_NAME_BYTES] = "accuracy";
    for (size_t i = 0, n = 0; i < t->n_fields; i++)
        if (strncmp(t->name[i], "val_", 4) != 0 && fmd_metric_ops_of_column(t->name[i]) != NULL &&
            n++ < FMD_METRICS_MAX)
            snprintf(spec + strlen(spec), sizeof spec - strlen(spec), ",%s", t->name[i]);
    if (fmd_metric_list_parse(list, spec, FMD_LOSS_CLASSES) != FMD_OK)
        *list = (fmd_metric_list){.n = 0}; /* the same twice */
}

/* Where the value of a field goes; NULL: not known. */
static double *place_of(const table *t, size_t field, fmd_epoch *e)
{
    const char *name = t->name[field], *column;
    if (strcmp(name, "time") == 0)
        return &e->seconds;
    if (strcmp(name, "samples_per_s") == 0)
        return &e->samples_per_s;
    for (size_t i = 0; (column = fmd_metrics_column(e->metrics.list, i)) != NULL; i++)
        if (strcmp(column, name) == 0)
            return fmd_metrics_at(&e->metrics, i);
    return NULL;
}

static fmd_status read_header(table *t, char *line, fmd_history *h)
{
    char *rest = line;
    for (const char *name; (name = strsep(&rest, ",")) != NULL; t->n_fields++) {
        if (t->n_fields == MAX_COLUMNS || (t->n_fields == 0 && strcmp(name, "epoch") != 0))
            return FMD_FAIL(FMD_EDATA, "'%s' is no history: its first column is not 'epoch'",
                            t->path);
        snprintf(t->name[t->n_fields], sizeof t->name[0], "%s", name);
        h->validation = h->validation || strncmp(name, "val_", 4) == 0;
    }
    find_metrics(t, h->metrics);
    return FMD_OK;
}

/* "NA" stands for an unknown value. */
static bool read_value(const char *text, double *out)
{
    char *end;
    if (strcmp(text, "NA") == 0) {
        *out = (double)NAN;
        return true;
    }
    *out = strtod(text, &end);
    return end != text && *end == '\0';
}

static fmd_status read_epoch(const table *t, char *line, const fmd_metric_list *list,
                             fmd_epoch *out)
{
    char *rest = line;
    size_t n = 0;
    const double none = (double)NAN;
    *out = (fmd_epoch){fmd_metrics_none(list), none, none};
    for (const char *field; (field = strsep(&rest, ",")) != NULL; n++) {
        double value;
        if (n == t->n_fields || !read_value(field, &value))
            return FMD_FAIL(FMD_EDATA, "'%s', line %zu: '%.40s' is not a number of a column",
                            t->path, t->line, field);
        double *place = place_of(t, n, out);
        if (place != NULL)
            *place = value;
    }
    return n == t->n_fields ? FMD_OK
                            : FMD_FAIL(FMD_EDATA, "'%s', line %zu: %zu fields, expected %zu",
                                       t->path, t->line, n, t->n_fields);
}

static fmd_status add_epoch(const table *t, char *line, fmd_history *h, size_t *room)
{
    if (h->n == *room) {
        *room = *room == 0 ? 64 : 2 * *room;
        fmd_epoch *grown = realloc(h->epochs, *room * sizeof *grown);
        if (grown == NULL)
            return FMD_FAIL(FMD_ENOMEM, "out of memory: the history of %zu epochs", *room);
        h->epochs = grown;
    }
    FMD_TRY(read_epoch(t, line, h->metrics, &h->epochs[h->n]));
    h->n++;
    return FMD_OK;
}

fmd_status fmd_history_read(fmd_history *out, const char *path)
{
    fmd_status st = FMD_OK;
    fmd_history h = {0};
    table t = {.path = path};
    char *line = NULL;
    size_t room = 0, capacity = 0;
    int fd;
    size_t bytes;
    FMD_TRY(fmd_regular_file_open(&fd, &bytes, path, "a table of epochs"));
    FILE *file = NULL;
    h.metrics = calloc(1, sizeof *h.metrics);
    if (h.metrics == NULL || (file = fdopen(fd, "r")) == NULL) {
        close(fd);
        fmd_history_free(&h);
        return FMD_FAIL(FMD_ENOMEM, "out of memory: opening '%s'", path);
    }
    for (ssize_t n; st == FMD_OK && (n = getline(&line, &capacity, file)) > 0;) {
        if (line[n - 1] != '\n')
            break;
        line[n - 1] = '\0';
        st = t.line++ == 0 ? read_header(&t, line, &h) : add_epoch(&t, line, &h, &room);
    }
    if (st == FMD_OK && ferror(file))
        st = FMD_FAIL(FMD_EIO, "cannot read '%s': %s", path, strerror(errno));
    free(line);
    fclose(file);
    if (st != FMD_OK)
        fmd_history_free(&h);
    else
        *out = h;
    return st;
}

void fmd_history_free(fmd_history *h)
{
    free(h->epochs);
    free(h->metrics);
    *h = (fmd_history){0};
}
