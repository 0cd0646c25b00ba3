/* OpenBLAS, loaded on first use.
 *
 * On loading, OpenBLAS starts a thread for each core that the process may use, on every rank of a
 * node; with our own kernels these threads would be useless. */
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

/* Local. Loads OpenBLAS with `threads` threads, from the folder known to the build, else from the
 * system's library path. FMD_EINTERNAL: not found. */
FMD_CHECKED fmd_status fmd_openblas_load(const fmd_openblas **out, int threads);

#endif
