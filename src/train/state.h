/* The state of a training: its checkpoint entries, and how it is restored and kept equal on all
 * ranks. Rank 0 restores and decides; the others receive. */
#ifndef FMD_TRAIN_STATE_H
#define FMD_TRAIN_STATE_H

#include "dist/comm.h"
#include "train/fit_args.h"

enum { FMD_TRAINING_ENTRIES = 16 + 4 * FMD_CALLBACK_ENTRIES };

/* Where the training is. */
typedef struct fmd_position {
    int64_t epoch, step; /* the epoch under way, and its steps done */
    double loss;         /* sums over the samples of this epoch */
    int64_t correct;
    int64_t stop; /* training has ended, for this reason */
    char reason[sizeof((fmd_control *)0)->reason];
} fmd_position;

/* With weights and slots, the whole state. */
typedef struct fmd_training_state {
    fmd_position at;
    fmd_metrics *history;  /* of each epoch; NAN where there is none yet */
    int64_t *counters;     /* of the metrics, over the samples of this epoch */
    fmd_schedule schedule; /* its base may be changed by callbacks */
    double rate;           /* of the last step */
    uint64_t epoch_steps;  /* in an epoch */

    /* state.c's own */
    fmd_comm *comm;
    const fmd_fit_args *args;
    bool once_a_node; /* arrays of weights are in shared memory */
    fmd_state file;
    fmd_state_entry entries[FMD_TRAINING_ENTRIES];
    size_t n_own;   /* entries of the loop; entries of checkpointer and callbacks follow */
    double no_best; /* NAN: the entry of a run without a checkpointer */
    double *rows;   /* the history as it is stored: an epoch a row, only the columns in use */
    size_t n_columns;
    char columns[FMD_METRICS_COLUMNS * FMD_METRIC_NAME_BYTES]; /* their names, with commas */
    char *message; /* the values that rank 0 sends after an epoch */
    size_t message_bytes;
} fmd_training_state;

/* Collective. The state before the first step; `scales` are the stepper's. Borrows all pointers.
 * `once_a_node`: weights, slots and kept weights are in shared memory. Released by destroy even on
 * failure. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_training_state_create(fmd_training_state *s, fmd_comm *c, fmd_model *m,
                                                 fmd_optimizer *o, const fmd_fit_args *args,
                                                 int32_t *scales, bool once_a_node);
void fmd_training_state_destroy(fmd_training_state *s);

/* Local. The complete state, for a checkpoint. */
const fmd_state *fmd_training_state_now(fmd_training_state *s);

/* Collective. Continues where an earlier process stopped, if there is a checkpoint: the newest one
 * of the run folder, else args->resume_from. FMD_EUSAGE: it belongs to another run, or an option
 * changed that must stay; FMD_EDATA, FMD_EIO. */
FMD_CHECKED fmd_status fmd_training_state_restore(fmd_training_state *s, bool *found);

/* Collective. Rank 0's weights, or an array like them, become every rank's. */
void fmd_training_state_send(const fmd_training_state *s, float *values, size_t n);

/* Local. The epoch is over: moves on to the next one. */
void fmd_training_state_advance(fmd_training_state *s, const fmd_metrics *metrics,
                                const fmd_control *control);

/* Collective. Rank 0's entries of checkpointer and callbacks become every rank's. Until they have
 * arrived, the other ranks hold the state before. */
void fmd_training_state_share(fmd_training_state *s, const fmd_event *e);

#endif
