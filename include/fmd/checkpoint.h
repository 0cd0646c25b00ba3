/* The whole state of a training in one file, which Keras opens as a model.
 *
 * A file named *.weights.h5 holds the legacy layout (load_model) and the Keras 3 layout
 * (load_weights), both hard links to the same data, and in a group of our own, which Keras ignores,
 * the rest of the state. Nothing in it depends on ranks or on the clock: equal training gives equal
 * bytes. In front of the HDF5 file is a user block of 512 bytes with magic, sizes and a hash of
 * everything behind it, which is checked before the HDF5 library sees a byte. Files are written
 * whole or not at all. */
#ifndef FMD_CHECKPOINT_H
#define FMD_CHECKPOINT_H

#include "fmd/error.h"
#include "fmd/model.h"
#include "fmd/optimizer.h"
#include "io/checkpoint/state_entry.h"

/* Something that a run must have in common with the one it goes on with: "batch-size", "256". */
typedef struct fmd_fingerprint_entry {
    const char *name;
    char text[FMD_OPTION_TEXT_BYTES];
    bool may_change; /* only steps to come depend on it: another text is no other run */
} fmd_fingerprint_entry;

/* What a checkpoint holds. Borrows everything. */
typedef struct fmd_state {
    fmd_model *model;
    fmd_optimizer *optimizer;
    double learning_rate; /* of the last step */
    bool normalize;       /* whether pixels were divided by 255 */
    uint64_t step;        /* steps done */
    const fmd_fingerprint_entry *fingerprint;
    size_t n_fingerprint;
    const fmd_state_entry *entries;
    size_t n_entries;
    fmd_status (*check)(const void *self); /* asked before the file is written; NULL: nothing is */
    const void *check_self;
} fmd_state;

/* Local. Writes the state to `path`, by way of a temporary file in the same folder that is synced
 * and renamed: `path` is either the old file or the whole new one. FMD_EIO. */
FMD_CHECKED fmd_status fmd_checkpoint_write(const char *path, const fmd_state *s);

/* What a file says of itself, enough to build its model. */
typedef struct fmd_checkpoint_info {
    char layers[FMD_LAYERS_BYTES]; /* a spec for fmd_model_create */
    fmd_shape in;
    bool normalize;
    uint64_t step;
} fmd_checkpoint_info;

/* Local. Checks the user block, the size and the hash of a file, and whether it is a regular one.
 * *step is the step that it was written after. FMD_ENOINPUT, FMD_EIO, FMD_EDATA. */
FMD_CHECKED fmd_status fmd_checkpoint_verify(const char *path, uint64_t *step);

/* Local. As fmd_checkpoint_verify, and what the file says of its model. */
FMD_CHECKED fmd_status fmd_checkpoint_read_info(const char *path, fmd_checkpoint_info *info);

/* Local. As fmd_checkpoint_verify, and the parameters of a model built from that. */
FMD_CHECKED fmd_status fmd_checkpoint_read_params(const char *path, fmd_model *m);

/* Local. Reads the whole state into the model, the optimizer and the state entries of `s`, all or nothing.
 * As fmd_checkpoint_verify; FMD_EUSAGE lists the fingerprint that differ. */
FMD_CHECKED fmd_status fmd_checkpoint_read(const char *path, const fmd_state *s);

/* The fingerprint and state entries of a file, whatever they are, by name. With these state entries, no fingerprint, and a
 * model and an optimizer of the file's own, fmd_checkpoint_read reads any checkpoint. */
typedef struct fmd_checkpoint_contents {
    char program_version[32];
    uint64_t step; /* the file was written after it */
    fmd_fingerprint_entry *fingerprint;
    size_t n_fingerprint;
    fmd_state_entry *entries;
    size_t n_entries;
    char *names;
} fmd_checkpoint_contents;

/* Local. As fmd_checkpoint_verify, and fingerprint and state entries with their values. */
FMD_CHECKED fmd_status fmd_checkpoint_read_contents(const char *path, fmd_checkpoint_contents *out);
void fmd_checkpoint_free_contents(fmd_checkpoint_contents *c);

#endif
