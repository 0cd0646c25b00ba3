/* Places in an arena: arrays in use at the same time never share a byte, and others do. */
#include "support/fmd_test.h"

#include "nn/arena.h"

enum { MOST = 200 };

/* Two arrays of which neither ends before the other begins. */
static bool meet(const fmd_span *a, const fmd_span *b)
{
    return a->from <= b->to && b->from <= a->to;
}

static void assert_apart(const fmd_span *spans, size_t n, size_t bytes)
{
    for (size_t i = 0; i < n; i++) {
        assert_true(spans[i].offset + spans[i].bytes <= bytes);
        for (size_t k = 0; k < i; k++)
            if (meet(&spans[i], &spans[k]))
                assert_true(spans[i].offset + spans[i].bytes <= spans[k].offset ||
                            spans[k].offset + spans[k].bytes <= spans[i].offset);
    }
}

/* Bytes in use at the busiest moment: no arena can be smaller. */
static size_t busiest(const fmd_span *spans, size_t n)
{
    size_t most = 0;
    for (size_t i = 0; i < n; i++) {
        size_t sum = 0;
        for (size_t k = 0; k < n; k++)
            if (spans[k].from <= spans[i].from && spans[i].from <= spans[k].to)
                sum += spans[k].bytes;
        most = sum > most ? sum : most;
    }
    return most;
}

static void test_arena__arrays_in_use_together_are_apart(void **state)
{
    (void)state;
    uint32_t random = 1;
    for (int round = 0; round < 50; round++) {
        fmd_span spans[MOST];
        const size_t n = 1 + (size_t)round * 4 % MOST;
        for (size_t i = 0; i < n; i++) {
            random = random * 1664525 + 1013904223;
            spans[i] = (fmd_span){.bytes = random >> 20, .from = (int)(random >> 8 & 63)};
            spans[i].to = spans[i].from + (int)(random >> 14 & 15);
        }
        size_t bytes;
        assert_ok(fmd_arena_place(spans, n, &bytes));
        assert_apart(spans, n, bytes);
        assert_true(bytes >= busiest(spans, n));
        assert_true(bytes <= 2 * busiest(spans, n));
    }
}

/* Two arrays in turns, as gradients are: two places. */
static void test_arena__a_place_is_used_again(void **state)
{
    (void)state;
    fmd_span spans[MOST];
    size_t bytes;
    for (int i = 0; i < MOST; i++)
        spans[i] = (fmd_span){.bytes = 64, .from = i, .to = i + 1};
    assert_ok(fmd_arena_place(spans, MOST, &bytes));
    assert_apart(spans, MOST, bytes);
    assert_int_equal(bytes, 128);
    assert_ok(fmd_arena_place(spans, 0, &bytes));
    assert_int_equal(bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arena__arrays_in_use_together_are_apart),
        cmocka_unit_test(test_arena__a_place_is_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
