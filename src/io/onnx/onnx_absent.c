/* A build without ONNX. */
#include "base/version.h"
#include "io/onnx/onnx.h"

fmd_status fmd_onnx_write(const char *path, const fmd_forward *f, const fmd_forward_about *about,
                          bool uint8)
{
    (void)path;
    (void)f;
    (void)about;
    (void)uint8;
    return fmd_part_require("--format onnx", "ONNX");
}
