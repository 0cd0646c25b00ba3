#include "cli/parse.h"

#include "base/version.h"
#include "cli/preset/preset.h"
#include "io/json/json_file.h"
#include "io/keras/spec.h"
#include "math/gemm.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_BYTES = 4096, ENV_NAME_BYTES = 64 };
static const char env_prefix[] = "FMNIST_DIST_";

extern char **environ;

static const fmd_option *option_named(const char *name)
{
    return fmd_option_find(fmd_config_table, fmd_config_table_length, name);
}

/* Options of other programs that this one does not have. */
static const struct {
    const char *names, *answer;
} foreign[] = {
    {"np|n|nproc|nproc-per-node|nnodes|nodes|num-proc|ntasks|world-size",
     "mpirun sets the number of ranks: mpirun -np 2 fmnist-dist ..."},
    {"gpu|gpus|device|cuda|no-cuda", "fmnist-dist runs on CPUs only, one core per rank of mpirun"},
    {"callbacks", "callbacks are options, such as --stop-when, --patience or --save-best"},
};

static const char *foreign_answer(const char *name)
{
    char dashed[FMD_OPTION_TEXT_BYTES];
    snprintf(dashed, sizeof dashed, "%s", name);
    for (char *c = dashed; (c = strchr(c, '_')) != NULL;)
        *c = '-';
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        if (fmd_word_is_among(foreign[i].names, dashed))
            return foreign[i].answer;
    return NULL;
}

/* Finds an option by name. The message for an unknown one suggests the nearest that the command
 * takes. */
static fmd_status find(const fmd_option **out, const char *name, const char *label,
                       const fmd_command *command)
{
    static const char *const aliases[][2] = {{"lr", "learning-rate"}};
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (strcmp(name, aliases[i][0]) == 0)
            name = aliases[i][1];
    *out = option_named(name);
    if (*out != NULL && command != NULL && !fmd_command_takes(command, *out))
        return FMD_FAIL(FMD_EUSAGE, "%s: not an option of '%s'; see fmnist-dist %s --help", label,
                        command->name, command->name);
    if (*out != NULL)
        return FMD_OK;
    const char *answer = foreign_answer(name);
    if (answer != NULL)
        return FMD_FAIL(FMD_EUSAGE, "%s: %s", label, answer);
    char names[NAMES_BYTES] = "config", near[FMD_OPTION_TEXT_BYTES];
    size_t used = strlen(names);
    for (size_t i = 0; i < fmd_config_table_length && used < sizeof names; i++)
        if (command == NULL || fmd_command_takes(command, &fmd_config_table[i]))
            used += (size_t)snprintf(names + used, sizeof names - used, "|%s",
                                     fmd_config_table[i].name);
    fmd_choice_nearest(names, name, near);
    return FMD_FAIL(FMD_EUSAGE, "%s: unknown option%s%s%s", label,
                    *near ? " (did you mean '--" : "", near, *near ? "'?)" : "; see --help");
}

/* Sets an option. One that repeats is appended to its value from the same source. */
static fmd_status set(const fmd_option *o, fmd_config *config, bool *given, const char *label,
                      const char *value)
{
    const bool again = given[o - fmd_config_table];
    given[o - fmd_config_table] = true;
    char *text = (char *)config + o->offset;
    if (strcmp(label, "--layers") == 0 && *value == '\0')
        return FMD_FAIL(FMD_EUSAGE, "--layers: the text is empty: name layers, or leave it out");
    if (strcmp(o->name, "output") == 0 && strcmp(value, "-") == 0)
        return FMD_FAIL(FMD_EUSAGE,
                        "%s: '-' is not supported: name a file (./- for one called '-')", label);
    if (!again || !o->repeats)
        return fmd_option_set(o, config, label, value);
    const size_t used = strlen(text);
    if (used + 1 + strlen(value) >= o->size)
        return FMD_FAIL(FMD_EUSAGE, "%s: longer than %zu characters in total", label, o->size - 1);
    snprintf(text + used, o->size - used, ",%s", value);
    return FMD_OK;
}

/* FMNIST_DIST_BATCH_SIZE=32. FMNIST_DIST_DATA is no option: data/locate.c reads it. */
static fmd_status read_environment(fmd_config *config, bool *given)
{
    for (char **e = environ; *e != NULL; e++) {
        const char *value = strchr(*e, '=');
        if (value == NULL || strncmp(*e, env_prefix, sizeof env_prefix - 1) != 0)
            continue;
        char label[ENV_NAME_BYTES + 1], name[ENV_NAME_BYTES + 1];
        snprintf(label, sizeof label, "%.*s", (int)(value - *e), *e);
        if (strcmp(label, "FMNIST_DIST_DATA") == 0 || strcmp(label, "FMNIST_DIST_CONFIG") == 0)
            continue;
        size_t n = 0;
        for (const char *c = label + sizeof env_prefix - 1; *c != '\0'; c++)
            name[n++] = (char)(*c == '_' ? '-' : tolower((unsigned char)*c));
        name[n] = '\0';
        const fmd_option *o;
        FMD_TRY(find(&o, name, label, NULL));
        FMD_TRY(set(o, config, given, label, value + 1));
    }
    return FMD_OK;
}

/* "--name=value", "--name value", "--flag", "--no-flag". Advances *i past the value. */
static fmd_status read_flag(fmd_config *config, const fmd_command *command, bool *given, int argc,
                            char **argv, int *i)
{
    const char *word = argv[*i] + 2, *equals = strchr(word, '=');
    char name[FMD_OPTION_TEXT_BYTES], label[FMD_OPTION_TEXT_BYTES];
    snprintf(name, sizeof name, "%.*s", (int)(equals != NULL ? equals - word : 100), word);
    snprintf(label, sizeof label, "--%.100s", name);
    const fmd_option *o = NULL;
    if (equals == NULL && strncmp(name, "no-", 3) == 0) {
        o = option_named(name + 3);
        if (o != NULL && o->kind == FMD_OPTION_BOOL) {
            FMD_TRY(find(&o, name + 3, label, command));
            return set(o, config, given, label, "false");
        }
    }
    FMD_TRY(find(&o, name, label, command));
    if (equals != NULL)
        return set(o, config, given, label, equals + 1);
    if (o->kind == FMD_OPTION_BOOL)
        return set(o, config, given, label, "true");
    if (*i + 1 >= argc)
        return FMD_FAIL(FMD_EUSAGE, "%s: needs a value", label);
    return set(o, config, given, label, argv[++*i]);
}

/* A word without a name goes to the first word option of the command that has no value yet. */
static fmd_status read_word(fmd_config *config, const fmd_command *command, bool *given,
                            const char *word)
{
    char names[FMD_OPTION_TEXT_BYTES], *rest = names;
    if (strcmp(word, "-np") == 0 || strcmp(word, "-n") == 0)
        return FMD_FAIL(FMD_EUSAGE,
                        "'%s': mpirun sets the number of ranks: mpirun -np 2 fmnist-dist ...",
                        word);
    if (*word == '-' && strcmp(word, "--") != 0)
        return FMD_FAIL(FMD_EUSAGE,
                        "'%s': options start with two dashes; see fmnist-dist %s --help", word,
                        command->name);
    if (command->words == NULL)
        return FMD_FAIL(FMD_EUSAGE, "'%s': unexpected argument; see fmnist-dist %s --help", word,
                        command->name);
    snprintf(names, sizeof names, "%s", command->words);
    while (rest != NULL) {
        const fmd_option *o = option_named(strsep(&rest, "|"));
        if (!given[o - fmd_config_table] || o->repeats)
            return set(o, config, given, o->name, word);
    }
    return FMD_FAIL(FMD_EUSAGE, "'%s': unexpected argument; see fmnist-dist %s --help", word,
                    command->name);
}

static fmd_status read_arguments(fmd_config *config, const fmd_command *command, int argc,
                                 char **argv, bool *given)
{
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--config") == 0) {
            i++;
        } else if (strncmp(argv[i], "--config=", 9) == 0) {
            continue;
        } else if (strncmp(argv[i], "--", 2) == 0 && argv[i][2] != '\0') {
            FMD_TRY(read_flag(config, command, given, argc, argv, &i));
        } else {
            FMD_TRY(read_word(config, command, given, argv[i]));
        }
    }
    return FMD_OK;
}

/* The value of --config, or of FMNIST_DIST_CONFIG; NULL: there is none. */
static fmd_status find_config_file(int argc, char **argv, const char **path)
{
    *path = getenv("FMNIST_DIST_CONFIG");
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "--config=", 9) == 0)
            *path = argv[i] + 9;
        if (strcmp(argv[i], "--config") != 0)
            continue;
        if (i + 1 == argc)
            return FMD_FAIL(FMD_EUSAGE, "--config: needs a value");
        *path = argv[i + 1];
    }
    return FMD_OK;
}

/* Pairs of options for the same thing. Of two values the second option's counts. */
static const char *const alternatives[][2] = {{"hidden", "layers"},
                                              {"model", "layers"},
                                              {"hidden", "model"},
                                              {"validation-split", "validation-data"},
                                              {"batch-size", "batch-size-per-rank"},
                                              {"progress", "verbose"}};

/* Refuses two alternatives from the same source. Clears the second option where the first comes from this
 * source and the second from a weaker one. */
static fmd_status resolve_alternatives(fmd_config *config, const bool *given)
{
    for (size_t i = 0; i < sizeof alternatives / sizeof *alternatives; i++) {
        const fmd_option *a = option_named(alternatives[i][0]);
        const fmd_option *b = option_named(alternatives[i][1]);
        if (!given[a - fmd_config_table])
            continue;
        if (given[b - fmd_config_table])
            return FMD_FAIL(FMD_EUSAGE, "--%s and --%s exclude each other", b->name, a->name);
        FMD_TRY(fmd_option_set(b, config, b->name, b->initial));
    }
    return FMD_OK;
}

/* Replaces --model by its layers, so that config.json of a run needs no other file. */
static fmd_status adopt_model(fmd_config *config, fmd_preset *preset)
{
    char path[FMD_PATH_BYTES];
    if (*config->model.file == '\0')
        return FMD_OK;
    FMD_TRY(fmd_preset_find(path, config->model.file));
    config->model.in = (fmd_shape){.rank = 0};
    if (*path != '\0') {
        FMD_TRY(fmd_preset_read(preset, path));
        memcpy(config->model.layers, preset->layers, sizeof preset->layers);
    } else {
        FMD_TRY(fmd_keras_model_read(config->model.file, config->model.layers,
                                     sizeof config->model.layers, &config->model.in));
    }
    *config->model.file = '\0';
    return FMD_OK;
}

/* Whether this source names a model, so that a name from a weaker source is that of another one. */
static void forget_name(fmd_config *config, const bool *given)
{
    static const char *const names[] = {"layers", "hidden", "model"};
    const fmd_option *o = option_named("model-name");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (given[option_named(names[i]) - fmd_config_table] && !given[o - fmd_config_table])
            config->model.name[0] = '\0';
}

static bool is_given(const char *name, const bool *given)
{
    return given[option_named(name) - fmd_config_table];
}

/* Refuses options without effect, rather than ignore them. */
static fmd_status check_effect(const fmd_config *config, const bool *given)
{
    if (is_given("lr-base-batch", given) && config->training.lr_scaling == FMD_LR_AS_IT_IS)
        return FMD_FAIL(FMD_EUSAGE, "--lr-base-batch has no effect without --lr-scaling");
    if (is_given("learning-rate", given) && fmd_schedule_has_rates(config->training.lr_schedule))
        return FMD_FAIL(FMD_EUSAGE, "--learning-rate has no effect with --lr-schedule step, whose "
                                    "values are the rates");
    if (is_given("shuffle-window", given) && (!config->data.stream || !config->training.shuffle))
        return FMD_FAIL(FMD_EUSAGE,
                        "--shuffle-window has no effect without --stream and --shuffle");
    static const char *const names[] = {"monitor", "min-delta", "mode", "baseline"};
    const bool watching = config->stopping.patience != FMD_UNSET_INT ||
                          config->stopping.restore_best || config->checkpoints.save_best;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (is_given(names[i], given) && !watching)
            return FMD_FAIL(FMD_EUSAGE,
                            "--%s has no effect without --patience, --restore-best or --save-best",
                            names[i]);
    if (config->run.tensorboard)
        FMD_TRY(fmd_part_require("--tensorboard", "TENSORBOARD"));
    if (config->run.tensorboard && strcmp(config->run.dir, "none") == 0)
        return FMD_FAIL(FMD_EUSAGE, "--tensorboard has no effect with --run-dir none");
    if (config->distribution.threads > 1 && config->distribution.gemm == FMD_GEMM_OWN)
        return FMD_FAIL(FMD_EUSAGE, "--threads has no effect with --gemm own, whose kernels have "
                                    "one thread; start more ranks instead");
    if (config->model.precision == FMD_BF16 &&
        (config->distribution.threads > 1 || config->distribution.gemm == FMD_GEMM_OPENBLAS))
        return FMD_FAIL(FMD_EUSAGE,
                        "--precision bf16 has kernels of its own with one thread: omit "
                        "%s",
                        config->distribution.threads > 1 ? "--threads" : "--gemm openblas");
    return FMD_OK;
}

fmd_status fmd_config_parse(fmd_config *config, const fmd_command *command, int argc, char **argv)
{
    bool in_file[FMD_OPTIONS_MAX] = {false}, in_environment[FMD_OPTIONS_MAX] = {false};
    bool on_line[FMD_OPTIONS_MAX] = {false};
    fmd_preset preset = {.n = 0};
    memset(config, 0, sizeof *config); /* padding too: the struct travels as bytes */
    FMD_TRY(fmd_options_reset(fmd_config_table, fmd_config_table_length, config));
    const char *path;
    FMD_TRY(find_config_file(argc, argv, &path));
    if (path != NULL)
        FMD_TRY(fmd_options_read_json(path, fmd_config_table, fmd_config_table_length, config,
                                      in_file));
    FMD_TRY(adopt_model(config, &preset));
    FMD_TRY(read_environment(config, in_environment));
    FMD_TRY(resolve_alternatives(config, in_environment));
    forget_name(config, in_environment);
    FMD_TRY(adopt_model(config, &preset));
    FMD_TRY(read_arguments(config, command, argc, argv, on_line));
    FMD_TRY(resolve_alternatives(config, on_line));
    forget_name(config, on_line);
    FMD_TRY(adopt_model(config, &preset));
    for (size_t i = 0; i < fmd_config_table_length; i++)
        config->given[i] = in_file[i] || in_environment[i] || on_line[i];
    if (strcmp(preset.layers, config->model.layers) == 0) /* nothing stronger replaced the model */
        FMD_TRY(fmd_preset_apply(&preset, config, config->given));
    return check_effect(config, on_line);
}
