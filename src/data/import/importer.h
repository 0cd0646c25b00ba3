/* Sources of data import. An importer is one file with a `const fmd_importer`, and one line in the table
 * of import.c. */
#ifndef FMD_DATA_IMPORT_IMPORTER_H
#define FMD_DATA_IMPORT_IMPORTER_H

#include "data/dataset.h"
#include "data/import/import_args.h"

/* Findings of an importer about its source. */
typedef struct fmd_import_source {
    fmd_size size;      /* of all images; zeros: they differ */
    size_t channels;    /* of the result, unless the user names another number */
    bool has_test;      /* it has test images of its own */
    double total, done; /* of the work, in any unit */
    int n_names;        /* of classes; 0: they have none */
    char names[FMD_CLASSES_MAX][FMD_CLASS_NAME_BYTES];
    char note[FMD_IMPORT_TEXT];
} fmd_import_source;

/* A sample: an image and its label, or the reason why it is dropped. */
typedef struct fmd_import_sample {
    bool test;
    int label;
    const uint8_t *pixels; /* until the next call; NULL without a reason: the source has ended */
    fmd_size size;
    size_t channels;            /* 1 to 4; the second of 2 and the fourth of 4 are transparency */
    const char *dropped;        /* a constant text; NULL: it is not dropped */
    char name[FMD_IMPORT_TEXT]; /* of the sample, or what is wrong with it */
} fmd_import_sample;

typedef struct fmd_importer {
    const char *kind; /* "folder of pictures" */
    /* Local. Whether the source is of this kind, by names and first bytes. */
    bool (*recognises)(const fmd_import_args *args);
    /* Local. *out is released by close, also after a failure. */
    fmd_status (*open)(void **out, const fmd_import_args *args, fmd_import_source *source);
    fmd_status (*next)(void *reader, fmd_import_source *source, fmd_import_sample *sample);
    void (*close)(void *reader); /* NULL is allowed */
} fmd_importer;

extern const fmd_importer fmd_importer_arrays, fmd_importer_cifar100, fmd_importer_csv,
    fmd_importer_folder, fmd_importer_qmnist, fmd_importer_set;

#endif
