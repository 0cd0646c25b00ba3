/* fmd/prediction.h */
#include "fmd/prediction.h"
#include "math/bf16/bf16.h"
#include "train/evaluation/prediction.h"

#include <string.h>

fmd_status fmd_model_predict(fmd_comm *c, fmd_model *m, const uint8_t *images, size_t n,
                             double divisor, float *probabilities)
{
    const fmd_split split = {.n = n, .images = images};
    fmd_prediction p = {.n = 0};
    fmd_bf16_choose(FMD_FLOAT32); /* whatever trainers chose before */
    FMD_TRY(fmd_predict(c, m, &split, (float)divisor, &p));
    if (fmd_comm_rank(c) == 0)
        memcpy(probabilities, p.probabilities, p.n * p.classes * sizeof *probabilities);
    fmd_prediction_free(&p);
    return FMD_OK;
}
