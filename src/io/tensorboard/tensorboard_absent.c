/* A build without TensorBoard. The options refuse --tensorboard, so nothing opens a log. */
#include "base/version.h"
#include "io/tensorboard/tensorboard.h"

#include <stddef.h>

fmd_status fmd_tensorboard_open(fmd_tensorboard **out, const char *run_folder, const char *log,
                                int64_t step)
{
    (void)run_folder;
    (void)log;
    (void)step;
    *out = NULL;
    return fmd_part_require("--tensorboard", "TENSORBOARD");
}

void fmd_tensorboard_scalar(fmd_tensorboard *t, const char *tag, int64_t step, double value)
{
    (void)t;
    (void)tag;
    (void)step;
    (void)value;
}

fmd_status fmd_tensorboard_flush(fmd_tensorboard *t)
{
    (void)t;
    return FMD_OK;
}

void fmd_tensorboard_close(fmd_tensorboard *t)
{
    (void)t;
}
