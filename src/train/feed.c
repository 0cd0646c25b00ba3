#include "fmd/feed.h"

/* Rank 0's half of the work before memory is shared. */
static fmd_status open_source(fmd_comm *c, const char *name, const char *dir, fmd_source **source,
                              uint64_t *bytes)
{
    if (fmd_comm_rank(c) != 0)
        return FMD_OK;
    FMD_TRY(fmd_source_open(source, name, dir));
    *bytes = fmd_source_bytes(*source);
    return FMD_OK;
}

fmd_status fmd_feed_load(fmd_comm *c, const char *name, const char *dir, fmd_dataset *out)
{
    fmd_source *source = NULL;
    fmd_dataset_info info = {.classes = 0};
    uint64_t bytes = 0;
    void *memory;

    fmd_status st = fmd_comm_agree(c, open_source(c, name, dir, &source, &bytes));
    if (st != FMD_OK)
        goto out;
    fmd_comm_bcast(c, &bytes, sizeof bytes);
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
