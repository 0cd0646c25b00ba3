/* Gradients of convolutions of 3 x 3 where most values of dy are zero, for the vector type of the
 * including file. Nine sums stay in registers. */
enum { SIDE = 3 };

#define EACH_OF_NINE                                                                               \
    _Pragma("GCC unroll 3") for (ptrdiff_t ky = 0; ky < SIDE; ky++)                                \
        _Pragma("GCC unroll 3") for (ptrdiff_t kx = 0; kx < SIDE; kx++)

/* Which of `channels` values, at most the bits of a word, are not zero. */
INLINE uint64_t nonzero_channels(ptrdiff_t channels, const float *x)
{
    uint64_t bits = 0;
    for (ptrdiff_t o = 0; o < channels; o += VL) {
        const ptrdiff_t left = channels - o;
        bits |= (uint64_t)NONZERO(left < VL ? LOAD_SOME(x + o, MASK((size_t)left)) : LOAD(x + o))
                << o;
    }
    return bits;
}

enum { WORD = 64 };

static void list_positions(size_t n, ptrdiff_t channels, uint32_t step, const float *grid,
                           uint32_t *counts, fmd_conv_entry *entry)
{
    for (size_t p = 0; p < n; p++, grid += channels) {
        const fmd_conv_entry *first = entry;
        for (ptrdiff_t o = 0; o < channels; o += WORD)
            for (uint64_t bits = nonzero_channels(least_of(channels - o, WORD), grid + o);
                 bits != 0; bits &= bits - 1) {
                const ptrdiff_t channel = o + __builtin_ctzll(bits);
                *entry++ = (fmd_conv_entry){(uint32_t)channel * step, grid[channel]};
            }
        counts[p] = (uint32_t)(entry - first);
    }
}

static void list_channels(const fmd_conv_nine *n, ptrdiff_t channels, const float *grid,
                          uint32_t *counts, fmd_conv_entry *entries)
{
    const size_t most = (size_t)n->grid_h * (size_t)n->grid_w;
    for (ptrdiff_t o = 0; o < channels; o++)
        counts[o] = 0;
    for (ptrdiff_t y = 0; y < n->grid_h; y++)
        for (ptrdiff_t x = 0; x < n->grid_w; x++, grid += channels) {
            const uint32_t at = (uint32_t)(y * n->next_row + x * n->next_pixel);
            for (ptrdiff_t o = 0; o < channels; o += WORD)
                for (uint64_t bits = nonzero_channels(least_of(channels - o, WORD), grid + o);
                     bits != 0; bits &= bits - 1) {
                    const size_t channel = (size_t)(o + __builtin_ctzll(bits));
                    entries[channel * most + counts[channel]++] =
                        (fmd_conv_entry){at, grid[channel]};
                }
        }
}

/* dx of one vector of channels. */
INLINE void scatter_vector(const fmd_conv_nine *n, const uint32_t *counts,
                           const fmd_conv_entry *entry, const float *weights, float *framed)
{
    for (ptrdiff_t y = 0; y < n->grid_h; y++)
        for (ptrdiff_t x = 0; x < n->grid_w; x++) {
            float *at = framed + y * n->next_row + x * n->next_pixel;
            vec sum[SIDE][SIDE];
            EACH_OF_NINE
            sum[ky][kx] = LOAD(at + ky * n->row + kx * n->tap);
            for (uint32_t count = *counts++; count > 0; count--, entry++) {
                const float *w = weights + entry->at;
                const vec value = SPREAD(entry->value);
                EACH_OF_NINE
                {
                    const vec weight = LOAD(w + (SIDE * ky + kx) * FMD_CHANNEL_BLOCK);
                    ACCUMULATE(sum[ky][kx], value, weight);
                }
            }
            EACH_OF_NINE
            STORE(at + ky * n->row + kx * n->tap, sum[ky][kx]);
        }
}

static void scatter(const fmd_conv_nine *n, const uint32_t *counts, const fmd_conv_entry *entries,
                    const float *weights, float *framed)
{
    for (ptrdiff_t v = 0; v < FMD_CHANNEL_BLOCK; v += VL)
        scatter_vector(n, counts, entries, weights + v, framed + v);
}

/* dw of one output channel and one vector of input channels. */
INLINE void gather_vector(const fmd_conv_nine *n, size_t count, const fmd_conv_entry *entry,
                          const float *framed, float *sums)
{
    vec sum[SIDE][SIDE];
    EACH_OF_NINE
    sum[ky][kx] = LOAD(sums + (SIDE * ky + kx) * FMD_CHANNEL_BLOCK);
    for (; count > 0; count--, entry++) {
        const float *at = framed + entry->at;
        const vec value = SPREAD(entry->value);
        EACH_OF_NINE
        {
            const vec pixel = LOAD(at + ky * n->row + kx * n->tap);
            ACCUMULATE(sum[ky][kx], value, pixel);
        }
    }
    EACH_OF_NINE
    STORE(sums + (SIDE * ky + kx) * FMD_CHANNEL_BLOCK, sum[ky][kx]);
}

static void gather(const fmd_conv_nine *n, size_t count, const fmd_conv_entry *entries,
                   const float *framed, float *sums)
{
    for (ptrdiff_t v = 0; v < FMD_CHANNEL_BLOCK; v += VL)
        gather_vector(n, count, entries, framed + v, sums + v);
}

static const fmd_conv_kernels conv_kernels = {.vector = VL,
                                              .correlate = correlate,
                                              .correlate_three = correlate_three,
                                              .correlate_each = correlate_each,
                                              .weigh = weigh,
                                              .weigh_three = weigh_three,
                                              .weigh_each = weigh_each,
                                              .list_positions = list_positions,
                                              .list_channels = list_channels,
                                              .scatter = scatter,
                                              .gather = gather,
                                              .largest_of_four = largest_of_four,
                                              .to_four = to_four,
                                              .add_places = add_places,
                                              .transform_image = transform_image,
                                              .transform_gradient = transform_gradient,
                                              .transform_sums = transform_sums};
