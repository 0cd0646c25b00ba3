/* One layer of Keras' JSON as an item of --layers, by the options of the layer: a new layer is known
 * here at once. */
#ifndef FMD_IO_KERAS_SPEC_LAYER_H
#define FMD_IO_KERAS_SPEC_LAYER_H

#include "fmd/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Text that grows in a buffer of fixed size. */
typedef struct fmd_keras_text {
    char *at;
    size_t size, used; /* used == size: the text did not fit */
} fmd_keras_text;

/* Local. Appends both texts. */
void fmd_keras_append(fmd_keras_text *t, const char *before, const char *text);

/* A layer in a file; everything is borrowed. */
typedef struct fmd_keras_layer {
    const char *path; /* of the file, for messages */
    const char *class_name, *name;
    json_t *config;
    int rank;         /* of its input, batch included; 0: not known */
    bool has_weights; /* the file has values, so initialisers do not matter */
} fmd_keras_layer;

/* Local. A string member of an object, or "". */
const char *fmd_keras_string(json_t *object, const char *key);

/* Local. The layer of entry `item` in a list of layers. FMD_EDATA: it is none. */
FMD_CHECKED fmd_status fmd_keras_layer_of(fmd_keras_layer *l, const char *path, bool has_weights,
                                          json_t *item);

/* Local. Whether layers of this class have several inputs. */
bool fmd_keras_merges(const char *class_name);

/* Local. Appends "dense:128:relu"; `inputs`, such as ":a:b", follows the name. FMD_EDATA names the
 * layer and the unsupported part. */
FMD_CHECKED fmd_status fmd_keras_layer_text(fmd_keras_text *out, const fmd_keras_layer *l,
                                            const char *inputs);

#endif
