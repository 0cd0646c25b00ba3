/* Compares the settings of a run with those in a checkpoint. */
#include "io/checkpoint/checkpoint.h"

#include <stdio.h>
#include <string.h>

const char *fmd_fingerprint_text(const fmd_checkpoint_contents *file, const char *name)
{
    for (size_t i = 0; i < file->n_fingerprint; i++)
        if (strcmp(file->fingerprint[i].name, name) == 0)
            return file->fingerprint[i].text;
    return NULL;
}

size_t fmd_fingerprint_compare(const fmd_checkpoint_contents *file,
                               const fmd_fingerprint_entry *ours, size_t n,
                               char list[FMD_ERROR_BYTES])
{
    size_t used = 0, differ = 0;
    *list = '\0';
    for (size_t i = 0; i < n; i++) {
        const char *there = fmd_fingerprint_text(file, ours[i].name);
        if (there == NULL)
            there = ours[i].absent;
        if (ours[i].may_change || (there != NULL && strcmp(there, ours[i].text) == 0))
            continue;
        differ++;
        if (used < FMD_ERROR_BYTES) /* a file of another version lacks entries, undamaged */
            used += (size_t)snprintf(list + used, FMD_ERROR_BYTES - used,
                                     "%s%s is %s there, %s here", used > 0 ? "; " : "",
                                     ours[i].name, there != NULL ? there : "unknown", ours[i].text);
    }
    return differ;
}
