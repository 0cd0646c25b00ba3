/* Shared by the parts of the writer of ONNX graphs. */
#ifndef FMD_IO_ONNX_ONNX_PRIVATE_H
#define FMD_IO_ONNX_ONNX_PRIVATE_H

#include "io/onnx/builder.h"
#include "io/onnx/onnx.h"

/* A value in the layouts that nodes have made so far: the program's; of an image, channels first,
 * (batch, c, h, w); of a flattened image, its values with the channels first. */
typedef struct fmd_onnx_layouts {
    char *plain, *first, *flat;
    fmd_shape shape; /* in the program's layout */
    fmd_shape image; /* that `flat` was made from */
} fmd_onnx_layouts;

typedef struct fmd_onnx_writer {
    fmd_onnx_builder b;
    const fmd_forward *f;
    const fmd_forward_about *about;
    fmd_onnx_layouts *values; /* the first one is the input */
    const char *layer;
} fmd_onnx_writer;

static inline size_t fmd_onnx_last_dim(fmd_shape s)
{
    return (size_t)s.dim[s.rank - 1];
}

/* Local. Adds the nodes and constants of operation i. */
void fmd_onnx_write_op(fmd_onnx_writer *w, size_t i);

/* Local. A softmax, whose output has this name, or a name of its own with NULL. */
void fmd_onnx_write_softmax(fmd_onnx_writer *w, const fmd_forward_op *op, fmd_onnx_layouts *y,
                            char *name);

#endif
