#include "base/format.h"

#include <stdio.h>
#include <stdlib.h>

const char *fmd_format_count(size_t n, char text[32])
{
    char digits[32];
    const int length = snprintf(digits, sizeof digits, "%zu", n);
    int used = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            text[used++] = ',';
        text[used++] = digits[i];
    }
    text[used] = '\0';
    return text;
}

const char *fmd_format_bytes(size_t bytes, char text[32])
{
    static const char *const units[] = {"B", "KB", "MB", "GB"};
    double size = (double)bytes;
    int unit = 0;
    for (; size >= 1024 && unit < 3; unit++)
        size /= 1024;
    snprintf(text, 32, "%.2f %s", size, units[unit]);
    return text;
}

const char *fmd_format_shape(fmd_shape s, char text[FMD_SHAPE_TEXT])
{
    size_t used = 0;
    for (int i = 0; i < s.rank; i++)
        used += (size_t)snprintf(text + used, FMD_SHAPE_TEXT - used, "%s%d", i > 0 ? "x" : "",
                                 s.dim[i]);
    return text;
}

const char *fmd_format_float(float value, char text[32])
{
    for (int digits = 1; digits <= 9; digits++) {
        snprintf(text, 32, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value)
            break;
    }
    return text;
}
