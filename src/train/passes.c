#include "train/passes.h"

#include "base/timer.h"
#include "data/sampler.h"

/* Places `first` to first + n - 1 in one pass. */
static void run_group(const fmd_passes *p, size_t first, size_t n)
{
    fmd_gradient_sink sink = {0};
    if (p->sink != NULL)
        sink = *p->sink;
    if (first + n < p->first + p->count)
        sink.complete = NULL;
    fmd_model *m = p->model;
    const size_t microbatches = (n + p->microbatch_size - 1) / p->microbatch_size;
    const size_t rows = microbatches * p->microbatch_size;
    const size_t bytes = fmd_shape_count(fmd_model_in(m));
    const fmd_pass pass = {.microbatches = (int)microbatches,
                           .microbatch_size = (int)p->microbatch_size,
                           .padding = (int)(rows - n),
                           .training = p->training,
                           .seed = p->seed,
                           .step = p->step,
                           .first_sample = first};
    const size_t skipped = p->order == NULL ? first : 0;
    const fmd_split from = fmd_split_part(p->split, skipped, p->split->n - skipped, bytes);
    const double t0 = fmd_now();
    fmd_gather_images(&from, bytes, p->order == NULL ? NULL : p->order + first, n, rows, p->divisor,
                      fmd_model_input(m));
    if (p->prepare != NULL)
        p->prepare(p->self, first, n, fmd_model_input(m));
    const double t1 = fmd_now();
    const float *logits = fmd_model_forward(m, &pass, p->sink != NULL ? &sink : NULL);
    p->score(p->self, first, n, rows, logits, p->training ? fmd_model_logit_grads(m) : NULL);
    const double t2 = fmd_now();
    if (p->training)
        fmd_model_backward(m, &pass, &sink);
    if (p->seconds == NULL)
        return;
    p->seconds->assemble += t1 - t0;
    p->seconds->forward += t2 - t1;
    p->seconds->backward += fmd_now() - t2;
}

void fmd_passes_run(const fmd_passes *p)
{
    if (p->count == 0)
        return;
    const size_t group = fmd_model_max_samples(p->model) / p->microbatch_size * p->microbatch_size;
    for (size_t done = 0; done < p->count; done += group)
        run_group(p, p->first + done, p->count - done < group ? p->count - done : group);
}
