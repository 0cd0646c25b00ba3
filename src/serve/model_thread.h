/* The thread of the model: forwards the images of waiting tickets. */
#ifndef FMD_SERVE_MODEL_THREAD_H
#define FMD_SERVE_MODEL_THREAD_H

#include "run/loaded_model.h"
#include "serve/counters.h"
#include "serve/queue.h"

typedef struct fmd_model_thread {
    const fmd_loaded_model *trained;
    size_t most;     /* images of a forward pass */
    uint8_t *pixels; /* of a batch */
    size_t capacity; /* images */
    fmd_counters *counters;
} fmd_model_thread;

/* Local. `most` images in a pass, at most as many as the model has memory for. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_model_thread_open(fmd_model_thread *t, const fmd_loaded_model *trained,
                                             size_t most, size_t most_of_ticket,
                                             fmd_counters *counters);
void fmd_model_thread_close(fmd_model_thread *t);

/* Local. Fills in probabilities and classes of a list of tickets. */
void fmd_model_thread_forward(const fmd_model_thread *t, fmd_ticket *tickets);

#endif
