/* Images that stay in their file, for data sets larger than memory.
 *
 * Each process reads the images that it needs, at any place of the file. The kernel keeps what it read
 * as long as there is memory, and reads ahead where it is asked to, so a stream has no buffers of its
 * own. A failed read gives black pixels and is kept: callers that compute ask for the status later. */
#ifndef FMD_DATA_STREAM_H
#define FMD_DATA_STREAM_H

#include "data/dataset.h"

/* Local. Opens a plain IDX file with n images of this shape. FMD_ENOINPUT, FMD_EIO, FMD_ENOMEM;
 * FMD_EDATA: it is another file. */
FMD_CHECKED fmd_status fmd_stream_open(fmd_stream **out, const char *path, size_t n,
                                       fmd_shape image);
void fmd_stream_close(fmd_stream *s); /* NULL is allowed */

/* Local. The bytes of an image, until the next call. */
const uint8_t *fmd_stream_read(fmd_stream *s, size_t image);

/* Local. Asks the kernel to read n images, those of `order` behind image `first`, before they are
 * needed. Returns at once. */
void fmd_stream_read_ahead(const fmd_stream *s, size_t first, const uint32_t *order, size_t n);

/* Local. FMD_EIO or FMD_EDATA if a read has failed. */
FMD_CHECKED fmd_status fmd_stream_status(const fmd_stream *s);

/* Local. A hash of the header and of images spread evenly over the file: a whole file would take too
 * long. FMD_EIO, FMD_EDATA. */
FMD_CHECKED fmd_status fmd_stream_hash(fmd_stream *s, fmd_hash *hash);

#endif
