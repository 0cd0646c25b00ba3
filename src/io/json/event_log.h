/* events.jsonl: the events of a run for programs that follow it, one JSON object per line.
 *
 * Each line is appended atomically. If a killed process left an incomplete line, the next process
 * removes it when it opens the file. */
#ifndef FMD_IO_JSON_EVENT_LOG_H
#define FMD_IO_JSON_EVENT_LOG_H

#include "fmd/error.h"
#include "io/json/json_object.h"

typedef struct fmd_event_log fmd_event_log;

/* Local. Opens the log at `path` for appending; creates it if it is missing. FMD_EIO. */
FMD_CHECKED fmd_status fmd_event_log_open(fmd_event_log **out, const char *path);
void fmd_event_log_close(fmd_event_log *log);

/* Local. A new event with its "type" and "time", seconds since 1970. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_event_log_begin(fmd_json **out, const char *type);

/* Local. Appends the event as a line. On failure, FMD_EIO, the log is unchanged. */
FMD_CHECKED fmd_status fmd_event_log_write(fmd_event_log *log, const fmd_json *event);

/* Local. Opens the log at `path`, appends one event and closes it. FMD_EIO. */
FMD_CHECKED fmd_status fmd_event_log_append(const char *path, const fmd_json *event);

#endif
