/* Mixup and CutMix: partners, shares and boxes are functions of seed, step and place. */
#include "support/fmd_test.h"

#include "train/mixing/mixing.h"

#include <math.h>
#include <string.h>

enum { H = 8, W = 6, C = 2, PIXELS = H * W * C };

static const fmd_shape image = {3, {H, W, C}};

static void test_mixing__each_sample_is_a_partner_once_and_never_its_own(void **state)
{
    (void)state;
    static const size_t sizes[] = {2, 3, 37, 256};
    const fmd_mixing m = {.kind = FMD_MIXUP, .alpha = 0.2, .image = image};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (uint32_t step = 0; step < 50; step++) {
            bool taken[256] = {false};
            for (size_t i = 0; i < sizes[s]; i++) {
                const size_t partner = fmd_mixing_at(&m, 7, step, i, sizes[s]).partner;
                assert_true(partner < sizes[s] && partner != i && !taken[partner]);
                taken[partner] = true;
            }
        }
    assert_int_equal(fmd_mixing_at(&m, 7, 0, 0, 1).partner, 0);
}

static void test_mixing__a_mix_depends_on_seed_step_and_place_alone(void **state)
{
    (void)state;
    const fmd_mixing m = {.kind = FMD_CUTMIX, .alpha = 1, .image = image};
    const fmd_mix a = fmd_mixing_at(&m, 7, 3, 5, 64), same = fmd_mixing_at(&m, 7, 3, 5, 64);
    assert_true(a.partner == same.partner && a.share == same.share && a.top == same.top &&
                a.left == same.left);
    assert_true(fmd_mixing_at(&m, 8, 3, 5, 64).share != a.share);
    assert_true(fmd_mixing_at(&m, 7, 4, 5, 64).share != a.share);
    assert_true(fmd_mixing_at(&m, 7, 3, 6, 64).share != a.share);
}

/* Beta(a, a) has mean 1/2 and variance 1 / (4 (2 a + 1)). The limits are five deviations. */
static void test_mixing__shares_have_the_beta_distribution(void **state)
{
    (void)state;
    enum { N = 20000 };
    static const double alphas[] = {0.1, 0.2, 1, 2};
    for (size_t k = 0; k < sizeof alphas / sizeof *alphas; k++) {
        const fmd_mixing m = {.kind = FMD_MIXUP, .alpha = alphas[k], .image = image};
        const double variance = 1 / (4 * (2 * alphas[k] + 1));
        double sum = 0, squares = 0;
        for (size_t i = 0; i < N; i++) {
            const double share = (double)fmd_mixing_at(&m, 1, 0, i, N).share;
            assert_true(share >= 0 && share <= 1);
            sum += share;
            squares += (share - 0.5) * (share - 0.5);
        }
        assert_true(fabs(sum / N - 0.5) < 5 * sqrt(variance / N));
        assert_true(fabs(squares / N - variance) < 5 * 0.25 / sqrt(N));
    }
}

static void fill(uint8_t own[PIXELS], uint8_t partner[PIXELS], float x[PIXELS])
{
    for (size_t i = 0; i < PIXELS; i++) {
        own[i] = (uint8_t)(i * 5);
        partner[i] = (uint8_t)(255 - i * 3);
        x[i] = (float)own[i] / 255;
    }
}

static void test_mixing__mixup_blends_every_pixel(void **state)
{
    (void)state;
    const fmd_mixing m = {.kind = FMD_MIXUP, .alpha = 1, .image = image};
    const fmd_mix mix = {.share = 0.75f};
    uint8_t own[PIXELS], partner[PIXELS];
    float x[PIXELS];
    fill(own, partner, x);
    fmd_mixing_apply(&m, &mix, partner, 255, x);
    for (size_t i = 0; i < PIXELS; i++)
        assert_true(fabs((double)x[i] - (0.75 * own[i] + 0.25 * partner[i]) / 255) < 1e-7);
}

/* Keras: a pixel is in the box if top <= row < top + height. */
static void test_mixing__cutmix_pastes_a_box_of_the_rest(void **state)
{
    (void)state;
    const fmd_mixing m = {.kind = FMD_CUTMIX, .alpha = 1, .image = image};
    for (size_t place = 0; place < 100; place++) {
        const fmd_mix mix = fmd_mixing_at(&m, 3, 9, place, 100);
        const double area = (double)mix.height * (double)mix.width / (H * W);
        uint8_t own[PIXELS], partner[PIXELS];
        float x[PIXELS];
        assert_true(mix.top >= 0 && mix.left >= 0 && mix.top + mix.height <= H + 1e-5f &&
                    mix.left + mix.width <= W + 1e-5f);
        assert_true(fabs(1 - area - (double)mix.share) < 1e-6);
        fill(own, partner, x);
        fmd_mixing_apply(&m, &mix, partner, 255, x);
        for (int r = 0; r < H; r++)
            for (int c = 0; c < W * C; c++) {
                const size_t at = (size_t)(r * W * C + c);
                const bool in = (float)r >= mix.top && (float)r < mix.top + mix.height &&
                                (float)(c / C) >= mix.left && (float)(c / C) < mix.left + mix.width;
                assert_true(x[at] == (float)(in ? partner[at] : own[at]) / 255);
            }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mixing__each_sample_is_a_partner_once_and_never_its_own),
        cmocka_unit_test(test_mixing__a_mix_depends_on_seed_step_and_place_alone),
        cmocka_unit_test(test_mixing__shares_have_the_beta_distribution),
        cmocka_unit_test(test_mixing__mixup_blends_every_pixel),
        cmocka_unit_test(test_mixing__cutmix_pastes_a_box_of_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
