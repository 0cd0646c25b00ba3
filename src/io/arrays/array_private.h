/* The two kinds of files behind array.h. */
#ifndef FMD_IO_ARRAYS_ARRAY_PRIVATE_H
#define FMD_IO_ARRAYS_ARRAY_PRIVATE_H

#include "io/arrays/array.h"

/* A kind of file. `file` and `array` are its own structs. */
typedef struct fmd_array_ops {
    fmd_status (*open_file)(void **file, int fd, const char *path); /* closes fd, even on failure */
    void (*close_file)(void *file);
    bool (*has)(const void *file, const char *name);
    fmd_status (*open)(void **array, const void *file, const char *name, fmd_array_info *info);
    fmd_status (*next)(void *array, const fmd_array_info *info, size_t first, size_t n,
                       double *values);
    void (*close)(void *array);
} fmd_array_ops;

extern const fmd_array_ops fmd_array_npz, fmd_array_h5;

#endif
