/* What the user asked for: one plain struct, and the one table that fills it.
 *
 * Rank 0 alone parses; the struct is then broadcast as bytes. */
#ifndef FMD_APP_CONFIG_H
#define FMD_APP_CONFIG_H

#include "fmd/callback.h"
#include "fmd/comm.h"
#include "fmd/dataset.h"
#include "fmd/log.h"
#include "fmd/option.h"
#include "fmd/reduction.h"
#include "fmd/schedule.h"

enum { FMD_CONFIG_LAYERS_BYTES = 1024 };

typedef struct fmd_config {
    /* data */
    char dataset[FMD_PATH_BYTES], data_dir[FMD_PATH_BYTES];
    double validation_split;
    int64_t limit;
    bool normalize;
    /* model */
    char layers[FMD_CONFIG_LAYERS_BYTES], hidden[128];
    char weights[FMD_PATH_BYTES], against[FMD_PATH_BYTES];
    /* training */
    int64_t epochs, batch_size, batch_size_per_rank;
    char optimizer[128];
    double learning_rate;
    int lr_schedule; /* fmd_schedule */
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
    int reduce; /* fmd_reduction_mode */
    int64_t leaf_size, threads;
    /* output */
    char run_dir[FMD_PATH_BYTES];
    int progress; /* fmd_progress */
    int64_t verbose;
    int log_level; /* fmd_log_level */
} fmd_config;

/* The table, and its length. */
extern const fmd_option fmd_config_table[];
extern const size_t fmd_config_table_length;

/* A command of the program; one row of the table in main.c. */
typedef struct fmd_command {
    const char *name, *usage, *help;
    const char *groups; /* of options that it takes: "data|model" */
    bool takes_files;   /* a word that is no option is a file of weights */
    bool needs_mpi;
    fmd_status (*run)(fmd_comm *c, const fmd_config *config);
} fmd_command;

/* Local. Fills *config for `command` from its arguments, the environment and the config file, in
 * this order of precedence. FMD_EUSAGE. */
FMD_CHECKED fmd_status fmd_config_parse(fmd_config *config, const fmd_command *command, int argc,
                                        char **argv);

/* Local. The layers that --layers, or else --hidden, stands for. FMD_EUSAGE. */
FMD_CHECKED fmd_status fmd_config_layers(const fmd_config *config, int classes,
                                         char spec[FMD_CONFIG_LAYERS_BYTES]);

/* Local. The options of a command, as its --help lists them. */
void fmd_config_print_help(const fmd_command *command);

fmd_status fmd_cmd_train(fmd_comm *c, const fmd_config *config);
fmd_status fmd_cmd_evaluate(fmd_comm *c, const fmd_config *config);
fmd_status fmd_cmd_inspect(fmd_comm *c, const fmd_config *config);
fmd_status fmd_cmd_summary(fmd_comm *c, const fmd_config *config);
fmd_status fmd_cmd_doctor(fmd_comm *c, const fmd_config *config);

#endif
