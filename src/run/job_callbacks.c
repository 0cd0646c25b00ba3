/* The callbacks of a training that options ask for. */
#include "run/job.h"
#include "train/callbacks/callbacks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void fmd_job_add(fmd_job *j, fmd_callback *callback)
{
    j->callbacks[j->fit.n_callbacks++] = callback;
}

static bool has_validation(const fmd_job *j)
{
    return j->fit.validation.n > 0;
}

const char *fmd_job_monitored(const fmd_job *j)
{
    if (strcmp(j->config->stopping.monitor, "auto") != 0)
        return j->config->stopping.monitor;
    return has_validation(j) ? "val_loss" : "loss";
}

static fmd_status add_early_stopping(fmd_job *j)
{
    const fmd_config *c = j->config;
    fmd_callback *callback;
    fmd_early_stopping_args args = {
        .min_delta = c->stopping.min_delta,
        .patience = c->stopping.patience != FMD_UNSET_INT ? c->stopping.patience : INT32_MAX,
        .mode = (fmd_monitor_mode)c->stopping.mode,
        .baseline = c->stopping.baseline,
        .restore_best = c->stopping.restore_best,
        .n_params = fmd_model_n_params(j->model)};
    snprintf(args.monitor, sizeof args.monitor, "%s", fmd_job_monitored(j));
    FMD_TRY(fmd_cb_early_stopping_create(&callback, &args, &j->fit.objective.metrics,
                                         has_validation(j)));
    fmd_job_add(j, callback);
    return FMD_OK;
}

static fmd_status add_plateau(fmd_job *j)
{
    fmd_callback *callback;
    fmd_plateau_args args = *fmd_schedule_plateau(&j->fit.schedule);
    if (strcmp(args.monitor, "auto") == 0)
        snprintf(args.monitor, sizeof args.monitor, "%s", has_validation(j) ? "val_loss" : "loss");
    FMD_TRY(fmd_cb_plateau_create(&callback, &args, &j->fit.objective.metrics, has_validation(j)));
    fmd_job_add(j, callback);
    return FMD_OK;
}

/* Seconds that --max-time leaves, and Slurm with a minute to spare; NAN: no limit. */
static double time_limit(const fmd_config *c)
{
    const char *end = getenv("SLURM_JOB_END_TIME");
    double limit = c->stopping.max_time;
    if (end == NULL)
        return limit;
    const double slurm = fmax(strtod(end, NULL) - (double)time(NULL) - 60, 1);
    return isnan(limit) ? slurm : fmin(limit, slurm);
}

static fmd_status add_with_state(fmd_job *j)
{
    const fmd_config *c = j->config;
    if (c->stopping.patience != FMD_UNSET_INT || c->stopping.restore_best)
        FMD_TRY(add_early_stopping(j));
    return fmd_schedule_plateau(&j->fit.schedule) != NULL ? add_plateau(j) : FMD_OK;
}

fmd_status fmd_job_callbacks(fmd_job *j, fmd_callback *display)
{
    const fmd_config *c = j->config;
    fmd_callback *callback;
    const fmd_status st = add_with_state(j);
    if (st != FMD_OK && display != NULL)
        display->ops->destroy(display);
    if (st != FMD_OK)
        return st;
    if (display != NULL)
        fmd_job_add(j, display);
    if (fmd_comm_rank(j->comm) != 0)
        return FMD_OK;
    if (*c->stopping.stop_when != '\0') {
        FMD_TRY(fmd_cb_stop_when_create(&callback, c->stopping.stop_when, &j->fit.objective.metrics,
                                        has_validation(j)));
        fmd_job_add(j, callback);
    }
    const double limit = time_limit(c);
    if (!isnan(limit)) {
        FMD_TRY(fmd_cb_max_time_create(&callback, limit));
        fmd_job_add(j, callback);
    }
    return FMD_OK;
}

void fmd_job_free(fmd_job *j)
{
    fmd_optimizer_destroy(j->optimizer);
    fmd_model_destroy(j->model);
    free(j->index);
    free(j->hosts);
    free(j);
}
