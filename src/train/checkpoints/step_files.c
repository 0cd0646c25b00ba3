#include "train/checkpoints/step_files.h"

#include "io/atomic_file.h"
#include "io/run_names.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { STEP_DIGITS = 10 };
static const char prefix[] = "step-", suffix[] = ".weights.h5";

const char *fmd_step_files_path(const fmd_step_files *f, const char *name,
                                char path[FMD_STEP_FILES_PATH])
{
    snprintf(path, FMD_STEP_FILES_PATH, "%s/" FMD_FILE_CHECKPOINTS "/%s", f->run_folder, name);
    return path;
}

const char *fmd_step_files_name(uint64_t step, char name[FMD_STEP_FILES_NAME])
{
    snprintf(name, FMD_STEP_FILES_NAME, "%s%0*" PRIu64 "%s", prefix, STEP_DIGITS, step, suffix);
    return name;
}

uint64_t fmd_step_files_step(const char *name)
{
    return strtoull(name + sizeof prefix - 1, NULL, 10);
}

int fmd_step_files_is_step(const struct dirent *entry)
{
    const size_t digits =
        strspn(entry->d_name + strnlen(entry->d_name, sizeof prefix - 1), "0123456789");
    return strncmp(entry->d_name, prefix, sizeof prefix - 1) == 0 && digits >= STEP_DIGITS &&
           strcmp(entry->d_name + sizeof prefix - 1 + digits, suffix) == 0;
}

int fmd_step_files_is_bad(const struct dirent *entry)
{
    const size_t n = strlen(entry->d_name);
    return strncmp(entry->d_name, prefix, sizeof prefix - 1) == 0 && n > 4 &&
           strcmp(entry->d_name + n - 4, ".bad") == 0;
}

int fmd_step_files_is_remains(const struct dirent *entry)
{
    static const char claim[] = FMD_EMERGENCY_CLAIM;
    return strstr(entry->d_name, ".tmp-") != NULL ||
           strncmp(entry->d_name, claim, sizeof claim - 1) == 0;
}

int fmd_step_files_list(const fmd_step_files *f, int (*filter)(const struct dirent *),
                        struct dirent ***names)
{
    char path[FMD_STEP_FILES_PATH];
    const int n = scandir(fmd_step_files_path(f, "", path), names, filter, alphasort);
    for (int i = 0; i < n / 2; i++) {
        struct dirent *swap = (*names)[i];
        (*names)[i] = (*names)[n - 1 - i];
        (*names)[n - 1 - i] = swap;
    }
    return n;
}

void fmd_step_files_free_list(struct dirent **names, int n)
{
    for (int i = 0; i < n; i++)
        free(names[i]);
    if (n > 0)
        free(names);
}

fmd_status fmd_step_files_check(const void *files)
{
    const fmd_step_files *f = files;
    return fmd_run_lock_check(&f->lock, f->run_folder);
}

fmd_status fmd_step_files_store(const fmd_step_files *f, const char *name,
                                fmd_checkpoint_image *image)
{
    char path[FMD_STEP_FILES_PATH];
    fmd_checkpoint_seal(image);
    return fmd_atomic_file_write_checked(fmd_step_files_path(f, name, path), image->data,
                                         image->bytes, fmd_step_files_check, f);
}

/* Whether the disk has less space than the newest checkpoint needs. */
static bool is_full(const fmd_step_files *f)
{
    char path[FMD_STEP_FILES_PATH];
    struct stat newest;
    struct statvfs disk;
    return stat(fmd_step_files_path(f, FMD_FILE_LATEST, path), &newest) == 0 &&
           statvfs(fmd_step_files_path(f, "", path), &disk) == 0 &&
           (double)disk.f_bavail * (double)disk.f_frsize < (double)newest.st_size;
}

fmd_status fmd_step_files_store_or_prune(const fmd_step_files *f, const char *name,
                                         fmd_checkpoint_image *image)
{
    const fmd_status st = fmd_step_files_store(f, name, image);
    if (st != FMD_EIO || !is_full(f))
        return st;
    fmd_step_files_prune(f, 1);
    return fmd_step_files_store(f, name, image);
}

fmd_status fmd_step_files_link_latest(const fmd_step_files *f, const char *name)
{
    char temp[FMD_STEP_FILES_PATH], path[FMD_STEP_FILES_PATH];
    fmd_step_files_path(f, FMD_FILE_LATEST ".tmp-link", temp);
    fmd_step_files_path(f, FMD_FILE_LATEST, path);
    if (fmd_step_files_check(f) != FMD_OK)
        return FMD_OK; /* the next write reports it */
    unlink(temp);
    if (symlink(name, temp) != 0 || rename(temp, path) != 0)
        return FMD_FAIL(FMD_EIO, "cannot link '%s': %s", path, strerror(errno));
    return FMD_OK;
}

void fmd_step_files_prune(const fmd_step_files *f, int64_t keep)
{
    char path[FMD_STEP_FILES_PATH];
    struct dirent **names = NULL;
    const int n = fmd_step_files_list(f, fmd_step_files_is_step, &names);
    for (int i = n - 1; i >= keep && i >= 1 && fmd_step_files_check(f) == FMD_OK; i--)
        unlink(fmd_step_files_path(f, names[i]->d_name, path));
    fmd_step_files_free_list(names, n);
}

void fmd_step_files_delete_remains(const fmd_step_files *f)
{
    char path[FMD_STEP_FILES_PATH];
    struct dirent **names = NULL;
    const int n = fmd_step_files_list(f, fmd_step_files_is_remains, &names);
    for (int i = 0; i < n; i++)
        unlink(fmd_step_files_path(f, names[i]->d_name, path));
    fmd_step_files_free_list(names, n);
}
