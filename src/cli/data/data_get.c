#include "cli/data/data.h"

#include "data/known_datasets.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The script beside this program: installed, or in the sources that it was built from. */
static fmd_status find_script(char path[PATH_MAX + 64])
{
    static const char *const places[] = {"../share/fmnist-dist/get-data", "../../scripts/get-data"};
    char program[PATH_MAX];
    const ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    program[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(program, '/');
    if (slash != NULL)
        *slash = '\0';
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        snprintf(path, PATH_MAX + 64, "%s/%s", program, places[i]);
        if (access(path, X_OK) == 0)
            return FMD_OK;
    }
    return FMD_FAIL(FMD_ENOINPUT,
                    "cannot find the script get-data, looked in %s/../share/fmnist-dist: install "
                    "the program with cmake --install",
                    program);
}

/* Where every command looks, from any folder. */
static fmd_status choose_folder(char path[FMD_PATH_BYTES], const char *dir, const char *name)
{
    const char *xdg = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    if (*dir != '\0')
        snprintf(path, FMD_PATH_BYTES, "%s", dir);
    else if (xdg != NULL && *xdg != '\0')
        snprintf(path, FMD_PATH_BYTES, "%.900s/fmnist-dist/%s", xdg, name);
    else if (home != NULL && *home != '\0')
        snprintf(path, FMD_PATH_BYTES, "%.900s/.local/share/fmnist-dist/%s", home, name);
    else
        return FMD_FAIL(FMD_EUSAGE, "HOME is not set: name the folder with --data-dir");
    return FMD_OK;
}

fmd_status fmd_data_get(const fmd_config *config)
{
    const fmd_known_dataset *set = fmd_known_dataset_find(config->data.dataset);
    char script[PATH_MAX + 64], folder[FMD_PATH_BYTES];
    if (set == NULL)
        return FMD_FAIL(FMD_EUSAGE,
                        "data get: '%s' is unknown: expected fashion-mnist, mnist or "
                        "cifar-10",
                        config->data.dataset);
    FMD_TRY(choose_folder(folder, config->data.dir, set->name));
    FMD_TRY(find_script(script));
    fflush(NULL);
    execl(script, script, set->name, "--dir", folder, (char *)NULL);
    return FMD_FAIL(FMD_EIO, "cannot start '%s': %s", script, strerror(errno));
}
