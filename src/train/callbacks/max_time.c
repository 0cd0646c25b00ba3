/* Ends training after a wall-clock time. */
#include "base/mem.h"
#include "base/timer.h"
#include "train/callbacks/callbacks.h"

#include <stdlib.h>

typedef struct max_time {
    fmd_callback base;
    double began, seconds;
} max_time;

static void batch_end(fmd_callback *c, const fmd_event *e, fmd_control *control)
{
    (void)e;
    const max_time *t = (const max_time *)c;
    double used = fmd_now() - t->began;
    if (used >= t->seconds)
        fmd_control_stop(control, "Time is up: %.1f s of --max-time %g s used", used, t->seconds);
}

static void destroy(fmd_callback *c)
{
    free(c);
}

static const fmd_callback_ops ops = {
    .name = "max_time",
    .batch_end = batch_end,
    .destroy = destroy,
};

fmd_status fmd_cb_max_time_create(fmd_callback **out, double seconds)
{
    if (!(seconds > 0))
        return FMD_FAIL(FMD_EUSAGE, "--max-time: %g s leaves no time to train", seconds);
    max_time *t;
    FMD_TRY(fmd_alloc(&t, 1, sizeof *t, "the time limit"));
    *t = (max_time){.base = {&ops}, .began = fmd_now(), .seconds = seconds};
    *out = &t->base;
    return FMD_OK;
}
