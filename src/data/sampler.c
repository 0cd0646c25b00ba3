#include "data/sampler.h"

#include "base/mem.h"
#include "base/simd.h"
#include "data/stream.h"

#include <stdlib.h>
#include <string.h>

struct fmd_sampler {
    size_t n;
    const uint32_t *index; /* of the split */
    uint64_t seed;
    uint32_t *order;
    size_t window;    /* 0: all samples are shuffled together */
    size_t shard;     /* samples of a shard */
    uint32_t *shards; /* their order */
};

/* Streams of random numbers for the shuffle. */
enum { ALL, SHARDS, WINDOWS };

/* The number of the split's image i. */
static uint32_t image_at(const fmd_sampler *s, size_t i)
{
    return s->index != NULL ? s->index[i] : (uint32_t)i;
}

static void reset_order(fmd_sampler *s)
{
    for (size_t i = 0; i < s->n; i++)
        s->order[i] = image_at(s, i);
}

fmd_status fmd_sampler_create(fmd_sampler **out, const fmd_split *split, uint64_t seed)
{
    const size_t n = split->n;
    fmd_sampler *s = NULL;
    if (n > UINT32_MAX)
        return FMD_FAIL(FMD_EDATA, "found %zu samples, expected at most %u", n, UINT32_MAX);
    FMD_TRY(fmd_alloc(&s, 1, sizeof *s, "the sampler"));
    fmd_status status = fmd_alloc(&s->order, n, sizeof *s->order, "the order of the samples");
    if (status != FMD_OK)
        goto out;
    s->n = n;
    s->index = split->index;
    s->seed = seed;
    reset_order(s);
    *out = s;
    s = NULL;
out:
    fmd_sampler_destroy(s);
    return status;
}

void fmd_sampler_destroy(fmd_sampler *s)
{
    if (s == NULL)
        return;
    free(s->order);
    free(s->shards);
    free(s);
}

/* A random number below `bound`: the upper half of the product of `bound` and a 64-bit random
 * number, given in two halves. The bias is below 2^-32; no division or loop is needed. */
static uint32_t below(uint32_t bound, uint32_t high, uint32_t low)
{
    return (uint32_t)(((uint64_t)high * bound + ((uint64_t)low * bound >> 32)) >> 32);
}

fmd_status fmd_sampler_set_window(fmd_sampler *s, size_t window)
{
    enum { LEAST_SHARDS = 64, MOST_SAMPLES = 1024 };
    s->window = window;
    s->shard = window / LEAST_SHARDS;
    s->shard = s->shard < 1 ? 1 : s->shard > MOST_SAMPLES ? MOST_SAMPLES : s->shard;
    return fmd_alloc(&s->shards, (s->n + s->shard - 1) / s->shard, sizeof *s->shards,
                     "the order of the samples");
}

/* Shuffles n entries: position i is swapped with one of 0 to i, drawn from the random numbers 2k and
 * 2k + 1, where k = first + i. */
static void shuffle(uint32_t *order, size_t n, size_t first, const fmd_rng *rng)
{
    uint32_t x[4] = {0};
    for (size_t i = n; i-- > 0;) {
        const size_t k = first + i, half = k % 2 * 2;
        if (half != 0 || i == n - 1)
            fmd_rng_block(rng, k / 2, x);
        const uint32_t j = below((uint32_t)i + 1, x[half], x[half + 1]);
        const uint32_t sample = order[i];
        order[i] = order[j];
        order[j] = sample;
    }
}

void fmd_shuffle(uint32_t *order, size_t n, const fmd_rng *rng)
{
    shuffle(order, n, 0, rng);
}

static void shuffle_windows(fmd_sampler *s, fmd_rng rng)
{
    const size_t n = (s->n + s->shard - 1) / s->shard;
    size_t at = 0;
    for (size_t i = 0; i < n; i++)
        s->shards[i] = (uint32_t)i;
    rng.stream = SHARDS;
    shuffle(s->shards, n, 0, &rng);
    for (size_t i = 0; i < n; i++) {
        const size_t first = s->shards[i] * s->shard;
        for (size_t k = first; k < first + s->shard && k < s->n; k++)
            s->order[at++] = image_at(s, k);
    }
    rng.stream = WINDOWS;
    for (size_t first = 0; first < s->n; first += s->window)
        shuffle(s->order + first, s->n - first < s->window ? s->n - first : s->window, first, &rng);
}

void fmd_sampler_shuffle(fmd_sampler *s, uint32_t epoch)
{
    const fmd_rng rng = {.seed = s->seed, .purpose = FMD_RNG_SHUFFLE, .stream = ALL, .time = epoch};
    if (s->window > 0) {
        shuffle_windows(s, rng);
        return;
    }
    reset_order(s);
    shuffle(s->order, s->n, 0, &rng);
}

const uint32_t *fmd_sampler_order(const fmd_sampler *s)
{
    return s->order;
}

fmd_range fmd_share(size_t total, int rank, int size)
{
    size_t r = (size_t)rank, least = total / (size_t)size, longer = total % (size_t)size;
    /* The first `longer` ranks have one more. */
    return (fmd_range){r * least + (r < longer ? r : longer), least + (r < longer)};
}

/* Shuffled images are scattered in memory: prefetches the images a few rows ahead. */
enum { ROWS_AHEAD = 8, CACHE_LINE = 64 };

static inline void ask_for(const uint8_t *image, size_t bytes)
{
    for (size_t j = 0; j < bytes; j += CACHE_LINE)
        __builtin_prefetch(image + j);
}

/* Divides, as Keras does: multiplying by 1/255 changes the last bit for 126 of the 256 byte values,
 * and is no faster, since memory bandwidth limits both. */
FMD_SIMD static void gather_samples(const uint8_t *images, size_t bytes, const uint32_t *order,
                                    size_t n, float divisor, float *x)
{
    for (size_t i = 0; i < n; i++) {
        const uint8_t *restrict image = images + (order != NULL ? order[i] : i) * bytes;
        float *restrict row = x + i * bytes;
        if (order != NULL && i + ROWS_AHEAD < n)
            ask_for(images + order[i + ROWS_AHEAD] * bytes, bytes);
        for (size_t j = 0; j < bytes; j++)
            row[j] = (float)image[j] / divisor;
    }
}

/* The same of images in a file. */
static void gather_streamed(const fmd_split *split, size_t bytes, const uint32_t *order, size_t n,
                            float divisor, float *x)
{
    for (size_t i = 0; i < n; i++)
        gather_samples(
            fmd_stream_read(split->stream, split->first + (order != NULL ? order[i] : i)), bytes,
            NULL, 1, divisor, x + i * bytes);
}

void fmd_gather_images(const fmd_split *split, size_t image_bytes, const uint32_t *order, size_t n,
                       size_t rows, float divisor, float *x)
{
    const uint32_t *numbers = order != NULL ? order : split->index;
    if (split->stream != NULL)
        gather_streamed(split, image_bytes, numbers, n, divisor, x);
    else
        gather_samples(split->images, image_bytes, numbers, n, divisor, x);
    memset(x + n * image_bytes, 0, (rows - n) * image_bytes * sizeof *x);
}

void fmd_gather_labels(const fmd_split *split, const uint32_t *order, size_t n, uint8_t *labels)
{
    const uint32_t *numbers = order != NULL ? order : split->index;
    for (size_t i = 0; i < n; i++)
        labels[i] = split->labels[numbers != NULL ? numbers[i] : i];
}
