#include "fmd/optimizer.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SLOTS = 3 };

struct fmd_optimizer {
    const fmd_optimizer_ops *ops;
    void *args;
    size_t n_params;
    uint64_t steps;
    float rate;              /* of the step under way */
    float *slots[MAX_SLOTS]; /* NULL where the arguments need none */
    char spec[128];
};

#define FMD_OPTIMIZER(name) extern const fmd_optimizer_ops fmd_optimizer_##name;
#include "nn/optimizers/optimizers.def"
#undef FMD_OPTIMIZER

static const fmd_optimizer_ops *const registry[] = {
#define FMD_OPTIMIZER(name) &fmd_optimizer_##name,
#include "nn/optimizers/optimizers.def"
#undef FMD_OPTIMIZER
};

const fmd_optimizer_ops *fmd_optimizer_ops_at(size_t i)
{
    return i < sizeof registry / sizeof *registry ? registry[i] : NULL;
}

static fmd_status find_ops(const fmd_optimizer_ops **out, const char *name)
{
    char names[256] = "", hint[FMD_OPTION_TEXT_BYTES];
    size_t used = 0;
    for (size_t i = 0; (*out = fmd_optimizer_ops_at(i)) != NULL; i++) {
        if (strcmp((*out)->name, name) == 0)
            return FMD_OK;
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? "|" : "",
                                 (*out)->name);
    }
    return FMD_FAIL(FMD_EUSAGE, "--optimizer: '%s' is not one of %s%s", name, names,
                    fmd_did_you_mean(names, name, hint));
}

fmd_status fmd_optimizer_create(fmd_optimizer **out, const char *spec, size_t n_params)
{
    char name[sizeof((fmd_optimizer *)0)->spec];
    if (strlen(spec) >= sizeof name)
        return FMD_FAIL(FMD_EUSAGE, "--optimizer: longer than %zu characters", sizeof name - 1);
    snprintf(name, sizeof name, "%.*s", (int)strcspn(spec, ":"), spec);
    const fmd_optimizer_ops *ops;
    FMD_TRY(find_ops(&ops, name));

    fmd_optimizer *o = NULL;
    fmd_status st = fmd_alloc(&o, 1, sizeof *o, "the optimizer");
    if (st != FMD_OK)
        return st;
    o->ops = ops;
    o->n_params = n_params;
    memcpy(o->spec, spec, strlen(spec) + 1);
    const char *args = spec + strlen(name) + (spec[strlen(name)] == ':');
    char label[sizeof name + 16];
    snprintf(label, sizeof label, "--optimizer %s", name);
    if ((st = fmd_alloc(&o->args, 1, ops->args_size, "the optimizer")) != FMD_OK ||
        (st = fmd_options_parse_args(ops->args, ops->n_args, o->args, label, args)) != FMD_OK)
        goto out;
    const unsigned used = ops->slots_used != NULL ? ops->slots_used(o->args) : ~0u;
    for (size_t i = 0; i < MAX_SLOTS && ops->slots[i] != NULL; i++)
        if (used >> i & 1 &&
            (st = fmd_alloc(&o->slots[i], n_params, sizeof(float), "the optimizer")) != FMD_OK)
            goto out;
    *out = o;
    o = NULL;
out:
    fmd_optimizer_destroy(o);
    return st;
}

void fmd_optimizer_destroy(fmd_optimizer *o)
{
    if (o == NULL)
        return;
    for (size_t i = 0; i < MAX_SLOTS; i++)
        free(o->slots[i]);
    free(o->args);
    free(o);
}

void fmd_optimizer_begin(fmd_optimizer *o, double learning_rate)
{
    o->steps++;
    o->rate = (float)(o->ops->rate != NULL ? o->ops->rate(o->args, learning_rate, o->steps)
                                           : learning_rate);
}

void fmd_optimizer_part(fmd_optimizer *o, float *params, size_t first, size_t n, const float *grads)
{
    float *slots[MAX_SLOTS] = {NULL};
    for (size_t i = 0; i < MAX_SLOTS; i++)
        if (o->slots[i] != NULL)
            slots[i] = o->slots[i] + first;
    o->ops->step(o->args, n, params + first, grads, slots, o->rate);
}

void fmd_optimizer_step(fmd_optimizer *o, float *params, const float *grads, double learning_rate)
{
    fmd_optimizer_begin(o, learning_rate);
    fmd_optimizer_part(o, params, 0, o->n_params, grads);
}

const fmd_optimizer_ops *fmd_optimizer_ops_of(const fmd_optimizer *o)
{
    return o->ops;
}

const void *fmd_optimizer_args(const fmd_optimizer *o)
{
    return o->args;
}

const char *fmd_optimizer_spec(const fmd_optimizer *o)
{
    return o->spec;
}

uint64_t fmd_optimizer_steps(const fmd_optimizer *o)
{
    return o->steps;
}

void fmd_optimizer_set_steps(fmd_optimizer *o, uint64_t steps)
{
    o->steps = steps;
}

/* The place of the used slot number `i` among all slots of this kind of optimizer. */
static size_t used_slot(const fmd_optimizer *o, size_t i)
{
    size_t at = 0;
    for (;; at++)
        if (o->slots[at] != NULL && i-- == 0)
            return at;
}

size_t fmd_optimizer_n_slots(const fmd_optimizer *o)
{
    size_t n = 0;
    for (size_t i = 0; i < MAX_SLOTS; i++)
        n += o->slots[i] != NULL;
    return n;
}

const char *fmd_optimizer_slot_name(const fmd_optimizer *o, size_t i)
{
    return o->ops->slots[used_slot(o, i)];
}

float *fmd_optimizer_slot(const fmd_optimizer *o, size_t i)
{
    return o->slots[used_slot(o, i)];
}
