/* Diagnostics on stderr, one line each, `fmnist-dist: warning: ...`.
 *
 * fmd_warn and fmd_info speak for the whole job: they print on rank 0 only, so that every rank may
 * call them. Results and progress are not diagnostics: they go to stdout. */
#ifndef FMD_BASE_LOG_H
#define FMD_BASE_LOG_H

typedef enum fmd_log_level {
    FMD_LOG_ERROR,
    FMD_LOG_WARNING,
    FMD_LOG_INFO,
    FMD_LOG_DEBUG,
} fmd_log_level;

/* Local. Sets the level, and the rank in debug lines. */
void fmd_log_open(fmd_log_level level, int rank);

/* Local. Sets a function to call before a line is printed: the progress display ends its unfinished
 * line on the same terminal. NULL: none. */
void fmd_log_before_line(void (*prepare)(void *self), void *self);

/* Local. The line is printed on rank 0 alone. */
void fmd_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void fmd_info(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Local. The line is printed on every rank, with the rank's number. */
void fmd_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
