/* Sliding windows: their number and start positions, by the rules of Keras. */
#ifndef FMD_MATH_CONV_WINDOW_H
#define FMD_MATH_CONV_WINDOW_H

/* Names for option tables, and their order. */
#define FMD_PADDING_NAMES "valid|same"
typedef enum fmd_padding { FMD_PADDING_VALID, FMD_PADDING_SAME } fmd_padding;

/* Local. The number of windows on a line of n pixels; 0 if none fits. A window has `kernel` places,
 * `dilation` pixels apart; windows start every `stride` pixels. *before is the padding in front of the
 * line. valid: no padding. same: ceil(n / stride) windows; if the padding is odd, the extra pixel is at
 * the end. */
int fmd_window_fit(int n, int kernel, int stride, int dilation, fmd_padding padding, int *before);

#endif
