/* A model as a graph of ONNX (https://onnx.ai), opset 17.
 *
 * Its input `pixels` has any number of images with values from 0 to 255, in the layout of the data set;
 * its output `probabilities` has a row for each. Inside, images are channels first. */
#ifndef FMD_IO_ONNX_ONNX_H
#define FMD_IO_ONNX_ONNX_H

#include "io/forward/forward.h"

/* Local. Writes the graph; the file is replaced whole. Pixels are bytes with `uint8`, otherwise floats.
 * FMD_EUSAGE: built without ONNX, or the model is too large; FMD_EIO, FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_onnx_write(const char *path, const fmd_forward *f,
                                      const fmd_forward_about *about, bool uint8);

#endif
