#include "io/keras/layout.h"

#include <stdio.h>

const char *fmd_keras_tensor_path(const fmd_model *m, size_t tensor, char text[FMD_KERAS_PATH])
{
    const fmd_layer *l = fmd_model_layer(m, (size_t)fmd_model_tensor(m, tensor)->layer);
    const size_t place = tensor < fmd_model_n_trainable_tensors(m)
                             ? tensor - l->first_tensor
                             : l->n_tensors + tensor - l->first_state;
    snprintf(text, FMD_KERAS_PATH, "/layers/%s/vars/%zu", l->name, place);
    return text;
}

const char *fmd_keras_slot_path(const fmd_model *m, const fmd_optimizer *o, size_t slot,
                                size_t tensor, char text[FMD_KERAS_PATH])
{
    const size_t slots = fmd_optimizer_n_slots(o), tensors = fmd_model_n_trainable_tensors(m);
    const size_t place =
        fmd_optimizer_ops_of(o)->interleaved ? tensor * slots + slot : slot * tensors + tensor;
    snprintf(text, FMD_KERAS_PATH, "/optimizer/vars/%zu", 2 + place);
    return text;
}
