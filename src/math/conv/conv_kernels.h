/* The sums that convolutions are made of, for one image and one group of channels.
 *
 * Taps walk over an image and meet the positions of a grid: tap (ky, kx) and position (y, x)
 * belong to the pixel in row y stride_h - top + ky step_h and column x stride_w - left + kx
 * step_w of the image. Where that is outside of the image, the term is left out. In a forward
 * pass the image is the input and the grid the output; for the input's gradient the grid is the
 * input. */
#ifndef FMD_MATH_CONV_CONV_KERNELS_H
#define FMD_MATH_CONV_CONV_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In pixels, but for the channels of the group and the floats from a row or a pixel to the next. */
typedef struct fmd_walk {
    ptrdiff_t image_h, image_w, grid_h, grid_w;
    ptrdiff_t taps_h, taps_w;
    ptrdiff_t stride_h, stride_w; /* from position to position */
    ptrdiff_t step_h, step_w;     /* from tap to tap */
    ptrdiff_t top, left;
    ptrdiff_t image_c, grid_c;
    ptrdiff_t image_row, image_pixel, grid_row, grid_pixel;
} fmd_walk;

/* What a sum begins and ends with. */
typedef struct fmd_conv_ends {
    const float *bias; /* grid_c values, or NULL: zeros */
    bool go_on;        /* begins with what the grid holds; there is no bias then */
    bool relu;         /* negative sums become zero */
} fmd_conv_ends;

/* Images and their grids, floats from one to the next. */
typedef struct fmd_conv_images {
    size_t n;
    const float *image, *grid;
    ptrdiff_t image_step, grid_step, image_block, grid_block;
} fmd_conv_images;

/* Channels of a block, where images are cut into blocks of channels; a multiple of any vector. */
enum { FMD_CHANNEL_BLOCK = 16 };

/* Bytes of images that stay in the first cache while the sums of dw go over them. */
enum { FMD_BAND_BYTES = 24576 };

/* A kernel of 3 x 3 on an image in a frame of zeros, of which one block of channels lies
 * together. Position (y, x) meets the pixels y next_row + x next_pixel + ky row + kx tap, in
 * floats. */
typedef struct fmd_conv_nine {
    ptrdiff_t grid_h, grid_w;
    ptrdiff_t row, tap, next_row, next_pixel;
} fmd_conv_nine;

/* A value of the grid that is not zero, and where what it is multiplied with begins, in floats. */
typedef struct fmd_conv_entry {
    uint32_t at;
    float value;
} fmd_conv_entry;

/* A row of tiles for Winograd's form of 3 x 3 kernels: tile i covers the positions (y, 2 i) to
 * (y + 1, 2 i + 1) of the grid, and the 4 x 4 pixels of the image that they meet. Each tile
 * becomes 16 values of each channel, `place` floats apart. */
typedef struct fmd_tile_row {
    const fmd_walk *walk;
    ptrdiff_t y, tiles, place;
} fmd_tile_row;

/* Packed weights are in panels of two vectors of columns, the last of one if that is enough. */
typedef struct fmd_conv_kernels {
    size_t vector; /* floats */

    /* grid[y][x][o] = sum over ky, kx, i, upwards, of image[..][i] w[ky][kx][i][o].
     * packed: for each panel [ky][kx][i][columns of the panel], filled up with zeros. */
    void (*correlate)(const fmd_walk *walk, const float *image, const float *packed,
                      fmd_conv_ends ends, float *grid);

    /* The same, but over ky, i, kx, for three columns of taps, strides and steps of one column,
     * and at most two columns outside at either end. packed: for each vector of columns
     * [ky][i][kx][columns of the vector]. */
    void (*correlate_three)(const fmd_walk *walk, const float *image, const float *packed,
                            fmd_conv_ends ends, float *grid);

    /* grid[y][x][o] = sum over ky, kx, upwards, of image[..][o] w[ky][kx][o]; image_c is 1.
     * packed: for each vector of channels [ky][kx][channels of the vector]. */
    void (*correlate_each)(const fmd_walk *walk, const float *image, const float *packed,
                           fmd_conv_ends ends, float *grid);

    /* dw[ky][kx][i][o] = sum over images, y, x, upwards, of image[..][i] grid[y][x][o], going on
     * from what dw holds unless `begin`. A row (ky, kx, i) of dw is dw_row floats from the next. */
    void (*weigh)(const fmd_walk *walk, const fmd_conv_images *images, bool begin, ptrdiff_t dw_row,
                  float *dw);

    /* The same for three columns of taps and steps and strides of one pixel. The images'
     * channels are in blocks of FMD_CHANNEL_BLOCK, image_block and grid_block floats apart. */
    void (*weigh_three)(const fmd_walk *walk, const fmd_conv_images *images, bool begin,
                        ptrdiff_t dw_row, float *dw);

    /* dw[ky][kx][o] = the sum of image[..][o] grid[y][x][o]; image_c is 1. */
    void (*weigh_each)(const fmd_walk *walk, const fmd_conv_images *images, bool begin, float *dw);

    /* Lists the values of a grid of n positions that are not zero, position after position, and
     * how many each has; an entry's place is its channel times `step`. */
    void (*list_positions)(size_t n, ptrdiff_t channels, uint32_t step, const float *grid,
                           uint32_t *counts, fmd_conv_entry *entries);

    /* The same channel after channel, each from entries[channel * n] on; an entry's place is the
     * first pixel that the value meets. */
    void (*list_channels)(const fmd_conv_nine *nine, ptrdiff_t channels, const float *grid,
                          uint32_t *counts, fmd_conv_entry *entries);

    /* framed[..][i] += sum over the grid's positions and their entries, in order, of value
     * weights[at + ..][ky][kx][i]. counts: the number of entries of each position. */
    void (*scatter)(const fmd_conv_nine *nine, const uint32_t *counts,
                    const fmd_conv_entry *entries, const float *weights, float *framed);

    /* sums[ky][kx][i] += sum over `count` entries, in order, of value framed[at + ..][i]. */
    void (*gather)(const fmd_conv_nine *nine, size_t count, const fmd_conv_entry *entries,
                   const float *framed, float *sums);

    /* A line of windows of 2 x 2 that lie side by side: the largest value of each channel, NaN if
     * any value is NaN, and its place. The rows of x are `row` floats apart. */
    void (*largest_of_four)(ptrdiff_t windows, ptrdiff_t channels, ptrdiff_t row, const float *x,
                            float *y, uint8_t *places);

    /* The gradients of these windows: dy at its place, 0 at the others. */
    void (*to_four)(ptrdiff_t windows, ptrdiff_t channels, ptrdiff_t row, const float *dy,
                    const uint8_t *places, float *dx);

    /* sums += dy of each window in turn whose place is one of n, from `first` on. */
    void (*add_places)(ptrdiff_t windows, ptrdiff_t channels, int first, int n, const float *dy,
                       const uint8_t *places, float *sums);

    /* Winograd's transforms of a row of tiles (conv_winograd.c), for channels that are a multiple of
     * FMD_CHANNEL_BLOCK. The channels of a tile's value lie together, tile after tile. */
    void (*transform_image)(const fmd_tile_row *row, const float *image, float *values);
    void (*transform_gradient)(const fmd_tile_row *row, const float *grid, float *values);
    void (*transform_sums)(const fmd_tile_row *row, const float *sums, fmd_conv_ends ends,
                           float *grid);
} fmd_conv_kernels;

#endif
