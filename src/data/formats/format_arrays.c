/* Data sets in one .npz or HDF5 file. */
#include "base/mem.h"
#include "base/system/regular_file.h"
#include "data/formats/array_set.h"
#include "data/formats/format.h"
#include "data/idx.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct reader {
    char path[FMD_PATH_BYTES];
    size_t bytes; /* of the file */
    fmd_array_set *set;
    size_t unpacked[FMD_DATASET_FILES];
} reader;

static fmd_status open_file(void **out, const fmd_place *place, fmd_dataset_info *info)
{
    reader *r;
    int fd;
    FMD_TRY(fmd_alloc(&r, 1, sizeof *r, "a data set"));
    *out = r;
    memcpy(r->path, place->file[0], sizeof r->path);
    FMD_TRY(fmd_regular_file_open(&fd, &r->bytes, r->path, "an .npz or HDF5 file"));
    close(fd);
    FMD_TRY(fmd_array_set_open(&r->set, r->path, info));
    if (info->n_test == 0)
        return FMD_FAIL(FMD_EDATA,
                        "'%s': found no test images (x_test, y_test): fmnist-dist data import %s "
                        "FOLDER sets some aside",
                        r->path, r->path);
    for (int i = 0; i < FMD_DATASET_FILES; i++)
        r->unpacked[i] = (i < FMD_TEST_IMAGES ? info->n_train : info->n_test) *
                         fmd_shape_count(fmd_dataset_part_shape(info, i));
    return FMD_OK;
}

static fmd_status sample_fault(const reader *r, bool test, size_t i, int fault)
{
    return FMD_FAIL(FMD_EDATA,
                    "'%s': %s image %zu: found %s: fmnist-dist data import drops such images",
                    r->path, test ? "test" : "training", i,
                    fault == FMD_ARRAY_SET_PIXELS ? "pixels that are not numbers"
                                                  : "a label that is not a whole number from 0 "
                                                    "to 255");
}

static fmd_status read_split(reader *r, bool test, size_t n, size_t image, uint8_t *images,
                             uint8_t *labels)
{
    const size_t block = fmd_array_set_block(r->set);
    int *found;
    fmd_status st = fmd_alloc(&found, block, sizeof *found, "the labels");
    for (size_t done = 0; done < n && st == FMD_OK;) {
        const size_t k = n - done < block ? n - done : block;
        st = fmd_array_set_next(r->set, test, k, images + done * image, found);
        for (size_t i = 0; i < k && st == FMD_OK; i++) {
            if (found[i] < 0)
                st = sample_fault(r, test, done + i, found[i]);
            labels[done + i] = (uint8_t)found[i];
        }
        done += k;
    }
    free(found);
    return st;
}

static fmd_status read_file(void *file, const fmd_dataset_info *info, fmd_parts *to)
{
    reader *r = file;
    const size_t image = fmd_shape_count(info->image);
    FMD_TRY(read_split(r, false, info->n_train, image, to->part[FMD_TRAIN_IMAGES],
                       to->part[FMD_TRAIN_LABELS]));
    FMD_TRY(read_split(r, true, info->n_test, image, to->part[FMD_TEST_IMAGES],
                       to->part[FMD_TEST_LABELS]));
    for (int i = 0; i < FMD_DATASET_FILES; i++)
        to->hash[i] = fmd_idx_hash(to->part[i], i < FMD_TEST_IMAGES ? info->n_train : info->n_test,
                                   fmd_dataset_part_shape(info, i));
    return FMD_OK;
}

static fmd_source_file file_at(const void *file, int part)
{
    const reader *r = file;
    return (fmd_source_file){
        .path = r->path, .bytes = r->bytes, .unpacked_bytes = r->unpacked[part]};
}

static void close_file(void *file)
{
    reader *r = file;
    if (r != NULL)
        fmd_array_set_close(r->set);
    free(r);
}

const fmd_format fmd_format_arrays = {"classes.txt", open_file,  read_file,
                                      file_at,       close_file, NULL};
