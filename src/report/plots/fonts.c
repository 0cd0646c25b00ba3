#include "report/plots/fonts.h"

#include "base/system/subprocess.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

/* "20-7e a0 a2-17f", over several lines. */
static void read_ranges(fmd_fonts *f, char *text)
{
    char *rest = text;
    f->ranges = calloc(strlen(text) / 2 + 1, sizeof *f->ranges);
    if (f->ranges == NULL)
        return;
    for (const char *word; (word = strsep(&rest, " \n")) != NULL;) {
        char *end;
        const unsigned long first = strtoul(word, &end, 16);
        const unsigned long last = *end == '-' ? strtoul(end + 1, &end, 16) : first;
        if (end == word || *end != '\0' || last > UINT32_MAX)
            continue;
        f->ranges[f->n][0] = (uint32_t)first;
        f->ranges[f->n++][1] = (uint32_t)last;
    }
}

/* The fonts in the order in which Pango tries them, without those that add nothing. */
void fmd_fonts_find(fmd_fonts *out)
{
    char *text;
    int code;
    fmd_command_line c = {.n = 0};
    *out = (fmd_fonts){.n = 0};
    if (fmd_command_line_split(&c, "fc-match --sort Sans --format %{charset}\n") != FMD_OK ||
        fmd_subprocess_capture(NULL, &c, 1, &text, &code) != FMD_OK)
        return;
    if (code == 0)
        read_ranges(out, text);
    free(text);
}

void fmd_fonts_free(fmd_fonts *f)
{
    free(f->ranges);
    *f = (fmd_fonts){.n = 0};
}

static bool has(const fmd_fonts *f, uint32_t character)
{
    if (f->n == 0)
        return character < 0x530;
    for (size_t i = 0; i < f->n; i++)
        if (character >= f->ranges[i][0] && character <= f->ranges[i][1])
            return true;
    return false;
}

bool fmd_fonts_have(const fmd_fonts *f, const char *text)
{
    while (*text != '\0') {
        uint32_t character;
        const size_t n = fmd_utf8_decode(text, &character);
        if (n > 0 && character >= 0x20 && !has(f, character))
            return false;
        text += n > 0 ? n : 1;
    }
    return true;
}
