/* Sums through shared memory. All ranks run on one machine, so the nodes are simulated by splitting
 * the ranks into groups. */
#include "support/mpi_main.h"

#include "base/mem.h"
#include "dist/reduce/node_shared.h"

#include <math.h>
#include <string.h>

enum { ELEMENTS = 5003 };

/* Collective. A communicator with simulated nodes of `per_node` ranks each; the last node has the
 * rest. */
static void pretend_nodes(fmd_comm *c, int per_node)
{
    *c = *mpi_comm;
    const int node = c->rank / per_node;
    MPI_Comm_split(c->world, node, c->rank, &c->node);
    MPI_Comm_rank(c->node, &c->node_rank);
    MPI_Comm_size(c->node, &c->node_size);
    c->nodes = (c->size + per_node - 1) / per_node;
}

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

static int wrong_elements(fmd_node_shared *s, int size, uint32_t shift)
{
    const uint32_t *total = fmd_node_shared_total(s);
    int wrong = 0;
    for (size_t i = 0; i < ELEMENTS; i++)
        wrong += total[i] != sum_of_all(size, i) + (uint32_t)size * shift;
    return wrong;
}

/* Successive messages, without a barrier in between. */
static void every_rank_gets_the_total_whatever_the_nodes(void **state)
{
    (void)state;
    for (int per_node = 1; per_node <= 4; per_node++) {
        fmd_comm c;
        fmd_node_shared *s = NULL;
        pretend_nodes(&c, per_node);
        assert_all_ok(fmd_node_shared_create(&s, &c, ELEMENTS));
        assert_all_ranks((uintptr_t)fmd_node_shared_message(s) % FMD_ALIGN == 0);
        int wrong = 0;
        for (uint32_t step = 0; step < 20; step++) {
            uint32_t *message = fmd_node_shared_message(s);
            for (size_t i = 0; i < ELEMENTS; i++)
                message[i] = value(c.rank, i) + step;
            fmd_node_shared_run(s, FMD_ELEMENT_U32);
            memset(message, 0xff, ELEMENTS * sizeof *message); /* the next step may begin */
            wrong += wrong_elements(s, c.size, step);
        }
        assert_all_ranks(wrong == 0);
        fmd_node_shared_destroy(s);
        MPI_Comm_free(&c.node);
    }
}

static void a_float_that_is_not_finite_is_seen_by_all(void **state)
{
    (void)state;
    fmd_comm c;
    fmd_node_shared *s = NULL;
    pretend_nodes(&c, 2);
    assert_all_ok(fmd_node_shared_create(&s, &c, ELEMENTS));
    float *message = fmd_node_shared_message(s);
    for (size_t bad = 0; bad < ELEMENTS; bad += ELEMENTS - 1) {
        for (int faulty = 0; faulty < 2; faulty++) {
            for (size_t i = 0; i < ELEMENTS; i++)
                message[i] = 1;
            if (faulty && c.rank == c.size - 1)
                message[bad] = bad == 0 ? NAN : INFINITY;
            assert_all_ranks(fmd_node_shared_run(s, FMD_ELEMENT_FLOAT) == !faulty);
            const float *total = fmd_node_shared_total(s);
            assert_all_ranks(total[ELEMENTS / 2] == (float)c.size);
        }
    }
    fmd_node_shared_destroy(s);
    MPI_Comm_free(&c.node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rank_gets_the_total_whatever_the_nodes),
        cmocka_unit_test(a_float_that_is_not_finite_is_seen_by_all),
    };
    return mpi_run_tests(tests);
}
