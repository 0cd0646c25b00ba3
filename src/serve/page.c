#include "serve/page.h"

#include "data/source.h"
#include "report/live/live.h"

#include <stdio.h>
#include <stdlib.h>

static fmd_status put(fmd_html *h, const fmd_live *live)
{
    static const char example[] = "curl --data-binary @picture.png http://HOST:PORT/predict\n"
                                  "curl --json '{\"instances\": [[0, 0, 255, ...]]}' "
                                  "http://HOST:PORT/predict";
    FMD_TRY(fmd_live_put(h, live));
    fmd_html_section(h, "programs", "For programs");
    fmd_html_markup(h, "<pre id=\"live-programs\">");
    fmd_html_text(h, "%s", example);
    fmd_html_markup(
        h, "</pre>\n<p>See also <a href=\"/model\">/model</a>, "
           "<a href=\"/healthz\">/healthz</a> and <a href=\"/metrics\">/metrics</a>.</p>\n");
    return FMD_OK;
}

fmd_status fmd_serve_page(char **out, size_t *bytes, const fmd_loaded_model *trained,
                          const fmd_model_images *images, const char *name)
{
    char title[FMD_PATH_BYTES + 16];
    fmd_dataset d;
    void *memory = NULL;
    fmd_html *h;
    fmd_live live = {.trained = trained, .images = *images, .url = "/predict"};
    snprintf(title, sizeof title, "Model: %s", name);
    FMD_TRY(fmd_html_create(&h, title));
    if (fmd_source_read(&d, &memory, trained->data.info.path, "") == FMD_OK &&
        fmd_weights_same_images(fmd_model_in(trained->model), d.info.image))
        live.examples = &d.test;
    fmd_status st = put(h, &live);
    if (st == FMD_OK)
        st = fmd_html_print(h, out, bytes);
    fmd_html_destroy(h);
    free(memory);
    return st;
}
