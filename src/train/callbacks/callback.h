/* For authors of callbacks, which observe a training and may stop it.
 *
 * Callbacks run on rank 0 and see values over all ranks. Their decisions are broadcast once an
 * epoch. A callback is one file with a const table of hooks. */
#ifndef FMD_TRAIN_CALLBACKS_CALLBACK_H
#define FMD_TRAIN_CALLBACKS_CALLBACK_H

#include "fmd/callback.h"
#include "io/checkpoint/checkpoint.h"
#include "nn/metrics/metric.h"
#include "nn/model.h"
#include "nn/schedule.h"
#include "train/phases.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

/* The values of an epoch, with Keras' names. NAN: no validation data. */
typedef struct fmd_metrics {
    double accuracy, loss, val_accuracy, val_loss, learning_rate;
    double extra[FMD_METRICS_MAX], val_extra[FMD_METRICS_MAX]; /* of the metrics in `list` */
    const fmd_metric_list *list;                               /* NULL: none */
} fmd_metrics;

/* Local. Without values: all NaN. */
fmd_metrics fmd_metrics_none(const fmd_metric_list *list);

/* Local. The columns of a history: column number i, NULL past the end; the five of Keras first. */
enum { FMD_METRICS_COLUMNS = 5 + 2 * FMD_METRICS_MAX };
const char *fmd_metrics_column(const fmd_metric_list *list, size_t i);
double *fmd_metrics_at(fmd_metrics *m, size_t i);

/* Local. The value called `name` (`acc` is `accuracy`, `val_acc` is `val_accuracy`), or NULL. */
const double *fmd_metric_find(const fmd_metrics *m, const char *name);

/* Local. The full name of the metric called `name`: "accuracy" for "acc". NULL for an unknown
 * name, and for the learning rate. As long as the list. */
const char *fmd_metric_name(const fmd_metric_list *list, const char *name);

/* Local. Whether the metric of this name is a share, from 0 to 1, of which more is better. */
bool fmd_metric_higher_is_better(const char *name);

/* Local. Whether `value` of the metric called `name` is better than `than` by more than
 * `min_delta`, compared in float32 as Keras does; nothing is better than NaN. FMD_MODE_AUTO: the
 * metric tells whether higher is better. Every comparison of epochs uses this function. */
typedef enum fmd_monitor_mode { FMD_MODE_AUTO, FMD_MODE_MIN, FMD_MODE_MAX } fmd_monitor_mode;
bool fmd_metric_better(const char *name, fmd_monitor_mode mode, double min_delta, double value,
                       double than);

/* Local. Whether an epoch with this value is the best so far. `best` is the best earlier value, NaN
 * at the first epoch; a NaN value is never the best. */
bool fmd_metric_is_best(const char *name, fmd_monitor_mode mode, double value, double best);

/* Local. FMD_EUSAGE with the list and the nearest name unless `name` is a metric that a run has;
 * `validation` tells whether there are val_ ones. `label` starts the message. */
FMD_CHECKED fmd_status fmd_metric_check(const fmd_metric_list *list, const char *name,
                                        bool validation, const char *label);

/* The arguments of a hook. */
struct fmd_event {
    int epoch, epochs;    /* from 0 */
    uint64_t step, steps; /* completed in this epoch, total of an epoch */
    uint64_t samples;     /* done in this epoch */
    double seconds;       /* of this epoch so far; in epoch_end the validation included */
    fmd_metrics metrics;  /* running means over the samples of this epoch, as Keras' */
    const fmd_model *model;
    const fmd_metrics *history; /* of the epochs before this one */
    double base_rate;           /* the base learning rate of the schedule */
    int ranks;
    const fmd_phase_seconds *phases; /* in epoch_end: of each rank, in this process so far */
};

/* The requests of a hook, which sets members and never clears them. */
struct fmd_control {
    bool stop;        /* end training after this epoch (in batch_end: after the next step) */
    char reason[160]; /* one line to print; the first one wins */
    double base_rate; /* set in epoch_end: for the next epochs; 0: unchanged */
};

/* The weights that training ends with. */
typedef struct fmd_final_weights {
    float *params; /* the model's */
    int epoch;     /* which left them, from 0 */
} fmd_final_weights;

typedef struct fmd_callback fmd_callback;
struct fmd_json;

enum { FMD_CALLBACK_ENTRIES = 8 };

/* A copy of the weights that a callback keeps: one array of the size of the model's. */
typedef struct fmd_kept_weights {
    float *params;
    bool by_other; /* the array is shared, and another rank of the node writes it */
} fmd_kept_weights;

typedef struct fmd_callback_ops {
    const char *name;
    /* Any hook may be NULL. A failure ends the run on every rank. In train_begin the event has the
     * position and the history of an earlier process. */
    fmd_status (*train_begin)(fmd_callback *c, const fmd_event *e);
    void (*epoch_begin)(fmd_callback *c, const fmd_event *e);
    void (*batch_end)(fmd_callback *c, const fmd_event *e, fmd_control *control);
    fmd_status (*epoch_end)(fmd_callback *c, const fmd_event *e, fmd_control *control);
    /* A checkpoint was written after `step` steps in all, in `seconds`. `file`: in the run
     * folder. */
    void (*saved)(fmd_callback *c, const char *file, uint64_t step, double seconds);
    /* The last epoch is over. The hook may replace the weights; every rank then receives them. */
    fmd_status (*train_end)(fmd_callback *c, const fmd_event *e, fmd_final_weights *weights);
    /* Training is over, complete or not, and was the last to print. */
    void (*fit_end)(fmd_callback *c);
    void (*destroy)(fmd_callback *c);
    /* Lists the state entries of this callback for a checkpoint, at most FMD_CALLBACK_ENTRIES;
     * returns their number. A callback with this hook exists on every rank. After each epoch every
     * rank receives rank 0's values, except float arrays: they are copies of the weights, which
     * each rank makes in `shared`. */
    size_t (*entries)(fmd_callback *c, fmd_state_entry *entries);
    void (*shared)(fmd_callback *c, const fmd_event *e);
    /* Its copy of the weights, which training may move to shared memory; NULL: none. */
    fmd_kept_weights *(*kept)(fmd_callback *c);
    /* A checkpoint was read; `e` has its position and history. The file may lack the entries, or
     * hold entries of a run with other options: the hook then rebuilds its state from the history,
     * and requests a stop if the last epoch calls for one. FMD_EUSAGE if the history does not
     * suffice. */
    fmd_status (*restored)(fmd_callback *c, const fmd_event *e, fmd_control *control);
} fmd_callback_ops;

/* The head of every callback's own struct. */
struct fmd_callback {
    const fmd_callback_ops *ops;
};

#endif
