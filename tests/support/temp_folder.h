/* A folder for the files of tests, removed with its contents when the group of tests ends. */
#ifndef TEMP_FOLDER_H
#define TEMP_FOLDER_H

#include "support/fmd_test.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char temp_folder[256];

/* The path of a file in the folder; valid until eight more calls. */
static inline const char *temp_path(const char *name)
{
    static char paths[8][512];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", temp_folder, name);
    return path;
}

/* Writes a file below `root`, e.g. "/proc/meminfo", and creates its folders. */
static inline void temp_put(const char *root, const char *name, const char *text)
{
    char path[2048];
    snprintf(path, sizeof path, "%s%s", root, name);
    for (char *c = path + strlen(root) + 1; *c != '\0'; c++)
        if (*c == '/') {
            *c = '\0';
            mkdir(path, 0777);
            *c = '/';
        }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static inline int temp_folder_make(void **state)
{
    (void)state;
    const char *root = getenv("TMPDIR");
    snprintf(temp_folder, sizeof temp_folder, "%s/test-XXXXXX", root != NULL ? root : "/tmp");
    return mkdtemp(temp_folder) == NULL ? -1 : 0;
}

/* The number of files in the folder; removes them when `empty` says so. */
static inline int temp_folder_count(int empty)
{
    int n = 0;
    DIR *dir = opendir(temp_folder);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        n++;
        if (empty)
            unlink(temp_path(entry->d_name));
    }
    closedir(dir);
    return n;
}

static inline int temp_folder_remove_one(const char *path, const struct stat *st, int type,
                                         struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static inline int temp_folder_remove(void **state)
{
    (void)state;
    return nftw(temp_folder, temp_folder_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#endif
