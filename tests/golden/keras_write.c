/* keras_write PATH LAYERS OPTIMIZER: a file for check_keras_layout.py. Parameters count up from 1,
 * states after them; the value of a slot names its slot and its tensor. Images are 4 x 3, 23 steps
 * are done; there is a fingerprint entry, seed, and a state entry, epoch. */
#include "io/checkpoint/checkpoint.h"

#include <stdio.h>
#include <string.h>

enum { STEP = 23 };

/* What the first value of tensor 0 is, for each name of a slot. */
static float slot_base(const char *name)
{
    static const char *const names[] = {
        "momentum", "velocity",    "average_gradient", "velocity_hat",     "average",
        "norm",     "accumulator", "linear",           "accumulated_grad", "accumulated_delta_var"};
    size_t i = 0;
    while (strcmp(names[i], name) != 0)
        i++;
    return 1000 * (float)(i + 1);
}

int main(int argc, char **argv)
{
    fmd_model *m = NULL;
    fmd_optimizer *o = NULL;
    fmd_status status = FMD_EUSAGE;
    if (argc != 4)
        return FMD_EUSAGE;
    if ((status = fmd_model_create(&m, argv[2], (fmd_shape){.rank = 2, .dim = {4, 3}}, 1)) !=
            FMD_OK ||
        (status = fmd_optimizer_create(&o, argv[3], fmd_model_n_trainable_params(m))) != FMD_OK)
        goto out;
    fmd_optimizer_set_steps(o, STEP);
    for (size_t i = 0; i < fmd_model_n_params(m); i++)
        fmd_model_params(m)[i] = (float)(i + 1);
    for (size_t slot = 0; slot < fmd_optimizer_n_slots(o); slot++)
        for (size_t i = 0; i < fmd_model_n_trainable_tensors(m); i++) {
            const fmd_tensor *t = fmd_model_tensor(m, i);
            for (size_t j = 0; j < t->count; j++)
                fmd_optimizer_slot(o, slot)[t->offset + j] =
                    slot_base(fmd_optimizer_slot_name(o, slot)) + (float)i;
        }
    const fmd_fingerprint_entry entry = {.name = "seed", .text = "7"};
    int64_t epoch = 3;
    const fmd_state_entry item = {"epoch", FMD_STATE_I64, 1, &epoch, 0, 100, false};
    status = fmd_checkpoint_write(argv[1], &(fmd_state){.model = m,
                                                        .optimizer = o,
                                                        .learning_rate = 0.005,
                                                        .normalize = true,
                                                        .step = STEP,
                                                        .fingerprint = &entry,
                                                        .n_fingerprint = 1,
                                                        .entries = &item,
                                                        .n_entries = 1});
out:
    if (status != FMD_OK)
        fprintf(stderr, "keras_write: %s\n", fmd_error_message());
    fmd_model_destroy(m);
    fmd_optimizer_destroy(o);
    return (int)status;
}
