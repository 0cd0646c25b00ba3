#include "support/mpi_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

fmd_comm *mpi_comm;

/* The stderr of every rank, even of silenced ranks. */
static FILE *loud;

/* Silences C streams. The file descriptors stay open, so that the MPI library and the sanitizers can
 * still print. */
static int mute(void)
{
    FILE *nowhere = fopen("/dev/null", "w");
    if (nowhere == NULL)
        return -1;
    stdout = nowhere;
    stderr = nowhere;
    return 0;
}

int mpi_run_group(const char *name, const struct CMUnitTest *tests, size_t n)
{
    loud = stderr;
    if (fmd_comm_open(&mpi_comm) != FMD_OK) {
        fprintf(loud, "%s\n", fmd_error_message());
        return 1;
    }
    const int rank = fmd_comm_rank(mpi_comm);
    if (rank == 0)
        printf("%d ranks\n", fmd_comm_size(mpi_comm));
    int64_t failures = rank != 0 && mute() != 0;
    failures += _cmocka_run_group_tests(name, tests, n, NULL, NULL);
    fmd_comm_sum_i64(mpi_comm, &failures, 1);
    fmd_comm_close(mpi_comm);
    return failures != 0;
}

void mpi_assert(int condition, const char *text, const char *file, int line)
{
    int64_t failures = !condition;
    if (!condition)
        fprintf(loud, "%s:%d: rank %d of %d: not true: %s\n", file, line, fmd_comm_rank(mpi_comm),
                fmd_comm_size(mpi_comm), text);
    fmd_comm_sum_i64(mpi_comm, &failures, 1);
    if (failures != 0)
        _fail(file, line);
}

void mpi_assert_status(fmd_status found, fmd_status expected, const char *message, const char *text,
                       const char *file, int line)
{
    char said[FMD_ERROR_BYTES] = "";
    if (found != FMD_OK)
        snprintf(said, sizeof said, "%s", fmd_error_message());
    const int right = found == expected && (message == NULL || strcmp(said, message) == 0);
    if (!right)
        fprintf(loud, "rank %d: found status %d: %s\n  expected status %d: %s\n",
                fmd_comm_rank(mpi_comm), (int)found, said, (int)expected,
                message != NULL ? message : "");
    mpi_assert(right, text, file, line);
}

void mpi_assert_equal(const void *data, size_t bytes, const char *text, const char *file, int line)
{
    char *first = malloc(bytes + 1);
    if (first != NULL) {
        memcpy(first, data, bytes);
        fmd_comm_bcast(mpi_comm, first, bytes);
    }
    const int right = first != NULL && memcmp(first, data, bytes) == 0;
    free(first);
    mpi_assert(right, text, file, line);
}
