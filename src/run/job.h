/* A training as the train command sees it. */
#ifndef FMD_RUN_JOB_H
#define FMD_RUN_JOB_H

#include "run/config.h"
#include "run/run_folder.h"
#include "run/weights_file.h"
#include "fmd/comm.h"
#include "train/evaluate.h"
#include "io/json/json_file.h"
#include "fmd/trainer.h"

enum { FMD_JOB_CALLBACKS = 9, FMD_JOB_TRAITS = 40, FMD_HOST_BYTES = 64 };

/* Seconds before the first step: starting MPI, reading the data, and all the rest. */
typedef struct fmd_setup_seconds {
    double mpi, data, rest;
} fmd_setup_seconds;

/* What is not rank 0's is the same on every rank. */
typedef struct fmd_job {
    fmd_comm *comm;
    const fmd_config *config;
    fmd_dataset data;
    fmd_model *model;
    fmd_optimizer *optimizer;
    fmd_fit_args fit;
    double learning_rate, lr_scale; /* for the base batch; what it is multiplied by */
    fmd_callback *callbacks[FMD_JOB_CALLBACKS];
    fmd_trait traits[FMD_JOB_TRAITS];
    bool saves; /* checkpoints, into a run folder */
    fmd_run_folder folder;
    fmd_fit_result result;
    fmd_evaluation test;
    char resume_from[FMD_WEIGHTS_PATH_BYTES]; /* rank 0 */
    char *hosts;                              /* rank 0: FMD_HOST_BYTES for each rank */
    char started[32];
    fmd_setup_seconds setup;
} fmd_job;

/* Collective. Model, optimizer and what fmd_fit is told, from data and options. FMD_EUSAGE; FMD_ENOMEM
 * before any of it is made, where it clearly does not fit. */
FMD_CHECKED fmd_status fmd_job_build(fmd_job *j, const fmd_weights_file *weights);

/* What comes out of a training. */
typedef struct fmd_outcome {
    fmd_fit_result result;
    fmd_evaluation test;
} fmd_outcome;

/* Collective. The command train; *out is set where it returns FMD_OK. */
FMD_CHECKED fmd_status fmd_train(fmd_comm *c, const fmd_config *config, fmd_outcome *out);

/* Rank 0. What is about to happen, in five lines. */
void fmd_report_header(const fmd_job *j);

/* Collective. Says what will be slower than it could be. */
void fmd_report_waste(const fmd_job *j);

/* Rank 0. What came out; `weights` is their hash. */
void fmd_report_result(const fmd_job *j, const char *weights);

/* Rank 0. run.json: what ran where and what came out. */
FMD_CHECKED fmd_status fmd_report_record(const fmd_job *j, const char *weights);

/* Rank 0. The test result for TensorBoard, with the names that Keras gives. */
FMD_CHECKED fmd_status fmd_report_tensorboard(const fmd_job *j);

/* Rank 0. The first line of events.jsonl, as fmd_cb_events_create takes it; and its last, how the run
 * ended: `state` and `message` as in STATUS.json. */
FMD_CHECKED fmd_status fmd_report_start(fmd_json **out, const fmd_job *j);
FMD_CHECKED fmd_status fmd_report_end(const fmd_job *j, const char *state, fmd_status code,
                                      const char *message);

#endif
