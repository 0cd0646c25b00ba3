#include "data/stream.h"

#include "base/mem.h"
#include "base/system/regular_file.h"
#include "data/idx.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SAMPLED = 1024 }; /* images in the hash */

struct fmd_stream {
    char path[FMD_PATH_BYTES];
    int fd;
    size_t n, head, image_bytes;
    fmd_shape shape;
    uint8_t *image;
    fmd_status status; /* of the first read that failed */
    char message[FMD_ERROR_BYTES];
};

/* The file has just the header that the data set announces. */
static fmd_status check_file(const fmd_stream *s, size_t bytes)
{
    uint8_t found[FMD_IDX_HEADER], expected[FMD_IDX_HEADER];
    const size_t head = fmd_idx_put_header(expected, s->n, s->shape);
    if (pread(s->fd, found, head, 0) != (ssize_t)head || memcmp(found, expected, head) != 0 ||
        bytes != head + s->n * s->image_bytes)
        return FMD_FAIL(FMD_EDATA,
                        "'%s' is not the file that rank 0 found: with --stream all hosts need the "
                        "same files under the same path",
                        s->path);
    return FMD_OK;
}

fmd_status fmd_stream_open(fmd_stream **out, const char *path, size_t n, fmd_shape image)
{
    fmd_stream *s;
    size_t bytes;
    uint8_t head[FMD_IDX_HEADER];
    FMD_TRY(fmd_alloc(&s, 1, sizeof *s, "a stream of images"));
    s->fd = -1;
    s->n = n;
    s->shape = image;
    s->image_bytes = fmd_shape_count(image);
    s->head = fmd_idx_put_header(head, n, image);
    snprintf(s->path, sizeof s->path, "%s", path);
    fmd_status st = fmd_alloc(&s->image, s->image_bytes, 1, "an image");
    if (st == FMD_OK)
        st = fmd_regular_file_open(&s->fd, &bytes, s->path, "an IDX file");
    if (st == FMD_OK)
        st = check_file(s, bytes);
    if (st == FMD_OK)
        *out = s;
    else
        fmd_stream_close(s);
    return st;
}

void fmd_stream_close(fmd_stream *s)
{
    if (s == NULL)
        return;
    if (s->fd >= 0)
        close(s->fd);
    free(s->image);
    free(s);
}

static off_t place_of(const fmd_stream *s, size_t image)
{
    return (off_t)(s->head + image * s->image_bytes);
}

/* Keeps the message: other code may fail before somebody asks. */
static void keep_failure(fmd_stream *s, size_t image, ssize_t n)
{
    memset(s->image, 0, s->image_bytes);
    if (s->status != FMD_OK)
        return;
    s->status = n < 0 ? FMD_EIO : FMD_EDATA;
    if (n < 0)
        snprintf(s->message, sizeof s->message, "cannot read image %zu of '%.900s': %s", image,
                 s->path, strerror(errno));
    else
        snprintf(s->message, sizeof s->message,
                 "cannot read image %zu of '%.900s': the file has become shorter", image, s->path);
}

const uint8_t *fmd_stream_read(fmd_stream *s, size_t image)
{
    size_t got = 0;
    while (got < s->image_bytes) {
        const ssize_t n =
            pread(s->fd, s->image + got, s->image_bytes - got, place_of(s, image) + (off_t)got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            keep_failure(s, image, n);
            break;
        }
        got += (size_t)n;
    }
    return s->image;
}

void fmd_stream_read_ahead(const fmd_stream *s, size_t first, const uint32_t *order, size_t n)
{
    for (size_t i = 0; i < n; i++)
        (void)posix_fadvise(s->fd, place_of(s, first + order[i]), (off_t)s->image_bytes,
                            POSIX_FADV_WILLNEED);
}

fmd_status fmd_stream_status(const fmd_stream *s)
{
    return s->status == FMD_OK ? FMD_OK : FMD_FAIL(s->status, "%s", s->message);
}

fmd_status fmd_stream_hash(fmd_stream *s, fmd_hash *hash)
{
    uint8_t head[FMD_IDX_HEADER];
    const size_t bytes = fmd_idx_put_header(head, s->n, s->shape);
    const size_t n = s->n < SAMPLED ? s->n : SAMPLED;
    fmd_hash h = fmd_hash_bytes(head, bytes);
    for (size_t i = 0; i < n; i++) {
        const uint8_t *image = fmd_stream_read(s, n > 1 ? i * (s->n - 1) / (n - 1) : 0);
        h = fmd_hash_parts(&h, sizeof h, image, s->image_bytes);
    }
    *hash = h;
    return fmd_stream_status(s);
}
