#include "serve/model_thread.h"

#include "base/mem.h"
#include "nn/losses/loss.h"
#include "train/passes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

fmd_status fmd_model_thread_open(fmd_model_thread *t, const fmd_loaded_model *trained, size_t most,
                                 size_t most_of_ticket, fmd_counters *counters)
{
    const size_t room = fmd_model_max_samples(trained->model);
    *t = (fmd_model_thread){
        .trained = trained, .most = most < room ? most : room, .counters = counters};
    t->capacity = t->most > most_of_ticket ? t->most : most_of_ticket;
    return fmd_alloc(&t->pixels, t->capacity, fmd_shape_count(fmd_model_in(trained->model)),
                     "the images of a batch");
}

void fmd_model_thread_close(fmd_model_thread *t)
{
    free(t->pixels);
}

/* A pass under way: the ticket and the image in it that come next. */
typedef struct work {
    fmd_ticket *ticket;
    size_t image;
    size_t classes;
} work;

static void score(void *self, size_t first, size_t n, size_t rows, const float *logits,
                  float *grads)
{
    (void)first;
    (void)rows;
    (void)grads;
    work *w = self;
    for (size_t i = 0; i < n; i++) {
        fmd_ticket *t = w->ticket;
        float *p = t->probabilities + w->image * w->classes;
        fmd_softmax_rows(1, w->classes, logits + i * w->classes, p);
        const size_t best = fmd_argmax(w->classes, logits + i * w->classes);
        t->predicted[w->image] = (uint8_t)best;
        t->failed = t->failed || !isfinite(p[best]);
        if (++w->image == t->n) {
            w->ticket = t->next;
            w->image = 0;
        }
    }
}

/* A pass is one microbatch. Inference computes each image by itself, in the same order of operations, so
 * its bits do not depend on the size of the microbatch. */
void fmd_model_thread_forward(const fmd_model_thread *t, fmd_ticket *tickets)
{
    const size_t bytes = fmd_shape_count(fmd_model_in(t->trained->model));
    work w = {.ticket = tickets, .classes = (size_t)fmd_model_classes(t->trained->model)};
    size_t n = 0;
    for (const fmd_ticket *one = tickets; one != NULL; one = one->next) {
        memcpy(t->pixels + n * bytes, one->pixels, one->n * bytes);
        n += one->n;
    }
    const fmd_split split = {.n = n, .images = t->pixels};
    for (size_t first = 0; first < n; first += t->most) {
        const size_t count = n - first < t->most ? n - first : t->most;
        fmd_passes_run(&(fmd_passes){.model = t->trained->model,
                                     .split = &split,
                                     .divisor = t->trained->divisor,
                                     .first = first,
                                     .count = count,
                                     .microbatch_size = count,
                                     .score = score,
                                     .self = &w});
        fmd_counters_batch(t->counters, count);
    }
}
