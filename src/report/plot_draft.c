#include "report/plot_draft.h"

#include <math.h>
#include <stdlib.h>

fmd_status fmd_plot_begin(fmd_plot_draft *d)
{
    *d = (fmd_plot_draft){.data = NULL};
    d->data = open_memstream(&d->data_text, &d->data_bytes);
    d->commands = open_memstream(&d->commands_text, &d->commands_bytes);
    if (d->data != NULL && d->commands != NULL)
        return FMD_OK;
    if (d->data != NULL)
        fclose(d->data);
    free(d->data_text);
    return FMD_FAIL(FMD_ENOMEM, "out of memory: a picture");
}

fmd_status fmd_plot_finish(fmd_plot_draft *d, fmd_gnuplot picture, bool *drawn)
{
    const bool whole_data = fclose(d->data) == 0;
    const bool whole = fclose(d->commands) == 0 && whole_data;
    picture.data = d->data_text;
    picture.commands = d->commands_text;
    const fmd_status st = whole ? fmd_gnuplot_draw(&picture, drawn)
                                : FMD_FAIL(FMD_ENOMEM, "out of memory: a picture");
    free(d->data_text);
    free(d->commands_text);
    return st;
}

void fmd_plot_number(fmd_plot_draft *d, double value)
{
    if (isnan(value))
        fputs(",nan", d->data);
    else
        fprintf(d->data, ",%.9g", value);
}
