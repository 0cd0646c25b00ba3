/* The communicator: from one rank to all, and from all ranks to one. */
#include "support/mpi_main.h"

#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HOST_BYTES = 256 };

static int rank, size;

/* Collective. The name of the host that a rank runs on. */
static void host_of(int wanted, char host[HOST_BYTES])
{
    char mine[HOST_BYTES] = "", *all = calloc((size_t)size, HOST_BYTES);
    assert_all_ranks(all != NULL);
    snprintf(mine, sizeof mine, "%s", fmd_comm_host(mpi_comm));
    fmd_comm_gather(mpi_comm, mine, HOST_BYTES, all);
    fmd_comm_bcast(mpi_comm, all, (size_t)size * HOST_BYTES);
    memcpy(host, all + (size_t)wanted * HOST_BYTES, HOST_BYTES);
    free(all);
}

/* Collective. The result of agree on every rank when rank `who` fails with `message`. */
static void expect_message(int who, const char *message, char text[FMD_ERROR_BYTES])
{
    char host[HOST_BYTES];
    host_of(who, host);
    if (who == 0)
        snprintf(text, FMD_ERROR_BYTES, "%s", message);
    else
        snprintf(text, FMD_ERROR_BYTES, "rank %d (%s): %s", who, host, message);
}

static void the_job_has_as_many_ranks_as_were_started(void **state)
{
    (void)state;
    rank = fmd_comm_rank(mpi_comm);
    size = fmd_comm_size(mpi_comm);
    const char *started = getenv("OMPI_COMM_WORLD_SIZE");
    assert_all_ranks(started == NULL || atoi(started) == size);
    assert_all_ranks(rank >= 0 && rank < size);
}

static void gather_puts_the_ranks_in_order(void **state)
{
    (void)state;
    struct {
        char letter;
        int32_t rank;
    } mine, all[64];
    memset(&mine, 0, sizeof mine);
    memset(all, 0, sizeof all);
    mine.letter = (char)('a' + rank);
    mine.rank = rank;
    fmd_comm_gather(mpi_comm, &mine, sizeof mine, all);
    int wrong = 0;
    for (int i = 0; rank == 0 && i < size; i++)
        wrong += all[i].letter != 'a' + i || all[i].rank != i;
    assert_all_ranks(wrong == 0);
    assert_all_ranks(all[size].letter == 0);
}

static void sums_of_integers_are_exact(void **state)
{
    (void)state;
    int64_t values[] = {1, rank, -rank, (INT64_C(1) << 53) + 1, rank == size - 1 ? INT64_MIN : 0};
    fmd_comm_sum_i64(mpi_comm, values, 5);
    assert_all_ranks(values[0] == size);
    assert_all_ranks(values[1] == size * (size - 1) / 2);
    assert_all_ranks(values[2] == -values[1]);
    assert_all_ranks(values[3] == size * ((INT64_C(1) << 53) + 1));
    assert_all_ranks(values[4] == INT64_MIN);
}

static void every_node_has_one_first_rank(void **state)
{
    (void)state;
    int64_t firsts = fmd_comm_node_rank(mpi_comm) == 0;
    fmd_comm_sum_i64(mpi_comm, &firsts, 1);
    assert_all_ranks(firsts == fmd_comm_nodes(mpi_comm));
    assert_all_ranks(fmd_comm_node_rank(mpi_comm) >= 0);
    assert_all_ranks(fmd_comm_node_rank(mpi_comm) < fmd_comm_node_size(mpi_comm));
    assert_all_ranks(fmd_comm_nodes(mpi_comm) > 1 || fmd_comm_node_size(mpi_comm) == size);
    assert_all_ranks(*fmd_comm_host(mpi_comm) != '\0');
}

static uint8_t pattern(size_t i)
{
    return (uint8_t)(i * 7 + i / 251);
}

static void broadcasts_carry_any_number_of_bytes(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 3, 4096, 1000003};
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
        const size_t n = lengths[l];
        uint8_t *data = calloc(n + 1, 1);
        assert_all_ranks(data != NULL);
        for (size_t i = 0; rank == 0 && i < n; i++)
            data[i] = pattern(i);
        fmd_comm_bcast(mpi_comm, data, n);
        size_t wrong = 0;
        for (size_t i = 0; i < n; i++)
            wrong += data[i] != pattern(i);
        assert_all_ranks(wrong == 0);
        assert_all_ranks(data[n] == 0);
        free(data);
    }
}

/* Needs 256 MB on each rank but the first, so it runs on two ranks only. */
static void broadcasts_of_more_than_256_mebibytes_arrive_whole(void **state)
{
    (void)state;
    if (size != 2)
        skip();
    const size_t chunk = (size_t)1 << 28, n = chunk + 5;
    const size_t places[] = {0, chunk / 2, chunk - 1, chunk, n - 1};
    uint8_t *data = calloc(n, 1);
    assert_all_ranks(data != NULL);
    for (size_t i = 0; rank == 0 && i < 5; i++)
        data[places[i]] = (uint8_t)(i + 1);
    fmd_comm_bcast(mpi_comm, data, n);
    int wrong = 0;
    for (size_t i = 0; i < 5; i++)
        wrong += data[places[i]] != i + 1;
    free(data);
    assert_all_ranks(wrong == 0);
}

static void means_are_taken_over_the_ranks_for_each_value(void **state)
{
    (void)state;
    double values[] = {-1.5 - rank, 7, rank == size - 1 ? size : 0, 3};
    fmd_comm_mean(mpi_comm, values, 3);
    assert_all_ranks(values[0] == -1.5 - (size - 1) / 2.0);
    assert_all_ranks(values[1] == 7);
    assert_all_ranks(values[2] == 1);
    assert_all_ranks(values[3] == 3);
}

static void ranks_that_all_succeed_agree_on_success(void **state)
{
    (void)state;
    assert_all_ok(fmd_comm_agree(mpi_comm, FMD_OK));
}

static void one_rank_that_fails_is_named_on_all(void **state)
{
    (void)state;
    for (int who = 0; who < size; who++) {
        char expected[FMD_ERROR_BYTES];
        expect_message(who, "cannot open 'x%sy': no such file", expected);
        fmd_error_set("a message of rank %d that is out of date", rank);
        fmd_status mine = FMD_OK;
        if (rank == who)
            mine = FMD_FAIL(FMD_ENOINPUT, "%s", "cannot open 'x%sy': no such file");
        assert_all_fail(fmd_comm_agree(mpi_comm, mine), FMD_ENOINPUT, expected);
        assert_all_ok(fmd_comm_agree(mpi_comm, FMD_OK));
    }
}

static void the_worst_status_wins(void **state)
{
    (void)state;
    static const fmd_status statuses[] = {FMD_EUSAGE, FMD_EDATA, FMD_ENOMEM, FMD_EIO};
    for (int turn = 0; turn < size; turn++) {
        const int place = (rank + turn) % size; /* 0 is the worst */
        char expected[FMD_ERROR_BYTES];
        expect_message((size - turn) % size, "place 0", expected);
        const fmd_status mine = FMD_FAIL(statuses[3 - place % 4], "place %d", place);
        assert_all_fail(fmd_comm_agree(mpi_comm, mine), FMD_EIO, expected);
    }
}

static void of_equal_statuses_the_first_rank_is_named(void **state)
{
    (void)state;
    char expected[FMD_ERROR_BYTES];
    const int who = size > 1 ? 1 : 0;
    char text[32];
    snprintf(text, sizeof text, "fault %d", who);
    expect_message(who, text, expected);
    fmd_status mine = FMD_OK;
    if (rank >= who)
        mine = FMD_FAIL(FMD_EDATA, "fault %d", rank);
    assert_all_fail(fmd_comm_agree(mpi_comm, mine), FMD_EDATA, expected);
}

static void a_long_message_arrives_cut_but_whole(void **state)
{
    (void)state;
    char message[FMD_ERROR_BYTES], cut[FMD_ERROR_BYTES], expected[FMD_ERROR_BYTES];
    memset(message, 'm', sizeof message);
    message[sizeof message - 1] = '\0';
    snprintf(cut, sizeof cut, "%.700s", message);
    expect_message(size - 1, size > 1 ? cut : message, expected);
    fmd_status mine = FMD_OK;
    if (rank == size - 1)
        mine = FMD_FAIL(FMD_EIO, "%s", message);
    assert_all_fail(fmd_comm_agree(mpi_comm, mine), FMD_EIO, expected);
}

static void equal_bytes_are_the_same(void **state)
{
    (void)state;
    char bytes[256];
    memset(bytes, 'b', sizeof bytes);
    assert_all_ok(fmd_comm_same(mpi_comm, bytes, sizeof bytes, "their bytes"));
    assert_all_ok(fmd_comm_same(mpi_comm, bytes, 0, "nothing"));
}

static void a_rank_that_differs_is_named_on_all(void **state)
{
    (void)state;
    for (int who = 1; who < size; who++) {
        char bytes[256], expected[64];
        memset(bytes, 'b', sizeof bytes);
        bytes[255] = rank == who ? 'c' : 'b';
        snprintf(expected, sizeof expected, "ranks 0 and %d differ in their bytes", who);
        assert_all_fail(fmd_comm_same(mpi_comm, bytes, sizeof bytes, "their bytes"), FMD_EDESYNC,
                        expected);
        assert_all_ok(fmd_comm_same(mpi_comm, bytes, 255, "their first bytes"));
    }
}

static void where_rank_0_differs_the_next_one_is_named(void **state)
{
    (void)state;
    if (size == 1)
        skip();
    const int64_t value = rank == 0 ? 5 : 6;
    assert_all_fail(fmd_comm_same(mpi_comm, &value, sizeof value, "their value"), FMD_EDESYNC,
                    "ranks 0 and 1 differ in their value");
}

static void more_than_256_bytes_are_not_compared(void **state)
{
    (void)state;
    const char bytes[257] = "";
    assert_all_fail(fmd_comm_same(mpi_comm, bytes, sizeof bytes, "their bytes"), FMD_EINTERNAL,
                    "their bytes: 257 bytes are too many to compare");
}

/* Binds each rank to one of its cores, then restores the binding. */
static void the_cores_of_a_node_are_those_of_all_its_ranks(void **state)
{
    (void)state;
    cpu_set_t before, one;
    CPU_ZERO(&before);
    assert_all_ranks(sched_getaffinity(0, sizeof before, &before) == 0);
    const int cores = fmd_comm_node_cores(mpi_comm);
    assert_all_ranks(cores >= CPU_COUNT(&before));
    assert_all_ranks(cores <= sysconf(_SC_NPROCESSORS_CONF));

    const int mine = fmd_comm_node_rank(mpi_comm) % CPU_COUNT(&before);
    CPU_ZERO(&one);
    for (int cpu = 0, seen = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &before) && seen++ == mine)
            CPU_SET(cpu, &one);
    const int narrowed = sched_setaffinity(0, sizeof one, &one);
    const int fewer = fmd_comm_node_cores(mpi_comm);
    const int restored = sched_setaffinity(0, sizeof before, &before);
    assert_all_ranks(narrowed == 0 && restored == 0);
    const int ranks = fmd_comm_node_size(mpi_comm);
    /* Bound ranks may have different cores to choose from; then there is at most one core per rank. */
    assert_all_ranks(fewer >= 1 && fewer <= ranks);
    assert_all_ranks(cores != CPU_COUNT(&before) || fewer == (ranks < cores ? ranks : cores));
}

static void the_library_is_named_in_one_short_line(void **state)
{
    (void)state;
    const char *library = fmd_comm_library();
    assert_all_ranks(strlen(library) > 3);
    assert_all_ranks(strpbrk(library, ",\n") == NULL);
}

static void shared_memory_filled_on_rank_0_is_read_on_all(void **state)
{
    (void)state;
    enum { N = 100003 };
    void *memory = NULL;
    assert_all_ok(fmd_comm_shared(mpi_comm, N, &memory));
    assert_all_ranks(memory != NULL);
    uint8_t *bytes = memory;
    if (rank == 0)
        usleep(20000); /* so that the others would be early if they did not wait */
    for (size_t i = 0; rank == 0 && i < N; i++)
        bytes[i] = pattern(i);
    fmd_comm_share(mpi_comm, memory, N);
    size_t wrong = 0;
    for (size_t i = 0; i < N; i++)
        wrong += bytes[i] != pattern(i);
    assert_all_ranks(wrong == 0);

    /* Memory is shared per node: ranks of a node read the writes of one rank. */
    const int64_t ranks = fmd_comm_node_size(mpi_comm);
    fmd_comm_share(mpi_comm, memory, 0);
    bytes[fmd_comm_node_rank(mpi_comm)] = (uint8_t)(100 + fmd_comm_node_rank(mpi_comm));
    fmd_comm_share(mpi_comm, memory, 0);
    for (int i = 0; i < ranks; i++)
        wrong += bytes[i] != 100 + i;
    assert_all_ranks(wrong == 0);
}

static void the_largest_is_taken_over_the_ranks_for_each_value(void **state)
{
    (void)state;
    double values[] = {rank, -rank, 7};
    fmd_comm_max(mpi_comm, values, 3);
    assert_all_ranks(values[0] == size - 1 && values[1] == 0 && values[2] == 7);
}

static void shared_memory_may_be_released_and_asked_for_again(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        void *memory;
        assert_all_ok(fmd_comm_shared(mpi_comm, 100, &memory));
        fmd_comm_share(mpi_comm, memory, 100);
        fmd_comm_unshare(mpi_comm);
    }
}

/* Uses all windows, so this test comes last. */
static void shared_memory_may_be_empty_and_ends_after_four_times(void **state)
{
    (void)state;
    void *memory = &size;
    assert_all_ok(fmd_comm_shared(mpi_comm, 0, &memory));
    assert_all_ranks(memory == NULL);
    fmd_comm_share(mpi_comm, memory, 0);
    assert_all_ok(fmd_comm_shared(mpi_comm, 1, &memory));
    assert_all_ok(fmd_comm_shared(mpi_comm, 1, &memory));
    assert_all_fail(fmd_comm_shared(mpi_comm, 1, &memory), FMD_EINTERNAL,
                    "more than 4 shared windows");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_job_has_as_many_ranks_as_were_started),
        cmocka_unit_test(gather_puts_the_ranks_in_order),
        cmocka_unit_test(sums_of_integers_are_exact),
        cmocka_unit_test(every_node_has_one_first_rank),
        cmocka_unit_test(broadcasts_carry_any_number_of_bytes),
        cmocka_unit_test(broadcasts_of_more_than_256_mebibytes_arrive_whole),
        cmocka_unit_test(means_are_taken_over_the_ranks_for_each_value),
        cmocka_unit_test(the_largest_is_taken_over_the_ranks_for_each_value),
        cmocka_unit_test(ranks_that_all_succeed_agree_on_success),
        cmocka_unit_test(one_rank_that_fails_is_named_on_all),
        cmocka_unit_test(the_worst_status_wins),
        cmocka_unit_test(of_equal_statuses_the_first_rank_is_named),
        cmocka_unit_test(a_long_message_arrives_cut_but_whole),
        cmocka_unit_test(equal_bytes_are_the_same),
        cmocka_unit_test(a_rank_that_differs_is_named_on_all),
        cmocka_unit_test(where_rank_0_differs_the_next_one_is_named),
        cmocka_unit_test(more_than_256_bytes_are_not_compared),
        cmocka_unit_test(the_cores_of_a_node_are_those_of_all_its_ranks),
        cmocka_unit_test(the_library_is_named_in_one_short_line),
        cmocka_unit_test(shared_memory_filled_on_rank_0_is_read_on_all),
        cmocka_unit_test(shared_memory_may_be_released_and_asked_for_again),
        cmocka_unit_test(shared_memory_may_be_empty_and_ends_after_four_times),
    };
    return mpi_run_tests(tests);
}
