/* Pictures of explanations: for each image a strip of cells, with the image, its two maps and its
 * nearest training images. */
#ifndef FMD_REPORT_EXPLAIN_STRIP_H
#define FMD_REPORT_EXPLAIN_STRIP_H

#include "io/pictures/picture.h"
#include "report/explain/explain.h"
#include "report/plots/plots.h"

enum { FMD_STRIP_CELLS = 3 + FMD_NEIGHBOURS };

/* An image to explain; borrows its bytes. */
typedef struct fmd_explained {
    const uint8_t *image;
    size_t predicted; /* class */
    char title[192];  /* a line above the strip */
    fmd_neighbours near;
} fmd_explained;

/* Local. The strip of one image as an RGB picture of 8 cells of `cell` pixels: the image; gradient
 * times input and occlusion for the predicted class, orange for, blue against; the neighbours.
 * FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_explain_strip(fmd_picture *out, fmd_explainer *e,
                                         const fmd_explained *of, size_t cell);

/* Local. Draws the strips of `n` images, one below the other with their titles, and the classes of
 * the neighbours: explanations.svg and so on. */
FMD_CHECKED fmd_status fmd_explain_draw(const fmd_plot_target *target, fmd_explainer *e,
                                        const fmd_explained *images, size_t n, size_t searched);

#endif
