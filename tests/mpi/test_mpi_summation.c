/* Sums of messages in buckets. All ranks run on one machine, so the nodes are pretended. */
#include "support/mpi_main.h"
#include "support/pretend_nodes.h"

#include "base/mem.h"
#include "dist/reduce/summation.h"

#include <math.h>
#include <string.h>

enum { ELEMENTS = 5003, MOST_BUCKETS = 5 };

/* Buckets from one to five; an empty one, one of a single element. */
static const struct {
    size_t n, cuts[MOST_BUCKETS + 1];
} cuttings[] = {{1, {ELEMENTS, 0}},
                {2, {ELEMENTS, 16, 0}},
                {3, {ELEMENTS, 4000, 3999, 0}},
                {5, {ELEMENTS, 5000, 5000, 2048, 77, 0}}};
enum { CUTTINGS = sizeof cuttings / sizeof cuttings[0] };

static uint32_t value(int rank, size_t element)
{
    return (uint32_t)rank * 0x9e3779b9u + (uint32_t)element * 0x85ebca6bu;
}

static uint32_t sum_of_all(int size, size_t element)
{
    uint32_t sum = 0;
    for (int rank = 0; rank < size; rank++)
        sum += value(rank, element);
    return sum;
}

static int wrong_elements(fmd_summation *s, int size, uint32_t shift)
{
    const uint32_t *total = fmd_summation_total(s);
    int wrong = 0;
    for (size_t i = 0; i < ELEMENTS; i++)
        wrong += total[i] != sum_of_all(size, i) + (uint32_t)size * shift;
    return wrong;
}

/* Writes the message from its end and says so, in steps that meet no bucket. */
static void write_message(fmd_summation *s, int rank, uint32_t shift)
{
    uint32_t *message = fmd_summation_message(s);
    for (size_t end = ELEMENTS; end > 0;) {
        const size_t first = end > 611 ? end - 611 : 0;
        for (size_t i = first; i < end; i++)
            message[i] = value(rank, i) + shift;
        fmd_summation_complete(s, first);
        end = first;
    }
}

/* Successive messages, without a barrier in between. */
static void sums_messages(fmd_comm *c, fmd_summation_place place, size_t cutting)
{
    fmd_summation *s = NULL;
    assert_all_ok(fmd_summation_create(&s, c, place, FMD_ELEMENT_U32, cuttings[cutting].cuts,
                                       cuttings[cutting].n));
    assert_all_ranks((uintptr_t)fmd_summation_message(s) % FMD_ALIGN == 0);
    int wrong = 0;
    for (uint32_t step = 0; step < 20; step++) {
        write_message(s, c->rank, step);
        assert_true(fmd_summation_finish(s));
        if (place == FMD_SUMMATION_APART) /* the next step may begin */
            memset(fmd_summation_message(s), 0xff, ELEMENTS * sizeof(uint32_t));
        wrong += wrong_elements(s, c->size, step);
        if (place == FMD_SUMMATION_IN_PLACE)
            fmd_comm_node_barrier(c);
    }
    assert_all_ranks(wrong == 0);
    fmd_summation_destroy(s);
}

static void every_rank_gets_the_total_whatever_nodes_and_buckets(void **state)
{
    (void)state;
    for (size_t i = 0; i < CUTTINGS; i++) {
        sums_messages(mpi_comm, FMD_SUMMATION_MPI, i);
        for (int per_node = 1; per_node <= 4; per_node++) {
            fmd_comm c = pretend_nodes(mpi_comm, per_node);
            sums_messages(&c, FMD_SUMMATION_APART, i);
            sums_messages(&c, FMD_SUMMATION_IN_PLACE, i);
            forget_nodes(&c);
        }
    }
}

static void a_float_that_is_not_finite_is_seen_by_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < CUTTINGS; i++) {
        fmd_summation *s = NULL;
        fmd_comm c = pretend_nodes(mpi_comm, 2);
        assert_all_ok(fmd_summation_create(&s, &c, FMD_SUMMATION_APART, FMD_ELEMENT_FLOAT,
                                           cuttings[i].cuts, cuttings[i].n));
        float *message = fmd_summation_message(s);
        for (size_t bad = 0; bad < ELEMENTS; bad += ELEMENTS - 1) {
            for (int faulty = 0; faulty < 2; faulty++) {
                for (size_t j = 0; j < ELEMENTS; j++)
                    message[j] = 1;
                if (faulty && c.rank == c.size - 1)
                    message[bad] = bad == 0 ? NAN : INFINITY;
                assert_all_ranks(fmd_summation_finish(s) == !faulty);
                const float *total = fmd_summation_total(s);
                assert_all_ranks(total[ELEMENTS / 2] == (float)c.size);
            }
        }
        fmd_summation_destroy(s);
        forget_nodes(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rank_gets_the_total_whatever_nodes_and_buckets),
        cmocka_unit_test(a_float_that_is_not_finite_is_seen_by_all),
    };
    return mpi_run_tests(tests);
}
