#include "report/plots/plot_draft.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void release(fmd_plot_draft *d)
{
    free(d->data_text);
    free(d->strings_text);
    free(d->commands_text);
}

static bool end(FILE *part)
{
    return part != NULL && fclose(part) == 0;
}

fmd_status fmd_plot_begin(fmd_plot_draft *d)
{
    *d = (fmd_plot_draft){.data = NULL};
    d->data = open_memstream(&d->data_text, &d->data_bytes);
    d->strings = open_memstream(&d->strings_text, &d->strings_bytes);
    d->commands = open_memstream(&d->commands_text, &d->commands_bytes);
    if (d->data != NULL && d->strings != NULL && d->commands != NULL)
        return FMD_OK;
    end(d->data);
    end(d->strings);
    end(d->commands);
    release(d);
    return FMD_FAIL(FMD_ENOMEM, "out of memory: a picture");
}

fmd_status fmd_plot_finish(fmd_plot_draft *d, fmd_gnuplot picture, bool *drawn)
{
    const bool data = end(d->data), strings = end(d->strings), commands = end(d->commands);
    picture.data = d->data_text;
    picture.strings = d->strings_text;
    picture.commands = d->commands_text;
    const fmd_status st = data && strings && commands
                              ? fmd_gnuplot_draw(&picture, drawn)
                              : FMD_FAIL(FMD_ENOMEM, "out of memory: a picture");
    release(d);
    return st;
}

void fmd_plot_string(fmd_plot_draft *d, const char *variable, const char *text)
{
    fprintf(d->strings, "%s = ", variable);
    fmd_gnuplot_string(d->strings, text);
    fputc('\n', d->strings);
}

void fmd_plot_number(fmd_plot_draft *d, double value)
{
    if (isnan(value))
        fputs(",nan", d->data);
    else
        fprintf(d->data, ",%.9g", value);
}

void fmd_plot_text(fmd_plot_draft *d, const char *text)
{
    fputc('"', d->data);
    if (*text != '\0' && strchr("=+-@\t\r", *text) != NULL)
        fputc('\'', d->data);
    for (; *text != '\0'; text++)
        if (*text == '"')
            fputs("\"\"", d->data);
        else
            fputc(*text == '\n' ? ' ' : *text, d->data);
    fputc('"', d->data);
}
