#include "run/weights_file.h"
#include "run/follow.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

fmd_status fmd_weights_path(const char *given, char path[FMD_WEIGHTS_PATH_BYTES])
{
    struct stat s;
    char target[FMD_PATH_BYTES], example[FMD_PATH_BYTES];
    if (*given == '\0')
        return FMD_FAIL(
            FMD_EUSAGE,
            "no weights given: name a *.weights.h5 file or the folder of a run, such as %s",
            fmd_follow_example(example));
    snprintf(path, FMD_WEIGHTS_PATH_BYTES, "%s", given);
    if (stat(given, &s) == 0 && S_ISDIR(s.st_mode)) {
        snprintf(path, FMD_WEIGHTS_PATH_BYTES, "%s/checkpoints/latest.weights.h5", given);
        const bool begun = access(path, F_OK) == 0;
        snprintf(path, FMD_WEIGHTS_PATH_BYTES, "%s/checkpoints/final.weights.h5", given);
        const bool done = access(path, F_OK) == 0;
        snprintf(path, FMD_WEIGHTS_PATH_BYTES, "%s/config.json", given);
        if (!begun && !done && access(path, F_OK) == 0)
            return FMD_FAIL(FMD_ENOINPUT, "the run '%s' has saved no checkpoint", given);
        if (!begun && !done)
            return FMD_FAIL(FMD_ENOINPUT,
                            "'%s' is not the folder of a run: it holds no checkpoints", given);
        snprintf(path, FMD_WEIGHTS_PATH_BYTES, "%s/checkpoints/%s.weights.h5", given,
                 done ? "final" : "latest");
    }
    /* Follows a link that the user names. */
    const ssize_t n = readlink(path, target, sizeof target - 1);
    if (n < 0)
        return FMD_OK;
    target[n] = '\0';
    char *slash = strrchr(path, '/');
    char *name = slash == NULL || *target == '/' ? path : slash + 1;
    snprintf(name, FMD_WEIGHTS_PATH_BYTES - (size_t)(name - path), "%s", target);
    return FMD_OK;
}

static int is_weights(const struct dirent *entry)
{
    static const char end[] = ".weights.h5";
    const size_t n = strlen(entry->d_name);
    return n >= sizeof end - 1 && strcmp(entry->d_name + n - (sizeof end - 1), end) == 0;
}

fmd_status fmd_weights_advise(fmd_status st, const char *given, const char *path)
{
    char why[FMD_ERROR_BYTES], folder[FMD_WEIGHTS_PATH_BYTES], other[FMD_WEIGHTS_PATH_BYTES + 256];
    struct dirent **names = NULL;
    struct stat s;
    uint64_t step;
    bool found = false;
    if (st != FMD_EDATA || stat(given, &s) != 0 || !S_ISDIR(s.st_mode))
        return st;
    snprintf(why, sizeof why, "%s", fmd_error_message());
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    const int n = scandir(folder, &names, is_weights, alphasort);
    for (int i = n - 1; i >= 0; i--) { /* the newest step file comes last */
        if (!found) {
            snprintf(other, sizeof other, "%s/%s", folder, names[i]->d_name);
            found = strcmp(other, path) != 0 && lstat(other, &s) == 0 && S_ISREG(s.st_mode) &&
                    fmd_checkpoint_verify(other, &step) == FMD_OK;
        }
        free(names[i]);
    }
    free(names);
    return found ? FMD_FAIL(st, "%.600s; '%.350s' is intact: name it", why, other)
                 : FMD_FAIL(st, "%s", why);
}

fmd_status fmd_weights_file_open(fmd_comm *c, fmd_weights_file *f, const char *given)
{
    fmd_status st = FMD_OK;
    memset(f, 0, sizeof *f); /* padding too: the struct travels as bytes */
    if (c == NULL || fmd_comm_rank(c) == 0) {
        st = fmd_weights_path(given, f->path);
        if (st == FMD_OK)
            st = fmd_weights_advise(fmd_weights_read_info(f->path, &f->info), given, f->path);
    }
    if (c == NULL)
        return st;
    FMD_TRY(fmd_comm_agree(c, st));
    fmd_comm_bcast(c, f, sizeof *f);
    return FMD_OK;
}

/* Ignores dimensions of 1. */
static bool same_dims(fmd_shape a, fmd_shape b)
{
    int i = 0, k = 0;
    for (;;) {
        while (i < a.rank && a.dim[i] == 1)
            i++;
        while (k < b.rank && b.dim[k] == 1)
            k++;
        if (i == a.rank || k == b.rank)
            return i == a.rank && k == b.rank;
        if (a.dim[i++] != b.dim[k++])
            return false;
    }
}

bool fmd_weights_same_images(fmd_shape in, fmd_shape image)
{
    return same_dims(in, image) || (in.rank == 1 && fmd_shape_count(in) == fmd_shape_count(image));
}

/* Whether the user sets the layers. */
static bool describes(const fmd_config *config)
{
    const fmd_option *hidden = fmd_option_find(fmd_config_table, fmd_config_table_length, "hidden");
    return *config->model.layers != '\0' || strcmp(config->model.hidden, hidden->initial) != 0;
}

/* A file of Keras may have another shape for the same values, e.g. with a channel axis for grey
 * images. */
static void choose_input(const fmd_config *config, fmd_shape *in)
{
    if (config->model.in.rank > 0 && fmd_weights_same_images(config->model.in, *in))
        *in = config->model.in;
}

/* The layers and the input shape. */
static fmd_status choose_layers(const fmd_weights_file *f, const fmd_config *config, int classes,
                                char spec[FMD_CONFIG_LAYERS_BYTES], fmd_shape *in)
{
    const fmd_checkpoint_info *file = &f->info.model;
    const bool told = *file->layers != '\0';
    if (*f->info.unknown != '\0' && !describes(config))
        return FMD_FAIL(FMD_EDATA,
                        "%s; if its weights fit another model, describe that with --layers",
                        f->info.unknown);
    if (told)
        *in = file->in;
    if (!told || describes(config)) {
        FMD_TRY(fmd_config_layers(config, classes, spec));
        choose_input(config, in);
        return FMD_OK;
    }
    memcpy(spec, file->layers, FMD_CONFIG_LAYERS_BYTES);
    return FMD_OK;
}

fmd_status fmd_weights_file_model(fmd_model **out, const fmd_weights_file *f,
                                  const fmd_config *config, fmd_shape image, int classes,
                                  size_t max_samples)
{
    char spec[FMD_CONFIG_LAYERS_BYTES];
    FMD_TRY(choose_layers(f, config, classes, spec, &image));
    return fmd_model_create(out, spec, image, max_samples);
}

fmd_status fmd_weights_file_measure(fmd_model_size *out, const fmd_weights_file *f,
                                    const fmd_config *config, fmd_shape image, int classes)
{
    char spec[FMD_CONFIG_LAYERS_BYTES];
    FMD_TRY(choose_layers(f, config, classes, spec, &image));
    return fmd_model_measure(out, spec, image);
}

fmd_status fmd_weights_file_load(fmd_comm *c, const fmd_weights_file *f, fmd_model *m)
{
    fmd_status st = FMD_OK;
    if (fmd_comm_rank(c) == 0)
        st = fmd_weights_read_params(f->path, m);
    FMD_TRY(fmd_comm_agree(c, st));
    fmd_comm_bcast(c, fmd_model_params(m), fmd_model_n_params(m) * sizeof(float));
    return FMD_OK;
}
