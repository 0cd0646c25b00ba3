/* A training with its data, model and optimizer, for the train command. */
#ifndef FMD_RUN_JOB_H
#define FMD_RUN_JOB_H

#include "dist/comm.h"
#include "dist/reduce/choice.h"
#include "io/json/json_object.h"
#include "run/config.h"
#include "run/run_folder.h"
#include "run/weights_file.h"
#include "train/evaluation/evaluate.h"
#include "train/loop.h"

enum { FMD_JOB_CALLBACKS = 9, FMD_JOB_FINGERPRINT = 64, FMD_HOST_BYTES = 64 };

/* Seconds before the first step: starting MPI, reading the data, and all the rest. */
typedef struct fmd_setup_seconds {
    double mpi, data, rest;
} fmd_setup_seconds;

/* Members not marked "rank 0" are equal on all ranks. */
typedef struct fmd_job {
    fmd_comm *comm;
    const fmd_config *config;
    fmd_dataset data;
    size_t samples; /* that the model has memory for */
    fmd_model *model;
    fmd_optimizer *optimizer;
    fmd_fit_args fit;
    fmd_allreduce_choice allreduce; /* with --allreduce auto */
    float class_weight[FMD_CLASSES_MAX];
    uint32_t *index; /* of the images in fit.train and fit.validation; NULL: by ranges */
    int fold;        /* of --k-fold, from 1; 0: none */
    double learning_rate, lr_scale; /* for the base batch; its factor */
    fmd_callback *callbacks[FMD_JOB_CALLBACKS];
    fmd_fingerprint_entry fingerprint[FMD_JOB_FINGERPRINT];
    bool saves; /* checkpoints, into a run folder */
    fmd_run_folder folder;
    fmd_fit_result result;
    fmd_evaluation test;
    char resume_from[FMD_WEIGHTS_PATH_BYTES]; /* rank 0 */
    char *hosts;                              /* rank 0: FMD_HOST_BYTES for each rank */
    char started[32];
    fmd_setup_seconds setup;
} fmd_job;

/* Local. The learning rate of "auto" for this --optimizer; NAN for an unknown optimizer. */
double fmd_job_learning_rate(const char *optimizer);

/* Collective. Creates model, optimizer and the arguments of fmd_fit from data and options.
 * FMD_EUSAGE; FMD_ENOMEM before anything is allocated, if it clearly does not fit. */
FMD_CHECKED fmd_status fmd_job_build(fmd_job *j, const fmd_weights_file *weights);

/* Local. What --patience, --save-best and --monitor auto watch. */
const char *fmd_job_monitored(const fmd_job *j);

/* Local. Adds a callback, which the job does not own. */
void fmd_job_add(fmd_job *j, fmd_callback *callback);

/* Local. Creates and adds the callbacks that options ask for, on every rank those whose state
 * checkpoints hold, on rank 0 also the others. `display` is added before those that end with a
 * message, and destroyed on failure; NULL: none. FMD_EUSAGE; FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_job_callbacks(fmd_job *j, fmd_callback *display);

/* Local. Releases the job with model and optimizer; not its data. */
void fmd_job_free(fmd_job *j);

/* The memory that a training takes on one node. */
typedef struct fmd_node_memory {
    double rank_bytes;    /* each rank: values of a group of samples, gradient sums; and its own
                             parameters and optimizer state, unless they are shared */
    double node_bytes;    /* once: shared parameters and optimizer state, or the total */
    double file_bytes;    /* rank 0: a checkpoint that is written or read */
    double message_bytes; /* of rank_bytes: gradient sums, in shared memory */
    double shared_bytes;  /* of node_bytes: in shared memory */
    bool sharded;
} fmd_node_memory;

/* Local. For `ranks` ranks on a node, each with memory for `samples` samples. FMD_EUSAGE: there is no
 * such optimizer. */
FMD_CHECKED fmd_status fmd_job_predict_memory(fmd_node_memory *out, const fmd_config *c,
                                              const fmd_model_size *size, int ranks,
                                              size_t samples);

/* Local. The sum for `ranks` ranks, without data. */
double fmd_job_memory_sum(const fmd_node_memory *m, int ranks);

#endif
