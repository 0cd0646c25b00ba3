/* Maxima over windows of 2 x 2, for the vector type of the including file:
 *
 *   LARGER(s, found, x, k)   where x is larger than s or NaN: s becomes x, and found becomes k
 *   STORE_BYTES(to, n, v)    the first n lanes, as bytes
 *   LOAD_BYTES(from, n)      the first n lanes from bytes
 *   WHERE(v, k, x)           x in the lanes in which v is k, else 0 */
enum { FOUR = 4 };

static void largest_of_four(ptrdiff_t windows, ptrdiff_t channels, ptrdiff_t row, const float *x,
                            float *y, uint8_t *places)
{
    for (; windows > 0; windows--, x += 2 * channels, y += channels, places += channels)
        for (ptrdiff_t o = 0; o < channels; o += VL) {
            const size_t n = (size_t)least_of(channels - o, VL);
            const mask use = MASK(n);
            const float *at[FOUR] = {x + o, x + o + channels, x + o + row, x + o + row + channels};
            vec largest = LOAD_SOME(at[0], use);
            ivec found = IZERO;
#pragma GCC unroll 4
            for (int k = 1; k < FOUR; k++)
                LARGER(largest, found, LOAD_SOME(at[k], use), k);
            STORE_SOME(y + o, use, largest);
            STORE_BYTES(places + o, n, found);
        }
}

static void add_places(ptrdiff_t windows, ptrdiff_t channels, int first, int n, const float *dy,
                       const uint8_t *places, float *sums)
{
    for (ptrdiff_t o = 0; o < channels; o += VL) {
        const size_t lanes = (size_t)least_of(channels - o, VL);
        const mask use = MASK(lanes);
        vec sum = LOAD_SOME(sums + o, use);
        for (ptrdiff_t i = o; i < windows * channels; i += channels) {
            const vec gradient = LOAD_SOME(dy + i, use);
            const ivec place = LOAD_BYTES(places + i, lanes);
            for (int k = first; k < first + n; k++)
                sum = FMA(SPREAD(1), WHERE(place, k, gradient), sum);
        }
        STORE_SOME(sums + o, use, sum);
    }
}

static void to_four(ptrdiff_t windows, ptrdiff_t channels, ptrdiff_t row, const float *dy,
                    const uint8_t *places, float *dx)
{
    for (; windows > 0; windows--, dx += 2 * channels, dy += channels, places += channels)
        for (ptrdiff_t o = 0; o < channels; o += VL) {
            const size_t n = (size_t)least_of(channels - o, VL);
            const mask use = MASK(n);
            float *to[FOUR] = {dx + o, dx + o + channels, dx + o + row, dx + o + row + channels};
            const vec gradient = LOAD_SOME(dy + o, use);
            const ivec place = LOAD_BYTES(places + o, n);
#pragma GCC unroll 4
            for (int k = 0; k < FOUR; k++)
                STORE_SOME(to[k], use, WHERE(place, k, gradient));
        }
}
