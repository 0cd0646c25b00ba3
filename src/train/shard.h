/* Parameters and optimizer state once a node, in shared memory.
 *
 * A training step updates them in passes over pieces of FMD_REDUCTION_PIECE values. Each rank of a
 * node has a slice of the pieces. A pass is complete when all slices are; then the ranks meet.
 *
 * A rank may die at any moment. So each slice has a lock that outlives its owner, the position of its
 * rank, and a copy of the piece that is being changed. A surviving rank can restore this piece and
 * complete all slices of the step: nothing is half updated. */
#ifndef FMD_TRAIN_SHARD_H
#define FMD_TRAIN_SHARD_H

#include "dist/comm.h"
#include "nn/model.h"
#include "nn/optimizers/optimizer.h"
#include "train/fit_args.h"

typedef struct fmd_shard fmd_shard;

/* Models with fewer parameters are not worth the barriers; docs/scaling.md has the figures. */
enum { FMD_SHARD_PARAMS = 1 << 20 };

/* Local. Whether nodes of up to `ranks` ranks share a model of `params` parameters. */
bool fmd_shard_pays(fmd_sharding sharding, int ranks, size_t params);

/* Collective. Whether this training shares. FMD_EUSAGE: it cannot, but has to. */
FMD_CHECKED fmd_status fmd_shard_decide(bool *shares, fmd_comm *c, const fmd_model *m,
                                        fmd_sharding sharding);

/* Collective. The parameters of the model, the slots of the optimizer and the weights that callbacks keep
 * lie in shared memory until destroy, which is collective too: it gives the parameters back to each rank,
 * and resets the slots. `n_pieces` and
 * `n_tensors` are those of the reduction. Borrows all pointers. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_shard_create(fmd_shard **out, fmd_comm *c, fmd_model *m,
                                        fmd_optimizer *o, const fmd_fit_args *args, size_t n_pieces,
                                        size_t n_tensors);
void fmd_shard_destroy(fmd_shard *s);

/* Works on pieces `first` to `end` - 1. With `only_look` they are complete already. */
typedef void fmd_shard_work(void *self, size_t first, size_t end, bool only_look);

/* Local. A step begins. */
void fmd_shard_begin(fmd_shard *s);

/* Local. Runs `work` for the pieces of this rank that the pass has not reached yet; between freeze and
 * thaw for those of all ranks. `work` calls begin_piece before and end_piece after each piece of
 * values `first` to `first` + n - 1. `largest` has a number per tensor, which the others get from
 * `largest_of` when the pass is complete. */
void fmd_shard_pass(fmd_shard *s, int pass, fmd_shard_work *work, void *self,
                    const uint32_t *largest);
void fmd_shard_begin_piece(fmd_shard *s, size_t first, size_t n);
void fmd_shard_end_piece(fmd_shard *s);

/* Local. A pass is complete on all ranks: the optimizer receives the squares of all pieces. */
void fmd_shard_end_pass(fmd_shard *s, int pass);

/* Local. The step is complete on all ranks. */
void fmd_shard_end(fmd_shard *s);

/* Local. The numbers of rank `i` of the node. */
const uint32_t *fmd_shard_largest_of(const fmd_shard *s, int i);

/* Local. For a thread that holds the state of the training: keeps all ranks of the node from changing
 * shared memory until thaw. False if some rank does not let go, or has begun a step that this rank has
 * not: try again later. *unfinished: the step under way has to be completed by this rank. */
bool fmd_shard_freeze(fmd_shard *s, bool *unfinished);
void fmd_shard_thaw(fmd_shard *s);

#endif
