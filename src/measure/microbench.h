/* Times of single parts of a step, and limits of the machine, measured on all ranks at the same time.
 *
 * Every rank gets its own times. A time is the mean over the calls of two milliseconds, but each
 * message has a time of its own. */
#ifndef FMD_MEASURE_MICROBENCH_H
#define FMD_MEASURE_MICROBENCH_H

#include "dist/comm.h"
#include "dist/reduce/reduction.h"
#include "nn/model.h"
#include "nn/optimizers/optimizer.h"

/* C = A B, C = A B^T with B as n x k, or C = A^T B with A as k x m; C: m x n. */
typedef enum fmd_product_form { FMD_PRODUCT, FMD_PRODUCT_BT, FMD_PRODUCT_AT } fmd_product_form;

enum { FMD_PRODUCT_NAME = FMD_LAYER_NAME + 16 };

/* A matrix product; plain bytes. */
typedef struct fmd_product {
    char name[FMD_PRODUCT_NAME]; /* "dense forward" */
    fmd_product_form form;
    size_t m, n, k;
} fmd_product;

/* Local. The products of a step on `rows` rows in one go, at most `most` of them, in the order of
 * the layers; returns how many. A layer whose kernel is a matrix multiplies by it in each of its
 * passes. */
size_t fmd_products_of(const fmd_model *m, size_t rows, fmd_product *out, size_t most);

/* Local. The floating-point operations of a product; a multiplication and an addition count as two. */
double fmd_product_flops(const fmd_product *p);

/* Collective. `n` times in seconds of a product as the layers do it, and of one plain call of BLAS
 * (without transposes) of the same size. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_measure_product(fmd_comm *c, const fmd_product *p, size_t n,
                                           double *ours, double *plain);

/* The fastest matrix product. */
typedef struct fmd_peak {
    double rate; /* FLOP per second of this rank */
    fmd_product product;
    bool is_ours; /* by our kernels, not by BLAS */
} fmd_peak;

/* Collective. The fastest product among those of a step on `rows` rows and some square ones.
 * FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_measure_peak(fmd_comm *c, const fmd_model *m, size_t rows,
                                        fmd_peak *peak);

/* Collective. `n` times in seconds of one step of the optimizer. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_measure_update(fmd_comm *c, fmd_optimizer *o, size_t n_params, size_t n,
                                          double *seconds);

/* Local. Bytes that a step of the optimizer reads and writes: parameters and slots both ways, gradients
 * in. */
double fmd_update_bytes(const fmd_optimizer *o, size_t n_params);

/* Local. The bytes of the arrays of a step of the optimizer. */
double fmd_update_footprint(const fmd_optimizer *o, size_t n_params);

/* Collective. `n` rates in bytes per second of y = y + s x over two arrays of `footprint` bytes
 * together: the bandwidth of memory, or of the cache that holds them. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_measure_memory(fmd_comm *c, double footprint, size_t n, double *rates);

/* Collective. `n` times in seconds of the sum over the ranks of a message of `bytes` bytes (a multiple
 * of 4, at least 128) as in a step. A barrier precedes each; `warmup` more come first. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_measure_allreduce(fmd_comm *c, fmd_reduction_mode mode,
                                             fmd_allreduce allreduce, size_t bytes, size_t warmup,
                                             size_t n, double *seconds);

#endif
