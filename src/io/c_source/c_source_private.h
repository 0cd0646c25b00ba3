/* Shared by the parts of the writer of C sources. */
#ifndef FMD_IO_C_SOURCE_C_SOURCE_PRIVATE_H
#define FMD_IO_C_SOURCE_C_SOURCE_PRIVATE_H

#include "io/c_source/buffers.h"
#include "io/c_source/c_source.h"

#include <stdio.h>

/* Values of a tile in Winograd's form. */
enum { FMD_C_TILE = 16 };

/* Characters of an operation's name: the layer, and "_b" for its second one of the same kind; "_2"
 * would be the name of another layer. */
enum { FMD_C_NAME = FMD_LAYER_NAME + 8 };

/* A file under construction. */
typedef struct fmd_c_writer {
    FILE *out;
    const fmd_forward *f;
    const fmd_forward_about *about;
    fmd_buffers buffers;
    bool int8;
} fmd_c_writer;

/* Local. The name of operation i. */
const char *fmd_c_source_name(const fmd_c_writer *w, size_t i, char text[FMD_C_NAME]);

/* Local. Values of the last `axes` axes, and how many times there are so many. */
int fmd_c_source_columns(fmd_shape s, int axes);
int fmd_c_source_rows(fmd_shape s, int axes);

/* Local. Whether an operation is computed in Winograd's form; integer weights are not. */
bool fmd_c_source_is_winograd(const fmd_c_writer *w, const fmd_forward_op *op);

/* Local. Values of a dense layer's or convolution's kernel as it is stored. */
size_t fmd_c_source_kernel_values(const fmd_c_writer *w, const fmd_forward_op *op);

/* Local. Prints a constant; subnormal numbers count as zero in this program. */
void fmd_c_source_float(const fmd_c_writer *w, float value);

/* Local. Prints the constants of operation i. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_c_source_constants(const fmd_c_writer *w, size_t i);

#endif
