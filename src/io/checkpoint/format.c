#include "io/checkpoint/format.h"

hid_t fmd_format_type(fmd_state_kind kind)
{
    switch (kind) {
    case FMD_STATE_U8: return H5T_NATIVE_UINT8;
    case FMD_STATE_I32: return H5T_NATIVE_INT32;
    case FMD_STATE_I64: return H5T_NATIVE_INT64;
    case FMD_STATE_F32: return H5T_NATIVE_FLOAT;
    case FMD_STATE_F64: return H5T_NATIVE_DOUBLE;
    }
    return H5I_INVALID_HID;
}
