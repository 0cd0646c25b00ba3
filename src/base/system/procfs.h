/* Reads files of /proc and /sys about this machine and the control groups of this process. `root` is a
 * prefix of their paths, "" except in tests. */
#ifndef FMD_BASE_SYSTEM_PROCFS_H
#define FMD_BASE_SYSTEM_PROCFS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { FMD_SYSTEM_PATH = 2048, FMD_SYSTEM_LINE = 512 };

/* Local. NULL: no such file. */
FILE *fmd_procfs_open(const char *root, const char *name);

/* Local. The first line of a file, without the newline; false: no line. */
bool fmd_procfs_line(const char *root, const char *name, char line[FMD_SYSTEM_LINE]);

/* Local. The value after `key` and a colon or blank, from the first line that starts with `key`;
 * false: no such line. */
bool fmd_procfs_field(const char *root, const char *name, const char *key,
                      char value[FMD_SYSTEM_LINE]);

/* Local. The model of the processor, or "unknown". */
const char *fmd_procfs_cpu(const char *root, char model[FMD_SYSTEM_LINE]);

/* Local. The smallest limit among the control groups of this process, from its own group to the
 * root. `file` is the file name in cgroup version 2, `old` in version 1, in the folder of `controller`.
 * `read` converts a file to a limit; INFINITY: no limit. */
double fmd_procfs_group_limit(const char *root, const char *controller, const char *file,
                              const char *old, double (*read)(const char *root, const char *path));

/* Local. Ticks since boot of the processors whose bits are set in the `words` words of `set`: *all
 * of them, and *busy ones. False: unknown. */
bool fmd_procfs_ticks(const char *root, const uint64_t *set, int words, double *all, double *busy);

/* Local. Bytes that processes can still allocate before the kernel kills one. *limited: a control
 * group, not the machine, sets the limit. Memory that the kernel can reclaim, such as cached files,
 * counts as free. INFINITY: unknown. */
double fmd_procfs_memory(const char *root, bool *limited);

#endif
