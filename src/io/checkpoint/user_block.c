#include "io/checkpoint/user_block.h"

#include "base/hash.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

static const char magic[8] = {'F', 'M', 'D', 'C', 'K', 'P', 'T', '\n'};
static const char hdf5[8] = {'\x89', 'H', 'D', 'F', '\r', '\n', '\x1a', '\n'};

/* Little-endian, like everything in the file. The rest of the 512 bytes is zero. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "numbers are written as they lie in memory");
typedef struct block {
    char magic[sizeof magic];
    uint64_t version, bytes, step;
    fmd_hash payload; /* of all bytes after the block */
    fmd_hash own;     /* of the fields above */
} block;

enum { VERSION = 1 };

static fmd_hash hash_fields(const block *b)
{
    return fmd_hash_bytes(b, offsetof(block, own));
}

static bool same_hash(fmd_hash a, fmd_hash b)
{
    return a.high == b.high && a.low == b.low;
}

void fmd_user_block_fill(void *image, size_t bytes, uint64_t step)
{
    char *data = image;
    block b = {.version = VERSION, .bytes = bytes, .step = step};
    memcpy(b.magic, magic, sizeof magic);
    b.payload = fmd_hash_bytes(data + FMD_USER_BLOCK_BYTES, bytes - FMD_USER_BLOCK_BYTES);
    b.own = hash_fields(&b);
    memset(data, 0, FMD_USER_BLOCK_BYTES);
    memcpy(data, &b, sizeof b);
}

fmd_status fmd_user_block_check(const void *image, size_t bytes, const char *path, uint64_t *step)
{
    const char *data = image;
    static const char zeros[FMD_USER_BLOCK_BYTES - sizeof(block)];
    block b;
    if (bytes >= sizeof hdf5 && memcmp(data, hdf5, sizeof hdf5) == 0)
        return FMD_FAIL(FMD_EDATA,
                        "'%s' is an HDF5 file, maybe of Keras, but not a checkpoint of "
                        "fmnist-dist; summary, evaluate and --weights read files of Keras",
                        path);
    if (bytes < FMD_USER_BLOCK_BYTES)
        return FMD_FAIL(FMD_EDATA, "'%s' is damaged: it has %zu bytes, too few for a checkpoint",
                        path, bytes);
    memcpy(&b, data, sizeof b);
    if (memcmp(b.magic, magic, sizeof magic) != 0)
        return FMD_FAIL(
            FMD_EDATA,
            "'%s' is not a weights file of fmnist-dist or Keras, or its header is damaged", path);
    if (!same_hash(b.own, hash_fields(&b)) || memcmp(data + sizeof b, zeros, sizeof zeros) != 0)
        return FMD_FAIL(FMD_EDATA, "'%s' is damaged: its first %d bytes", path,
                        FMD_USER_BLOCK_BYTES);
    if (b.version != VERSION)
        return FMD_FAIL(FMD_EUSAGE, "'%s' has form %" PRIu64 ", but this program reads form %d",
                        path, b.version, VERSION);
    if (b.bytes != bytes)
        return FMD_FAIL(FMD_EDATA, "'%s' is damaged: it has %zu bytes, expected %" PRIu64, path,
                        bytes, b.bytes);
    if (!same_hash(b.payload,
                   fmd_hash_bytes(data + FMD_USER_BLOCK_BYTES, bytes - FMD_USER_BLOCK_BYTES)))
        return FMD_FAIL(FMD_EDATA, "'%s' is damaged: its bytes do not match its hash", path);
    *step = b.step;
    return FMD_OK;
}
