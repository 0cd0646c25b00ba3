#include "nn/activations/activation.h"

#define ADDRESS(name) &fmd_activation_##name,

static const fmd_activation *const activations[] = {FMD_ACTIVATION_LIST(ADDRESS)};

const fmd_activation *fmd_activation_at(int index)
{
    return activations[index];
}
