#include "io/checkpoint/state_entry.h"

size_t fmd_state_entry_bytes(const fmd_state_entry *entry)
{
    static const size_t bytes[] = {[FMD_STATE_U8] = 1,
                                   [FMD_STATE_I32] = 4,
                                   [FMD_STATE_I64] = 8,
                                   [FMD_STATE_F32] = 4,
                                   [FMD_STATE_F64] = 8};
    return entry->count * bytes[entry->kind];
}
