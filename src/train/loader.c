#include "train/loader.h"

#include "base/mem.h"
#include "base/rng.h"
#include "data/source.h"
#include "data/stream.h"

#include <stdio.h>

/* The work of rank 0 before the shared memory exists. */
static fmd_status open_source(fmd_comm *c, const char *name, const char *dir, bool streamed,
                              fmd_source **source, uint64_t *bytes)
{
    if (fmd_comm_rank(c) != 0)
        return FMD_OK;
    FMD_TRY(fmd_source_open(source, name, dir));
    if (streamed)
        FMD_TRY(fmd_source_stream(*source));
    *bytes = fmd_source_bytes(*source);
    return FMD_OK;
}

/* Local. */
static fmd_status open_streams(fmd_dataset *d, char paths[2][FMD_PATH_BYTES])
{
    const fmd_shape image = d->info.image;
    FMD_TRY(fmd_stream_open(&d->train.stream, paths[0], d->train.n, image));
    return fmd_stream_open(&d->test.stream, paths[1], d->test.n, image);
}

/* Collective. Opens the files of the images on every rank. */
static fmd_status share_streams(fmd_comm *c, const fmd_source *source, fmd_dataset *d)
{
    char paths[2][FMD_PATH_BYTES] = {"", ""};
    for (int i = 0; source != NULL && i < 2; i++)
        snprintf(paths[i], sizeof paths[i], "%s",
                 fmd_source_file_at(source, i == 0 ? FMD_TRAIN_IMAGES : FMD_TEST_IMAGES).path);
    fmd_comm_bcast(c, paths, sizeof paths);
    const fmd_status st = fmd_comm_agree(c, open_streams(d, paths));
    if (st != FMD_OK)
        fmd_loader_close(d);
    return st;
}

void fmd_loader_close(fmd_dataset *d)
{
    fmd_stream_close(d->train.stream);
    fmd_stream_close(d->test.stream);
    d->train.stream = d->test.stream = NULL;
}

/* Collective. */
static fmd_status load(fmd_comm *c, const char *name, const char *dir, bool streamed,
                       fmd_dataset *out)
{
    fmd_source *source = NULL;
    fmd_dataset_info info = {.classes = 0};
    uint64_t bytes = 0;
    void *memory;

    fmd_status st = fmd_comm_agree(c, open_source(c, name, dir, streamed, &source, &bytes));
    if (st != FMD_OK)
        goto out;
    fmd_comm_bcast(c, &bytes, sizeof bytes);
    st = fmd_comm_agree(c, fmd_mem_check((double)bytes, "the data set",
                                         streamed ? "more memory for the job"
                                                  : "more memory for the job, or --stream"));
    if (st != FMD_OK)
        goto out;
    if ((st = fmd_comm_shared(c, bytes, &memory)) != FMD_OK)
        goto out;
    if (fmd_comm_rank(c) == 0)
        st = fmd_source_load(source, memory, &info);
    if ((st = fmd_comm_agree(c, st)) != FMD_OK)
        goto out;
    fmd_comm_share(c, memory, bytes);
    fmd_comm_bcast(c, &info, sizeof info);
    fmd_dataset_view(out, &info, memory);
    if (streamed)
        st = share_streams(c, source, out);
out:
    fmd_source_close(source);
    return st;
}

fmd_status fmd_loader_read(fmd_comm *c, const char *name, const char *dir, fmd_dataset *out)
{
    return load(c, name, dir, false, out);
}

fmd_status fmd_loader_stream(fmd_comm *c, const char *name, const char *dir, fmd_dataset *out)
{
    return load(c, name, dir, true, out);
}

/* Four of five pixels are zero, about as many as in the MNIST family. */
static void draw_images(uint8_t *memory, size_t pixels, size_t labels, int classes)
{
    const fmd_rng rng = {.purpose = FMD_RNG_SYNTHETIC};
    for (size_t i = 0; i < pixels + labels; i += 4) {
        uint32_t x[4];
        fmd_rng_block(&rng, i / 4, x);
        for (size_t k = i; k < i + 4 && k < pixels + labels; k++) {
            const uint32_t at = x[k - i];
            memory[k] = k >= pixels ? (uint8_t)(at % (uint32_t)classes)
                                    : (uint8_t)(at % 5 == 0 ? at >> 24 : 0);
        }
    }
}

fmd_status fmd_loader_synthetic(fmd_comm *c, fmd_dataset *out)
{
    const fmd_dataset_info info = {
        .name = "synthetic", .image = FMD_MNIST_IMAGE, .classes = 10, .n_train = 60000};
    const size_t pixels = info.n_train * fmd_shape_count(info.image);
    void *memory;
    FMD_TRY(fmd_comm_shared(c, pixels + info.n_train, &memory));
    if (fmd_comm_rank(c) == 0)
        draw_images(memory, pixels, info.n_train, info.classes);
    fmd_comm_share(c, memory, pixels + info.n_train);
    fmd_dataset_view(out, &info, memory);
    return FMD_OK;
}
