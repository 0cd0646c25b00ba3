/* Files and folders that killed jobs left behind: shared memory and sessions of Open MPI. */
#include "base/system/procfs.h"
#include "cli/doctor/doctor.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 1024, NAMES_BYTES = 200 };

/* What was found; the names as arguments of rm. */
typedef struct leftovers {
    int files, folders, unnamed;
    double bytes;
    char names[NAMES_BYTES];
    size_t used;
} leftovers;

/* A name goes into a command, so an odd one does not. */
static void add_name(leftovers *l, const char *path)
{
    const size_t n = strlen(path);
    bool plain = l->used + n + 1 < sizeof l->names;
    for (const char *c = path; *c != '\0'; c++)
        plain = plain && (isalnum((unsigned char)*c) || strchr("/._-", *c) != NULL);
    if (plain)
        l->used += (size_t)snprintf(l->names + l->used, sizeof l->names - l->used, " %s", path);
    else
        l->unnamed++;
}

/* Whether the maps of a process name a file of /dev/shm. */
static bool maps_name(const char *root, const char *process, const char *file)
{
    char name[PATH_BYTES], line[2 * PATH_BYTES];
    bool found = false;
    snprintf(name, sizeof name, "/proc/%.32s/maps", process);
    FILE *maps = fmd_procfs_open(root, name);
    while (maps != NULL && !found && fgets(line, sizeof line, maps) != NULL)
        found = strstr(line, file) != NULL;
    if (maps != NULL)
        fclose(maps);
    return found;
}

static bool is_mapped(const char *root, const char *file)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/proc", root);
    DIR *processes = opendir(path);
    bool found = false;
    for (struct dirent *e; processes != NULL && !found && (e = readdir(processes)) != NULL;)
        found = isdigit((unsigned char)*e->d_name) && maps_name(root, e->d_name, file);
    if (processes != NULL)
        closedir(processes);
    return found;
}

static bool begins(const char *name, const char *const *prefixes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}

static void look_at_memory(leftovers *l, const char *root)
{
    static const char *const prefixes[] = {"vader_segment.", "sm_segment.", "osc_sm.",
                                           "osc_rdma.",      "ompi_",       "open_mpi."};
    char path[PATH_BYTES];
    struct stat st;
    snprintf(path, sizeof path, "%s/dev/shm", root);
    DIR *folder = opendir(path);
    for (struct dirent *e; folder != NULL && (e = readdir(folder)) != NULL;) {
        snprintf(path, sizeof path, "/dev/shm/%s", e->d_name);
        if (!begins(e->d_name, prefixes, sizeof prefixes / sizeof *prefixes) ||
            fstatat(dirfd(folder), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISREG(st.st_mode) || st.st_uid != geteuid() || is_mapped(root, path))
            continue;
        l->files++;
        l->bytes += 512 * (double)st.st_blocks;
        add_name(l, path);
    }
    if (folder != NULL)
        closedir(folder);
}

/* "pid.1234" of a process that is gone, in the folder "ompi.HOST.UID" of a user. */
static void look_at_session(leftovers *l, const char *root, const char *session)
{
    char path[2 * PATH_BYTES];
    snprintf(path, sizeof path, "%s%s", root, session);
    DIR *folder = opendir(path);
    for (struct dirent *e; folder != NULL && (e = readdir(folder)) != NULL;) {
        if (strncmp(e->d_name, "pid.", 4) != 0)
            continue;
        snprintf(path, sizeof path, "%s/proc/%s", root, e->d_name + 4);
        if (access(path, F_OK) == 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", session, e->d_name);
        l->folders++;
        add_name(l, path);
    }
    if (folder != NULL)
        closedir(folder);
}

static void look_at_sessions(leftovers *l, const char *root)
{
    const char *set = getenv("TMPDIR");
    const char *temporary = set != NULL && *set != '\0' && *root == '\0' ? set : "/tmp";
    char path[PATH_BYTES];
    struct stat st;
    snprintf(path, sizeof path, "%s%s", root, temporary);
    DIR *folder = opendir(path);
    for (struct dirent *e; folder != NULL && (e = readdir(folder)) != NULL;) {
        snprintf(path, sizeof path, "%.512s/%s", temporary, e->d_name);
        if (strncmp(e->d_name, "ompi.", 5) == 0 &&
            fstatat(dirfd(folder), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISDIR(st.st_mode) && st.st_uid == geteuid())
            look_at_session(l, root, path);
    }
    if (folder != NULL)
        closedir(folder);
}

/* Copies of checkpoints that no start of their run has taken over; a write under way has one, too. */
static void look_at_copies(fmd_findings *f, const char *root)
{
    char path[PATH_BYTES], prefix[64], cure[256];
    leftovers l = {.files = 0};
    struct stat st;
    snprintf(path, sizeof path, "%s/dev/shm", root);
    snprintf(prefix, sizeof prefix, "fmnist-dist-%ld-", (long)geteuid());
    DIR *folder = opendir(path);
    for (struct dirent *e; folder != NULL && (e = readdir(folder)) != NULL;) {
        if (strncmp(e->d_name, prefix, strlen(prefix)) != 0 ||
            fstatat(dirfd(folder), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISREG(st.st_mode) || st.st_uid != geteuid())
            continue;
        snprintf(path, sizeof path, "/dev/shm/%s", e->d_name);
        l.files++;
        l.bytes += 512 * (double)st.st_blocks;
        add_name(&l, path);
    }
    if (folder != NULL)
        closedir(folder);
    snprintf(cure, sizeof cure, "resume their runs on this machine, or rm%s", l.names);
    if (l.files > 0)
        fmd_find(f, FMD_WARN, "copies", cure,
                 "the newest states of %d run%s (%.1f MB) are in /dev/shm", l.files,
                 l.files == 1 ? "" : "s", l.bytes / 1e6);
}

void fmd_doctor_leftovers(fmd_findings *f, const char *root)
{
    leftovers l = {.files = 0};
    char cure[256], more[32] = "";
    look_at_memory(&l, root);
    look_at_sessions(&l, root);
    look_at_copies(f, root);
    if (l.unnamed > 0)
        snprintf(more, sizeof more, ", and %d more", l.unnamed);
    snprintf(cure, sizeof cure, "rm -r%s%s", l.names, more);
    if (l.files + l.folders > 0)
        fmd_find(f, FMD_WARN, "left", cure,
                 "killed jobs left %d file%s (%.1f MB) in /dev/shm and %d session folder%s",
                 l.files, l.files == 1 ? "" : "s", l.bytes / 1e6, l.folders,
                 l.folders == 1 ? "" : "s");
    else
        fmd_find(f, FMD_FINE, "left", "", "no files of killed jobs");
}
