/* A run for plot and report: its files, its model and the predictions on the test images. A missing
 * or damaged part is absent, with the reason. */
#ifndef FMD_RUN_RUN_VIEW_H
#define FMD_RUN_RUN_VIEW_H

#include "io/json/json_object.h"
#include "run/config.h"
#include "run/history.h"
#include "run/loaded_model.h"
#include "run/reader/run_times.h"
#include "run/run_folder.h"
#include "train/evaluation/classification.h"

/* Why a part is absent; FMD_OK: it is present. */
typedef struct fmd_absence {
    fmd_status status;
    char why[FMD_ERROR_BYTES];
} fmd_absence;

typedef struct fmd_run_view {
    char path[FMD_PATH_BYTES]; /* the run folder, as the user named it */
    /* rank 0 */
    fmd_config config; /* of the run */
    fmd_absence no_config, no_history, no_record, no_status;
    fmd_history history;
    fmd_json *record, *status; /* run.json and STATUS.json, or NULL */
    fmd_run_times times;       /* of all processes; no process: unknown */
    bool running;              /* a process of this system holds the folder */
    /* every rank */
    fmd_absence no_model, no_data;
    fmd_loaded_model trained; /* `split`: the test images */
    /* rank 0, where there are model and data */
    fmd_prediction prediction;
    fmd_classification classification;
} fmd_run_view;

/* Collective. Reads the run folder that `config->model.weights` names. `needs` selects the parts:
 * the files alone, also the model, or also the test images and predictions. Release it with
 * fmd_run_view_close even on failure. FMD_ENOINPUT: not a run folder. */
typedef enum fmd_view_needs { FMD_VIEW_FILES, FMD_VIEW_MODEL, FMD_VIEW_DATA } fmd_view_needs;
FMD_CHECKED fmd_status fmd_run_view_open(fmd_comm *c, fmd_run_view **out, const fmd_config *config,
                                         fmd_view_needs needs);
void fmd_run_view_close(fmd_run_view *v);

/* Local. The best epoch (from 0) by the metric that the run monitors; its name goes into `metric`.
 * -1: no epoch. */
int fmd_run_view_best(const fmd_run_view *v, const char **metric);

/* Local. A member of run.json, or of its group; NAN or NULL if it is missing. */
double fmd_run_view_real(const fmd_run_view *v, const char *group, const char *key);
const char *fmd_run_view_text(const fmd_run_view *v, const char *group, const char *key);

/* Local. The name of a class of the data, or "class 3". */
const char *fmd_run_view_class(const fmd_run_view *v, size_t label, char text[64]);

#endif
