#include "cli/preset/preset.h"

#include "io/atomic_file.h"
#include "nn/schedule.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char ending[] = ".txt";

static bool is_text(const char *name)
{
    const size_t n = strlen(name);
    return n >= sizeof ending && strcmp(name + n - (sizeof ending - 1), ending) == 0;
}

/* The folder of presets beside this program: installed, or in the sources that it was built from. */
static void find_folder(char folder[PATH_MAX + 64])
{
    static const char *const places[] = {"../share/fmnist-dist/models", "../../share/models"};
    char program[PATH_MAX];
    const ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    program[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(program, '/');
    if (slash != NULL)
        *slash = '\0';
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        snprintf(folder, PATH_MAX + 64, "%s/%s", program, places[i]);
        if (access(folder, X_OK) == 0)
            return;
    }
}

void fmd_preset_names(char names[FMD_OPTION_TEXT_BYTES])
{
    char folder[PATH_MAX + 64];
    struct dirent **files;
    size_t used = 0;
    find_folder(folder);
    names[0] = '\0';
    const int n = scandir(folder, &files, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        const char *name = files[i]->d_name;
        if (is_text(name) && *name != '.' && used < FMD_OPTION_TEXT_BYTES)
            used += (size_t)snprintf(names + used, FMD_OPTION_TEXT_BYTES - used, "%s%.*s",
                                     used > 0 ? "|" : "", (int)(strlen(name) - sizeof ending + 1),
                                     name);
        free(files[i]);
    }
    if (n >= 0)
        free(files);
}

fmd_status fmd_preset_find(char path[FMD_PATH_BYTES], const char *name)
{
    char folder[PATH_MAX + 64], names[FMD_OPTION_TEXT_BYTES], hint[FMD_OPTION_TEXT_BYTES];
    *path = '\0';
    if (strpbrk(name, "/.") != NULL) {
        if (is_text(name))
            snprintf(path, FMD_PATH_BYTES, "%s", name);
        return FMD_OK;
    }
    find_folder(folder);
    if (snprintf(path, FMD_PATH_BYTES, "%s/%s%s", folder, name, ending) < FMD_PATH_BYTES &&
        access(path, R_OK) == 0)
        return FMD_OK;
    *path = '\0';
    if (access(name, F_OK) == 0)
        return FMD_OK;
    fmd_preset_names(names);
    return FMD_FAIL(FMD_EUSAGE,
                    "--model: there is no file and no preset '%.64s'%s; fmnist-dist help models "
                    "lists the presets",
                    name, fmd_did_you_mean(names, name, hint));
}

/* A line of a file, for messages. */
typedef struct place {
    const char *path;
    int line;
} place;

/* "--epochs 12", of the options of a training. */
static fmd_status add_option(fmd_preset *p, const place *at, char *text)
{
    static fmd_config scratch; /* values are checked here */
    char label[FMD_OPTION_TEXT_BYTES];
    char *value = text + strcspn(text, " =");
    if (*value != '\0')
        *value++ = '\0';
    value += strspn(value, " ");
    const fmd_option *o = fmd_option_find(fmd_config_table, fmd_config_table_length, text);
    if (o == NULL || strcmp(o->group, "training") != 0)
        return FMD_FAIL(FMD_EDATA,
                        "'%s', line %d: '--%.64s' is not an option of the group training", at->path,
                        at->line, text);
    if (p->n == FMD_PRESET_OPTIONS || strlen(value) >= FMD_PRESET_TEXT)
        return FMD_FAIL(FMD_EDATA, "'%s', line %d: more than %d options, or a value of %d letters",
                        at->path, at->line, FMD_PRESET_OPTIONS, FMD_PRESET_TEXT);
    snprintf(label, sizeof label, "'%.900s', line %d: --%.64s", at->path, at->line, o->name);
    if (fmd_option_set(o, &scratch, label, value) != FMD_OK)
        return FMD_EDATA;
    snprintf(p->value[p->n], FMD_PRESET_TEXT, "%s", value);
    p->option[p->n++] = o;
    return FMD_OK;
}

static fmd_status add_layers(fmd_preset *p, const place *at, const char *text)
{
    const size_t used = strlen(p->layers), n = strlen(text);
    const bool comma = used > 0 && p->layers[used - 1] != ',' && *text != ',';
    if (used + comma + n >= sizeof p->layers)
        return FMD_FAIL(FMD_EDATA, "'%s', line %d: its layers are longer than %zu characters",
                        at->path, at->line, sizeof p->layers - 1);
    snprintf(p->layers + used, sizeof p->layers - used, "%s%s", comma ? "," : "", text);
    return FMD_OK;
}

static void add_comment(fmd_preset *p, const char *text)
{
    static const char measured[] = "measured: ";
    text += strspn(text, "# ");
    if (strncmp(text, measured, sizeof measured - 1) == 0)
        snprintf(p->measured, sizeof p->measured, "%s", text + sizeof measured - 1);
    else if (*p->about == '\0')
        snprintf(p->about, sizeof p->about, "%s", text);
}

static fmd_status read_line(fmd_preset *p, const place *at, char *line)
{
    line += strspn(line, " \t");
    for (size_t n = strlen(line); n > 0 && strchr(" \t\r", line[n - 1]) != NULL; n--)
        line[n - 1] = '\0';
    if (*line == '#') {
        add_comment(p, line);
        return FMD_OK;
    }
    if (strncmp(line, "--", 2) == 0)
        return add_option(p, at, line + 2);
    return *line == '\0' ? FMD_OK : add_layers(p, at, line);
}

fmd_status fmd_preset_read(fmd_preset *p, const char *path)
{
    void *data;
    size_t bytes;
    memset(p, 0, sizeof *p);
    const char *slash = strrchr(path, '/'), *file = slash != NULL ? slash + 1 : path;
    snprintf(p->name, sizeof p->name, "%.*s", (int)(strlen(file) - (sizeof ending - 1)), file);
    FMD_TRY(fmd_atomic_file_read_text(&data, &bytes, path));
    char *text = strndup(data, bytes), *rest = text;
    free(data);
    if (text == NULL)
        return FMD_FAIL(FMD_ENOMEM, "out of memory: the text of '%s'", path);
    place at = {.path = path};
    fmd_status st = FMD_OK;
    for (char *line; st == FMD_OK && (line = strsep(&rest, "\n")) != NULL;) {
        at.line++;
        st = read_line(p, &at, line);
    }
    free(text);
    if (st == FMD_OK && *p->layers == '\0')
        return FMD_FAIL(FMD_EDATA, "'%s' has no line with layers", path);
    return st;
}

static bool has(const bool *given, const char *name)
{
    return given[fmd_option_find(fmd_config_table, fmd_config_table_length, name) -
                 fmd_config_table];
}

/* Whether options of the user leave nothing to say to option number i of the preset. */
static bool is_decided(const fmd_preset *p, size_t i, const fmd_config *config, const bool *given)
{
    const fmd_option *o = p->option[i];
    if (given[o - fmd_config_table])
        return true;
    if (strcmp(o->name, "batch-size") == 0 && has(given, "batch-size-per-rank"))
        return true;
    if (strcmp(o->name, "learning-rate") == 0)
        return has(given, "optimizer") || fmd_schedule_has_rates(config->training.lr_schedule);
    if (strcmp(o->name, "warmup-epochs") == 0) /* fewer epochs than the preset has */
        return strtod(p->value[i], NULL) >= (double)config->training.epochs;
    return false;
}

fmd_status fmd_preset_apply(const fmd_preset *p, fmd_config *config, const bool *given)
{
    if (*p->name != '\0' && *config->model.name == '\0')
        snprintf(config->model.name, sizeof config->model.name, "%s", p->name);
    for (size_t i = 0; i < p->n; i++) {
        const fmd_option *o = p->option[i];
        if (!is_decided(p, i, config, given))
            FMD_TRY(fmd_option_set(o, config, o->name, p->value[i]));
    }
    return FMD_OK;
}
