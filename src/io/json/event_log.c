#include "io/json/event_log.h"

#include "base/log.h"
#include "base/mem.h"
#include "io/run_names.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct fmd_event_log {
    int fd;
    char path[];
};

static fmd_status cannot_write(const char *path)
{
    return FMD_FAIL(FMD_EIO, "cannot write '%s': %s", path, strerror(errno));
}

/* The end of the last whole line of the file; -1 and errno on failure. */
static off_t end_of_lines(int fd)
{
    char block[4096];
    off_t end = lseek(fd, 0, SEEK_END);
    while (end > 0) {
        const off_t from = end > (off_t)sizeof block ? end - (off_t)sizeof block : 0;
        const ssize_t n = pread(fd, block, (size_t)(end - from), from);
        if (n <= 0)
            return -1;
        for (ssize_t i = n; i > 0; i--)
            if (block[i - 1] == '\n')
                return from + i;
        end = from;
    }
    return end;
}

fmd_status fmd_event_log_open(fmd_event_log **out, const char *path)
{
    fmd_event_log *log;
    FMD_TRY(fmd_alloc(&log, 1, sizeof *log + strlen(path) + 1, "the event log"));
    memcpy(log->path, path, strlen(path) + 1);
    log->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    const off_t end = log->fd >= 0 ? end_of_lines(log->fd) : -1;
    if (end < 0 || (lseek(log->fd, 0, SEEK_END) > end && ftruncate(log->fd, end) != 0)) {
        const fmd_status st = cannot_write(path);
        fmd_event_log_close(log);
        return st;
    }
    *out = log;
    return FMD_OK;
}

void fmd_event_log_close(fmd_event_log *log)
{
    if (log == NULL)
        return;
    if (log->fd >= 0)
        close(log->fd);
    free(log);
}

fmd_status fmd_event_log_begin(fmd_json **out, const char *type)
{
    struct timespec now;
    FMD_TRY(fmd_json_create(out));
    clock_gettime(CLOCK_REALTIME, &now);
    fmd_json_text(*out, NULL, FMD_KEY_TYPE, type);
    fmd_json_real(*out, NULL, FMD_KEY_TIME,
                  (double)now.tv_sec + floor((double)now.tv_nsec * 1e-6) / 1e3); /* milliseconds */
    return FMD_OK;
}

fmd_status fmd_event_log_write(fmd_event_log *log, const fmd_json *event)
{
    char *line = NULL;
    FMD_TRY(fmd_json_line(&line, event, log->path));
    const size_t bytes = strlen(line);
    errno = ENOSPC; /* the cause of a short write */
    const ssize_t written = write(log->fd, line, bytes);
    free(line);
    if (written == (ssize_t)bytes)
        return FMD_OK;
    const fmd_status st = cannot_write(log->path);
    if (written > 0 && ftruncate(log->fd, lseek(log->fd, 0, SEEK_END) - written) != 0)
        fmd_debug("'%s' ends in an unfinished line: %s", log->path, strerror(errno));
    return st;
}

fmd_status fmd_event_log_append(const char *path, const fmd_json *event)
{
    fmd_event_log *log;
    FMD_TRY(fmd_event_log_open(&log, path));
    const fmd_status st = fmd_event_log_write(log, event);
    fmd_event_log_close(log);
    return st;
}
