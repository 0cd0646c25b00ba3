/* IDX files (http://yann.lecun.com/exdb/mnist), plain or gzipped: images or labels as bytes.
 *
 * Opening checks the header and yields the size of the payload; reading fills the caller's memory
 * and checks that the file ends after the payload. Every message names the file, the byte or field,
 * the found and the expected value. */
#ifndef FMD_DATA_IDX_H
#define FMD_DATA_IDX_H

#include "base/hash.h"
#include "base/shape.h"
#include "fmd/error.h"

#include <stddef.h>
#include <stdint.h>

typedef enum fmd_idx_kind {
    FMD_IDX_LABELS,
    FMD_IDX_IMAGES,
    FMD_IDX_TABLE, /* rows of big-endian 32-bit integers: QMNIST's labels */
} fmd_idx_kind;

typedef struct fmd_idx_header {
    size_t n;        /* images or labels, at least 1 */
    fmd_shape image; /* (H, W) or (H, W, C); of labels: rank 0; of a table: (columns) */
    size_t bytes;    /* of the payload */
} fmd_idx_header;

typedef struct fmd_idx fmd_idx;

/* Local. Opens a file of the given kind; gzip is recognised by content, not by name. FMD_ENOINPUT:
 * it does not exist; FMD_EIO: it cannot be read; FMD_EDATA: any other fault. */
FMD_CHECKED fmd_status fmd_idx_open(fmd_idx **out, const char *path, fmd_idx_kind kind);
void fmd_idx_close(fmd_idx *f);

const fmd_idx_header *fmd_idx_header_of(const fmd_idx *f);
const char *fmd_idx_path(const fmd_idx *f);
size_t fmd_idx_disk_bytes(const fmd_idx *f); /* size on disk, possibly gzipped */
size_t fmd_idx_bytes(const fmd_idx *f);      /* of the whole IDX file as unpacked */
bool fmd_idx_is_packed(const fmd_idx *f);

/* Local. Reads the payload, once, into `payload` (header's bytes long); *hash receives the hash of
 * the whole unpacked file. FMD_EDATA for a damaged, cut or too long file. */
FMD_CHECKED fmd_status fmd_idx_read(fmd_idx *f, uint8_t *payload, fmd_hash *hash);

/* Local. Writes the header of a file of n images, or of n labels if the shape has rank 0; returns its
 * length. */
enum { FMD_IDX_HEADER = 20 };
size_t fmd_idx_put_header(uint8_t out[FMD_IDX_HEADER], size_t n, fmd_shape image);

/* Local. The hash of the IDX file with this payload. */
fmd_hash fmd_idx_hash(const uint8_t *payload, size_t n, fmd_shape image);

#endif
