#include "run/node_memory.h"

#include "nn/optimizers/optimizer.h"
#include "train/shard.h"

/* A file is built in memory, and its values are copied from it. */
enum { FILE_COPIES = 2 };

fmd_status fmd_node_memory_predict(fmd_node_memory *out, const fmd_config *c,
                                   const fmd_model_size *size, int ranks, size_t samples)
{
    fmd_optimizer *small;
    FMD_TRY(fmd_optimizer_create(&small, c->training.optimizer, 1));
    const double slots = (double)fmd_optimizer_n_slots(small);
    fmd_optimizer_destroy(small);
    const double array = (double)size->params * sizeof(float);
    const double kept = c->stopping.restore_best ? array : 0;
    const double state = (1 + slots) * array + kept;
    const double work = fmd_model_size_bytes(size, samples) - array;
    const bool sums = ranks > 1 && c->distribution.allreduce == FMD_ALLREDUCE_SHARED;
    *out = (fmd_node_memory){
        .message_bytes = array,
        .file_bytes = FILE_COPIES * state,
        .sharded = fmd_shard_pays((fmd_sharding)c->distribution.sharding, ranks, size->params)};
    out->rank_bytes = work + array + (out->sharded ? 0 : state);
    out->node_bytes = out->sharded ? state : sums ? array : 0;
    out->shared_bytes = out->node_bytes;
    return FMD_OK;
}

double fmd_node_memory_sum(const fmd_node_memory *m, int ranks)
{
    return ranks * m->rank_bytes + m->node_bytes;
}
