/* events.jsonl: what happens in a run, a JSON object a line, for programs that follow it.
 *
 * Every line is whole: it is there at once or not at all, and what a killed process left of one is
 * cut when the next process opens the file. */
#ifndef FMD_IO_JSON_EVENT_LOG_H
#define FMD_IO_JSON_EVENT_LOG_H

#include "fmd/error.h"
#include "io/json/json_file.h"

typedef struct fmd_event_log fmd_event_log;

/* Local. Opens the log at `path` to append to it, or makes it. FMD_EIO. */
FMD_CHECKED fmd_status fmd_event_log_open(fmd_event_log **out, const char *path);
void fmd_event_log_close(fmd_event_log *log);

/* Local. An object that begins with "type" and "time", the present one in seconds since 1970.
 * FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_event_log_begin(fmd_json **out, const char *type);

/* Local. Appends the object as a line. FMD_EIO; then the log is as it was before. */
FMD_CHECKED fmd_status fmd_event_log_write(fmd_event_log *log, const fmd_json *event);

/* Local. Appends one line to the log at `path`. FMD_EIO. */
FMD_CHECKED fmd_status fmd_event_log_append(const char *path, const fmd_json *event);

#endif
