/* The pictures of a run: each writes its data and its gnuplot script, and draws. Rank 0. */
#ifndef FMD_REPORT_PLOTS_PLOTS_H
#define FMD_REPORT_PLOTS_PLOTS_H

#include "io/pictures/picture.h"
#include "run/run_view.h"

typedef struct fmd_plot_target {
    const char *folder;  /* it exists */
    const char *formats; /* "svg png" */
} fmd_plot_target;

/* Local. Loss and accuracy of each epoch, the best epoch marked. Needs the history. */
FMD_CHECKED fmd_status fmd_plot_curves(const fmd_plot_target *t, const fmd_run_view *v);

/* Local. The confusion matrix, as counts and shades. Needs the predictions. */
FMD_CHECKED fmd_status fmd_plot_confusion(const fmd_plot_target *t, const fmd_run_view *v);

/* Local. The first test images with their most probable classes. Needs the predictions. */
FMD_CHECKED fmd_status fmd_plot_predictions(const fmd_plot_target *t, const fmd_run_view *v);

/* Local. The weights of each unit of the first layer, as an image. Needs the model; FMD_EDATA where
 * that layer is not dense or its input is not grey. */
FMD_CHECKED fmd_status fmd_plot_weights(const fmd_plot_target *t, const fmd_run_view *v);

/* Local. Whether the test images can be shown: they are grey or have three colours. */
bool fmd_plot_has_images(const fmd_run_view *v);

/* Local. `n` of these test images from `first` on, side by side in one picture, each `scale` times as
 * large; `inverted`: dark on light. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_plot_images(const fmd_run_view *v, size_t first, size_t n, size_t scale,
                                       bool inverted, fmd_picture *out);

/* Local. The weights of the first kernel as RGB tiles, one a unit, each pixel `scale` times as large;
 * few shades keep the file small. *limit, unless NULL, is the weight of the strongest shade. *units
 * counts the tiles; 0: there is no picture, since the weights are no images. */
FMD_CHECKED fmd_status fmd_plot_weight_tiles(const fmd_run_view *v, size_t scale, fmd_picture *out,
                                             int *units, double *limit);

#endif
