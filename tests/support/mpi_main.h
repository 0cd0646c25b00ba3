/* cmocka under mpirun: every rank runs the group, rank 0 reports.
 *
 * Assertions are collective: the conditions of all ranks are summed before one of them fails, so
 * that all fail together. A plain cmocka assertion that fails on one rank alone jumps out of the
 * test and leaves the others waiting in the next collective. */
#ifndef FMD_TEST_MPI_MAIN_H
#define FMD_TEST_MPI_MAIN_H

#include "support/fmd_test.h"

#include "dist/comm.h"

/* The communicator, while a group runs. */
extern fmd_comm *mpi_comm;

/* Collective. Returns the exit code for main: 0 if every test passed on every rank. Ranks other than 0
 * print only the messages of failed assertions. */
#define mpi_run_tests(tests) mpi_run_group(#tests, tests, sizeof(tests) / sizeof((tests)[0]))
int mpi_run_group(const char *name, const struct CMUnitTest *tests, size_t n);

/* Collective. The condition holds on every rank; ranks where it fails print a message. */
#define assert_all_ranks(condition) mpi_assert((condition), #condition, __FILE__, __LINE__)
void mpi_assert(int condition, const char *text, const char *file, int line);

/* Collective. The call succeeds on every rank. */
#define assert_all_ok(call) mpi_assert_status((call), FMD_OK, NULL, #call, __FILE__, __LINE__)

/* Collective. The call fails on every rank with this status and exactly this message. */
#define assert_all_fail(call, status, message)                                                     \
    mpi_assert_status((call), (status), (message), #call, __FILE__, __LINE__)
void mpi_assert_status(fmd_status found, fmd_status expected, const char *message, const char *text,
                       const char *file, int line);

/* Collective. Every rank holds the bytes that rank 0 holds. */
#define assert_equal_on_all_ranks(data, bytes)                                                     \
    mpi_assert_equal((data), (bytes), #data, __FILE__, __LINE__)
void mpi_assert_equal(const void *data, size_t bytes, const char *text, const char *file, int line);

#endif
