/* What the files of the checkpointer share. */
#ifndef FMD_TRAIN_CHECKPOINTER_PRIVATE_H
#define FMD_TRAIN_CHECKPOINTER_PRIVATE_H

#include "train/checkpoints/background.h"
#include "train/checkpoints/checkpointer.h"
#include "train/checkpoints/step_files.h"

/* A file that the writing thread makes of a copy of the state. The thread owns the job from the
 * moment that it is handed over until it is done. */
typedef struct fmd_checkpoint_job {
    fmd_step_files files;
    int64_t keep; /* of the step files; 0: the file is best.weights.h5 */
    char name[FMD_STEP_FILES_NAME];
    fmd_checkpoint_image image;
    bool slow;           /* the node gets a copy first */
    double waited;       /* seconds of the copy, in which training waits */
    double seconds, cpu; /* of the thread */
    fmd_status status, linked;
    char message[FMD_ERROR_BYTES]; /* of `status`, else of `linked` */
} fmd_checkpoint_job;

struct fmd_checkpointer {
    fmd_checkpointer_args args;
    fmd_step_files files;
    double best;        /* of the monitored metric; NAN: none yet */
    uint64_t best_step; /* of best.weights.h5; 0: there is none */
    int written, failures;
    uint64_t last_step; /* of the newest file that this process wrote; valid if written > 0 */
    double seconds, last_cost, last_time;
    bool untold; /* fmd_checkpointer_saved has not told of the newest file */
    double last_seconds;
    fmd_background *thread;
    bool pending; /* the outcome of `job` has not been judged */
    fmd_checkpoint_job job;
    bool slow; /* an emergency checkpoint would come too late on the disk */
};

/* Local. Writes while the caller waits, with one of the functions fmd_step_files_store*. */
FMD_CHECKED fmd_status fmd_checkpointer_write_now(
    const fmd_checkpointer *s, const char *name, const fmd_state *state,
    fmd_status (*store)(const fmd_step_files *, const char *, fmd_checkpoint_image *));

/* Rank 0. A write has ended: warns once if an emergency checkpoint would take longer than mpirun
 * leaves. */
void fmd_checkpointer_foresee(fmd_checkpointer *s);

#endif
