/* Output of a training: header, result, run.json, first and last event. */
#ifndef FMD_CLI_TRAIN_OUTPUT_H
#define FMD_CLI_TRAIN_OUTPUT_H

#include "run/job.h"

/* Rank 0. Prints program, data, model and settings before a training. */
void fmd_report_header(const fmd_job *j);

/* Collective. Warns of settings that waste ranks or cores. */
void fmd_report_waste(const fmd_job *j);

/* Rank 0. Prints the result; `weights` is their hash. */
void fmd_report_result(const fmd_job *j, const char *weights);

/* Rank 0. Writes run.json: environment and result. */
FMD_CHECKED fmd_status fmd_report_record(const fmd_job *j, const char *weights);

/* Rank 0. The test result for TensorBoard, with the names that Keras gives. */
FMD_CHECKED fmd_status fmd_report_tensorboard(const fmd_job *j);

/* Rank 0. The first line of events.jsonl, as fmd_cb_events_create takes it; and its last, how the run
 * ended: `state` and `message` as in STATUS.json. */
FMD_CHECKED fmd_status fmd_report_start(fmd_json **out, const fmd_job *j);
FMD_CHECKED fmd_status fmd_report_end(const fmd_job *j, const char *state, fmd_status code,
                                      const char *message);

#endif
