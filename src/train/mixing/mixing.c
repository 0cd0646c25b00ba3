#include "train/mixing/mixing.h"

#include "base/rng.h"
#include "math/vec.h"

#include <math.h>
#include <stdbool.h>

/* Streams of random numbers: one number for the step; a block for each attempt of each sample. */
enum { SHIFT, SAMPLE };
enum { ATTEMPTS = 256 };

/* Above 0, for the logarithm. */
static float positive_unit(uint32_t x)
{
    return (float)((x >> 8) + 1) * 0x1p-24f;
}

/* Johnk, "Erzeugung von betaverteilten und gammaverteilten Zufallszahlen", Metrika 8, 1964: with
 * u^(1/alpha) + v^(1/alpha) <= 1, the first is this share of the sum. Returns whether that holds. */
static bool draw_share(float alpha, const uint32_t x[2], float *share)
{
    const float a = fmd_log(positive_unit(x[0])) / alpha, b = fmd_log(positive_unit(x[1])) / alpha;
    const float most = a > b ? a : b;
    const float logs[] = {a, b, a - most, b - most};
    float e[4];
    fmd_vec_exp(4, logs, e);
    *share = e[2] / (e[2] + e[3]);
    return e[0] + e[1] <= 1;
}

/* A box of this side somewhere along `length`, wholly inside. */
static float place_box(float length, float side, uint32_t x)
{
    return fmd_rng_unit(x) * (length - side);
}

fmd_mix fmd_mixing_at(const fmd_mixing *m, uint64_t seed, uint32_t step, size_t place, size_t count)
{
    fmd_rng rng = {.seed = seed, .purpose = FMD_RNG_MIXING, .stream = SHIFT, .time = step};
    fmd_mix mix = {.partner = place, .share = 0.5f};
    uint32_t x[4];
    fmd_rng_block(&rng, 0, x);
    if (count > 1)
        mix.partner = (place + 1 + ((uint64_t)x[0] * (count - 1) >> 32)) % count;
    rng.stream = SAMPLE;
    for (size_t i = 0; i < ATTEMPTS; i++) {
        float share;
        fmd_rng_block(&rng, place * ATTEMPTS + i, x);
        if (!draw_share((float)m->alpha, x, &share))
            continue;
        mix.share = share;
        break;
    }
    if (m->kind != FMD_CUTMIX)
        return mix;
    const float side = sqrtf(1 - mix.share);
    const float height = (float)m->image.dim[0], width = (float)m->image.dim[1];
    mix.height = side * height;
    mix.width = side * width;
    mix.top = place_box(height, mix.height, x[2]);
    mix.left = place_box(width, mix.width, x[3]);
    return mix;
}

static void blend(size_t n, float share, const uint8_t *partner, float divisor, float *x)
{
    const float rest = 1 - share;
    for (size_t i = 0; i < n; i++)
        x[i] = share * x[i] + rest * ((float)partner[i] / divisor);
}

static bool is_inside(size_t at, float first, float length)
{
    return (float)at >= first && (float)at < first + length;
}

static void paste(const fmd_shape *image, const fmd_mix *mix, const uint8_t *partner, float divisor,
                  float *x)
{
    const size_t rows = (size_t)image->dim[0], columns = (size_t)image->dim[1];
    const size_t channels = fmd_shape_count(*image) / (rows * columns);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++) {
            const size_t at = (r * columns + c) * channels;
            if (!is_inside(r, mix->top, mix->height) || !is_inside(c, mix->left, mix->width))
                continue;
            for (size_t k = at; k < at + channels; k++)
                x[k] = (float)partner[k] / divisor;
        }
}

void fmd_mixing_apply(const fmd_mixing *m, const fmd_mix *mix, const uint8_t *partner,
                      float divisor, float *x)
{
    if (m->kind == FMD_MIXUP)
        blend(fmd_shape_count(m->image), mix->share, partner, divisor, x);
    else
        paste(&m->image, mix, partner, divisor, x);
}
