/* What the files below /proc and /sys say of this machine and of the control groups that this process
 * is in. `root` goes before their names: "" but in tests. */
#ifndef FMD_BASE_SYSTEM_PROCFS_H
#define FMD_BASE_SYSTEM_PROCFS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { FMD_SYSTEM_PATH = 2048, FMD_SYSTEM_LINE = 512 };

/* Local. NULL: there is no such file. */
FILE *fmd_procfs_open(const char *root, const char *name);

/* Local. The first line of a file without its end; false: there is none. */
bool fmd_procfs_line(const char *root, const char *name, char line[FMD_SYSTEM_LINE]);

/* Local. What stands behind `key` and its colon or blank in the first line that begins so; false:
 * there is none. */
bool fmd_procfs_field(const char *root, const char *name, const char *key,
                      char value[FMD_SYSTEM_LINE]);

/* Local. The model of the processor, or "unknown". */
const char *fmd_procfs_cpu(const char *root, char model[FMD_SYSTEM_LINE]);

/* Local. The smallest of a limit of the control groups of this process, from its own one to the top.
 * `file` is that of version 2, `old` that of version 1, in the folder of its controller. The limit is
 * what `read` makes of the file; INFINITY: none. */
double fmd_procfs_group_limit(const char *root, const char *controller, const char *file,
                              const char *old, double (*read)(const char *root, const char *path));

/* Local. Time since the start of the machine, in ticks, of the processors whose bits are set in
 * `words` words: all of it, and that of *busy processors. False: not known. */
bool fmd_procfs_ticks(const char *root, const uint64_t *set, int words, double *all, double *busy);

/* Local. Bytes that processes can still take before one of them is killed: of the machine, or, and
 * then *limited, of a control group. What the kernel can drop, such as copies of files, counts as free.
 * INFINITY: nobody knows. */
double fmd_procfs_memory(const char *root, bool *limited);

#endif
