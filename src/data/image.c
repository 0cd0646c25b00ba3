#include "data/image.h"

#include "base/mem.h"
#include "data/idx.h"

#include <stdlib.h>
#include <string.h>

fmd_status fmd_images_read(fmd_images *out, const char *path)
{
    fmd_idx *file;
    fmd_hash hash;
    void *bytes = NULL;
    FMD_TRY(fmd_idx_open(&file, path, FMD_IDX_IMAGES));
    const fmd_idx_header *h = fmd_idx_header_of(file);
    fmd_status st = fmd_alloc(&bytes, h->bytes, 1, "the images");
    if (st == FMD_OK)
        st = fmd_idx_read(file, bytes, &hash);
    if (st == FMD_OK)
        *out = (fmd_images){.n = h->n, .image = h->image, .bytes = bytes};
    else
        free(bytes);
    fmd_idx_close(file);
    return st;
}

void fmd_images_free(fmd_images *images)
{
    free(images->bytes);
    *images = (fmd_images){.n = 0};
}

/* The overlap of pixel `i` of `n` with pixel `k` of `m` in rows of equal length, in units of 1/m of
 * pixel i. */
static uint64_t overlap(size_t i, size_t n, size_t k, size_t m)
{
    const uint64_t begin = i * m > k * n ? i * m : k * n;
    const uint64_t end = (i + 1) * m < (k + 1) * n ? (i + 1) * m : (k + 1) * n;
    return end > begin ? end - begin : 0;
}

static uint8_t mean_of_area(const uint8_t *in, fmd_size from, size_t channels, size_t channel,
                            fmd_size to, size_t x, size_t y)
{
    const uint64_t all = (uint64_t)from.width * from.height;
    uint64_t sum = 0;
    for (size_t i = y * from.height / to.height;
         i < from.height && i * to.height < (y + 1) * from.height; i++) {
        const uint64_t rows = overlap(i, from.height, y, to.height);
        uint64_t row = 0;
        for (size_t k = x * from.width / to.width;
             k < from.width && k * to.width < (x + 1) * from.width; k++)
            row +=
                overlap(k, from.width, x, to.width) * in[(i * from.width + k) * channels + channel];
        sum += rows * row;
    }
    return all > 0 ? (uint8_t)((sum + all / 2) / all) : 0;
}

void fmd_image_resize(const uint8_t *in, fmd_size from, size_t channels, uint8_t *out, fmd_size to)
{
    for (size_t y = 0; y < to.height; y++)
        for (size_t x = 0; x < to.width; x++)
            for (size_t c = 0; c < channels; c++)
                *out++ = mean_of_area(in, from, channels, c, to, x, y);
}

/* a * b / c, rounded, at least 1. */
static size_t in_proportion(size_t a, size_t b, size_t c)
{
    const size_t value = (a * b + c / 2) / c;
    return value > 0 ? value : 1;
}

fmd_size fmd_image_within(fmd_size from, fmd_size to)
{
    if (from.width * to.height >= to.width * from.height)
        return (fmd_size){to.width, in_proportion(from.height, to.width, from.width)};
    return (fmd_size){in_proportion(from.width, to.height, from.height), to.height};
}

void fmd_image_fit(const uint8_t *in, fmd_size from, size_t channels, uint8_t *out, fmd_size to,
                   uint8_t *scratch)
{
    const fmd_size size = fmd_image_within(from, to);
    const size_t left = (to.width - size.width) / 2, top = (to.height - size.height) / 2;
    fmd_image_resize(in, from, channels, scratch, size);
    memset(out, 0, to.width * to.height * channels);
    for (size_t y = 0; y < size.height; y++)
        memcpy(out + ((top + y) * to.width + left) * channels, scratch + y * size.width * channels,
               size.width * channels);
}
