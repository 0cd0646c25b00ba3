/* The whole state of a training in one file, which Keras opens as a model.
 *
 * A file named *.weights.h5 holds the legacy layout (load_model) and the Keras 3 layout
 * (load_weights), both hard links to the same data, and the rest of the state in a group of its
 * own, which Keras ignores. The content is independent of the number of ranks and of the clock:
 * equal trainings write equal bytes. A user block of 512 bytes precedes the HDF5 file: magic, sizes
 * and a hash of the remaining bytes, which is checked before the HDF5 library sees a byte. Files
 * are written atomically. */
#ifndef FMD_IO_CHECKPOINT_CHECKPOINT_H
#define FMD_IO_CHECKPOINT_CHECKPOINT_H

#include "fmd/checkpoint.h"
#include "io/checkpoint/state_entry.h"
#include "nn/model.h"
#include "nn/optimizers/optimizer.h"

/* A setting that a resumed run must share with its checkpoint: "batch-size", "256". */
typedef struct fmd_fingerprint_entry {
    const char *name;
    char text[FMD_OPTION_TEXT_BYTES];
    bool may_change;    /* affects future steps only: a resumed run may change it */
    const char *absent; /* text that is not written: a file without the entry has it; NULL: none */
} fmd_fingerprint_entry;

/* The content of a checkpoint. Borrows all pointers. */
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
} fmd_state;

/* The bytes of a checkpoint file, a copy of the state. */
typedef struct fmd_checkpoint_image {
    char *data; /* released by free() */
    size_t bytes;
    uint64_t step;
} fmd_checkpoint_image;

/* Local. Copies the state into an image for the file at `path`, which messages name. Calls HDF5, so
 * only one thread at a time may build. FMD_EIO, FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_checkpoint_build(fmd_checkpoint_image *out, const char *path,
                                            const fmd_state *s);

/* Local. Adds sizes and hash: only now are the bytes a checkpoint. In any thread. */
void fmd_checkpoint_seal(fmd_checkpoint_image *image);

/* Local. Writes the state to a temporary file in the folder of `path`, syncs it and renames it:
 * `path` is either the old file or the complete new one. FMD_EIO. */
FMD_CHECKED fmd_status fmd_checkpoint_write(const char *path, const fmd_state *s);

/* The description of a model in a file, enough to build the model. */
typedef struct fmd_checkpoint_info {
    char layers[FMD_LAYERS_BYTES]; /* a spec for fmd_model_create */
    fmd_shape in;
    bool normalize;
    bool bf16; /* whether it was trained with products of bf16 values */
    uint64_t step;
} fmd_checkpoint_info;

/* Local. As fmd_checkpoint_verify; also reads the description of the model. */
FMD_CHECKED fmd_status fmd_checkpoint_read_info(const char *path, fmd_checkpoint_info *info);

/* Local. As fmd_checkpoint_verify; also reads the parameters into a model built from the
 * description. */
FMD_CHECKED fmd_status fmd_checkpoint_read_params(const char *path, fmd_model *m);

/* Local. Reads the whole state into the model, the optimizer and the state entries of `s`, all or
 * nothing. As fmd_checkpoint_verify. Does not compare the fingerprint. */
FMD_CHECKED fmd_status fmd_checkpoint_read(const char *path, const fmd_state *s);

/* All fingerprint and state entries of a file, by name. fmd_checkpoint_read reads any checkpoint
 * into these state entries, given a model and an optimizer built from the file. */
typedef struct fmd_checkpoint_contents {
    char program_version[32];
    uint64_t step; /* steps done when the file was written */
    fmd_fingerprint_entry *fingerprint;
    size_t n_fingerprint;
    fmd_state_entry *entries;
    size_t n_entries;
    char *names;
} fmd_checkpoint_contents;

/* Local. As fmd_checkpoint_verify; also reads fingerprint and state entries with their values. */
FMD_CHECKED fmd_status fmd_checkpoint_read_contents(const char *path, fmd_checkpoint_contents *out);
void fmd_checkpoint_free_contents(fmd_checkpoint_contents *c);

/* Local. The text of a fingerprint entry of the file; NULL: it has none of this name. */
const char *fmd_fingerprint_text(const fmd_checkpoint_contents *file, const char *name);

/* Local. The number of entries of `ours` that differ in the file, without those that may change.
 * `list` gets them as "seed is 1 there, 0 here; ...". */
size_t fmd_fingerprint_compare(const fmd_checkpoint_contents *file,
                               const fmd_fingerprint_entry *ours, size_t n,
                               char list[FMD_ERROR_BYTES]);

#endif
