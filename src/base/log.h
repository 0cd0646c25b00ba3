/* Diagnostics on stderr, one line each, `fmnist-dist: warning: ...`.
 *
 * fmd_warn and fmd_info report for the whole job: every rank may call them, only rank 0 prints.
 * Results and progress are not diagnostics and go to stdout. */
#ifndef FMD_BASE_LOG_H
#define FMD_BASE_LOG_H

typedef enum fmd_log_level {
    FMD_LOG_ERROR,
    FMD_LOG_WARNING,
    FMD_LOG_INFO,
    FMD_LOG_DEBUG,
} fmd_log_level;

/* Local. Sets the level, and the rank to show in debug lines. Before the first call nothing is printed:
 * the C library makes none. */
void fmd_log_open(fmd_log_level level, int rank);

/* Local. Sets a function to call before each line; the progress display uses it to end its
 * unfinished line. NULL: none. */
void fmd_log_before_line(void (*prepare)(void *self), void *self);

/* Local. Prints a line on rank 0 only. */
void fmd_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void fmd_info(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Local. Prints a line on every rank, with the rank's number. */
void fmd_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
