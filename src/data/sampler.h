/* The assignment of samples to batches, as index arithmetic.
 *
 * The order of an epoch is a permutation of all training samples, a pure function of the seed and
 * the epoch, the same on every rank. Each sample occurs exactly once per epoch, for any batch size
 * and number of ranks. */
#ifndef FMD_DATA_SAMPLER_H
#define FMD_DATA_SAMPLER_H

#include "base/rng.h"
#include "data/dataset.h"

typedef struct fmd_sampler fmd_sampler;

/* Local. Orders the images of the split (at most 2^32 - 1); unshuffled until fmd_sampler_shuffle.
 * FMD_EDATA for more, FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_sampler_create(fmd_sampler **out, const fmd_split *split, uint64_t seed);
void fmd_sampler_destroy(fmd_sampler *s);

/* Local. Shuffles for `epoch` (from 0): Fisher-Yates with counter-based random numbers. */
void fmd_sampler_shuffle(fmd_sampler *s, uint32_t epoch);

/* Local. From now on epochs are shuffled in windows of this many samples, for samples that are read
 * from a file: shards, ranges of consecutive samples, are put into a random order, and then each window
 * of the resulting order is shuffled. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_sampler_set_window(fmd_sampler *s, size_t window);

/* Local. Fisher-Yates with counter-based random numbers, two for each position. */
void fmd_shuffle(uint32_t *order, size_t n, const fmd_rng *rng);

/* Local. The whole order: the number of the image at each position. */
const uint32_t *fmd_sampler_order(const fmd_sampler *s);

/* A range of consecutive items. */
typedef struct fmd_range {
    size_t first, count;
} fmd_range;

/* Local. The share of `rank` among `size` ranks of `total` items: contiguous, in rank order, each item
 * exactly once; shares differ by at most one. */
fmd_range fmd_share(size_t total, int rank, int size);

/* Local. Turns samples into rows of floats: row i is image order[i] over `divisor` (255, or 1 for
 * the bytes as they are); i < n. Rows n to rows - 1 are zero. x: rows times image bytes. `order`
 * NULL: the first n images of the split. */
void fmd_gather_images(const fmd_split *split, size_t image_bytes, const uint32_t *order, size_t n,
                       size_t rows, float divisor, float *x);

/* Local. labels[i] = label of order[i]; i < n. `order` as above. */
void fmd_gather_labels(const fmd_split *split, const uint32_t *order, size_t n, uint8_t *labels);

#endif
