#include "nn/activations/activation.h"

#define DECLARE(name) extern const fmd_activation fmd_activation_##name;
#define ADDRESS(name) &fmd_activation_##name,

FMD_ACTIVATION_LIST(DECLARE)

static const fmd_activation *const activations[] = {FMD_ACTIVATION_LIST(ADDRESS)};

const fmd_activation *fmd_activation_at(int index)
{
    return activations[index];
}
