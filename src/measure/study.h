/* A scaling study: its measurements, its results and its folder.
 *
 *   config.json             the options of the measurements; another study is refused
 *   points/strong-2-1.json  output of the first run on 2 ranks; complete, or absent
 *   points/allreduce-2.json times of the allreduce alone
 *   scaling.json, table.csv, table.txt, plots/, report.html */
#ifndef FMD_MEASURE_STUDY_H
#define FMD_MEASURE_STUDY_H

#include "io/json/json_object.h"
#include "measure/engine.h"
#include "measure/scaling.h"
#include "measure/stats.h"

#include <stdio.h>

/* The groups of options that the measurements depend on. A study may be extended by repetitions. */
#define FMD_STUDY_MEASURED "benchmark|steps|data|training data|model|training|distribution"

enum {
    FMD_STUDY_WAYS = 2,       /* strong, weak */
    FMD_STUDY_COUNTS = 32,    /* numbers of ranks */
    FMD_STUDY_SAMPLES = 1024, /* of the allreduce */
    FMD_STUDY_PATH = FMD_PATH_BYTES + 64,
};

/* Medians over the runs on one number of ranks. */
typedef struct fmd_study_point {
    int nodes, batch, runs;
    int microbatches, idle;       /* of the batch, 0: no limit on the ranks; ranks without one */
    fmd_stats step;               /* seconds */
    double compute, reduce, wait; /* shares of a step */
} fmd_study_point;

/* One way of scaling; points[i] has the measurements of scaling[i]. */
typedef struct fmd_study_mode {
    const char *name;   /* "strong", "weak" */
    bool strong, asked; /* asked: missing points are measured */
    int n;
    fmd_scaling_point scaling[FMD_STUDY_COUNTS];
    fmd_study_point points[FMD_STUDY_COUNTS];
    size_t knee;       /* SIZE_MAX: none */
    size_t rival;      /* a point within the spread of the knee; SIZE_MAX: none */
    size_t widest;     /* the point that counts with the widest interval */
    bool inconclusive; /* the spread of the runs is too wide for advice */
    double compute;    /* seconds of a step on one rank without communication */
    int microbatches;  /* of a batch: more ranks have no work; 0: no limit */
    int model_knee;    /* 0: there is no model */
} fmd_study_mode;

typedef struct fmd_study {
    const fmd_config *config;
    fmd_engine engine;
    char folder[FMD_PATH_BYTES];
    char when[32], host[64], core[64], cpu[128], mpi[128];
    char layers[FMD_CONFIG_LAYERS_BYTES]; /* of the model */
    int ranks[FMD_STUDY_COUNTS], n_ranks;
    fmd_study_mode modes[FMD_STUDY_WAYS];
    fmd_allreduce_sample samples[FMD_STUDY_SAMPLES];
    bool sample_counts[FMD_STUDY_SAMPLES];
    size_t n_samples;
    bool has_model;
    fmd_allreduce_model model;
    double message_bytes; /* of a step */
} fmd_study;

/* Local. "FOLDER/NAME". */
const char *fmd_study_path(const fmd_study *s, char path[FMD_STUDY_PATH], const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Local. Runs the missing measurements, or prints their commands; `engine.queued` then counts jobs in
 * the queue of a batch system. FMD_ESTOPPED, FMD_EIO, FMD_EUSAGE. */
FMD_CHECKED fmd_status fmd_study_measure(fmd_study *s);

/* Local. Reads all points of the folder, and compares them. FMD_EDATA, FMD_ENOINPUT: none. */
FMD_CHECKED fmd_status fmd_study_collect(fmd_study *s);

/* Local. Speed-up by the model: the work of a step, divided in the strong mode, and one allreduce.
 * Needs has_model. */
double fmd_study_model_speedup(const fmd_study *s, const fmd_study_mode *m, int ranks);

/* Local. The advice of a mode; several lines, each of which ends in '\n'. */
void fmd_study_advice(const fmd_study *s, const fmd_study_mode *m, FILE *out);

/* The two tables of a mode: speeds, and the breakdown of the time. */
enum { FMD_STUDY_TABLES = 2, FMD_STUDY_COLUMNS = 8, FMD_STUDY_CELL = 40 };
typedef struct fmd_study_table {
    const char *name, *caption; /* name: "speed", for ids */
    const char *head;           /* "#Ranks|Remark"; # marks numbers */
    int n_columns, width[FMD_STUDY_COLUMNS];
} fmd_study_table;
extern const fmd_study_table fmd_study_tables[FMD_STUDY_TABLES];

/* Local. The cells of a row of a table. */
void fmd_study_cells(const fmd_study_mode *m, int table, int i,
                     char cells[FMD_STUDY_COLUMNS][FMD_STUDY_CELL]);

/* Local. Both tables as text. */
void fmd_study_print_tables(const fmd_study_mode *m, FILE *out);

/* Local. Writes scaling.json, table.csv and table.txt. FMD_EIO, FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_study_write(const fmd_study *s);

#endif
