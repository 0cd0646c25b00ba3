#include "run/history.h"

#include "base/system/regular_file.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_COLUMNS = 32 };

/* The columns of history.csv, and where their values go. */
static const struct column {
    const char *name;
    size_t offset;
} columns[] = {
    {"accuracy", offsetof(fmd_epoch, metrics.accuracy)},
    {"learning_rate", offsetof(fmd_epoch, metrics.learning_rate)},
    {"loss", offsetof(fmd_epoch, metrics.loss)},
    {"val_accuracy", offsetof(fmd_epoch, metrics.val_accuracy)},
    {"val_loss", offsetof(fmd_epoch, metrics.val_loss)},
    {"time", offsetof(fmd_epoch, seconds)},
    {"samples_per_s", offsetof(fmd_epoch, samples_per_s)},
};

enum { KNOWN = sizeof columns / sizeof *columns };

/* A file under reading. */
typedef struct table {
    const char *path;
    size_t line;
    const struct column *of[MAX_COLUMNS]; /* of each field; NULL: not known */
    size_t n_fields;
} table;

static fmd_status read_header(table *t, char *line, fmd_history *h)
{
    char *rest = line;
    for (const char *name; (name = strsep(&rest, ",")) != NULL; t->n_fields++) {
        if (t->n_fields == MAX_COLUMNS || (t->n_fields == 0 && strcmp(name, "epoch") != 0))
            return FMD_FAIL(FMD_EDATA, "'%s' is no history: its first column is not 'epoch'",
                            t->path);
        for (size_t i = 0; i < KNOWN; i++)
            if (strcmp(columns[i].name, name) == 0)
                t->of[t->n_fields] = &columns[i];
        h->validation = h->validation || strncmp(name, "val_", 4) == 0;
    }
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

static fmd_status read_epoch(const table *t, char *line, fmd_epoch *out)
{
    char *rest = line;
    size_t n = 0;
    const double none = (double)NAN;
    *out = (fmd_epoch){{none, none, none, none, none}, none, none};
    for (const char *field; (field = strsep(&rest, ",")) != NULL; n++) {
        double value;
        if (n == t->n_fields || !read_value(field, &value))
            return FMD_FAIL(FMD_EDATA, "'%s', line %zu: '%.40s' is not a number of a column",
                            t->path, t->line, field);
        if (t->of[n] != NULL)
            *(double *)((char *)out + t->of[n]->offset) = value;
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
    FMD_TRY(read_epoch(t, line, &h->epochs[h->n]));
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
    FILE *file = fdopen(fd, "r");
    if (file == NULL) {
        close(fd);
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
    *h = (fmd_history){0};
}
