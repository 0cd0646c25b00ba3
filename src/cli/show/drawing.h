/* Images as text: coloured half blocks on terminals with colours, else characters. */
#ifndef FMD_CLI_SHOW_DRAWING_H
#define FMD_CLI_SHOW_DRAWING_H

#include "base/system/terminal.h"
#include "data/image.h"

/* An image to draw; borrows its bytes. */
typedef struct fmd_drawing {
    fmd_size size;
    size_t channels;
    const uint8_t *bytes;
    const char *caption; /* under it */
} fmd_drawing;

/* Local. The image of this shape, (H, W) or (H, W, C), at `bytes`. */
fmd_drawing fmd_drawing_of(fmd_shape image, const uint8_t *bytes, const char *caption);

/* Local. The width in columns of an image and its caption. */
int fmd_drawing_columns(const fmd_drawing *d, const fmd_terminal *t);

/* Local. The width of a pixel in columns. */
int fmd_drawing_pixel_columns(const fmd_terminal *t);

/* Local. Prints `n` images of the same size side by side, one every `columns` columns, each with its
 * caption below. */
void fmd_drawing_print(const fmd_drawing *row, size_t n, int columns, const fmd_terminal *t);

/* Local. A pixel as red, green, blue; other numbers of channels than three give the mean as grey. */
void fmd_drawing_pixel(const fmd_drawing *d, size_t x, size_t y, uint8_t rgb[3]);

#endif
