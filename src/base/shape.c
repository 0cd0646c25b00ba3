#include "base/shape.h"

#include <stdio.h>

const char *fmd_shape_text(fmd_shape s, int batch, char text[FMD_SHAPE_TEXT])
{
    size_t used = (size_t)snprintf(text, FMD_SHAPE_TEXT, batch ? "(batch" : "(");
    for (int i = 0; i < s.rank; i++) {
        const char *comma = i > 0 || batch ? ", " : "";
        used += (size_t)snprintf(text + used, FMD_SHAPE_TEXT - used, "%s%d", comma, s.dim[i]);
    }
    snprintf(text + used, FMD_SHAPE_TEXT - used, ")");
    return text;
}
