#include "nn/layer.h"

#include <stdio.h>
#include <string.h>

#define FMD_LAYER(name) extern const fmd_layer_ops fmd_layer_##name;
#include "nn/layers/layers.def"
#undef FMD_LAYER

static const fmd_layer_ops *const registry[] = {
#define FMD_LAYER(name) &fmd_layer_##name,
#include "nn/layers/layers.def"
#undef FMD_LAYER
};

const fmd_layer_ops *fmd_layer_ops_at(size_t i)
{
    return i < sizeof registry / sizeof *registry ? registry[i] : NULL;
}

fmd_status fmd_layer_find(const fmd_layer_ops **out, const char *name)
{
    char names[FMD_OPTION_TEXT_BYTES] = "", hint[FMD_OPTION_TEXT_BYTES];
    size_t used = 0;
    for (size_t i = 0; (*out = fmd_layer_ops_at(i)) != NULL; i++) {
        if (strcmp((*out)->name, name) == 0)
            return FMD_OK;
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? "|" : "",
                                 (*out)->name);
    }
    return FMD_FAIL(FMD_EUSAGE,
                    "model: there is no layer '%.64s'%s; 'fmnist-dist help train' lists them", name,
                    fmd_did_you_mean(names, name, hint));
}

fmd_status fmd_layer_check_image(const fmd_layer *l)
{
    char shape[FMD_SHAPE_TEXT];
    if (l->in[0].rank == 3)
        return FMD_OK;
    return FMD_FAIL(FMD_EUSAGE,
                    "model: %s: its input has shape %s: it needs images, (height, width, "
                    "channels); put it before flatten, or use reshape",
                    l->name, fmd_shape_text(l->in[0], 0, shape));
}

fmd_cost fmd_layer_cost(const fmd_layer *l, size_t samples)
{
    if (l->ops->cost != NULL)
        return l->ops->cost(l, samples);
    if (l->ops->forward == NULL)
        return (fmd_cost){0};
    const double n = (double)samples, out = n * (double)fmd_shape_count(l->out);
    double in = 0;
    for (int i = 0; i < l->n_inputs; i++)
        in += n * (double)fmd_shape_count(l->in[i]);
    const double bytes = sizeof(float) * (in + out);
    fmd_cost c = {.forward_flops = out, .forward_bytes = bytes};
    if (l->sends_gradient) {
        c.backward_flops = in;
        c.backward_bytes = bytes;
    }
    return c;
}

void fmd_layer_run(const fmd_layer_call *c)
{
    const fmd_layer_ops *ops = c->layer->ops;
    (c->backward ? ops->backward : ops->forward)(c->layer, c->pass, c->values, c->sink);
}
