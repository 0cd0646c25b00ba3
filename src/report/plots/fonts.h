/* The characters that this machine can draw, by fontconfig's list of fonts. gnuplot draws a character
 * that no font has as a box which covers the whole PNG. */
#ifndef FMD_REPORT_PLOTS_FONTS_H
#define FMD_REPORT_PLOTS_FONTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fmd_fonts {
    uint32_t (*ranges)[2]; /* first and last code point */
    size_t n;
} fmd_fonts;

/* Local. Asks `fc-match`; where there is none, the fonts are taken to have Latin, Greek and Cyrillic
 * letters. Released by fmd_fonts_free. */
void fmd_fonts_find(fmd_fonts *out);
void fmd_fonts_free(fmd_fonts *f);

/* Local. Whether they have every character of a text; bytes that are not UTF-8 do not count. */
bool fmd_fonts_have(const fmd_fonts *f, const char *text);

#endif
