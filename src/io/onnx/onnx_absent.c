/* A program without ONNX. */
#include "io/onnx/onnx.h"

bool fmd_onnx_is_built_in(void)
{
    return false;
}

fmd_status fmd_onnx_write(const char *path, const fmd_forward *f, const fmd_forward_about *about,
                          bool uint8)
{
    (void)path;
    (void)f;
    (void)about;
    (void)uint8;
    return FMD_FAIL(FMD_EUSAGE, "--format onnx: this program was built without ONNX; it needs "
                                "protobuf-c and cmake -D FMD_ONNX=ON");
}
