/* Windows that slide over an image: how many there are and where they begin, as Keras has it. */
#ifndef FMD_MATH_CONV_WINDOW_H
#define FMD_MATH_CONV_WINDOW_H

/* Names for option tables, and their order. */
#define FMD_PADDING_NAMES "valid|same"
typedef enum fmd_padding { FMD_PADDING_VALID, FMD_PADDING_SAME } fmd_padding;

/* Local. Windows of `kernel` places, `dilation` pixels apart, every `stride` pixels on a line of
 * n pixels. Returns how many there are, 0 if none fits; `before` becomes how many pixels outside
 * of the line the first one begins. valid: all places lie on the line. same: ceil(n / stride)
 * windows, and of an odd number of pixels outside the odd one is behind the line. */
int fmd_window_fit(int n, int kernel, int stride, int dilation, fmd_padding padding, int *before);

#endif
