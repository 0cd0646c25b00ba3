#include "train/loader.h"

#include "base/mem.h"
#include "base/rng.h"
#include "data/source.h"

/* The work of rank 0 before the shared memory exists. */
static fmd_status open_source(fmd_comm *c, const char *name, const char *dir, fmd_source **source,
                              uint64_t *bytes)
{
    if (fmd_comm_rank(c) != 0)
        return FMD_OK;
    FMD_TRY(fmd_source_open(source, name, dir));
    *bytes = fmd_source_bytes(*source);
    return FMD_OK;
}

fmd_status fmd_loader_read(fmd_comm *c, const char *name, const char *dir, fmd_dataset *out)
{
    fmd_source *source = NULL;
    fmd_dataset_info info = {.classes = 0};
    uint64_t bytes = 0;
    void *memory;

    fmd_status st = fmd_comm_agree(c, open_source(c, name, dir, &source, &bytes));
    if (st != FMD_OK)
        goto out;
    fmd_comm_bcast(c, &bytes, sizeof bytes);
    st = fmd_comm_agree(c, fmd_mem_check((double)bytes, "the data set",
                                         "more memory for the job, or fewer images"));
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
out:
    fmd_source_close(source);
    return st;
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
