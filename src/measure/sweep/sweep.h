/* A sweep: one training for each setting of some options and each seed, and the comparison of the
 * settings.
 *
 *   config.json                     the options that all runs share; another sweep is refused
 *   runs/learning-rate=0.001_seed=0 a run folder
 *   logs/NAME.log, .err             output of the training
 *   sweep.json, table.csv, table.txt, report.html
 *
 * The best setting is chosen by validation images, never by test images. */
#ifndef FMD_MEASURE_SWEEP_H
#define FMD_MEASURE_SWEEP_H

#include "io/json/json_object.h"
#include "measure/engine.h"
#include "measure/stats.h"

enum { FMD_SWEEP_AXES = 8, FMD_SWEEP_RUNS = 1000, FMD_SWEEP_PATH = FMD_ENGINE_PATH + 32 };

/* The groups of options that the runs share. */
#define FMD_SWEEP_SHARED                                                                           \
    "data|training data|amount|model|weights|loss and metrics|training|stopping|checkpoints|"      \
    "distribution"

/* An option with its values, or with the ends of a range to draw from. */
typedef struct fmd_sweep_axis {
    const fmd_option *option;
    char **values;
    size_t n;
    bool range;
    double low, high;
} fmd_sweep_axis;

typedef enum fmd_sweep_state {
    FMD_SWEEP_NEW,
    FMD_SWEEP_DONE,
    FMD_SWEEP_RUNNING, /* by another process */
    FMD_SWEEP_STOPPED, /* can be resumed */
    FMD_SWEEP_DIVERGED,
    FMD_SWEEP_FAILED,
} fmd_sweep_state;
extern const char *const fmd_sweep_state_names[];

/* A training. Metrics are those of the epoch whose weights were kept; NAN unless it is done. */
typedef struct fmd_sweep_run {
    char name[FMD_ENGINE_NAME];
    char *values[FMD_SWEEP_AXES]; /* of the axes */
    size_t setting;
    fmd_sweep_state state;
    char why[FMD_JOB_MESSAGE]; /* of a failure */
    double metric, other, test_accuracy, seconds;
} fmd_sweep_run;

/* Runs that differ in the seed only. */
typedef struct fmd_sweep_setting {
    size_t first; /* its first run, for the values */
    size_t runs, done;
    fmd_stats metric, other, test_accuracy, seconds; /* over the runs that are done */
    bool close; /* the difference from the best setting may be chance */
} fmd_sweep_setting;

typedef struct fmd_sweep {
    const fmd_config *config;
    fmd_engine engine;
    char folder[FMD_PATH_BYTES];
    char when[32];
    fmd_metric_list metrics;    /* of the runs, besides loss and accuracy */
    const char *metric, *other; /* the validation metric that decides, and another one */
    int ranks;
    fmd_sweep_axis axes[FMD_SWEEP_AXES];
    size_t n_axes, seed; /* the axis of the seed; n_axes: none */
    fmd_sweep_run *runs;
    size_t n_runs;
    fmd_sweep_setting *settings;
    size_t n_settings;
    size_t best; /* setting; SIZE_MAX: none */
} fmd_sweep;

/* Local. Reads "learning-rate=1e-3,3e-3 seed=0..4" into the axes, and lists the runs: all
 * combinations, or `random` drawn settings with all seeds. Values with commas are separated by |
 * instead. Draws are functions of --seed. FMD_EUSAGE. */
FMD_CHECKED fmd_status fmd_sweep_plan(fmd_sweep *s, const char *grid, int64_t random);
void fmd_sweep_free(fmd_sweep *s);

/* Local. "FOLDER/NAME". */
const char *fmd_sweep_path(const fmd_sweep *s, char path[FMD_SWEEP_PATH], const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Local. Trains the runs that are not done, or prints their commands. A run that fails is marked, and
 * the next one begins. FMD_ESTOPPED, FMD_EUSAGE, FMD_EIO. */
FMD_CHECKED fmd_status fmd_sweep_train(fmd_sweep *s);

/* Local. Reads the results of all runs, and compares the settings. *n_done counts finished runs. */
FMD_CHECKED fmd_status fmd_sweep_collect(fmd_sweep *s, size_t *n_done);

/* The table of settings: the option of each axis but the seed, then the columns of
 * fmd_sweep_columns. */
enum { FMD_SWEEP_COLUMNS = FMD_SWEEP_AXES + 6, FMD_SWEEP_CELL = 160 };
typedef char fmd_sweep_cells[FMD_SWEEP_COLUMNS][FMD_SWEEP_CELL];

/* Local. The heads of the columns, or the cells of a setting; returns their number. Columns of numbers
 * begin at *numeric. */
int fmd_sweep_heads(const fmd_sweep *s, fmd_sweep_cells cells, int *numeric);
int fmd_sweep_row(const fmd_sweep *s, size_t setting, fmd_sweep_cells cells);

/* Local. "learning-rate 0.001, batch-size 64", or "defaults". */
const char *fmd_sweep_setting_text(const fmd_sweep *s, size_t setting, char *text, size_t size);

/* Local. The command that trains with the best setting: on all training images, unless an option needs
 * validation. FMD_EUSAGE. */
FMD_CHECKED fmd_status fmd_sweep_best_command(const fmd_sweep *s, fmd_command_line *c,
                                              bool *all_images);

/* Local. The table, and the best setting in words. */
void fmd_sweep_print(const fmd_sweep *s, FILE *out);

/* Local. The results as an object, for sweep.json and --json. FMD_ENOMEM. */
struct fmd_json;
FMD_CHECKED fmd_status fmd_sweep_json(fmd_json **out, const fmd_sweep *s);

/* Local. Writes sweep.json, table.csv and table.txt. FMD_EIO, FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_sweep_write(const fmd_sweep *s);

#endif
