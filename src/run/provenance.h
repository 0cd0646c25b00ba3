/* Where a result comes from: the program, its libraries and the processor. */
#ifndef FMD_RUN_PROVENANCE_H
#define FMD_RUN_PROVENANCE_H

#include "io/json/json_object.h"

/* Local. Adds version, commit, cpu, mpi, blas, blas_core, instructions and compiler. */
void fmd_provenance_add(fmd_json *j);

#endif
