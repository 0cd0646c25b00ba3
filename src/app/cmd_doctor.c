/* doctor: what there is to work with, what is wrong with it, and the cure. */
#include "app/config.h"
#include "fmd/feed.h"
#include "math/gemm.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* One line a finding, on rank 0; a problem has its cure behind it. */
static void report(const fmd_comm *c, bool good, const char *what, const char *finding,
                   const char *cure)
{
    if (fmd_comm_rank(c) != 0)
        return;
    printf("%-7s %-8s %s\n", good ? "ok" : "PROBLEM", what, finding);
    if (!good)
        printf("%-7s %-8s -> %s\n", "", "", cure);
}

static bool check_cores(fmd_comm *c, const fmd_config *config)
{
    char text[256];
    const int cores = fmd_comm_node_cores(c), ranks = fmd_comm_node_size(c);
    const bool good = ranks * config->threads <= cores;
    snprintf(text, sizeof text,
             "%d cores for %d ranks x %" PRId64 " threads on %s, %d ranks on %d nodes in all",
             cores, ranks, config->threads, fmd_comm_host(c), fmd_comm_size(c), fmd_comm_nodes(c));
    report(c, good, "cores", text, "start at most as many ranks as there are cores, --threads 1");
    return good;
}

static bool check_blas(fmd_comm *c)
{
    char core[64] = "", text[256];
    snprintf(core, sizeof core, "%s", fmd_math_core());
    const bool good = fmd_comm_same(c, core, sizeof core, "their kernels") == FMD_OK;
    snprintf(text, sizeof text, "%s", fmd_math_library());
    report(c, good, "blas", good ? text : fmd_error_message(),
           "set OPENBLAS_CORETYPE=Haswell on all ranks");
    return good;
}

/* Collective. The data set is loaded and its hashes are compared. */
static fmd_status check_data(fmd_comm *c, const fmd_config *config)
{
    fmd_dataset data;
    char text[FMD_PATH_BYTES + 128];
    fmd_status st = fmd_feed_load(c, config->dataset, config->data_dir, &data);
    if (st != FMD_OK) {
        report(c, false, "data", fmd_error_message(), "scripts/get-data fashion-mnist");
        return st;
    }
    snprintf(text, sizeof text, "%s in %s: %zu + %zu images, %s", data.info.name, data.info.path,
             data.info.n_train, data.info.n_test,
             data.info.verified ? "verified" : "not the published files");
    report(c, true, "data", text, "");
    return FMD_OK;
}

fmd_status fmd_cmd_doctor(fmd_comm *c, const fmd_config *config)
{
    report(c, true, "mpi", fmd_comm_library(), "");
    report(c, geteuid() != 0, "user", geteuid() != 0 ? "not root" : "root",
           "run as another user: what a job of root's overwrites is lost");
    const bool cores = check_cores(c, config), blas = check_blas(c);
    FMD_TRY(check_data(c, config));
    if (!blas)
        return FMD_FAIL(FMD_EDESYNC, "the ranks do not compute alike");
    return cores ? FMD_OK : FMD_FAIL(FMD_EUSAGE, "more ranks and threads than cores");
}
