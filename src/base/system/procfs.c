#include "base/system/procfs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

FILE *fmd_procfs_open(const char *root, const char *name)
{
    char path[2 * FMD_SYSTEM_PATH];
    snprintf(path, sizeof path, "%s%s", root, name);
    return fopen(path, "r");
}

bool fmd_procfs_line(const char *root, const char *name, char line[FMD_SYSTEM_LINE])
{
    FILE *file = fmd_procfs_open(root, name);
    const bool good = file != NULL && fgets(line, FMD_SYSTEM_LINE, file) != NULL;
    if (file != NULL)
        fclose(file);
    if (good)
        line[strcspn(line, "\n")] = '\0';
    return good;
}

bool fmd_procfs_field(const char *root, const char *name, const char *key,
                      char value[FMD_SYSTEM_LINE])
{
    char line[FMD_SYSTEM_LINE];
    const size_t length = strlen(key);
    FILE *file = fmd_procfs_open(root, name);
    bool found = false;
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
        const char *at = line + length;
        if (strncmp(line, key, length) != 0 || strchr(": \t", *at) == NULL)
            continue;
        at += strspn(at, ": \t");
        snprintf(value, FMD_SYSTEM_LINE, "%.*s", (int)strcspn(at, "\n"), at);
        found = true;
    }
    if (file != NULL)
        fclose(file);
    return found;
}

/* "cpu3 USER NICE SYSTEM IDLE IOWAIT IRQ SOFTIRQ STEAL ...", proc(5). */
bool fmd_procfs_ticks(const char *root, const uint64_t *set, int words, double *all, double *busy)
{
    char line[FMD_SYSTEM_LINE];
    bool found = false;
    FILE *file = fmd_procfs_open(root, "/proc/stat");
    *all = *busy = 0;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        double ticks[8] = {0};
        int cpu;
        if (sscanf(line, "cpu%d %lf %lf %lf %lf %lf %lf %lf %lf", &cpu, &ticks[0], &ticks[1],
                   &ticks[2], &ticks[3], &ticks[4], &ticks[5], &ticks[6], &ticks[7]) < 5 ||
            cpu < 0 || cpu / 64 >= words || (set[cpu / 64] >> (cpu % 64) & 1) == 0)
            continue;
        found = true;
        for (int i = 0; i < 8; i++) {
            *all += ticks[i];
            *busy += i == 3 || i == 4 ? 0 : ticks[i]; /* not idle, not waiting for a disk */
        }
    }
    if (file != NULL)
        fclose(file);
    return found;
}

const char *fmd_procfs_cpu(const char *root, char model[FMD_SYSTEM_LINE])
{
    if (!fmd_procfs_field(root, "/proc/cpuinfo", "model name", model))
        snprintf(model, FMD_SYSTEM_LINE, "unknown");
    return model;
}

double fmd_procfs_group_limit(const char *root, const char *controller, const char *file,
                              const char *old, double (*read)(const char *root, const char *path))
{
    char line[FMD_SYSTEM_LINE];
    double least = (double)INFINITY;
    FILE *groups = fmd_procfs_open(root, "/proc/self/cgroup");
    while (groups != NULL && fgets(line, sizeof line, groups) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *names = strchr(line, ':'), *path = names != NULL ? strchr(names + 1, ':') : NULL;
        if (path == NULL)
            continue;
        *path++ = '\0';
        const char *name = names + 1;
        if (*name != '\0' && strstr(name, controller) == NULL)
            continue;
        for (;;) {
            char at[FMD_SYSTEM_PATH];
            const char *slash = strcmp(path, "/") == 0 ? "" : path;
            snprintf(at, sizeof at, "/sys/fs/cgroup%s%s%s/%s", *name != '\0' ? "/" : "", name,
                     slash, *name != '\0' ? old : file);
            least = fmin(least, read(root, at));
            char *last = strrchr(path, '/');
            if (last == NULL)
                break;
            *last = '\0';
        }
    }
    if (groups != NULL)
        fclose(groups);
    return least;
}

/* Parses a number of bytes; "max" (cgroup version 2) and 2^63 (version 1) mean no limit. */
static double read_bytes(const char *root, const char *path)
{
    char line[FMD_SYSTEM_LINE], *end;
    if (!fmd_procfs_line(root, path, line))
        return (double)INFINITY;
    const double bytes = strtod(line, &end);
    return end != line && bytes < 1e18 ? bytes : (double)INFINITY;
}

/* Bytes that a control group has free. Its usage files are in the folder of its limit file. */
static double read_room(const char *root, const char *path)
{
    static const char *const kept[] = {"active_file", "inactive_file"};
    const char *name = strrchr(path, '/');
    const bool old = strcmp(name, "/memory.limit_in_bytes") == 0;
    char other[FMD_SYSTEM_PATH], key[64], value[FMD_SYSTEM_LINE];
    const double limit = read_bytes(root, path);
    snprintf(other, sizeof other, "%.*s/%s", (int)(name - path), path,
             old ? "memory.usage_in_bytes" : "memory.current");
    double used = isfinite(limit) ? read_bytes(root, other) : 0;
    if (!isfinite(used))
        return limit;
    snprintf(other, sizeof other, "%.*s/memory.stat", (int)(name - path), path);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        snprintf(key, sizeof key, "%s%s", old ? "total_" : "", kept[i]);
        used -= fmd_procfs_field(root, other, key, value) ? strtod(value, NULL) : 0;
    }
    return fmax(limit - fmax(used, 0), 0);
}

double fmd_procfs_memory(const char *root, bool *limited)
{
    char available[FMD_SYSTEM_LINE], swap[FMD_SYSTEM_LINE] = "0";
    const double group =
        fmd_procfs_group_limit(root, "memory", "memory.max", "memory.limit_in_bytes", read_room);
    double machine = (double)INFINITY;
    if (fmd_procfs_field(root, "/proc/meminfo", "MemAvailable", available)) {
        fmd_procfs_field(root, "/proc/meminfo", "SwapFree", swap);
        machine = 1024 * (strtod(available, NULL) + strtod(swap, NULL));
    }
    *limited = group < machine;
    return fmin(group, machine);
}
