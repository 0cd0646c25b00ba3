/* The cores that the ranks may run on, and whether they suffice. hwloc describes the hardware as
 * far as a container or batch system grants it to the job. */
#ifndef FMD_DIST_BINDING_H
#define FMD_DIST_BINDING_H

#include "fmd/error.h"

#include <stdint.h>

enum { FMD_BINDING_WORDS = 16, FMD_BINDING_TEXT = 512 };

/* Numbers of cores or of hardware threads, from 0 to 1023. */
typedef struct fmd_cpus {
    uint64_t word[FMD_BINDING_WORDS];
} fmd_cpus;

/* Where a rank may run; plain bytes, so that it can be gathered. */
typedef struct fmd_binding {
    char host[64];
    int n_cores;           /* of the host, as far as the job may use it */
    fmd_cpus cores, hyper; /* that this rank may use: its cores, its hardware threads */
} fmd_binding;

typedef enum fmd_binding_kind {
    FMD_BINDING_GOOD,
    FMD_BINDING_HYPER,   /* two threads on a core, each with a hardware thread of its own */
    FMD_BINDING_NARROW,  /* threads of one rank share a core */
    FMD_BINDING_SHARED,  /* ranks are bound to the same core, while others may be idle */
    FMD_BINDING_CROWDED, /* more threads than the host has cores */
} fmd_binding_kind;

typedef struct fmd_binding_verdict {
    fmd_binding_kind kind;
    char text[FMD_BINDING_TEXT]; /* "2 ranks on vm, each bound to 1 of 2 cores" */
} fmd_binding_verdict;

/* Local. Adds a number to the set, unless it is beyond 1023; how many there are; and "0-3,8". */
void fmd_cpus_add(fmd_cpus *s, int cpu);
int fmd_cpus_count(const fmd_cpus *s);
const char *fmd_cpus_text(const fmd_cpus *s, char text[FMD_BINDING_TEXT]);

/* Local. Where this process may run. FMD_EINTERNAL where hwloc does not know. */
FMD_CHECKED fmd_status fmd_binding_find(fmd_binding *out, const char *host);

/* Local. Whether each of the n ranks on the host of the first one has cores of its own for
 * `threads` threads; `all` holds the ranks of any hosts, in rank order, and `n` counts them. */
void fmd_binding_judge(fmd_binding_verdict *out, const fmd_binding *all, int n, const char *host,
                       int threads);

#endif
