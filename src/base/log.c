#include "base/log.h"

#include "base/system/print.h"

#include <stdarg.h>
#include <stdio.h>

static struct {
    fmd_log_level level;
    int rank;
    void (*prepare)(void *self);
    void *self;
} sink = {.level = FMD_LOG_ERROR}; /* the library prints nothing */

void fmd_log_open(fmd_log_level level, int rank)
{
    sink.level = level;
    sink.rank = rank;
}

void fmd_log_before_line(void (*prepare)(void *self), void *self)
{
    sink.prepare = prepare;
    sink.self = self;
}

/* One fprintf per line, so that lines of several ranks do not mix. */
__attribute__((format(printf, 2, 0))) static void print_line(const char *kind, const char *format,
                                                             va_list args)
{
    char text[1024];
    vsnprintf(text, sizeof text, format, args);
    if (sink.prepare != NULL)
        sink.prepare(sink.self);
    fmd_print_to(stderr, "fmnist-dist: %s%s\n", kind, text);
}

void fmd_warn(const char *format, ...)
{
    if (sink.rank != 0 || sink.level < FMD_LOG_WARNING)
        return;
    va_list args;
    va_start(args, format);
    print_line("warning: ", format, args);
    va_end(args);
}

void fmd_info(const char *format, ...)
{
    if (sink.rank != 0 || sink.level < FMD_LOG_INFO)
        return;
    va_list args;
    va_start(args, format);
    print_line("", format, args);
    va_end(args);
}

void fmd_debug(const char *format, ...)
{
    if (sink.level < FMD_LOG_DEBUG)
        return;
    char kind[32];
    snprintf(kind, sizeof kind, "[rank %d] ", sink.rank);
    va_list args;
    va_start(args, format);
    print_line(kind, format, args);
    va_end(args);
}
