/* The pictures of a run: each writes its data and its gnuplot script, and draws. Rank 0. */
#ifndef FMD_REPORT_PLOTS_PLOTS_H
#define FMD_REPORT_PLOTS_PLOTS_H

#include "io/pictures/picture.h"
#include "run/run_view.h"

typedef struct fmd_plot_target {
    const char *folder;  /* it exists */
    const char *formats; /* "svg png" */
    size_t image;        /* the test image of the feature maps */
    const uint8_t *own; /* an image of the user in its place, in the model's input shape; or NULL */
    const char *own_name;
} fmd_plot_target;

/* Local. Loss and accuracy of each epoch, the best epoch marked. Needs the history. */
FMD_CHECKED fmd_status fmd_plot_curves(const fmd_plot_target *t, const fmd_run_view *v);

/* Local. The confusion matrix, as counts and shades. Needs the predictions. */
FMD_CHECKED fmd_status fmd_plot_confusion(const fmd_plot_target *t, const fmd_run_view *v);

/* Local. The first test images with their most probable classes. Needs the predictions. */
FMD_CHECKED fmd_status fmd_plot_predictions(const fmd_plot_target *t, const fmd_run_view *v);

/* Local. The weights of each unit or filter of the first layer with weights, as an image. Needs the
 * model; FMD_EDATA where the weights are no images: fmd_plot_weight_tiles. */
FMD_CHECKED fmd_status fmd_plot_weights(const fmd_plot_target *t, const fmd_run_view *v);

/* Local. What the convolution and pooling layers make of one image: a map for each filter.
 * Needs the predictions; FMD_EDATA where the model has no such layers. */
FMD_CHECKED fmd_status fmd_plot_features(const fmd_plot_target *t, const fmd_run_view *v);

/* Local. Whether the model, which is there, has layers with feature maps. */
bool fmd_plot_has_features(const fmd_run_view *v);

/* Local. Whether the test images can be shown: they are grey or have three colours. */
bool fmd_plot_has_images(const fmd_run_view *v);

/* Local. `n` of these test images from `first` on, side by side in one picture, each `scale` times as
 * large; `inverted`: dark on light. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_plot_images(const fmd_run_view *v, size_t first, size_t n, size_t scale,
                                       bool inverted, fmd_picture *out);

/* Local. A data set: for each class, its first training images and how many images it has, for 128 classes
 * at most. FMD_EDATA: images of another number of channels than 1 and 3. */
FMD_CHECKED fmd_status fmd_plot_samples(const fmd_plot_target *t, const fmd_dataset *d);

/* The tiles of a picture of weights. */
typedef struct fmd_weight_tiles {
    int units;         /* tiles; 0: there is no picture, since the weights are no images */
    const char *layer; /* its name; as long as the model */
    bool convolution;  /* a tile is a filter, else a unit of a dense layer */
    size_t channels;   /* 1: orange is positive, blue negative; 3: colours around grey */
    double limit;      /* the weight of the strongest shade */
} fmd_weight_tiles;

/* Local. The weights of the first kernel as RGB tiles, one a unit, each pixel `scale` times as large
 * (small kernels are magnified besides); few shades keep the file small. It shows a dense layer on
 * whole images, or a convolution, of 1 or 3 channels. *out is set where facts->units > 0. */
FMD_CHECKED fmd_status fmd_plot_weight_tiles(const fmd_run_view *v, size_t scale, fmd_picture *out,
                                             fmd_weight_tiles *facts);

#endif
