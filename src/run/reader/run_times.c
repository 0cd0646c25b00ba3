#include "run/reader/run_times.h"

#include "base/system/regular_file.h"
#include "io/json/json_object.h"
#include "io/run_names.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The process whose lines are read. */
typedef struct process {
    double first, last;
} process;

static double known(double value)
{
    return isnan(value) ? 0 : value;
}

static void add_epoch(fmd_run_times *t, const fmd_json *line)
{
    for (size_t p = 0; p < FMD_PHASES; p++) {
        t->mean[p] += known(fmd_json_get_real(line, fmd_phase_names[p], FMD_KEY_MEAN));
        t->min[p] += known(fmd_json_get_real(line, fmd_phase_names[p], "min"));
        t->max[p] += known(fmd_json_get_real(line, fmd_phase_names[p], "max"));
    }
}

/* The end of a process without its own word: until its last line. */
static void end_process(fmd_run_times *t, process *now)
{
    t->seconds += now->last - now->first;
    *now = (process){0};
}

static void take(fmd_run_times *t, process *now, const fmd_json *line)
{
    const char *type = fmd_json_get_text(line, NULL, FMD_KEY_TYPE);
    const double time = known(fmd_json_get_real(line, NULL, FMD_KEY_TIME));
    if (type == NULL)
        return;
    if (strcmp(type, FMD_EVENT_START) == 0 || strcmp(type, FMD_EVENT_RESUME) == 0) {
        end_process(t, now);
        if (strcmp(type, FMD_EVENT_START) == 0) /* earlier processes have left nothing */
            *t = (fmd_run_times){0};
        t->processes++;
        *now = (process){.first = time, .last = time};
    } else if (strcmp(type, FMD_EVENT_END) == 0) {
        *now = (process){0};
        t->seconds += known(fmd_json_get_real(line, NULL, FMD_KEY_TRAINING_SECONDS));
    } else if (strcmp(type, FMD_EVENT_EPOCH) == 0) {
        add_epoch(t, line);
        now->last = time;
    } else if (strcmp(type, FMD_EVENT_STEP) == 0) {
        now->last = time;
    }
}

fmd_status fmd_run_times_read(fmd_run_times *out, const char *path)
{
    fmd_run_times t = {0};
    process now = {0};
    char *text = NULL;
    size_t room = 0, bytes;
    int fd;
    FMD_TRY(fmd_regular_file_open(&fd, &bytes, path, "an event log"));
    FILE *file = fdopen(fd, "r");
    if (file == NULL) {
        close(fd);
        return FMD_FAIL(FMD_ENOMEM, "out of memory: opening '%s'", path);
    }
    for (ssize_t n; (n = getline(&text, &room, file)) > 0;) {
        fmd_json *line;
        if (fmd_json_parse(&line, text, (size_t)n, path) != FMD_OK)
            continue;
        take(&t, &now, line);
        fmd_json_destroy(line);
    }
    const bool whole = ferror(file) == 0;
    free(text);
    fclose(file);
    end_process(&t, &now);
    *out = t;
    return whole ? FMD_OK : FMD_FAIL(FMD_EIO, "cannot read '%s'", path);
}
