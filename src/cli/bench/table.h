/* A table of measurements: columns on stdout, or rows of a JSON array. */
#ifndef FMD_CLI_BENCH_TABLE_H
#define FMD_CLI_BENCH_TABLE_H

#include "io/json/json_object.h"

#include <stddef.h>

typedef struct fmd_bench_column {
    const char *key, *head; /* in JSON, and on stdout */
    int width, decimals;
} fmd_bench_column;

typedef struct fmd_bench_table {
    const char *name;                /* of the JSON array */
    fmd_bench_column label;          /* the first column, text; key NULL: none */
    const fmd_bench_column *columns; /* those behind it, numbers */
    size_t n_columns;
    fmd_json *json; /* NULL: stdout */
} fmd_bench_table;

/* Local. Prints the head line; JSON has none. */
void fmd_bench_table_head(const fmd_bench_table *t);

/* Local. Prints or adds a row; `values` has n_columns numbers, NAN for none. */
void fmd_bench_table_row(const fmd_bench_table *t, const char *label, const double *values);

#endif
