/* The same bits everywhere: ranks x nodes x buckets x sharding x allreduce x models. All ranks run on
 * one machine, so the nodes are pretended. The reference is a training by one rank alone. */
#include "support/mpi_main.h"
#include "support/pretend_nodes.h"

#include "base/hash.h"
#include "base/rng.h"
#include "math/gemm.h"
#include "train/batch_plan.h"
#include "train/callbacks/callbacks.h"
#include "train/loop.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CLASSES = 4, SIDE = 8, PIXELS = SIDE * SIDE, TRAINED = 90, BATCH = 40, EPOCHS = 2 };

static const fmd_shape image_shape = {.rank = 2, .dim = {SIDE, SIDE}};
static uint8_t images[TRAINED * PIXELS], labels[TRAINED];

/* Several pieces and buckets each. */
static const struct {
    const char *name, *layers, *optimizer;
    size_t microbatch;
} models[] = {{"dense", "flatten,dense:60:relu,dense:40:relu,dense:4:softmax", "adam", 5},
              {"convolution with batch normalisation",
               "conv2d:6:3:same:relu,batch_normalization,max_pooling2d,conv2d:8:3:same,"
               "batch_normalization,relu,flatten,dense:40:relu,dense:4:softmax",
               "lamb:weight_decay=0.01:global_clipnorm=1:use_ema=true", 8}};
enum { MODELS = sizeof models / sizeof *models };

static const size_t buckets[] = {0, 256, 6000};
static const char *const allreduces[] = {"shared", "mpi"};
static const char *const shardings[] = {"auto", "node", "none"};
enum { BUCKETS = sizeof buckets / sizeof *buckets };

/* Noise, brighter where the pixel's place modulo the number of classes is the label. */
static void make_images(void)
{
    const fmd_rng rng = {.seed = 1, .purpose = FMD_RNG_INIT};
    for (size_t i = 0; i < TRAINED; i++) {
        labels[i] = (uint8_t)(i * 7 / 3 % CLASSES);
        for (size_t j = 0; j < PIXELS; j++) {
            uint32_t x[4];
            fmd_rng_block(&rng, i * PIXELS + j, x);
            images[i * PIXELS + j] = (uint8_t)(x[0] % 160 + (j % CLASSES == labels[i] ? 90 : 0));
        }
    }
}

/* Collective over `c`. The hash of the weights after training, with the best ones restored. */
static fmd_hash train(fmd_comm *c, size_t model, size_t bucket_bytes, fmd_allreduce allreduce,
                      fmd_sharding sharding)
{
    fmd_callback *callback;
    fmd_schedule schedule;
    fmd_model *m;
    fmd_optimizer *o;
    fmd_model_size size;
    fmd_fit_result result;
    const fmd_schedule_plan plan = {.learning_rate = 0.01,
                                    .scale = 1,
                                    .epoch_steps = (TRAINED + BATCH - 1) / BATCH,
                                    .epochs = EPOCHS};
    fmd_fit_args args = {.train = {.n = TRAINED, .images = images, .labels = labels},
                         .divisor = 255,
                         .epochs = EPOCHS,
                         .batch_size = BATCH,
                         .microbatch_size = models[model].microbatch,
                         .reduce = FMD_REDUCE_EXACT,
                         .allreduce = allreduce,
                         .bucket_bytes = bucket_bytes,
                         .sharding = sharding,
                         .seed = 3,
                         .shuffle = true};
    bool good = fmd_schedule_create(&schedule, "constant", &plan) == FMD_OK &&
                fmd_loss_parse(&args.objective.loss, "sparse_categorical_crossentropy") == FMD_OK &&
                fmd_model_measure(&size, models[model].layers, image_shape) == FMD_OK &&
                fmd_model_create(&m, models[model].layers, image_shape,
                                 fmd_fit_samples(&args, fmd_comm_size(c), &size)) == FMD_OK &&
                fmd_optimizer_create(&o, models[model].optimizer,
                                     fmd_model_n_trainable_params(m)) == FMD_OK;
    const fmd_early_stopping_args early = {.monitor = "loss",
                                           .patience = 5,
                                           .mode = FMD_MODE_MAX,
                                           .baseline = (double)NAN,
                                           .restore_best = true,
                                           .n_params = size.params};
    good = good && fmd_cb_early_stopping_create(&callback, &early, NULL, true) == FMD_OK;
    if (!good)
        fmd_comm_abort(c, FMD_EINTERNAL);
    args.schedule = schedule;
    args.callbacks = &callback;
    args.n_callbacks = 1;
    fmd_model_init(m, args.seed);
    if (fmd_fit(c, m, o, &args, &result) != FMD_OK)
        fmd_comm_abort(c, FMD_EINTERNAL);
    const fmd_hash hash = fmd_model_hash(m);
    fmd_model_destroy(m);
    fmd_optimizer_destroy(o);
    callback->ops->destroy(callback);
    return hash;
}

/* This rank by itself. */
static fmd_comm alone(void)
{
    fmd_comm c = *mpi_comm;
    c.world = c.node = c.leaders = MPI_COMM_SELF;
    c.rank = c.node_rank = 0;
    c.size = c.node_size = c.nodes = 1;
    c.n_windows = 0;
    return c;
}

static int combinations;

/* Collective. The combinations of one model on nodes of `per_node` ranks. */
static int count_wrong(size_t model, int per_node, fmd_hash expected)
{
    int wrong = 0;
    fmd_comm c = pretend_nodes(mpi_comm, per_node);
    c.n_windows = 0;
    for (size_t bucket = 0; bucket < BUCKETS; bucket++)
        for (int a = FMD_ALLREDUCE_SHARED; a <= FMD_ALLREDUCE_MPI; a++)
            for (int s = FMD_SHARDING_NODE; s <= FMD_SHARDING_NONE; s++) {
                const fmd_hash found =
                    train(&c, model, buckets[bucket], (fmd_allreduce)a, (fmd_sharding)s);
                const bool equal = memcmp(&found, &expected, sizeof found) == 0;
                wrong += !equal;
                combinations++;
                if (c.rank == 0)
                    printf("| %d | %d | %zu | %s | %s | %s | %s |\n", c.size, c.nodes,
                           buckets[bucket], shardings[s], allreduces[a], models[model].name,
                           equal ? "equal" : "DIFFERENT");
            }
    forget_nodes(&c);
    return wrong;
}

static void the_same_bits_in_every_combination(void **state)
{
    (void)state;
    const int size = fmd_comm_size(mpi_comm);
    fmd_comm self = alone();
    assert_all_ok(fmd_math_open(FMD_GEMM_AUTO, 1));
    make_images();
    if (fmd_comm_rank(mpi_comm) == 0)
        printf("| ranks | nodes | bucket, bytes | sharding | allreduce | model | weights |\n");
    for (size_t model = 0; model < MODELS; model++) {
        const fmd_hash expected = train(&self, model, 0, FMD_ALLREDUCE_SHARED, FMD_SHARDING_NONE);
        int wrong = 0;
        for (int per_node = 1; per_node <= size; per_node++)
            if (per_node <= 2 || per_node == size)
                wrong += count_wrong(model, per_node, expected);
        assert_all_ranks(wrong == 0);
    }
    if (fmd_comm_rank(mpi_comm) == 0)
        printf("%d combinations on %d ranks\n", combinations, size);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_same_bits_in_every_combination)};
    return mpi_run_tests(tests);
}
