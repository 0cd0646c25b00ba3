#include "fmd/error.h"

#include <stdarg.h>
#include <stdio.h>

static _Thread_local char message[FMD_ERROR_BYTES];

void fmd_error_set(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
}

const char *fmd_error_message(void)
{
    return message;
}

bool fmd_error_is_silent(void)
{
    return message[0] == '\0';
}
