#include "data/duplicates.h"

#include <stdlib.h>
#include <string.h>

struct fmd_image_hash {
    fmd_hash hash;
    bool test;
};

fmd_status fmd_image_hashes_add(fmd_image_hashes *h, const uint8_t *image, size_t bytes, bool test)
{
    if (h->n == h->capacity) {
        const size_t capacity = h->capacity > 0 ? 2 * h->capacity : 1024;
        struct fmd_image_hash *at = realloc(h->at, capacity * sizeof *at);
        if (at == NULL)
            return FMD_FAIL(FMD_ENOMEM, "out of memory: the hashes of %zu images", capacity);
        h->at = at;
        h->capacity = capacity;
    }
    h->at[h->n++] = (struct fmd_image_hash){.hash = fmd_hash_bytes(image, bytes), .test = test};
    return FMD_OK;
}

void fmd_image_hashes_free(fmd_image_hashes *h)
{
    free(h->at);
    *h = (fmd_image_hashes){.n = 0};
}

static int compare(const void *a, const void *b)
{
    const struct fmd_image_hash *x = a, *y = b;
    if (x->hash.high != y->hash.high)
        return x->hash.high < y->hash.high ? -1 : 1;
    if (x->hash.low != y->hash.low)
        return x->hash.low < y->hash.low ? -1 : 1;
    return x->test - y->test; /* training images first */
}

fmd_duplicates fmd_duplicates_count(fmd_image_hashes *h)
{
    fmd_duplicates found = {.repeated = 0};
    if (h->n > 0)
        qsort(h->at, h->n, sizeof *h->at, compare);
    for (size_t i = 1, first = 0; i < h->n; i++) {
        if (memcmp(&h->at[i].hash, &h->at[first].hash, sizeof h->at[i].hash) != 0) {
            first = i;
            continue;
        }
        found.repeated += !h->at[i].test;
        found.leaked += h->at[i].test && !h->at[first].test;
    }
    return found;
}

static fmd_status add_split(fmd_image_hashes *h, const fmd_split *s, size_t bytes, bool test)
{
    for (size_t i = 0; i < s->n; i++)
        FMD_TRY(fmd_image_hashes_add(h, s->images + i * bytes, bytes, test));
    return FMD_OK;
}

fmd_status fmd_duplicates_of(const fmd_dataset *d, fmd_duplicates *out)
{
    const size_t bytes = fmd_shape_count(d->info.image);
    fmd_image_hashes h = {.n = 0};
    fmd_status st = add_split(&h, &d->train, bytes, false);
    if (st == FMD_OK)
        st = add_split(&h, &d->test, bytes, true);
    if (st == FMD_OK)
        *out = fmd_duplicates_count(&h);
    fmd_image_hashes_free(&h);
    return st;
}
