/* .npz and HDF5 files. */
#include "base/mem.h"
#include "data/formats/array_set.h"
#include "data/import/importer.h"
#include "data/locate.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct reader {
    fmd_array_set *set;
    fmd_dataset_info info;
    size_t image_bytes;
    bool test;
    size_t read, block,
        at; /* images of the split read so far; in the block, and the next of them */
    uint8_t *images;
    int *labels;
} reader;

static bool recognises(const fmd_import_args *args)
{
    fmd_place place;
    return fmd_locate(&place, args->source, args->dir) == FMD_OK && place.files == FMD_FILES_ARRAYS;
}

static fmd_status open_arrays(void **out, const fmd_import_args *args, fmd_import_source *source)
{
    reader *r;
    FMD_TRY(fmd_alloc(&r, 1, sizeof *r, "a data set"));
    *out = r;
    FMD_TRY(fmd_array_set_open(&r->set, args->source, &r->info));
    const fmd_shape image = r->info.image;
    r->image_bytes = fmd_shape_count(image);
    source->size = (fmd_size){.width = (size_t)image.dim[1], .height = (size_t)image.dim[0]};
    source->channels = image.rank == 3 ? (size_t)image.dim[2] : 1;
    source->has_test = r->info.n_test > 0;
    source->total = (double)(r->info.n_train + r->info.n_test);
    const size_t block = fmd_array_set_block(r->set);
    FMD_TRY(fmd_alloc(&r->images, block, r->image_bytes, "the images"));
    return fmd_alloc(&r->labels, block, sizeof *r->labels, "the labels");
}

/* Reads on, if there are more images. */
static fmd_status read_block(reader *r)
{
    if (!r->test && r->read == r->info.n_train) {
        r->test = true;
        r->read = 0;
    }
    const size_t left = (r->test ? r->info.n_test : r->info.n_train) - r->read;
    const size_t most = fmd_array_set_block(r->set);
    r->block = left < most ? left : most;
    r->at = 0;
    r->read += r->block;
    if (r->block == 0)
        return FMD_OK;
    return fmd_array_set_next(r->set, r->test, r->block, r->images, r->labels);
}

static fmd_status next_sample(void *arrays, fmd_import_source *source, fmd_import_sample *s)
{
    reader *r = arrays;
    if (r->at == r->block)
        FMD_TRY(read_block(r));
    if (r->block == 0)
        return FMD_OK;
    const size_t i = r->at++;
    s->test = r->test;
    s->label = r->labels[i];
    if (s->label == FMD_ARRAY_SET_LABEL)
        s->dropped = "the label is not a whole number from 0 to 255";
    else if (s->label == FMD_ARRAY_SET_PIXELS)
        s->dropped = "pixels that are not numbers";
    snprintf(s->name, sizeof s->name, "%s image %zu", s->test ? "test" : "training",
             r->read - r->block + i);
    s->pixels = r->images + i * r->image_bytes;
    s->size = source->size;
    s->channels = source->channels;
    source->done++;
    return FMD_OK;
}

static void close_arrays(void *arrays)
{
    reader *r = arrays;
    if (r == NULL)
        return;
    fmd_array_set_close(r->set);
    free(r->images);
    free(r->labels);
    free(r);
}

const fmd_importer fmd_importer_arrays = {"file of arrays", recognises, open_arrays, next_sample,
                                          close_arrays};
