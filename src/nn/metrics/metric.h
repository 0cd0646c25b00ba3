/* Metrics of a classifier besides loss and accuracy.
 *
 * A metric counts: its counters are integers, so their sums over samples and ranks are exact, and its
 * value is computed from the sums. Each metric is one file and one line of metrics.def. */
#ifndef FMD_NN_METRICS_METRIC_H
#define FMD_NN_METRICS_METRIC_H

#include "nn/losses/loss.h"

#include <stdbool.h>

enum { FMD_METRICS_MAX = 6, FMD_METRIC_NAME_BYTES = 32 };

/* The most counters of one metric: a few for each of 256 classes. */
enum { FMD_METRIC_COUNTERS = 4 * FMD_LOSS_CLASSES };

/* One kind of metric. */
typedef struct fmd_metric_ops {
    const char
        *name; /* "f1"; a name that ends in _k takes a number: top_k:5 has the column top_5 */
    const char *help;
    bool higher_is_better;
    int default_k; /* 0: takes no number */
    size_t counters, counters_per_class;
    /* Counts one sample. The scores are logits, or anything in the same order. */
    void (*add)(int64_t *counters, size_t classes, int k, const float *scores, uint8_t label);
    double (*value)(const int64_t *counters, size_t classes);
} fmd_metric_ops;

typedef struct fmd_metric {
    const fmd_metric_ops *ops;
    int k;
    size_t first;                         /* counter */
    char val_name[FMD_METRIC_NAME_BYTES]; /* "val_top_5": the column of the validation */
} fmd_metric;

/* The metrics of a run; all zero: none. */
typedef struct fmd_metric_list {
    size_t n, n_counters, classes;
    fmd_metric of[FMD_METRICS_MAX];
} fmd_metric_list;

/* What a model is trained for and measured by. All zero: the default loss, and accuracy alone. */
typedef struct fmd_objective {
    fmd_loss loss;
    fmd_metric_list metrics; /* besides loss and accuracy */
} fmd_objective;

/* Local. The registry: ops number i, or NULL past the end. */
const fmd_metric_ops *fmd_metric_ops_at(size_t i);

/* Local. The kind of metric that has the column `name`, as in "top_5" or "val_f1"; NULL: none. */
const fmd_metric_ops *fmd_metric_ops_of_column(const char *name);

/* Local. From a list such as "accuracy,top_k:5,f1", for `classes` classes; accuracy is always
 * measured and not in the list. FMD_EUSAGE. */
FMD_CHECKED fmd_status fmd_metric_list_parse(fmd_metric_list *out, const char *spec,
                                             size_t classes);

/* Local. The name of its column: "top_5". As long as the list. */
const char *fmd_metric_column(const fmd_metric *m);

/* Local. Counts n samples. counters: n_counters of the list. */
void fmd_metric_list_count(const fmd_metric_list *l, const float *scores,
                           const fmd_targets *targets, size_t n, int64_t *counters);

/* Local. The value of each metric. */
void fmd_metric_list_values(const fmd_metric_list *l, const int64_t *counters,
                            double values[FMD_METRICS_MAX]);

#endif
