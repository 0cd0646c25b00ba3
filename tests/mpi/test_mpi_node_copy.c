/* Copies of checkpoints go from the node that has them to rank 0. */
#include "support/mpi_main.h"
#include "support/pretend_nodes.h"

#include "train/checkpoints/node_copy.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BYTES = 100000, NONE = 0 };

/* Each rank is a node, which sees only the copies of its own key. */
static fmd_run_lock lock_of(int64_t generation)
{
    int64_t pid = getpid();
    fmd_comm_bcast(mpi_comm, &pid, sizeof pid);
    return (fmd_run_lock){.generation = generation,
                          .key = (uint64_t)(pid * 64 + fmd_comm_rank(mpi_comm))};
}

static char byte_of(uint64_t step)
{
    return (char)(step % 101 + 1);
}

/* Leaves a copy as an earlier start of the run does; `intact`: whole. NONE: no copy. */
static bool leave(const fmd_run_lock *earlier, uint64_t step, bool intact)
{
    if (step == NONE)
        return true;
    fmd_checkpoint_image image = {.data = calloc(1, BYTES), .bytes = BYTES, .step = step};
    if (image.data == NULL)
        return false;
    memset(image.data, byte_of(step), BYTES);
    fmd_checkpoint_seal(&image);
    image.bytes = intact ? BYTES : BYTES / 2;
    const int fd = fmd_node_copy_claim(earlier, step);
    const bool done = fd >= 0 && fmd_node_copy_fill(fd, earlier, &image);
    free(image.data);
    return done;
}

/* Whether the copy is gone: it can be claimed again. */
static bool is_gone(const fmd_run_lock *earlier, uint64_t step)
{
    const int fd = step == NONE ? -1 : fmd_node_copy_claim(earlier, step);
    if (fd < 0)
        return step == NONE;
    close(fd);
    fmd_node_copy_remove(earlier, step);
    return true;
}

/* Rank 0 has `after` in the run folder and a copy of `own`; rank r a copy of `others` + r and a damaged
 * one of a later step. Rank 0 gets the copy of `expected`. */
static void check(uint64_t after, uint64_t own, uint64_t others, uint64_t expected)
{
    enum { LATER = 100000 };
    const int rank = fmd_comm_rank(mpi_comm);
    const uint64_t mine = rank == 0 ? own : others + (uint64_t)rank;
    const uint64_t damaged = rank == 0 ? NONE : LATER + (uint64_t)rank;
    const fmd_run_lock earlier = lock_of(1), lock = lock_of(2);
    fmd_comm nodes = pretend_nodes(mpi_comm, 1);
    fmd_checkpoint_image image;
    char from[FMD_NODE_COPY_HOST];
    assert_all_ranks(leave(&earlier, mine, true) && leave(&earlier, damaged, false));
    assert_all_ok(fmd_node_copy_recover(&nodes, &lock, rank == 0 ? after : 0, &image, from));
    bool right = (image.data != NULL) == (rank == 0 && expected != NONE);
    if (image.data != NULL)
        right = right && image.step == expected && image.bytes == BYTES &&
                image.data[BYTES - 1] == byte_of(expected);
    free(image.data);
    assert_all_ranks(right);
    fmd_node_copy_remove_all(&lock);
    assert_all_ranks(is_gone(&earlier, mine) && is_gone(&earlier, damaged));
    forget_nodes(&nodes);
}

static void test_node_copy__rank_0_gets_the_newest_copy_of_all_nodes(void **state)
{
    (void)state;
    const uint64_t last = (uint64_t)fmd_comm_size(mpi_comm) - 1;
    check(10, NONE, 20, last > 0 ? 20 + last : NONE);
    check(10, 15, 20, last > 0 ? 20 + last : 15);
    check(10, 50, 20, 50);
    check(10, 5, 20, last > 0 ? 20 + last : NONE);
}

static void test_node_copy__a_copy_that_the_run_folder_has_does_not_travel(void **state)
{
    (void)state;
    check(90, 50, 20, NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_node_copy__rank_0_gets_the_newest_copy_of_all_nodes),
        cmocka_unit_test(test_node_copy__a_copy_that_the_run_folder_has_does_not_travel),
    };
    return mpi_run_tests(tests);
}
