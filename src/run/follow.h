/* A run as its folder tells it, read from outside while it trains, maybe on another machine. Nothing
 * is written. */
#ifndef FMD_RUN_FOLLOW_H
#define FMD_RUN_FOLLOW_H

#include "fmd/dataset.h"
#include "io/json/json_file.h"

#include <stddef.h>
#include <sys/types.h>

enum { FMD_FOLLOWED_ROWS = 5, FMD_FOLLOWED_TEXT = 2048 };

/* A loss, at a step of the run. */
typedef struct fmd_followed_loss {
    double step, loss;
} fmd_followed_loss;

typedef enum fmd_followed_state {
    FMD_FOLLOWED_RUNS,
    FMD_FOLLOWED_IS_SILENT, /* it has written nothing for a while */
    FMD_FOLLOWED_DIED,      /* no process holds the folder, and none has said that it ends */
    FMD_FOLLOWED_ENDED,
} fmd_followed_state;

typedef struct fmd_followed_run {
    char folder[FMD_PATH_BYTES];
    off_t read;        /* bytes of events.jsonl */
    fmd_json *head;    /* the first line of the present process; NULL: none yet */
    fmd_json *place;   /* the last line of a step or an epoch, or NULL */
    fmd_json *epoch;   /* the last line of an epoch, or NULL */
    fmd_json *saved;   /* the last line of a checkpoint, or NULL */
    fmd_json *end;     /* the last line, if it is that of the end */
    fmd_json **epochs; /* all of them; these and the losses but those done again */
    size_t n_epochs;
    fmd_followed_loss *losses;
    size_t n_losses;
    fmd_followed_state state;
    char verdict[FMD_FOLLOWED_TEXT]; /* the state, as a line for people */
} fmd_followed_run;

/* Local. Reads what has been written since the last call, and judges how the run stands. FMD_EIO,
 * FMD_ENOMEM; FMD_ENOINPUT: there is no such folder, or no run in it. */
FMD_CHECKED fmd_status fmd_followed_run_read(fmd_followed_run *r);
void fmd_followed_run_free(fmd_followed_run *r);

/* Local. The folder in runs/ that was written to last. FMD_ENOINPUT. */
FMD_CHECKED fmd_status fmd_followed_run_newest(char folder[FMD_PATH_BYTES]);

/* Local. The same for messages, or a made-up one. */
const char *fmd_followed_run_example(char folder[FMD_PATH_BYTES]);

#endif
