/* The callbacks of the program. Local: each function makes one, which fmd_callback_destroy
 * releases. `metrics` are those of the run besides loss and accuracy, NULL for none; they live as
 * long as the callback. FMD_ENOMEM; FMD_EUSAGE for invalid conditions and metrics. */
#ifndef FMD_TRAIN_CALLBACKS_CALLBACKS_H
#define FMD_TRAIN_CALLBACKS_CALLBACKS_H

#include "train/callbacks/callback.h"

typedef enum fmd_progress {
    FMD_PROGRESS_AUTO, /* bar on a terminal, line elsewhere */
    FMD_PROGRESS_BAR,
    FMD_PROGRESS_LINE,
    FMD_PROGRESS_NONE,
} fmd_progress;
FMD_CHECKED fmd_status fmd_cb_progress_create(fmd_callback **out, fmd_progress kind);

/* Writes history.csv at `path`, as Keras' CSVLogger does. */
FMD_CHECKED fmd_status fmd_cb_csv_create(fmd_callback **out, const char *path);

/* Appends the events of this process to events.jsonl at `path`. `head` is the first line, with the
 * "hosts" of the ranks; the callback owns it and fills in "type", "time", "epoch", "step" and
 * "global_step". */
FMD_CHECKED fmd_status fmd_cb_events_create(fmd_callback **out, const char *path,
                                            struct fmd_json *head);

/* TensorBoard's logs of training and validation, in `run_folder`. */
FMD_CHECKED fmd_status fmd_cb_tensorboard_create(fmd_callback **out, const char *run_folder);

/* Stops once one of the comma-separated conditions holds: "accuracy>0.99,loss<0.4". */
FMD_CHECKED fmd_status fmd_cb_stop_when_create(fmd_callback **out, const char *conditions,
                                               const fmd_metric_list *metrics, bool validation);

/* Keras' EarlyStopping. */
typedef struct fmd_early_stopping_args {
    char monitor[32];
    double min_delta;
    int64_t patience;
    fmd_monitor_mode mode;
    double baseline; /* NAN: none */
    bool restore_best;
    size_t n_params;          /* of the model, where restore_best is set */
    int64_t start_from_epoch; /* earlier epochs are ignored */
} fmd_early_stopping_args;
FMD_CHECKED fmd_status fmd_cb_early_stopping_create(fmd_callback **out,
                                                    const fmd_early_stopping_args *args,
                                                    const fmd_metric_list *metrics,
                                                    bool validation);

/* Keras' ReduceLROnPlateau, for --lr-schedule plateau. */
FMD_CHECKED fmd_status fmd_cb_plateau_create(fmd_callback **out, const fmd_plateau_args *args,
                                             const fmd_metric_list *metrics, bool validation);

/* Ends training when `seconds` have passed since create. */
FMD_CHECKED fmd_status fmd_cb_max_time_create(fmd_callback **out, double seconds);

#endif
