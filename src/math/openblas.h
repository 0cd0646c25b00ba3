/* OpenBLAS, loaded where it is first needed.
 *
 * As it is loaded it starts a thread for each core that the process may use: on every rank of a node,
 * and for nothing where our own kernels multiply. */
#ifndef FMD_MATH_OPENBLAS_H
#define FMD_MATH_OPENBLAS_H

#include "fmd/error.h"

#include <cblas.h>

typedef struct fmd_openblas {
    __typeof__(cblas_sgemm) *sgemm;
    __typeof__(openblas_set_num_threads) *set_num_threads;
    __typeof__(openblas_get_corename) *get_corename;
    __typeof__(openblas_get_config) *get_config;
} fmd_openblas;

/* Local. OpenBLAS with so many threads, from where the build found it, or else from where the system
 * does. FMD_EINTERNAL: it is not there. */
FMD_CHECKED fmd_status fmd_openblas_load(const fmd_openblas **out, int threads);

#endif
