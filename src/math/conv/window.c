#include "math/conv/window.h"

int fmd_window_fit(int n, int kernel, int stride, int dilation, fmd_padding padding, int *before)
{
    const int span = (kernel - 1) * dilation + 1;
    *before = 0;
    if (padding == FMD_PADDING_VALID)
        return n < span ? 0 : (n - span) / stride + 1;
    const int windows = (n + stride - 1) / stride, outside = (windows - 1) * stride + span - n;
    *before = outside > 0 ? outside / 2 : 0;
    return windows;
}
