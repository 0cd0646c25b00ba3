/* An entry of a training's state, as callbacks and the loop name it for a checkpoint. */
#ifndef FMD_IO_CHECKPOINT_STATE_ENTRY_H
#define FMD_IO_CHECKPOINT_STATE_ENTRY_H

#include "fmd/error.h"

#include <stdbool.h>
#include <stddef.h>

/* The group of a checkpoint file that holds the entries. */
#define FMD_STATE_GROUP "/fmnist_dist/state"

typedef enum fmd_state_kind {
    FMD_STATE_U8,
    FMD_STATE_I32,
    FMD_STATE_I64,
    FMD_STATE_F32,
    FMD_STATE_F64
} fmd_state_kind;

/* A named value or array of the state. A file with a value out of the range is refused. */
typedef struct fmd_state_entry {
    const char *name; /* "epoch", "early_stopping_wait" */
    fmd_state_kind kind;
    size_t count;
    void *data;      /* where it lives in the program */
    double min, max; /* inclusive */
    bool may_be_nan; /* NaN stands for "none" */
} fmd_state_entry;

/* Local. The bytes of the values. */
size_t fmd_state_entry_bytes(const fmd_state_entry *entry);

/* Local. Whether the values are in the range of the entry; messages name the file at `path`.
 * FMD_EDATA. */
FMD_CHECKED fmd_status fmd_state_entry_check(const fmd_state_entry *entry, const void *values,
                                             const char *path);

#endif
