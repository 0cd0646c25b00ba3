#include "io/checkpoint/state_entry.h"

hid_t fmd_state_entry_type(const fmd_state_entry *entry)
{
    switch (entry->kind) {
    case FMD_ITEM_U8: return H5T_NATIVE_UINT8;
    case FMD_ITEM_I32: return H5T_NATIVE_INT32;
    case FMD_ITEM_I64: return H5T_NATIVE_INT64;
    case FMD_ITEM_F32: return H5T_NATIVE_FLOAT;
    case FMD_ITEM_F64: return H5T_NATIVE_DOUBLE;
    }
    return H5I_INVALID_HID;
}
