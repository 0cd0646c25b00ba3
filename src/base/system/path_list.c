#include "base/system/path_list.h"

#include <string.h>
#include <unistd.h>

bool fmd_path_list_next(const char **at, char *path, size_t size)
{
    const char *text = *at;
    size_t taken = strcspn(text, ",");
    for (size_t n = taken; n < size; n += 1 + strcspn(text + n + 1, ",")) {
        memcpy(path, text, n);
        path[n] = '\0';
        if (access(path, F_OK) == 0)
            taken = n;
        if (text[n] == '\0')
            break;
    }
    if (taken == 0 || taken >= size)
        return false;
    memcpy(path, text, taken);
    path[taken] = '\0';
    *at = text + taken + (text[taken] == ',');
    return true;
}
