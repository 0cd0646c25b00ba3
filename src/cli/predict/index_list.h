/* The list of images of --index: "0,5-9". */
#ifndef FMD_CLI_PREDICT_INDEX_LIST_H
#define FMD_CLI_PREDICT_INDEX_LIST_H

#include "fmd/error.h"

#include <stddef.h>
#include <stdint.h>

typedef struct fmd_index_list {
    size_t n;
    uint32_t *at;
} fmd_index_list;

/* Local. The list in `text`, or if it is empty the first `first` of `n` images. `what` names the images in
 * messages: "test images". Release with fmd_index_list_free. FMD_EUSAGE, FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_index_list_create(fmd_index_list *out, const char *text, size_t first,
                                             size_t n, const char *what);
void fmd_index_list_free(fmd_index_list *list);

#endif
