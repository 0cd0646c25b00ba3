/* The section of a report with the model itself. */
#include "report/live/live.h"
#include "report/page.h"

fmd_status fmd_page_live(fmd_html *h, const fmd_run_view *v, const fmd_config *config)
{
    if (v->trained.model == NULL)
        return FMD_FAIL(FMD_EUSAGE, "--live: there are no weights: %s", v->no_model.why);
    const fmd_loaded_model *t = &v->trained;
    fmd_live live = {.trained = t};
    if (v->no_data.status == FMD_OK && t->split.images != NULL)
        live.examples = &t->split;
    live.images.invert = fmd_invert_of(config, &t->data.info);
    FMD_TRY(fmd_model_images_of(&live.images, fmd_model_in(t->model)));
    return fmd_live_put(h, &live);
}
