/* serve: predictions over HTTP. */
#include "cli/commands.h"
#include "run/loaded_model.h"
#include "serve/server.h"

static fmd_status run_serve(fmd_comm *c, const fmd_config *config)
{
    fmd_loaded_model t;
    if (fmd_comm_size(c) > 1)
        return FMD_FAIL(FMD_EUSAGE, "serve runs on one rank, not on %d: start it without mpirun",
                        fmd_comm_size(c));
    FMD_TRY(fmd_loaded_model_open(&t, c, config, FMD_NEEDS_CLASS_NAMES));
    const fmd_status st = fmd_serve(&t, config);
    fmd_loaded_model_close(&t);
    return st;
}

const fmd_command fmd_command_serve = {
    .name = "serve",
    .usage = "RUN_DIR|FILE [OPTIONS]",
    .help = "answers predictions over HTTP, for programs and in a page of its own",
    .section = FMD_TO_TRAIN,
    .example = "runs/20260131-120000 --port 0",
    .groups = "data|model|weights|server|output",
    .words = "weights",
    .needs_mpi = true,
    .run = run_serve,
};
