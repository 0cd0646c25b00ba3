/* Statuses and the one error text.
 *
 * A status and its message are made together, once, where the cause is known: FMD_FAIL. Nobody
 * rewrites the message on the way up. Library code never prints, exits or aborts; the program
 * prints the message once and returns the status as its exit code. */
#ifndef FMD_ERROR_H
#define FMD_ERROR_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The values are the exit codes of the program (sysexits.h where it has one). */
typedef enum fmd_status {
    FMD_OK = 0,
    FMD_EDIFFER = 1,    /* the files to be compared differ, as cmp and diff have it */
    FMD_EUSAGE = 64,    /* invalid option, or options that contradict each other */
    FMD_EDATA = 65,     /* a data file or checkpoint is damaged or of the wrong kind */
    FMD_ENOINPUT = 66,  /* an input does not exist */
    FMD_EINTERNAL = 70, /* a broken invariant: a fault of this program */
    FMD_ENOMEM = 71,    /* out of memory */
    FMD_EBUSY = 73,     /* the run folder is in use or cannot be created */
    FMD_EIO = 74,       /* reading or writing failed */
    FMD_ESTOPPED = 75,  /* stopped from outside; can be resumed */
    FMD_EDIVERGED = 76, /* the loss or a gradient is not finite */
    FMD_EDESYNC = 77,   /* ranks that must agree do not */
    FMD_EUNFIT = 78,    /* the doctor found a problem */
    FMD_EHANG = 86,     /* the watchdog ended the run */
} fmd_status;

#define FMD_CHECKED __attribute__((warn_unused_result))

/* Capacity of the message, in bytes. */
#define FMD_ERROR_BYTES 1024

/* Stores the message and yields the status. */
#define FMD_FAIL(status, ...) (fmd_error_set(__VA_ARGS__), (status))

/* Yields the status of a failure that has been reported already: the program prints no message. */
#define FMD_FAIL_SILENTLY(status) (fmd_error_set("%s", ""), (status))

/* Returns a failure to the caller; only for code without resources to release. */
#define FMD_TRY(expr)                                                                              \
    do {                                                                                           \
        fmd_status fmd_try_status = (expr);                                                        \
        if (fmd_try_status != FMD_OK)                                                              \
            return fmd_try_status;                                                                 \
    } while (0)

/* Local. Stores the message of the failure at hand; use FMD_FAIL. */
void fmd_error_set(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Local. The message of the last failure in this thread; never NULL. */
const char *fmd_error_message(void);

/* Local. Whether the last failure came from FMD_FAIL_SILENTLY. */
bool fmd_error_is_silent(void);

#ifdef __cplusplus
}
#endif

#endif
