#include "data/division.h"

#include "base/mem.h"
#include "base/rng.h"
#include "data/sampler.h"

#include <stdlib.h>

/* Sorts the images by class; within a class the order stays. */
static void sort_by_class(const fmd_split *all, const uint32_t *from, uint32_t *to)
{
    size_t images[FMD_CLASSES_MAX], next[FMD_CLASSES_MAX] = {0};
    fmd_split_count(all, images);
    for (size_t k = 1; k < FMD_CLASSES_MAX; k++)
        next[k] = next[k - 1] + images[k - 1];
    for (size_t i = 0; i < all->n; i++)
        to[next[all->labels[from[i]]]++] = from[i];
}

/* Whether place i of the list is for validation. Every k-th place of a list sorted by class, or evenly
 * spread places of any share, have the same share of each class. */
static bool is_validation(const fmd_division *d, size_t i, size_t n)
{
    const size_t fold = (size_t)d->fold, folds = (size_t)d->folds, v = d->n_validation;
    const bool stratified = d->from == FMD_DIVISION_STRATIFIED;
    if (folds > 0)
        return stratified ? i % folds == fold : i >= n * fold / folds && i < n * (fold + 1) / folds;
    return stratified ? (i + 1) * v / n > i * v / n : i >= n - v;
}

fmd_status fmd_divide(const fmd_split *all, const fmd_division *d, uint32_t *index,
                      fmd_split *train, fmd_split *validation)
{
    const size_t n = all->n;
    uint32_t *list = NULL;
    uint8_t *chosen = NULL; /* for validation */
    FMD_TRY(fmd_alloc(&list, n, sizeof *list, "the order of the images"));
    const fmd_status st = fmd_alloc(&chosen, n, 1, "the images for validation");
    if (st != FMD_OK) {
        free(list);
        return st;
    }
    for (size_t i = 0; i < n; i++)
        index[i] = (uint32_t)i;
    if (d->from != FMD_DIVISION_END)
        fmd_shuffle(index, n, &(fmd_rng){.seed = d->seed, .purpose = FMD_RNG_DIVISION});
    if (d->from == FMD_DIVISION_STRATIFIED)
        sort_by_class(all, index, list);
    for (size_t i = 0; i < n; i++) {
        const uint32_t image = d->from == FMD_DIVISION_STRATIFIED ? list[i] : index[i];
        chosen[image] = is_validation(d, i, n);
    }
    size_t n_train = 0, n_validation = 0;
    for (size_t i = 0; i < n; i++)
        n_validation += chosen[i];
    for (size_t i = 0, v = n - n_validation; i < n; i++)
        index[chosen[i] ? v++ : n_train++] = (uint32_t)i;
    *train = *validation = *all;
    train->n = n_train;
    train->index = index;
    validation->n = n_validation;
    validation->index = index + n_train;
    free(chosen);
    free(list);
    return FMD_OK;
}
