/* The shape of an image or a tensor, without the batch dimension; passed by value. */
#ifndef FMD_SHAPE_H
#define FMD_SHAPE_H

#ifdef __cplusplus
extern "C" {
#endif

enum { FMD_SHAPE_MAX = 4 };

/* Row-major, last dimension fastest: (H, W), (H, W, C), (features), kernels (in, out). */
typedef struct fmd_shape {
    int rank;
    int dim[FMD_SHAPE_MAX];
} fmd_shape;

#ifdef __cplusplus
}
#endif

#endif
