/* A run as its folder tells it, read from outside while it trains, maybe on another machine. Nothing
 * is written. */
#ifndef FMD_RUN_FOLLOW_H
#define FMD_RUN_FOLLOW_H

#include "fmd/dataset.h"
#include "io/json/json_object.h"

#include <stddef.h>
#include <sys/types.h>

enum { FMD_FOLLOW_ROWS = 5, FMD_FOLLOW_TEXT = 2048 };

/* A loss, at a step of the run. */
typedef struct fmd_follow_loss {
    double step, loss;
} fmd_follow_loss;

typedef enum fmd_follow_state {
    FMD_FOLLOW_RUNS,
    FMD_FOLLOW_IS_SILENT, /* it has written nothing for a while */
    FMD_FOLLOW_DIED,      /* no process holds the folder, and none has said that it ends */
    FMD_FOLLOW_ENDED,
} fmd_follow_state;

typedef struct fmd_follow {
    char folder[FMD_PATH_BYTES];
    off_t read;        /* bytes of events.jsonl */
    fmd_json *head;    /* the first line of the present process; NULL: none yet */
    fmd_json *place;   /* the last line of a step or an epoch, or NULL */
    fmd_json *epoch;   /* the last line of an epoch, or NULL */
    fmd_json *saved;   /* the last line of a checkpoint, or NULL */
    fmd_json *end;     /* the last line, if it is that of the end */
    fmd_json **epochs; /* all of them; these and the losses but those done again */
    size_t n_epochs;
    fmd_follow_loss *losses;
    size_t n_losses;
    fmd_follow_state state;
    char verdict[FMD_FOLLOW_TEXT]; /* the state, as a line for people */
} fmd_follow;

/* Local. Reads what has been written since the last call, and judges how the run stands. FMD_EIO,
 * FMD_ENOMEM; FMD_ENOINPUT: there is no such folder, or no run in it. */
FMD_CHECKED fmd_status fmd_follow_read(fmd_follow *r);
void fmd_follow_free(fmd_follow *r);

/* Local. The folder in runs/ that was written to last. FMD_ENOINPUT. */
FMD_CHECKED fmd_status fmd_follow_newest(char folder[FMD_PATH_BYTES]);

/* Local. The same for messages, or a made-up one. */
const char *fmd_follow_example(char folder[FMD_PATH_BYTES]);

#endif
