/* Sections of a report about the test images: scores, confusion matrix, mistakes. */
#include "base/format.h"
#include "base/mem.h"
#include "io/run_names.h"
#include "report/html_chart.h"
#include "report/page.h"
#include "report/plots/plots.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST_PAIRS = 8, MOST_MISTAKES = 12, TOP = 3, MISTAKE_PIXELS = 112 };

static void put_score(fmd_html *h, const char *name, const fmd_score *s)
{
    char n[32], precision[32], recall[32], f1[32];
    snprintf(precision, sizeof precision, "%.2f", 100 * s->precision);
    snprintf(recall, sizeof recall, "%.2f", 100 * s->recall);
    snprintf(f1, sizeof f1, "%.2f", 100 * s->f1);
    fmd_html_row(
        h, (const char *const[]){name, fmd_format_count(s->support, n), precision, recall, f1});
}

static void put_scores(fmd_html *h, const fmd_run_view *v)
{
    const fmd_classification *r = &v->classification;
    char name[64];
    fmd_html_table_begin(
        h, "scores",
        "Scores of each class, in %. Precision: share of predictions of this class that "
        "are right. Recall: share of this class that was found",
        "Class|#Images|#Precision|#Recall|#F1");
    for (size_t k = 0; k < r->classes; k++)
        put_score(h, fmd_run_view_class(v, k, name), &r->of_class[k]);
    put_score(h, "Mean over classes", &r->macro);
    put_score(h, "Mean over images", &r->weighted);
    fmd_html_table_end(h);
}

/* 0 to 9; the square root, so that a few per cent can be seen. */
static int shade_of(size_t count, size_t of)
{
    return of == 0 ? 0 : (int)ceil(9 * sqrt((double)count / (double)of));
}

static void put_matrix(fmd_html *h, const fmd_run_view *v)
{
    const fmd_classification *r = &v->classification;
    char name[64];
    fmd_html_markup(
        h, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
           "aria-label=\"Confusion matrix\"><table id=\"confusion\" class=\"matrix\">"
           "<caption><span>Confusion matrix: a row for each actual class, a column for each "
           "predicted class; the stronger the colour, the larger the share of the row"
           "<span class=\"more\">. This table scrolls sideways →</span></span></caption>\n"
           "<thead><tr><th scope=\"col\">actual \\ predicted</th>");
    for (size_t k = 0; k < r->classes; k++) {
        fmd_html_markup(h, "<th scope=\"col\" class=\"n\">");
        fmd_html_text(h, "%s", fmd_run_view_class(v, k, name));
        fmd_html_markup(h, "</th>");
    }
    fmd_html_markup(h, "</tr></thead>\n<tbody>\n");
    for (size_t label = 0; label < r->classes; label++) {
        fmd_html_markup(h, "<tr><th scope=\"row\">");
        fmd_html_text(h, "%s", fmd_run_view_class(v, label, name));
        fmd_html_markup(h, "</th>");
        for (size_t k = 0; k < r->classes; k++) {
            const size_t count = r->confusion[label * r->classes + k];
            fmd_html_markup(h, "<td class=\"n s%d\">%zu</td>",
                            shade_of(count, r->of_class[label].support), count);
        }
        fmd_html_markup(h, "</tr>\n");
    }
    fmd_html_markup(h, "</tbody></table></div>\n");
}

static void put_pairs(fmd_html *h, const fmd_run_view *v)
{
    const fmd_classification *r = &v->classification;
    fmd_confused pairs[MOST_PAIRS];
    const size_t n = fmd_most_confused(r, pairs, MOST_PAIRS);
    char label[64], predicted[64], images[32], share[32];
    if (n == 0)
        return;
    fmd_html_table_begin(h, "pairs", "Most frequent confusions",
                         "Actual|Predicted|#Images|#Share of the class");
    for (size_t i = 0; i < n; i++) {
        const fmd_confused *c = &pairs[i];
        snprintf(share, sizeof share, "%.1f %%",
                 100 * (double)c->n / (double)r->of_class[c->label].support);
        fmd_html_row(h, (const char *const[]){fmd_run_view_class(v, c->label, label),
                                              fmd_run_view_class(v, c->predicted, predicted),
                                              fmd_format_count(c->n, images), share});
    }
    fmd_html_table_end(h);
}

static void put_means(fmd_html *h, const fmd_run_view *v)
{
    const fmd_classification *r = &v->classification;
    const double loss = fmd_run_view_real(v, FMD_KEY_RESULT, FMD_KEY_TEST_LOSS);
    char right[32], all[32];
    fmd_html_facts_begin(h);
    fmd_html_fact(h, "Accuracy", "%.2f %%", 100 * r->accuracy);
    fmd_html_fact(h, "95 % interval (Wilson)", "%.2f to %.2f %%", 100 * r->low, 100 * r->high);
    fmd_html_fact(h, "Right", "%s of %s", fmd_format_count(r->correct, right),
                  fmd_format_count(r->n, all));
    if (isfinite(loss))
        fmd_html_fact(h, "Loss", "%.4f", loss);
    fmd_html_facts_end(h);
}

void fmd_page_test(fmd_html *h, const fmd_run_view *v)
{
    fmd_html_section(h, "test", "Test images");
    if (v->no_data.status != FMD_OK) {
        fmd_html_paragraph(
            h, "note",
            "There are no scores and no confusion matrix, since the test images cannot "
            "be read: %s",
            v->no_data.why);
        fmd_html_paragraph(
            h, "", "Where the data are in another folder: fmnist-dist report %s --dataset FOLDER",
            v->path);
        return;
    }
    if (v->record == NULL)
        fmd_html_paragraph(h, "note", "By the newest weights, %s.", v->trained.file.path);
    put_means(h, v);
    if (v->classification.classes <= FMD_PAGE_MOST_CLASSES)
        put_matrix(h, v);
    fmd_html_markup(h, "<div class=\"row\">\n");
    put_scores(h, v);
    put_pairs(h, v);
    fmd_html_markup(h, "</div>\n");
}

/* The most probable classes of an image; label and prediction have colours of their own. */
static void put_probabilities(fmd_html *h, const fmd_run_view *v, size_t image)
{
    const fmd_prediction *p = &v->prediction;
    const float *row = p->probabilities + image * p->classes;
    const size_t label = v->trained.split.labels[image];
    size_t top[TOP];
    const size_t n = fmd_top_classes(p, image, top, TOP);
    fmd_bar bars[TOP];
    char caption[64], name[64];
    for (size_t i = 0; i < n; i++) {
        const bool right = top[i] == label, predicted = top[i] == p->predicted[image];
        snprintf(bars[i].name, sizeof bars[i].name, "%s%s", fmd_run_view_class(v, top[i], name),
                 right       ? " ✓"
                 : predicted ? " ✗"
                             : "");
        snprintf(bars[i].text, sizeof bars[i].text, "%.1f %%", 100 * (double)row[top[i]]);
        bars[i].share = (double)row[top[i]];
        bars[i].colour = right ? "one" : predicted ? "two" : "rest";
    }
    snprintf(caption, sizeof caption, "Test image %zu", image);
    fmd_html_bars(h, caption, bars, n);
}

static fmd_status put_mistake(fmd_html *h, const fmd_run_view *v, size_t image)
{
    const size_t width = (size_t)v->trained.data.info.image.dim[1];
    char label[64], predicted[64], alt[192];
    fmd_picture picture;
    fmd_run_view_class(v, v->trained.split.labels[image], label);
    fmd_run_view_class(v, v->prediction.predicted[image], predicted);
    snprintf(alt, sizeof alt, "Test image %zu: %s, predicted as %s", image, label, predicted);
    fmd_html_markup(h, "<figure>");
    if (fmd_plot_has_images(v)) {
        FMD_TRY(fmd_plot_images(v, image, 1, 1, false, &picture));
        FMD_TRY(fmd_page_picture(h, &picture, width < MISTAKE_PIXELS ? MISTAKE_PIXELS / width : 1,
                                 false, alt));
    }
    fmd_html_markup(h, "<figcaption>");
    fmd_html_text(h, "%s, predicted as %s", label, predicted);
    fmd_html_markup(h, "</figcaption>\n");
    put_probabilities(h, v, image);
    fmd_html_markup(h, "</figure>\n");
    return FMD_OK;
}

fmd_status fmd_page_mistakes(fmd_html *h, const fmd_run_view *v)
{
    if (v->no_data.status != FMD_OK)
        return FMD_OK; /* the section before says why */
    fmd_status st = FMD_OK;
    uint32_t *index;
    FMD_TRY(fmd_alloc(&index, v->prediction.n, sizeof *index, "the mistakes"));
    const size_t n = fmd_mistakes(&v->prediction, v->trained.split.labels, index);
    char all[32];
    fmd_sort_by_confidence(&v->prediction, index, n, true);
    fmd_html_section(h, "mistakes", "Worst mistakes");
    if (n == 0)
        fmd_html_paragraph(h, "good", "None: every test image is classified correctly.");
    else
        fmd_html_paragraph(
            h, "",
            "The mistakes with the highest probability, of %s. ✓ (blue): actual class; "
            "✗ (red): predicted class.",
            fmd_format_count(n, all));
    fmd_html_markup(h, "<div class=\"cards\">\n");
    for (size_t i = 0; st == FMD_OK && i < n && i < MOST_MISTAKES; i++)
        st = put_mistake(h, v, index[i]);
    fmd_html_markup(h, "</div>\n");
    free(index);
    return st;
}
