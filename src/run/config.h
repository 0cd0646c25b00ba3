/* What the user asked for: one plain struct, and the one table that fills it.
 *
 * Rank 0 alone parses; the struct is then broadcast as bytes. */
#ifndef FMD_RUN_CONFIG_H
#define FMD_RUN_CONFIG_H

#include "fmd/callback.h"
#include "fmd/comm.h"
#include "fmd/dataset.h"
#include "base/log.h"
#include "base/option.h"
#include "dist/reduce/reduction.h"
#include "nn/schedule.h"

enum { FMD_CONFIG_LAYERS_BYTES = 1024, FMD_OPTIONS_MAX = 160 };

/* What else but a part of the training images is validated on. */
#define FMD_VALIDATION_DATA_NAMES "none|test"
typedef enum fmd_validation_data { FMD_VALIDATION_NONE, FMD_VALIDATION_TEST } fmd_validation_data;

/* What --lr-scaling makes of the learning rate for a batch k times the base batch. */
#define FMD_LR_SCALING_NAMES "none|linear|sqrt"
typedef enum fmd_lr_scaling { FMD_LR_AS_IT_IS, FMD_LR_LINEAR, FMD_LR_SQRT } fmd_lr_scaling;

/* What scaling does, and by what; names for the option table, and their order. */
#define FMD_STUDY_MODES     "strong|weak|both"
#define FMD_STUDY_LAUNCHERS "mpirun|srun|sbatch|dry"

/* What bench measures; names for the option table, and their order. */
#define FMD_BENCH_OPS "train|allreduce|gemm|update|load"

/* What the data command does, and in the order of its table. */
#define FMD_DATA_ACTIONS "list|info|verify"

typedef struct fmd_config {
    /* data */
    char dataset[FMD_PATH_BYTES], data_dir[FMD_PATH_BYTES];
    double validation_split;
    int validation_data; /* fmd_validation_data */
    int64_t limit;
    bool normalize;
    /* model */
    char layers[FMD_CONFIG_LAYERS_BYTES], hidden[128];
    char model[FMD_PATH_BYTES]; /* "" once its layers are in `layers` */
    char weights[FMD_PATH_BYTES], against[FMD_PATH_BYTES];
    /* data command */
    int action; /* of FMD_DATA_ACTIONS */
    /* what to look at */
    int split; /* fmd_split_name */
    char index[FMD_CONFIG_LAYERS_BYTES];
    char images[8 * FMD_PATH_BYTES];
    bool invert, misclassified;
    int sort; /* fmd_sort_order */
    bool csv;
    bool values;
    char grid[32];
    int64_t scale;
    int64_t top_k;
    bool json;
    /* training */
    int64_t epochs, batch_size, batch_size_per_rank;
    char optimizer[128];
    double learning_rate;
    char lr_schedule[FMD_SCHEDULE_SPEC_BYTES];
    int lr_scaling; /* fmd_lr_scaling */
    int64_t lr_base_batch;
    double warmup_epochs;
    int64_t seed;
    bool shuffle;
    /* stopping */
    char stop_when[512];
    int64_t patience;
    char monitor[32];
    double min_delta;
    int mode; /* fmd_monitor_mode */
    double baseline;
    bool restore_best;
    double max_time;
    /* checkpoints */
    char save_freq[32];
    int64_t keep;
    bool save_best;
    char resume[FMD_PATH_BYTES];
    double hang_timeout;
    /* distribution */
    int reduce;    /* fmd_reduction_mode */
    int allreduce; /* fmd_allreduce */
    int gemm;      /* fmd_gemm_kind */
    int64_t leaf_size, threads;
    /* benchmark */
    int op; /* of FMD_BENCH_OPS */
    int64_t warmup, steps, repetitions;
    /* scaling study */
    char ranks[128];
    int scaling_mode; /* of FMD_STUDY_MODES */
    int launcher;     /* fmd_study_launcher */
    char launcher_options[512];
    bool oversubscribe;
    char study_dir[FMD_PATH_BYTES];
    /* output */
    char run_dir[FMD_PATH_BYTES];
    bool tensorboard;
    /* watch */
    char run[FMD_PATH_BYTES];
    double interval;
    bool once;
    int progress; /* fmd_progress */
    int64_t verbose;
    int log_level; /* fmd_log_level */
    /* pictures */
    int what; /* 0: all, else a row of the table in cmd_plot.c */
    char format[32];
    /* file */
    char output[FMD_PATH_BYTES];
    /* tutorial */
    int lesson;
    /* completion */
    int shell;
    /* rows of the table whose value is the user's, not the default */
    bool given[FMD_OPTIONS_MAX];
} fmd_config;

/* The table, and its length. */
extern const fmd_option fmd_config_table[];
extern const size_t fmd_config_table_length;

/* The choices of --split and --sort. */
typedef enum fmd_split_name { FMD_SPLIT_TEST, FMD_SPLIT_TRAIN } fmd_split_name;
typedef enum fmd_sort_order { FMD_SORT_INDEX, FMD_SORT_CONFIDENCE, FMD_SORT_DOUBT } fmd_sort_order;

/* Headings of the overview; the last one is the first in the enum, for those that name none. */
typedef enum fmd_section {
    FMD_TO_SET_UP,
    FMD_TO_TRAIN,
    FMD_TO_LOOK,
    FMD_TO_MEASURE,
} fmd_section;

/* A command of the program; one row of the table in main.c. */
typedef struct fmd_command {
    const char *name, *usage, *help;
    fmd_section section;
    const char *example; /* its arguments, as one might give them; NULL: it needs none */
    const char *groups;  /* of options that it takes: "data|model" */
    const char *words;   /* options that words without a name are for, in turn: "weights|against" */
    bool needs_mpi;
    fmd_status (*run)(fmd_comm *c, const fmd_config *config);
} fmd_command;

/* The table, and its length. */
extern const fmd_command fmd_commands[];
extern const size_t fmd_commands_length;

/* Local. FMD_EUSAGE, with the nearest name, where there is no such command. */
FMD_CHECKED fmd_status fmd_command_find(const fmd_command **out, const char *name);

/* Collective where `c` is not NULL. Rank 0 reads the command's arguments into every rank's *config;
 * log and arithmetic are opened as it says. FMD_EUSAGE. */
FMD_CHECKED fmd_status fmd_command_configure(const fmd_command *command, fmd_comm *c, int argc,
                                             char **argv, fmd_config *config);

/* Local. Whether the command takes the option. */
bool fmd_command_takes(const fmd_command *command, const fmd_option *o);

/* Local. Fills *config for `command` from its arguments, the environment and the config file, in
 * this order of precedence. FMD_EUSAGE. */
FMD_CHECKED fmd_status fmd_config_parse(fmd_config *config, const fmd_command *command, int argc,
                                        char **argv);

/* Local. Whether the user gave the option: by flag, environment or config file, be it the default. */
bool fmd_config_gives(const fmd_config *config, const char *name);

/* Local. The layers that --layers, or else --hidden, stands for. FMD_EUSAGE. */
FMD_CHECKED fmd_status fmd_config_layers(const fmd_config *config, int classes,
                                         char spec[FMD_CONFIG_LAYERS_BYTES]);

/* Local. The program's --help, a screen of it; and that of a command. */
void fmd_help_overview(void);
void fmd_help_command(const fmd_command *command);

/* Local. The manual page of the program, fmnist-dist.1, for man. */
void fmd_help_manual(void);

/* Local. An option as it is typed, "--reduce exact|native" or "--no-shuffle"; and what it does, with
 * default, range and Keras' name. */
enum { FMD_HELP_BYTES = 512 };
const char *fmd_help_usage(const fmd_option *o, char text[FMD_HELP_BYTES]);
const char *fmd_help_text(const fmd_option *o, char text[FMD_HELP_BYTES]);

/* Local. A layer or an optimizer as it is typed, "dropout:RATE" or "leakyrelu[:slope=0.3]". */
const char *fmd_help_spec(const char *name, const fmd_option *args, size_t n,
                          char text[FMD_HELP_BYTES]);

/* Local. Ends the line that stands at column `at` with `text`, which begins at `column` and is broken
 * between words. */
void fmd_print_text(int at, int column, const char *text);

fmd_status fmd_cmd_completion(fmd_comm *c, const fmd_config *config);
fmd_status fmd_cmd_data(fmd_comm *c, const fmd_config *config);
fmd_status fmd_cmd_train(fmd_comm *c, const fmd_config *config);
fmd_status fmd_cmd_watch(fmd_comm *c, const fmd_config *config);
fmd_status fmd_cmd_bench(fmd_comm *c, const fmd_config *config);
fmd_status fmd_cmd_scaling(fmd_comm *c, const fmd_config *config);
fmd_status fmd_cmd_evaluate(fmd_comm *c, const fmd_config *config);
fmd_status fmd_cmd_inspect(fmd_comm *c, const fmd_config *config);
fmd_status fmd_cmd_predict(fmd_comm *c, const fmd_config *config);
fmd_status fmd_cmd_show(fmd_comm *c, const fmd_config *config);
fmd_status fmd_cmd_summary(fmd_comm *c, const fmd_config *config);
fmd_status fmd_cmd_plot(fmd_comm *c, const fmd_config *config);
fmd_status fmd_cmd_report(fmd_comm *c, const fmd_config *config);
fmd_status fmd_cmd_doctor(fmd_comm *c, const fmd_config *config);
fmd_status fmd_cmd_tutorial(fmd_comm *c, const fmd_config *config);

#endif
