#include "run/provenance.h"
#include "fmd/version.h"

#include "base/system/procfs.h"
#include "base/version.h"
#include "dist/comm.h"
#include "io/run_names.h"
#include "math/gemm.h"

void fmd_provenance_add(fmd_json *j)
{
    char cpu[FMD_SYSTEM_LINE];
    fmd_json_text(j, NULL, "version", FMD_VERSION);
    fmd_json_text(j, NULL, "commit", fmd_version_commit());
    fmd_json_text(j, NULL, "cpu", fmd_procfs_cpu("", cpu));
    fmd_json_text(j, NULL, "mpi", fmd_comm_library());
    fmd_json_text(j, NULL, "blas", fmd_math_library());
    fmd_json_text(j, NULL, FMD_KEY_BLAS_CORE, fmd_math_core());
    fmd_json_text(j, NULL, "instructions", fmd_math_instructions());
    fmd_json_text(j, NULL, "compiler", __VERSION__);
}
