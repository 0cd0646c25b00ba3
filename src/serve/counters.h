/* Counters of the server in the text format of Prometheus, version 0.0.4. All functions may be called by
 * any thread. */
#ifndef FMD_SERVE_COUNTERS_H
#define FMD_SERVE_COUNTERS_H

#include "fmd/error.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

enum { FMD_COUNTERS_CODES = 16, FMD_COUNTERS_BUCKETS = 16 };

/* Counts of values up to each bound, and of larger ones. */
typedef struct fmd_histogram {
    const double *bounds;
    size_t n;
    uint64_t counts[FMD_COUNTERS_BUCKETS + 1];
    double sum;
} fmd_histogram;

typedef struct fmd_counters {
    pthread_mutex_t lock;
    struct {
        unsigned code;
        uint64_t n;
    } codes[FMD_COUNTERS_CODES];
    fmd_histogram latency; /* of predictions, seconds */
    fmd_histogram batches; /* images of a forward pass */
    uint64_t connections;  /* accepted so far */
    uint64_t expired;      /* closed because their request took too long */
} fmd_counters;

/* Values that are not counted but known. */
typedef struct fmd_gauges {
    size_t open_connections, waiting_images;
} fmd_gauges;

void fmd_counters_open(fmd_counters *m);
void fmd_counters_close(fmd_counters *m);

/* Local. An answer of a status code; latency < 0: not that of a prediction. */
void fmd_counters_answer(fmd_counters *m, unsigned code, double latency);
void fmd_counters_batch(fmd_counters *m, size_t n);
void fmd_counters_connection(fmd_counters *m);
void fmd_counters_expired(fmd_counters *m, size_t n);

/* Local. The text, released by free(). FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_counters_text(fmd_counters *m, const fmd_gauges *g, char **out,
                                         size_t *bytes);

#endif
