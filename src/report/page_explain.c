/* Section of a report about single predictions: which pixels count, which
 * training images are near. */
#include "base/format.h"
#include "base/mem.h"
#include "report/explain/strip.h"
#include "report/page.h"

#include <stdio.h>
#include <stdlib.h>

enum { MOST = 4, CELL = 96 };

static fmd_status put_explanation(fmd_html *h, const fmd_run_view *v, fmd_explainer *e,
                                  const fmd_explained *of)
{
    fmd_picture strip;
    char near[256] = "", class[64];
    size_t used = 0;
    for (size_t i = 0; i < of->near.n && used < sizeof near; i++)
        used += (size_t)snprintf(
            near + used, sizeof near - used, "%s%s", i > 0 ? ", " : "",
            fmd_run_view_class(v, v->trained.data.train.labels[of->near.index[i]], class));
    FMD_TRY(fmd_explain_strip(&strip, e, of, CELL));
    fmd_html_markup(h, "<figure>");
    const fmd_status st = fmd_page_picture(h, &strip, 1, false, of->title);
    fmd_html_markup(h, "<figcaption>");
    fmd_html_text(h, "%s. Nearest: %s", of->title, near);
    fmd_html_markup(h, "</figcaption></figure>\n");
    return st;
}

/* The mistakes with the highest probability; where there are none, the first
 * test images. */
static fmd_status choose(const fmd_run_view *v, uint32_t chosen[MOST], size_t *n)
{
    uint32_t *index;
    FMD_TRY(fmd_alloc(&index, v->prediction.n, sizeof *index, "the mistakes"));
    size_t mistakes = fmd_mistakes(&v->prediction, v->trained.split.labels, index);
    fmd_sort_by_confidence(&v->prediction, index, mistakes, true);
    for (size_t i = 0; mistakes == 0 && i < v->prediction.n; i++)
        index[i] = (uint32_t)i;
    mistakes = mistakes > 0 ? mistakes : v->prediction.n;
    *n = mistakes < MOST ? mistakes : MOST;
    for (size_t i = 0; i < *n; i++)
        chosen[i] = index[i];
    free(index);
    return FMD_OK;
}

static void describe(fmd_explained *out, const fmd_run_view *v, size_t image)
{
    char label[64], predicted[64];
    *out = (fmd_explained){.image = v->trained.split.images +
                                    image * fmd_shape_count(fmd_model_in(v->trained.model)),
                           .predicted = v->prediction.predicted[image]};
    snprintf(out->title, sizeof out->title, "Test image %zu: %s, predicted as %s", image,
             fmd_run_view_class(v, v->trained.split.labels[image], label),
             fmd_run_view_class(v, out->predicted, predicted));
}

static fmd_status put_all(fmd_html *h, const fmd_run_view *v, fmd_explainer *e)
{
    uint32_t chosen[MOST];
    const uint8_t *images[MOST];
    fmd_explained explained[MOST];
    fmd_neighbours near[MOST];
    size_t n, searched;
    char count[32];
    FMD_TRY(choose(v, chosen, &n));
    for (size_t i = 0; i < n; i++) {
        describe(&explained[i], v, chosen[i]);
        images[i] = explained[i].image;
    }
    FMD_TRY(fmd_explainer_neighbours(e, images, n, near, &searched));
    fmd_html_section(h, "explanations", "Explanations");
    fmd_html_paragraph(h, "",
                       "From left to right: the image; gradient times input and "
                       "occlusion, where orange pixels "
                       "speak for the predicted class and blue ones against it; "
                       "the nearest of %s training images "
                       "by the last hidden layer.",
                       fmd_format_count(searched, count));
    fmd_status st = FMD_OK;
    for (size_t i = 0; i < n && st == FMD_OK; i++) {
        explained[i].near = near[i];
        st = put_explanation(h, v, e, &explained[i]);
    }
    return st;
}

fmd_status fmd_page_explanations(fmd_html *h, const fmd_run_view *v)
{
    fmd_explainer *e;
    if (v->no_data.status != FMD_OK || !fmd_plot_has_images(v))
        return FMD_OK; /* an earlier section says why */
    FMD_TRY(fmd_explainer_create(&e, &v->trained));
    const fmd_status st = put_all(h, v, e);
    fmd_explainer_destroy(e);
    return st;
}
