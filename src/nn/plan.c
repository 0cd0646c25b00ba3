#include "nn/plan.h"

#include <stdlib.h>

/* Makes space for one more after n elements of `size` bytes; false: out of memory. */
static bool grow(fmd_plan *plan, void *array, size_t n, size_t size)
{
    if ((n & (n - 1)) != 0 || plan->status != FMD_OK) /* capacity doubles at each power of two */
        return plan->status == FMD_OK;
    void **at = array, *larger = realloc(*at, (n == 0 ? 1 : 2 * n) * size);
    if (larger == NULL) {
        plan->status = FMD_FAIL(FMD_ENOMEM, "out of memory: the plan of the model");
        return false;
    }
    *at = larger;
    return true;
}

void fmd_plan_param(fmd_plan *plan, fmd_param p)
{
    if (!grow(plan, &plan->params, plan->n_params, sizeof *plan->params))
        return;
    const size_t n = fmd_shape_count(p.shape);
    const double out = p.shape.dim[p.shape.rank - 1];
    plan->params[plan->n_params++] =
        (fmd_tensor){.name = p.name,
                     .layer = plan->layer->index,
                     .shape = p.shape,
                     .init = p.init,
                     .fan_in = p.fan_in > 0 ? p.fan_in : (double)n / out,
                     .fan_out = p.fan_out > 0 ? p.fan_out : out,
                     .trainable = true,
                     .decays = p.decays,
                     .regularizer = p.regularizer,
                     .count = n};
    plan->layer->n_tensors++;
}

void fmd_plan_state(fmd_plan *plan, const char *name, fmd_shape shape, fmd_init init)
{
    if (!grow(plan, &plan->states, plan->n_states, sizeof *plan->states))
        return;
    plan->states[plan->n_states++] = (fmd_tensor){.name = name,
                                                  .layer = plan->layer->index,
                                                  .shape = shape,
                                                  .init = init,
                                                  .fan_in = 1,
                                                  .fan_out = 1,
                                                  .count = fmd_shape_count(shape)};
    plan->layer->n_states++;
}

void fmd_plan_saved(fmd_plan *plan, size_t bytes)
{
    if (grow(plan, &plan->saved, plan->n_saved, sizeof *plan->saved))
        plan->saved[plan->n_saved++] = (fmd_saved){.layer = plan->layer->index, .bytes = bytes};
}

/* A microbatch has at least one sample, so one element per sample suffices. */
void fmd_plan_saved_by_microbatch(fmd_plan *plan, size_t bytes)
{
    fmd_plan_saved(plan, bytes);
}

void fmd_plan_workspace(fmd_plan *plan, size_t bytes)
{
    if (bytes > plan->workspace_bytes)
        plan->workspace_bytes = bytes;
}

void fmd_plan_free(fmd_plan *plan)
{
    free(plan->params);
    free(plan->states);
    free(plan->saved);
    *plan = (fmd_plan){.layer = NULL};
}
