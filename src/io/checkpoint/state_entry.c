#include "io/checkpoint/state_entry.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

size_t fmd_state_entry_bytes(const fmd_state_entry *entry)
{
    static const size_t bytes[] = {[FMD_STATE_U8] = 1,
                                   [FMD_STATE_I32] = 4,
                                   [FMD_STATE_I64] = 8,
                                   [FMD_STATE_F32] = 4,
                                   [FMD_STATE_F64] = 8};
    return entry->count * bytes[entry->kind];
}

/* The values may be unaligned, as in a buffer read from a file. */
static double value_at(const fmd_state_entry *e, const void *values, size_t i)
{
    union {
        uint8_t u8;
        int32_t i32;
        int64_t i64;
        float f32;
        double f64;
    } v;
    const size_t size = fmd_state_entry_bytes(e) / e->count;
    memcpy(&v, (const char *)values + i * size, size);
    switch (e->kind) {
    case FMD_STATE_U8: return v.u8;
    case FMD_STATE_I32: return v.i32;
    case FMD_STATE_I64: return (double)v.i64;
    case FMD_STATE_F32: return (double)v.f32;
    case FMD_STATE_F64: return v.f64;
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
