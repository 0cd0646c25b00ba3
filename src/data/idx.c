#include "data/idx.h"

#include "base/mem.h"
#include "base/system/regular_file.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum {
    MAGIC_BYTES = 4,
    DIM_BYTES = 4,
    MAX_DIMS = 4,
    MAX_HEADER_BYTES = MAGIC_BYTES + MAX_DIMS * DIM_BYTES,
    TYPE_UBYTE = 0x08,
    TYPE_INT = 0x0c,
    INT_BYTES = 4,
    DEFLATE_RATIO = 1032, /* one byte of deflate data never holds more than this many */
    BUFFER_BYTES = 1 << 16,
};

struct fmd_idx {
    char *path;
    fmd_idx_header header;
    int fd;
    size_t disk_bytes; /* size of the file on disk when it was opened */
    size_t read_bytes; /* bytes read so far */
    size_t unpacked;   /* unpacked bytes so far */
    bool packed;
    bool ended; /* the last gzip member seen is complete */
    z_stream stream;
    bool stream_open;
    size_t head_bytes;
    uint8_t head[MAX_HEADER_BYTES];
    uint8_t *next; /* bytes read but not consumed yet */
    size_t left;
    uint8_t buffer[BUFFER_BYTES];
};

static fmd_status open_file(fmd_idx *f)
{
    FMD_TRY(fmd_regular_file_open(&f->fd, &f->disk_bytes, f->path, "an IDX file"));
    if (f->disk_bytes == 0)
        return FMD_FAIL(FMD_EDATA, "'%s': the file is empty, expected an IDX file", f->path);
    return FMD_OK;
}

/* Reads the next `want` bytes of the file; *got is less only at its end. The file is read, not
 * mapped: a mapped file that shrinks, or loses its server, kills the process. */
static fmd_status read_bytes(fmd_idx *f, uint8_t *to, size_t want, size_t *got)
{
    ssize_t n = 1;
    for (*got = 0; *got < want && n > 0; *got += (size_t)n) {
        do
            n = read(f->fd, to + *got, want - *got);
        while (n < 0 && errno == EINTR);
        if (n < 0)
            return FMD_FAIL(FMD_EIO, "cannot read '%s': %s", f->path, strerror(errno));
    }
    f->read_bytes += *got;
    return FMD_OK;
}

/* Fills the buffer to at least `want` bytes, or to the end of the file. */
static fmd_status fill(fmd_idx *f, size_t want)
{
    size_t got;
    if (f->left >= want)
        return FMD_OK;
    memmove(f->buffer, f->next, f->left);
    FMD_TRY(read_bytes(f, f->buffer + f->left, BUFFER_BYTES - f->left, &got));
    f->next = f->buffer;
    f->left += got;
    return FMD_OK;
}

/* Consumed bytes of the file. */
static size_t taken(const fmd_idx *f)
{
    return f->read_bytes - f->left;
}

static fmd_status zlib_failure(const fmd_idx *f, int code)
{
    if (code == Z_MEM_ERROR)
        return FMD_FAIL(FMD_ENOMEM, "out of memory: unpacking '%s'", f->path);
    return FMD_FAIL(FMD_EDATA, "'%s': damaged gzip data at byte %zu: %s", f->path, taken(f),
                    f->stream.msg != NULL ? f->stream.msg : zError(code));
}

/* zlib counts in unsigned int. */
static uInt window(size_t bytes)
{
    return bytes > UINT_MAX ? UINT_MAX : (uInt)bytes;
}

static fmd_status look_for_gzip(fmd_idx *f, bool *found)
{
    FMD_TRY(fill(f, 2));
    *found = f->left >= 2 && f->next[0] == 0x1f && f->next[1] == 0x8b;
    return FMD_OK;
}

/* A gzip file may have several members, one after the other; together they are one stream
 * (RFC 1952, 2.2). */
static fmd_status start_next_member(fmd_idx *f)
{
    bool found;
    FMD_TRY(look_for_gzip(f, &found));
    f->ended = !found || inflateReset(&f->stream) != Z_OK;
    return FMD_OK;
}

/* Unpacks up to `want` bytes; *got is less only where the gzip data end. */
static fmd_status inflate_bytes(fmd_idx *f, uint8_t *to, size_t want, size_t *got)
{
    z_stream *z = &f->stream;
    *got = 0;
    while (*got < want) {
        if (f->ended)
            FMD_TRY(start_next_member(f));
        if (f->ended)
            return FMD_OK;
        FMD_TRY(fill(f, 1));
        const uInt out = window(want - *got);
        z->next_in = f->next;
        z->avail_in = (uInt)f->left;
        z->next_out = to + *got;
        z->avail_out = out;
        int code = inflate(z, Z_NO_FLUSH);
        f->next = z->next_in;
        f->left = z->avail_in;
        *got += out - z->avail_out;
        f->unpacked += out - z->avail_out;
        if (code == Z_BUF_ERROR) /* all input is used up */
            return FMD_OK;
        if (code != Z_OK && code != Z_STREAM_END)
            return zlib_failure(f, code);
        f->ended = code == Z_STREAM_END;
    }
    return FMD_OK;
}

/* Copies up to `want` bytes of the unpacked file; *got is less only at its end. */
static fmd_status take(fmd_idx *f, uint8_t *to, size_t want, size_t *got)
{
    if (f->packed)
        return inflate_bytes(f, to, want, got);
    const size_t kept = want < f->left ? want : f->left;
    memcpy(to, f->next, kept);
    f->next += kept;
    f->left -= kept;
    FMD_TRY(read_bytes(f, to + kept, want - kept, got));
    *got += kept;
    f->unpacked += *got;
    return FMD_OK;
}

static fmd_status cut_off(const fmd_idx *f, const char *part, size_t expected)
{
    if (f->packed && !f->ended)
        return FMD_FAIL(FMD_EDATA,
                        "'%s': the gzip data are cut off at byte %zu: found %zu unpacked bytes, "
                        "expected %zu",
                        f->path, taken(f), f->unpacked, expected);
    return FMD_FAIL(FMD_EDATA, "'%s': the %s is cut off: found %zu%s bytes, expected %zu", f->path,
                    part, f->unpacked, f->packed ? " unpacked" : "", expected);
}

/* Reads the next `bytes` bytes of the header. */
static fmd_status take_head(fmd_idx *f, size_t bytes)
{
    size_t got;
    FMD_TRY(take(f, f->head + f->head_bytes, bytes, &got));
    f->head_bytes += got;
    return got == bytes ? FMD_OK : cut_off(f, "header", f->head_bytes - got + bytes);
}

/* Recognises other kinds of files by their first bytes. If a file is gone, a server sends a web
 * page, which browsers save under the file's name. */
static const char *looks_like(const fmd_idx *f)
{
    const uint8_t *p = f->head;
    if (p[1] == TYPE_UBYTE && p[2] == 0 && p[3] == 0)
        return " (little-endian?)";
    if (f->packed && p[0] == 0x1f && p[1] == 0x8b)
        return " (packed twice: unpack it once with gzip -d)";
    if (memcmp(p, "PK\x03\x04", MAGIC_BYTES) == 0)
        return " (a zip archive, perhaps NumPy's .npz?)";
    if (memcmp(p, "\x93NUM", MAGIC_BYTES) == 0)
        return " (an array of NumPy, .npy?)";
    if (memcmp(p, "\x89PNG", MAGIC_BYTES) == 0)
        return " (a PNG picture?)";
    for (int i = 0; i < MAGIC_BYTES; i++) {
        if ((p[i] < ' ' || p[i] > '~') && p[i] != '\n' && p[i] != '\r' && p[i] != '\t')
            return "";
    }
    return p[0] == '<' ? " (a web page?)" : " (a text file, perhaps CSV?)";
}

/* Explains common data types other than bytes, and why they are refused. */
static const char *type_name(const uint8_t *p)
{
    if (p[2] == 0x0b && p[3] == 1)
        return " (labels of 16 bits: at most 256 classes are supported, labels as bytes)";
    if (p[2] == 0x0c && p[3] == 2)
        return " (the labels of QMNIST: convert them with fmnist-dist data import)";
    return "";
}

static fmd_status check_magic(const fmd_idx *f, fmd_idx_kind kind)
{
    const uint8_t *p = f->head;
    static const char *const magics[] = {[FMD_IDX_LABELS] = "00 00 08 01",
                                         [FMD_IDX_IMAGES] = "00 00 08 03",
                                         [FMD_IDX_TABLE] = "00 00 0c 02"};
    const char *expected = magics[kind];
    if (p[0] != 0 || p[1] != 0)
        return FMD_FAIL(FMD_EDATA,
                        "'%s': bytes 0 to 3: found %02x %02x %02x %02x%s, expected %s: not an IDX "
                        "file",
                        f->path, p[0], p[1], p[2], p[3], looks_like(f), expected);
    if (kind == FMD_IDX_TABLE && (p[2] != TYPE_INT || p[3] != 2))
        return FMD_FAIL(FMD_EDATA,
                        "'%s': bytes 2 and 3: found 0x%02x and %d, expected 0x0c and 2: a table of "
                        "32-bit integers",
                        f->path, p[2], p[3]);
    if (kind == FMD_IDX_TABLE)
        return FMD_OK;
    if (p[2] != TYPE_UBYTE)
        return FMD_FAIL(
            FMD_EDATA,
            "'%s': byte 2, the data type: found 0x%02x%s, expected 0x08 (unsigned bytes)", f->path,
            p[2], type_name(p));
    if (kind == FMD_IDX_LABELS && p[3] != 1)
        return FMD_FAIL(FMD_EDATA,
                        "'%s': byte 3, the number of dimensions: found %d%s, expected 1 (labels)",
                        f->path, p[3], p[3] == 3 || p[3] == 4 ? " (images)" : "");
    if (kind == FMD_IDX_IMAGES && p[3] != 3 && p[3] != 4)
        return FMD_FAIL(FMD_EDATA,
                        "'%s': byte 3, the number of dimensions: found %d%s, expected 3 or 4 "
                        "(images)",
                        f->path, p[3], p[3] == 1 ? " (labels)" : "");
    return FMD_OK;
}

/* Numbers in IDX are big-endian. */
static uint32_t read_dim(const fmd_idx *f, int i)
{
    const uint8_t *p = f->head + MAGIC_BYTES + (size_t)i * DIM_BYTES;
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

enum { MOST_DIMS = 4 };

static fmd_status read_dims(fmd_idx *f, fmd_idx_kind kind, int dims)
{
    static const char *const label_fields[MOST_DIMS] = {"labels", "", "", ""};
    static const char *const image_fields[MOST_DIMS] = {"images", "height", "width", "channels"};
    static const char *const table_fields[MOST_DIMS] = {"rows", "columns", "", ""};
    const char *const *fields = kind == FMD_IDX_LABELS   ? label_fields
                                : kind == FMD_IDX_IMAGES ? image_fields
                                                         : table_fields;
    fmd_idx_header *h = &f->header;
    size_t image = 1;
    for (int i = 0; i < dims; i++) {
        uint32_t dim = read_dim(f, i);
        if (dim == 0)
            return FMD_FAIL(FMD_EDATA, "'%s': byte %d, %s: found 0, expected at least 1", f->path,
                            MAGIC_BYTES + i * DIM_BYTES, fields[i]);
        if (i == 0) {
            h->n = dim;
            continue;
        }
        /* Layers count the values of an image in int. */
        if (__builtin_mul_overflow(image, dim, &image) || image > INT_MAX)
            return FMD_FAIL(FMD_EDATA,
                            "'%s': byte %d, %s: found %u%s, expected an image of at most %d bytes",
                            f->path, MAGIC_BYTES + i * DIM_BYTES, fields[i], dim,
                            dim % (1 << 16) == 0 ? " (little-endian?)" : "", INT_MAX);
        h->image.dim[h->image.rank++] = (int)dim;
    }
    /* So far below SIZE_MAX that the sum of a data set's files cannot overflow either. */
    if (kind == FMD_IDX_TABLE)
        image *= INT_BYTES;
    if (__builtin_mul_overflow(h->n, image, &h->bytes) || h->bytes > SIZE_MAX / 8)
        return FMD_FAIL(FMD_EDATA,
                        "'%s': byte 4, images: found %zu of %zu bytes each, expected a "
                        "size that fits into memory",
                        f->path, h->n, image);
    return FMD_OK;
}

/* Compares the header with the size on disk, before the caller allocates memory. */
static fmd_status check_size(const fmd_idx *f)
{
    size_t expected = f->head_bytes + f->header.bytes;
    if (f->packed) {
        if (expected / DEFLATE_RATIO > f->disk_bytes)
            return FMD_FAIL(FMD_EDATA,
                            "'%s': the header announces %zu bytes, more than %zu bytes of gzip "
                            "data can hold",
                            f->path, expected, f->disk_bytes);
        return FMD_OK;
    }
    if (f->disk_bytes != expected)
        return FMD_FAIL(FMD_EDATA,
                        "'%s': the file is too %s: found %zu bytes, expected %zu (%zu of header, "
                        "%zu for %zu %s)",
                        f->path, f->disk_bytes < expected ? "short" : "long", f->disk_bytes,
                        expected, f->head_bytes, f->header.bytes, f->header.n,
                        f->header.image.rank == 0 ? "labels" : "images");
    return FMD_OK;
}

static fmd_status start_unpacking(fmd_idx *f)
{
    FMD_TRY(look_for_gzip(f, &f->packed));
    if (!f->packed)
        return FMD_OK;
    int code = inflateInit2(&f->stream, 15 + 16); /* gzip only */
    if (code != Z_OK)
        return zlib_failure(f, code);
    f->stream_open = true;
    return FMD_OK;
}

fmd_status fmd_idx_open(fmd_idx **out, const char *path, fmd_idx_kind kind)
{
    fmd_idx *f = NULL;
    fmd_status status = fmd_alloc(&f, 1, sizeof *f, "an IDX file");
    if (status != FMD_OK)
        return status;
    f->fd = -1;
    f->next = f->buffer;
    f->path = strdup(path);
    if (f->path == NULL) {
        status = FMD_FAIL(FMD_ENOMEM, "out of memory: opening '%s'", path);
        goto out;
    }
    if ((status = open_file(f)) != FMD_OK || (status = start_unpacking(f)) != FMD_OK ||
        (status = take_head(f, MAGIC_BYTES)) != FMD_OK || (status = check_magic(f, kind)) != FMD_OK)
        goto out;
    int dims = f->head[3];
    if ((status = take_head(f, (size_t)dims * DIM_BYTES)) != FMD_OK ||
        (status = read_dims(f, kind, dims)) != FMD_OK || (status = check_size(f)) != FMD_OK)
        goto out;
    *out = f;
    f = NULL;
out:
    fmd_idx_close(f);
    return status;
}

void fmd_idx_close(fmd_idx *f)
{
    if (f == NULL)
        return;
    if (f->stream_open)
        inflateEnd(&f->stream);
    if (f->fd >= 0)
        close(f->fd);
    free(f->path);
    free(f);
}

const fmd_idx_header *fmd_idx_header_of(const fmd_idx *f)
{
    return &f->header;
}

const char *fmd_idx_path(const fmd_idx *f)
{
    return f->path;
}

size_t fmd_idx_disk_bytes(const fmd_idx *f)
{
    return f->disk_bytes;
}

size_t fmd_idx_bytes(const fmd_idx *f)
{
    return f->head_bytes + f->header.bytes;
}

bool fmd_idx_is_packed(const fmd_idx *f)
{
    return f->packed;
}

/* Reading on makes zlib compare the CRC and the length of the last member. */
static fmd_status check_end(fmd_idx *f)
{
    size_t expected = f->head_bytes + f->header.bytes, got;
    uint8_t beyond;
    FMD_TRY(take(f, &beyond, 1, &got));
    if (got != 0)
        return FMD_FAIL(FMD_EDATA,
                        "'%s': the unpacked file is too long: found more than the %zu bytes that "
                        "its header announces",
                        f->path, expected);
    if (f->packed && !f->ended)
        return FMD_FAIL(FMD_EDATA,
                        "'%s': the gzip data are cut off at byte %zu: the checksum is "
                        "missing",
                        f->path, taken(f));
    if (f->left > 0)
        return FMD_FAIL(FMD_EDATA,
                        "'%s': byte %zu: found %zu more bytes, expected the end of the file",
                        f->path, taken(f), f->disk_bytes - taken(f));
    return FMD_OK;
}

fmd_status fmd_idx_read(fmd_idx *f, uint8_t *payload, fmd_hash *hash)
{
    size_t got;
    FMD_TRY(take(f, payload, f->header.bytes, &got));
    if (got != f->header.bytes)
        return cut_off(f, "payload", f->head_bytes + f->header.bytes);
    FMD_TRY(check_end(f));
    *hash = fmd_hash_parts(f->head, f->head_bytes, payload, f->header.bytes);
    return FMD_OK;
}

size_t fmd_idx_put_header(uint8_t out[FMD_IDX_HEADER], size_t n, fmd_shape image)
{
    out[0] = out[1] = 0;
    out[2] = TYPE_UBYTE;
    out[3] = (uint8_t)(1 + image.rank);
    for (int i = 0; i <= image.rank; i++)
        for (int k = 0; k < DIM_BYTES; k++) {
            const uint32_t dim = i == 0 ? (uint32_t)n : (uint32_t)image.dim[i - 1];
            out[MAGIC_BYTES + i * DIM_BYTES + k] = (uint8_t)(dim >> (24 - 8 * k));
        }
    return MAGIC_BYTES + (1 + (size_t)image.rank) * DIM_BYTES;
}

fmd_hash fmd_idx_hash(const uint8_t *payload, size_t n, fmd_shape image)
{
    uint8_t head[FMD_IDX_HEADER];
    const size_t bytes = fmd_idx_put_header(head, n, image);
    return fmd_hash_parts(head, bytes, payload, n * fmd_shape_count(image));
}
