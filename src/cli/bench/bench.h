/* Common to the operations of the bench command. */
#ifndef FMD_CLI_BENCH_BENCH_H
#define FMD_CLI_BENCH_BENCH_H

#include "cli/bench/table.h"
#include "measure/step_bench.h"
#include "run/job.h"

typedef struct fmd_bench {
    fmd_job *job; /* for `load` only its configuration */
    fmd_bench_args args;
    fmd_json *json;  /* rank 0: the results; NULL: they go to stdout */
    double *seconds; /* scratch: the steps of all repetitions, or twice the repetitions */
} fmd_bench;

/* A table of this benchmark; `label` and `columns` are arrays or structs by name. */
#define FMD_BENCH_TABLE(b, NAME, LABEL, COLUMNS)                                                   \
    {                                                                                              \
        .name = (NAME), .label = (LABEL), .columns = (COLUMNS),                                    \
        .n_columns = sizeof(COLUMNS) / sizeof *(COLUMNS), .json = (b)->json                        \
    }

/* Collective. Measure and report. */
FMD_CHECKED fmd_status fmd_bench_train(fmd_bench *b);
FMD_CHECKED fmd_status fmd_bench_allreduce(fmd_bench *b);
FMD_CHECKED fmd_status fmd_bench_gemm(fmd_bench *b);
FMD_CHECKED fmd_status fmd_bench_conv(fmd_bench *b);
FMD_CHECKED fmd_status fmd_bench_update(fmd_bench *b);
FMD_CHECKED fmd_status fmd_bench_load(fmd_bench *b);

/* Rank 0. The table of the layers of a step. */
void fmd_bench_profile(const fmd_bench *b, const fmd_bench_result *r);

#endif
