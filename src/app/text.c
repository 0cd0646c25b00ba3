#include "app/text.h"

#include <stdio.h>

const char *fmd_grouped(size_t n, char text[32])
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
