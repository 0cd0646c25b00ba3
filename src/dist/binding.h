/* CPU binding: the cores that each rank may use, and whether there are enough. hwloc reports only
 * hardware that a container or batch system grants to the job. */
#ifndef FMD_DIST_BINDING_H
#define FMD_DIST_BINDING_H

#include "fmd/error.h"

#include <stdint.h>

enum { FMD_BINDING_WORDS = 16, FMD_BINDING_TEXT = 512 };

/* Numbers of cores or of hardware threads, from 0 to 1023. */
typedef struct fmd_cpus {
    uint64_t word[FMD_BINDING_WORDS];
} fmd_cpus;

/* Binding of one rank; plain bytes, for fmd_comm_gather. */
typedef struct fmd_binding {
    char host[64];
    int n_cores;           /* of the host, as far as the job may use it */
    fmd_cpus cores, hyper; /* cores and hardware threads that this rank may use */
} fmd_binding;

typedef enum fmd_binding_kind {
    FMD_BINDING_GOOD,
    FMD_BINDING_HYPER,   /* two threads per core, each on its own hardware thread */
    FMD_BINDING_NARROW,  /* threads of one rank share a core */
    FMD_BINDING_SHARED,  /* ranks are bound to the same core, while others may be idle */
    FMD_BINDING_CROWDED, /* more threads than the host has cores */
} fmd_binding_kind;

typedef struct fmd_binding_verdict {
    fmd_binding_kind kind;
    char text[FMD_BINDING_TEXT]; /* "2 ranks on vm, each bound to 1 of 2 cores" */
} fmd_binding_verdict;

/* Local. add: ignores numbers above 1023. count: size of the set. text: "0-3,8". */
void fmd_cpus_add(fmd_cpus *s, int cpu);
int fmd_cpus_count(const fmd_cpus *s);
const char *fmd_cpus_text(const fmd_cpus *s, char text[FMD_BINDING_TEXT]);

/* Local. Binding of this process. FMD_EINTERNAL if hwloc cannot tell. */
FMD_CHECKED fmd_status fmd_binding_find(fmd_binding *out, const char *host);

/* Local. Whether each rank on `host` has its own cores for `threads` threads. `all` has the n ranks
 * of all hosts, in rank order. */
void fmd_binding_judge(fmd_binding_verdict *out, const fmd_binding *all, int n, const char *host,
                       int threads);

#endif
