/* The images that --index names: "0,5-9". */
#ifndef FMD_CLI_PREDICT_INDEX_LIST_H
#define FMD_CLI_PREDICT_INDEX_LIST_H

#include "fmd/error.h"

#include <stddef.h>
#include <stdint.h>

typedef struct fmd_index_list {
    size_t n;
    uint32_t *at;
} fmd_index_list;

/* Local. The list in `text`, or where it is empty the first `first` of the `n` images; `what` they
 * are is "test images". Released by fmd_index_list_free. FMD_EUSAGE, FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_index_list_create(fmd_index_list *out, const char *text, size_t first,
                                             size_t n, const char *what);
void fmd_index_list_free(fmd_index_list *list);

#endif
