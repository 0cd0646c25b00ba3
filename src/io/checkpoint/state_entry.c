#include "io/checkpoint/state_entry.h"

#include <math.h>
#include <stdint.h>

size_t fmd_state_entry_bytes(const fmd_state_entry *entry)
{
    static const size_t bytes[] = {[FMD_STATE_U8] = 1,
                                   [FMD_STATE_I32] = 4,
                                   [FMD_STATE_I64] = 8,
                                   [FMD_STATE_F32] = 4,
                                   [FMD_STATE_F64] = 8};
    return entry->count * bytes[entry->kind];
}

static double value_at(const fmd_state_entry *e, const void *values, size_t i)
{
    switch (e->kind) {
    case FMD_STATE_U8: return ((const uint8_t *)values)[i];
    case FMD_STATE_I32: return ((const int32_t *)values)[i];
    case FMD_STATE_I64: return (double)((const int64_t *)values)[i];
    case FMD_STATE_F32: return (double)((const float *)values)[i];
    case FMD_STATE_F64: return ((const double *)values)[i];
    }
    return (double)NAN;
}

/* NaN stands for "none" in entries that may have it. */
fmd_status fmd_state_entry_check(const fmd_state_entry *e, const void *values, const char *path)
{
    for (size_t i = 0; i < e->count; i++) {
        const double value = value_at(e, values, i);
        if (isnan(value) ? !e->may_be_nan : value < e->min || value > e->max)
            return FMD_FAIL(FMD_EDATA,
                            "'%s' is damaged: " FMD_STATE_GROUP
                            "/%s has %.10g at index %zu, expected %.10g to %.10g%s",
                            path, e->name, value, i, e->min, e->max,
                            e->may_be_nan ? " or nan" : "");
    }
    return FMD_OK;
}
