#include "cli/show/drawing.h"

#include "base/system/print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The text for a pixel. */
typedef enum manner {
    ASCII,       /* two characters, the brighter the denser */
    SHADES,      /* two shaded blocks of Unicode, for terminals of few colours */
    HALF_BLOCKS, /* two pixels, one above the other, as the colours of one character */
} manner;

static manner manner_of(const fmd_terminal *t)
{
    if (t->colour == FMD_COLOUR_NONE || !t->utf8)
        return ASCII;
    return t->colour == FMD_COLOUR_16 ? SHADES : HALF_BLOCKS;
}

fmd_drawing fmd_drawing_of(fmd_shape image, const uint8_t *bytes, const char *caption)
{
    return (fmd_drawing){.size = {.width = (size_t)image.dim[1], .height = (size_t)image.dim[0]},
                         .channels = image.rank > 2 ? (size_t)image.dim[2] : 1,
                         .bytes = bytes,
                         .caption = caption};
}

void fmd_drawing_pixel(const fmd_drawing *d, size_t x, size_t y, uint8_t rgb[3])
{
    const uint8_t *pixel = d->bytes + (y * d->size.width + x) * d->channels;
    size_t sum = pixel[0], n = 1;
    for (; n < d->channels; n++)
        sum += pixel[n];
    for (size_t c = 0; c < 3; c++)
        rgb[c] = n == 3 ? pixel[c] : (uint8_t)(sum / n);
}

static uint8_t brightness(const fmd_drawing *d, size_t x, size_t y)
{
    uint8_t p[3];
    fmd_drawing_pixel(d, x, y, p);
    return (uint8_t)((p[0] * 299 + p[1] * 587 + p[2] * 114) / 1000);
}

/* The nearest of xterm's 256 colours: of the 24 greys 8, 18, to 238, or of 6 steps for each channel. */
static int colour_256(const uint8_t rgb[3])
{
    static const int steps[] = {0, 95, 135, 175, 215, 255};
    if (rgb[0] == rgb[1] && rgb[1] == rgb[2]) {
        if (rgb[0] < 4)
            return 16;
        return rgb[0] > 246 ? 231 : 232 + (rgb[0] < 238 ? (rgb[0] - 3) / 10 : 23);
    }
    int code = 16;
    for (int c = 0, weight = 36; c < 3; c++, weight /= 6) {
        int best = 0;
        for (int i = 1; i < 6; i++)
            if (abs(steps[i] - rgb[c]) < abs(steps[best] - rgb[c]))
                best = i;
        code += weight * best;
    }
    return code;
}

/* Ground 3: foreground; 4: background. */
static void print_colour(const fmd_terminal *t, int ground, const uint8_t rgb[3])
{
    if (t->colour == FMD_COLOUR_TRUE)
        printf("\033[%d8;2;%d;%d;%dm", ground, rgb[0], rgb[1], rgb[2]);
    else
        printf("\033[%d8;5;%dm", ground, colour_256(rgb));
}

/* Two rows of pixels; the lower half of an odd last row stays transparent. A sequence only where the
 * colour changes: an image has thousands of pixels. */
static void print_half_blocks(const fmd_drawing *d, const fmd_terminal *t, size_t y)
{
    uint8_t upper[3], lower[3], was_upper[3] = {0}, was_lower[3] = {0};
    const bool both = y + 1 < d->size.height;
    for (size_t x = 0; x < d->size.width; x++) {
        fmd_drawing_pixel(d, x, y, upper);
        if (x == 0 || memcmp(upper, was_upper, sizeof upper) != 0)
            print_colour(t, 3, upper);
        if (both) {
            fmd_drawing_pixel(d, x, y + 1, lower);
            if (x == 0 || memcmp(lower, was_lower, sizeof lower) != 0)
                print_colour(t, 4, lower);
            memcpy(was_lower, lower, sizeof lower);
        }
        memcpy(was_upper, upper, sizeof upper);
        printf("▀");
    }
    printf("\033[0m");
}

/* A row of pixels; two characters make about a square. */
static void print_ramp(const fmd_drawing *d, const char *const *ramp, int levels, size_t y)
{
    for (size_t x = 0; x < d->size.width; x++) {
        const char *sign = ramp[(brightness(d, x, y) * (levels - 1) + 127) / 255];
        printf("%s%s", sign, sign);
    }
}

static void print_line(const fmd_drawing *d, const fmd_terminal *t, size_t y)
{
    static const char *const ascii[] = {" ", ".", ":", "-", "=", "+", "*", "#", "%", "@"};
    static const char *const shades[] = {" ", "░", "▒", "▓", "█"};
    switch (manner_of(t)) {
    case ASCII: print_ramp(d, ascii, 10, y); break;
    case SHADES: print_ramp(d, shades, 5, y); break;
    case HALF_BLOCKS: print_half_blocks(d, t, y); break;
    }
}

int fmd_drawing_pixel_columns(const fmd_terminal *t)
{
    return manner_of(t) == HALF_BLOCKS ? 1 : 2;
}

static int image_columns(const fmd_drawing *d, const fmd_terminal *t)
{
    return (int)d->size.width * fmd_drawing_pixel_columns(t);
}

int fmd_drawing_columns(const fmd_drawing *d, const fmd_terminal *t)
{
    const int image = image_columns(d, t), caption = fmd_columns(d->caption);
    return image > caption ? image : caption;
}

void fmd_drawing_print(const fmd_drawing *row, size_t n, int columns, const fmd_terminal *t)
{
    const size_t step = manner_of(t) == HALF_BLOCKS ? 2 : 1;
    for (size_t y = 0; y < row[0].size.height; y += step) {
        for (size_t i = 0; i < n; i++) {
            print_line(&row[i], t, y);
            if (i + 1 < n)
                printf("%*s", columns - image_columns(&row[i], t), "");
        }
        printf("\n");
    }
    for (size_t i = 0; i < n; i++)
        fmd_print_padded(row[i].caption, i + 1 < n ? columns : 0);
    printf("\n");
}
