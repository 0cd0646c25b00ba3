/* export: a trained model for other programs. */
#include "base/format.h"
#include "base/system/print.h"
#include "base/version.h"
#include "cli/commands.h"
#include "fmd/version.h"
#include "io/arrays/npz_writer.h"
#include "io/c_source/c_source.h"
#include "io/keras/archive.h"
#include "io/onnx/onnx.h"
#include "math/bf16/bf16.h"
#include "run/loaded_model.h"
#include "run/reader/model_title.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char formats[] = "onnx|c|keras|npz";

enum { CLASSES = 256, NOTE = FMD_WEIGHTS_PATH_BYTES };

/* Where the model comes from. */
typedef struct source {
    const char *class_names[CLASSES];
    char program[128], weights[NOTE], hash[FMD_HASH_TEXT + 8], model[FMD_MODEL_TITLE], data[NOTE];
    fmd_forward_note notes[8];
    fmd_forward_about about;
} source;

static void add_note(source *s, const char *key, const char *text)
{
    s->notes[s->about.n_notes++] = (fmd_forward_note){key, text};
}

static void describe(source *s, const fmd_loaded_model *t, bool fold)
{
    char hash[FMD_HASH_TEXT], name[FMD_MODEL_NAME];
    memset(s, 0, sizeof *s);
    for (int i = 0; i < fmd_model_classes(t->model); i++)
        s->class_names[i] = fmd_class_name(&t->data.info, i);
    s->about = (fmd_forward_about){.divisor = t->divisor,
                                   .same_bits = !fold && !fmd_bf16_is_on(),
                                   .class_names = s->class_names,
                                   .notes = s->notes};
    snprintf(s->program, sizeof s->program, "fmnist-dist " FMD_VERSION ", commit %s",
             fmd_version_commit());
    snprintf(s->weights, sizeof s->weights, "%s", t->file.path);
    snprintf(s->hash, sizeof s->hash, "xxh3:%s", fmd_hash_text(fmd_model_hash(t->model), hash));
    fmd_model_title(fmd_model_name_of(t->file.path, name), fmd_model_spec(t->model), s->model);
    snprintf(s->data, sizeof s->data, "%.1000s", t->data.info.name);
    add_note(s, "program", s->program);
    add_note(s, "weights_file", s->weights);
    add_note(s, "weights", s->hash);
    add_note(s, "model", s->model);
    add_note(s, "layers", fmd_model_spec(t->model));
    add_note(s, "dataset", s->data);
}

/* The file to write: --output, or model.FORMAT in the run folder that the user names, or else in the
 * working directory. */
static void choose_path(const fmd_config *config, char path[FMD_WEIGHTS_PATH_BYTES])
{
    struct stat s;
    const char *given = config->model.weights;
    const bool folder = stat(given, &s) == 0 && S_ISDIR(s.st_mode);
    if (*config->output.path != '\0')
        snprintf(path, FMD_WEIGHTS_PATH_BYTES, "%s", config->output.path);
    else
        snprintf(path, FMD_WEIGHTS_PATH_BYTES, "%s%smodel.%s", folder ? given : "",
                 folder ? "/" : "", config->output.format);
}

/* An existing file is replaced, but neither another kind of file nor the weights. */
static fmd_status check_path(const char *path, const char *weights)
{
    struct stat s, w;
    if (stat(path, &s) != 0)
        return FMD_OK;
    if (!S_ISREG(s.st_mode))
        return FMD_FAIL(FMD_EIO, "cannot write '%s': it is no regular file", path);
    if (stat(weights, &w) == 0 && s.st_dev == w.st_dev && s.st_ino == w.st_ino)
        return FMD_FAIL(FMD_EUSAGE, "--output: '%s' holds the weights to export", path);
    return FMD_OK;
}

static bool is_format(const fmd_config *config, const char *format)
{
    return strcmp(config->output.format, format) == 0;
}

static fmd_status check_options(const fmd_config *config)
{
    char hint[FMD_OPTION_TEXT_BYTES];
    const char *format = config->output.format;
    if (!fmd_config_gives(config, "format"))
        return FMD_FAIL(FMD_EUSAGE, "export needs a format: --format %s", formats);
    if (strchr(format, '|') != NULL || !fmd_word_is_among(formats, format))
        return FMD_FAIL(FMD_EUSAGE, "--format: '%s' is not one of %s%s", format, formats,
                        fmd_did_you_mean(formats, format, hint));
    if (is_format(config, "onnx"))
        FMD_TRY(fmd_part_require("--format onnx", "ONNX"));
    if (fmd_config_gives(config, "weight-type") && !is_format(config, "c"))
        return FMD_FAIL(FMD_EUSAGE, "--weight-type goes with --format c, not %s", format);
    if (fmd_config_gives(config, "input") && !is_format(config, "onnx"))
        return FMD_FAIL(FMD_EUSAGE, "--input goes with --format onnx, not %s", format);
    if (config->export_to.fold && !is_format(config, "c") && !is_format(config, "onnx"))
        return FMD_FAIL(FMD_EUSAGE, "--fold-batch-normalization does not go with --format %s",
                        format);
    return FMD_OK;
}

/* Rank 0. */
static fmd_status write_forward(const char *path, const fmd_loaded_model *t,
                                const fmd_config *config)
{
    fmd_forward f;
    source s;
    describe(&s, t, config->export_to.fold);
    fmd_status st = fmd_forward_create(&f, t->model, config->export_to.fold);
    if (st == FMD_OK && is_format(config, "onnx"))
        st = fmd_onnx_write(path, &f, &s.about, config->export_to.input == 0);
    else if (st == FMD_OK)
        st = fmd_c_source_write(path, &f, &s.about, config->export_to.weight_type == 1);
    fmd_forward_free(&f);
    return st;
}

/* Rank 0. */
static fmd_status write_model(const fmd_loaded_model *t, const fmd_config *config)
{
    char path[FMD_WEIGHTS_PATH_BYTES], bytes[32];
    struct stat s;
    choose_path(config, path);
    FMD_TRY(check_path(path, t->file.path));
    if (is_format(config, "keras"))
        FMD_TRY(fmd_keras_archive_write(path, t->model));
    else if (is_format(config, "npz"))
        FMD_TRY(fmd_npz_write(path, t->model));
    else
        FMD_TRY(write_forward(path, t, config));
    if (stat(path, &s) == 0)
        fmd_print("%s · %s bytes\n", path, fmd_format_count((size_t)s.st_size, bytes));
    return FMD_OK;
}

static fmd_status run_export(fmd_comm *c, const fmd_config *config)
{
    fmd_loaded_model t;
    FMD_TRY(check_options(config));
    FMD_TRY(fmd_loaded_model_open(&t, c, config, FMD_NEEDS_CLASS_NAMES));
    const fmd_status st =
        fmd_comm_agree(c, fmd_comm_rank(c) == 0 ? write_model(&t, config) : FMD_OK);
    fmd_loaded_model_close(&t);
    return st;
}

const fmd_command fmd_command_export = {
    .name = "export",
    .usage = "RUN_DIR|FILE --format onnx|c|keras|npz [OPTIONS]",
    .help = "writes a model for other programs: ONNX, C source, Keras, NumPy",
    .section = FMD_TO_TRAIN,
    .example = "runs/20260131-120000 --format onnx",
    .groups = "data|model|weights|format|export|file",
    .words = "weights",
    .needs_mpi = true,
    .run = run_export,
};
