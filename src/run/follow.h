/* Follows a run through the files in its folder while it trains, possibly on another machine.
 * Read-only. */
#ifndef FMD_RUN_FOLLOW_H
#define FMD_RUN_FOLLOW_H

#include "data/dataset.h"
#include "io/json/json_object.h"

#include <stddef.h>
#include <sys/types.h>
#include <time.h>

enum { FMD_FOLLOW_ROWS = 5, FMD_FOLLOW_TEXT = 2048 };

/* A loss, at a step of the run. */
typedef struct fmd_follow_loss {
    double step, loss;
} fmd_follow_loss;

typedef enum fmd_follow_state {
    FMD_FOLLOW_RUNS,
    FMD_FOLLOW_IS_SILENT, /* nothing was written for a while */
    FMD_FOLLOW_DIED,      /* no process holds the folder, and the final event is missing */
    FMD_FOLLOW_ENDED,
} fmd_follow_state;

typedef struct fmd_follow {
    char folder[FMD_PATH_BYTES];
    off_t read;        /* bytes of events.jsonl */
    fmd_json *head;    /* the first line of the present process; NULL: none yet */
    fmd_json *place;   /* the last line of a step or an epoch, or NULL */
    fmd_json *epoch;   /* the last line of an epoch, or NULL */
    char saved[64];    /* the newest checkpoint in the folder; "": none */
    double saved_step; /* its step */
    time_t saved_time;
    fmd_json *end;     /* the last line, if the run has ended */
    fmd_json **epochs; /* all epochs; repeated steps count once */
    size_t n_epochs;
    fmd_follow_loss *losses;
    size_t n_losses;
    fmd_follow_state state;
    char verdict[FMD_FOLLOW_TEXT]; /* the state in words */
} fmd_follow;

/* Local. Reads the lines written since the last call, and determines the state. FMD_EIO,
 * FMD_ENOMEM; FMD_ENOINPUT: the folder does not exist, or holds no run. */
FMD_CHECKED fmd_status fmd_follow_read(fmd_follow *r);
void fmd_follow_free(fmd_follow *r);

/* Local. The folder in runs/ with the latest write. FMD_ENOINPUT. */
FMD_CHECKED fmd_status fmd_follow_newest(char folder[FMD_PATH_BYTES]);

/* Local. The same, as an example in messages; a made-up name if there is no run. */
const char *fmd_follow_example(char folder[FMD_PATH_BYTES]);

#endif
