/* The options of the program: one plain struct, and the one table that describes it.
 *
 * Rank 0 alone fills the struct (cli/parse.h); it has no pointers and is broadcast as bytes. */
#ifndef FMD_RUN_CONFIG_H
#define FMD_RUN_CONFIG_H

#include "base/log.h"
#include "base/option.h"
#include "data/dataset.h"
#include "data/import/import_args.h"
#include "dist/comm.h"
#include "dist/reduce/reduction.h"
#include "nn/model.h"
#include "nn/optimizers/optimizer.h"
#include "nn/schedule.h"
#include "train/callbacks/callback.h"

enum { FMD_CONFIG_LAYERS_BYTES = FMD_LAYERS_BYTES, FMD_OPTIONS_MAX = 160 };

/* Validation data other than a part of the training images. */
#define FMD_VALIDATION_DATA_NAMES "none|test"
typedef enum fmd_validation_data { FMD_VALIDATION_NONE, FMD_VALIDATION_TEST } fmd_validation_data;

/* The factor of --lr-scaling for a batch of k times the base batch: 1, k, or its square root. */
#define FMD_LR_SCALING_NAMES "none|linear|sqrt"
typedef enum fmd_lr_scaling { FMD_LR_AS_IT_IS, FMD_LR_LINEAR, FMD_LR_SQRT } fmd_lr_scaling;

/* Kinds of scaling studies, and launchers; names in the order of their values. */
#define FMD_STUDY_MODES     "strong|weak|both"
#define FMD_STUDY_LAUNCHERS "mpirun|srun|sbatch|dry"

/* Measurements of bench, in the order of their values. */
#define FMD_BENCH_OPS "train|allreduce|gemm|conv|update|load"

/* Actions of the data command, in the order of its table. */
#define FMD_DATA_ACTIONS "list|info|verify|import|get"

/* Pixels that an exported graph takes, and kernels of an exported source, in the order of their values. */
#define FMD_EXPORT_INPUTS  "uint8|float"
#define FMD_EXPORT_WEIGHTS "float32|int8"

/* Shells of the completion command, in the order of its table. */
#define FMD_SHELLS "bash|zsh|fish"

typedef struct fmd_config {
    struct {
        char dataset[FMD_PATH_BYTES];
        char dir[FMD_PATH_BYTES];
        double validation_split;
        int validation_data; /* fmd_validation_data */
        int validation_from; /* fmd_division_from */
        int64_t k_fold;
        int64_t limit;
        bool normalize;
        bool stream;
        int64_t shuffle_window;
        int action; /* of FMD_DATA_ACTIONS */
    } data;
    struct {
        char dest[FMD_PATH_BYTES];
        char size[32];
        int channels; /* of "auto|1|3" */
        int resize;   /* fmd_import_fit */
        int label;    /* fmd_import_label */
        double test_split;
    } import;
    struct {
        char layers[FMD_CONFIG_LAYERS_BYTES];
        char hidden[128];
        int precision;             /* fmd_precision */
        char file[FMD_PATH_BYTES]; /* "" once its layers are in `layers` */
        char name[64];             /* of a preset, or given by the user */
        fmd_shape in;              /* the input that it names; rank 0: none */
        char weights[FMD_PATH_BYTES];
        char against[FMD_PATH_BYTES];
    } model;
    struct {
        int split; /* fmd_split_name */
        char index[1024];
        char images[8 * FMD_PATH_BYTES];
        bool invert;
        bool show_input;
        char explain[FMD_PATH_BYTES];
        bool misclassified;
        char sort[64]; /* a choice of predict, or a key of runs */
        bool csv;
        bool values;
        char grid[4096]; /* of images, or of a sweep */
        int64_t scale;
        int64_t top_k;
        bool json;
    } view;
    struct {
        int64_t epochs;
        int64_t batch_size;
        int64_t batch_size_per_rank;
        char optimizer[FMD_OPTIMIZER_SPEC_BYTES];
        double learning_rate;
        char lr_schedule[FMD_SCHEDULE_SPEC_BYTES];
        int lr_scaling; /* fmd_lr_scaling */
        int64_t lr_base_batch;
        double warmup_epochs;
        int64_t seed;
        bool shuffle;
        char class_weight[512];
        double mixup;
        double cutmix;
    } training;
    struct {
        char loss[96];
        char metrics[256];
    } objective;
    struct {
        char stop_when[512];
        int64_t patience;
        char monitor[32];
        double min_delta;
        int mode; /* fmd_monitor_mode */
        double baseline;
        bool restore_best;
        double max_time;
    } stopping;
    struct {
        char save_freq[32];
        int64_t keep;
        bool save_best;
        char resume[FMD_PATH_BYTES];
        double hang_timeout;
    } checkpoints;
    struct {
        int reduce;         /* fmd_reduction_mode */
        int allreduce;      /* fmd_allreduce */
        double bucket_size; /* MB */
        int sharding;       /* fmd_sharding */
        int gemm;           /* fmd_gemm_kind */
        int64_t microbatch_size;
        int64_t threads;
    } distribution;
    struct {
        int op; /* of FMD_BENCH_OPS */
        int64_t warmup;
        int64_t steps;
        int64_t repetitions;
        bool profile;
    } bench;
    struct {
        char ranks[128];
        int mode;     /* of FMD_STUDY_MODES */
        int launcher; /* fmd_launcher */
        char launcher_options[512];
        bool oversubscribe;
        char dir[FMD_PATH_BYTES];
        int64_t random;
        char choose_by[32];
    } study;
    struct {
        char dir[FMD_PATH_BYTES];
        bool tensorboard;
    } run;
    struct {
        char list[16 * FMD_PATH_BYTES]; /* run folders, separated by commas */
        char folder[FMD_PATH_BYTES];
        char filter[512];
    } runs;
    struct {
        int task; /* 0: find */
        double from, to;
    } rate_test;
    struct {
        char run[FMD_PATH_BYTES];
        double interval;
        bool once;
    } watch;
    struct {
        int progress; /* fmd_progress */
        int64_t verbose;
        int log_level; /* fmd_log_level */
        int what;      /* 0: all, else a row of the table in cmd_plot.c */
        char format[32];
        bool live;
        char path[FMD_PATH_BYTES];
    } output;
    struct {
        int input;       /* of FMD_EXPORT_INPUTS */
        int weight_type; /* of FMD_EXPORT_WEIGHTS */
        bool fold;
    } export_to;
    struct {
        char host[256];
        int64_t port;
        int64_t max_batch;
        double max_body; /* MB */
        int64_t max_connections;
        double request_timeout;
    } serve;
    struct {
        char lesson[32];
        int shell;
    } tool;
    bool given[FMD_OPTIONS_MAX]; /* rows of the table whose value the user gave */
} fmd_config;

/* The table, and its length. */
extern const fmd_option fmd_config_table[];
extern const size_t fmd_config_table_length;

/* The groups of options of a training, which config.json stores. */
#define FMD_TRAIN_GROUPS                                                                           \
    "data|streaming|training data|folds|amount|model|weights|loss and metrics|"                    \
    "training|stopping|checkpoints|distribution|run|output"

/* Local. Whether `words`, as in "data|model", contains `word`. */
bool fmd_word_is_among(const char *words, const char *word);

/* Local. Whether `groups`, as in "data|model", names the group of the option. */
bool fmd_config_has(const char *groups, const fmd_option *o);

/* Local. Whether the user set the option, by flag, environment or config file, even to its
 * default. */
bool fmd_config_gives(const fmd_config *config, const char *name);

/* Local. The layers that --layers, or else --hidden, stands for. FMD_EUSAGE. */
FMD_CHECKED fmd_status fmd_config_layers(const fmd_config *config, int classes,
                                         char spec[FMD_CONFIG_LAYERS_BYTES]);

#endif
