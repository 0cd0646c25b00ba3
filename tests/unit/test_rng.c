#include "base/rng.h"

#include "support/fmd_test.h"

#include <string.h>

/* Random123's own known answers for philox4x32-10 (kat_vectors). Ours orders the counter as block,
 * time, purpose and stream, so that three of them can be asked for. */
static void test_rng__gives_the_published_numbers(void **state)
{
    (void)state;
    static const struct {
        fmd_rng r;
        uint64_t block;
        uint32_t out[4];
    } known[] = {
        {{.seed = 0, .purpose = 0, .stream = 0, .time = 0},
         0,
         {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{.seed = UINT64_MAX, .purpose = 0xff, .stream = 0xffffff, .time = UINT32_MAX},
         UINT64_MAX,
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{.seed = 0x299f31d0a4093822, .purpose = 0x03, .stream = 0x707344, .time = 0x13198a2e},
         0x85a308d3243f6a88,
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        uint32_t out[4];
        fmd_rng_block(&known[i].r, known[i].block, out);
        assert_memory_equal(out, known[i].out, sizeof out);
    }
}

static void test_rng__every_part_of_the_key_matters(void **state)
{
    (void)state;
    const fmd_rng r = {.seed = 1, .purpose = FMD_RNG_INIT, .stream = 2, .time = 3};
    fmd_rng others[] = {r, r, r, r};
    others[0].seed = 1 + (UINT64_C(1) << 40);
    others[1].purpose = FMD_RNG_SHUFFLE;
    others[2].stream = 3;
    others[3].time = 4;
    uint32_t out[4], other[4];
    fmd_rng_block(&r, 5, out);
    for (size_t i = 0; i < 4; i++) {
        fmd_rng_block(&others[i], 5, other);
        assert_memory_not_equal(out, other, sizeof out);
    }
    fmd_rng_block(&r, 5 + (UINT64_C(1) << 33), other);
    assert_memory_not_equal(out, other, sizeof out);
}

/* From a counter whose lower word overflows on the way. */
static void test_rng__many_blocks_are_those_one_by_one(void **state)
{
    (void)state;
    enum { BLOCKS = 37 };
    const fmd_rng r = {.seed = UINT64_MAX - 5, .purpose = FMD_RNG_DROPOUT, .stream = 9, .time = 4};
    const uint64_t first = (UINT64_C(1) << 32) - 20;
    uint32_t many[BLOCKS * 4], one[4];
    fmd_rng_blocks(&r, first, BLOCKS, many);
    for (uint64_t i = 0; i < BLOCKS; i++) {
        fmd_rng_block(&r, first + i, one);
        assert_memory_equal(many + 4 * i, one, sizeof one);
    }
}

static void test_rng__unit_numbers_stay_below_one(void **state)
{
    (void)state;
    assert_true(fmd_rng_unit(0) == 0.0f);
    assert_true(fmd_rng_unit(UINT32_MAX) < 1.0f);
    assert_true(fmd_rng_unit(UINT32_MAX / 2 + 1) == 0.5f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rng__many_blocks_are_those_one_by_one),
        cmocka_unit_test(test_rng__gives_the_published_numbers),
        cmocka_unit_test(test_rng__every_part_of_the_key_matters),
        cmocka_unit_test(test_rng__unit_numbers_stay_below_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
