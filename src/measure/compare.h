/* Several runs side by side: in what they differ, and whether their accuracies differ by more than
 * chance. */
#ifndef FMD_MEASURE_COMPARE_H
#define FMD_MEASURE_COMPARE_H

#include "io/json/json_object.h"
#include "measure/mcnemar.h"
#include "run/run_view.h"

enum { FMD_COMPARE_RUNS = 8, FMD_COMPARE_PAIRS = FMD_COMPARE_RUNS * (FMD_COMPARE_RUNS - 1) / 2 };

/* A property that differs, with its value in each run. */
typedef struct fmd_difference {
    const char *group; /* "options", "data", "program", "result" */
    const char *name;
    char *values[FMD_COMPARE_RUNS];
} fmd_difference;

/* Two runs; `why` is empty where they were tested. */
typedef struct fmd_compared_pair {
    size_t first, second;
    fmd_mcnemar test;
    double p; /* adjusted for the number of pairs */
    char why[160];
} fmd_compared_pair;

typedef struct fmd_comparison {
    size_t n;
    fmd_run_view *runs[FMD_COMPARE_RUNS]; /* borrowed */
    double accuracy[FMD_COMPARE_RUNS], low[FMD_COMPARE_RUNS], high[FMD_COMPARE_RUNS];
    fmd_difference *differences;
    size_t n_differences;
    fmd_compared_pair pairs[FMD_COMPARE_PAIRS];
    size_t n_pairs, n_tested;
} fmd_comparison;

/* A difference with a smaller p is called more than chance. */
#define FMD_COMPARE_LEVEL 0.05

/* Rank 0. Compares the runs in `c`, whose other members are zero. Released by free even on failure.
 * FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_comparison_make(fmd_comparison *c);
void fmd_comparison_free(fmd_comparison *c);

/* Local. "A" for the first run. */
const char *fmd_comparison_letter(size_t run, char text[2]);

/* Local. One sentence on a pair: "B is better than A by more than chance (p = 0.003)". */
const char *fmd_comparison_sentence(const fmd_compared_pair *p, char *text, size_t size);

/* Local. How many differences a group has. */
size_t fmd_comparison_count(const fmd_comparison *c, const char *group);

/* Local. Everything as an object. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_comparison_json(fmd_json **out, const fmd_comparison *c);

#endif
