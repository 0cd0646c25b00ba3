#include "report/plots/class_labels.h"

#include "base/log.h"
#include "base/utf8.h"
#include "report/plots/fonts.h"

#include <string.h>

enum { LABEL_BYTES = 80 };

/* The name, or its beginning and an ellipsis. Returns its width in pixels: letters of the East take
 * a square each. */
static int cut(const fmd_run_view *v, size_t label, size_t most, char text[LABEL_BYTES])
{
    char name[64];
    double pixels = 0;
    size_t at = 0, characters = 0;
    fmd_run_view_class(v, label, name);
    while (name[at] != '\0' && characters < most) {
        uint32_t character;
        const size_t n = fmd_utf8_decode(name + at, &character);
        pixels += n == 0 || character < 0x1100 ? 7.8 : 14;
        at += n > 0 ? n : 1;
        characters++;
    }
    snprintf(text, LABEL_BYTES, "%.*s%s", (int)at, name, name[at] != '\0' ? "\u2026" : "");
    return (int)(pixels + (name[at] != '\0' ? 14 : 0));
}

int fmd_class_labels_width(const fmd_run_view *v, size_t most)
{
    char text[LABEL_BYTES];
    int longest = 0;
    for (size_t k = 0; k < v->classification.classes; k++) {
        const int width = cut(v, k, most, text);
        longest = width > longest ? width : longest;
    }
    return longest;
}

void fmd_class_labels(fmd_plot_draft *d, const fmd_run_view *v, size_t most, const char *formats,
                      const char *picture)
{
    const size_t n = v->classification.classes;
    char text[LABEL_BYTES], variable[32];
    size_t lacking = 0;
    fmd_fonts fonts;
    fmd_fonts_find(&fonts);
    fprintf(d->strings, "array names[%zu]\narray plain[%zu]\n", n, n);
    for (size_t k = 0; k < n; k++) {
        cut(v, k, most, text);
        snprintf(variable, sizeof variable, "names[%zu]", k + 1);
        fmd_plot_string(d, variable, text);
        snprintf(variable, sizeof variable, "plain[%zu]", k + 1);
        if (!fmd_fonts_have(&fonts, text)) {
            snprintf(text, sizeof text, "class %zu", k);
            lacking++;
        }
        fmd_plot_string(d, variable, text);
    }
    fprintf(d->strings, "name(k) = format eq 'png' ? plain[k + 1] : names[k + 1]\n");
    if (lacking > 0 && strstr(formats, "png") != NULL)
        fmd_warn("%s.png: no font here has the characters of %zu class name%s: the picture says "
                 "\"class 3\" instead. Install a font, such as the package fonts-noto",
                 picture, lacking, lacking == 1 ? "" : "s");
    fmd_fonts_free(&fonts);
}
