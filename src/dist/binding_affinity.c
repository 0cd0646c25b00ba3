/* Cores and hardware threads without hwloc: each CPU of the affinity mask counts as a core. */
#include "dist/binding.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

fmd_status fmd_binding_find(fmd_binding *out, const char *host)
{
    cpu_set_t set;
    memset(out, 0, sizeof *out);
    snprintf(out->host, sizeof out->host, "%s", host);
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return FMD_FAIL(FMD_EINTERNAL, "the system does not tell the CPUs of this process");
    out->n_cores = (int)sysconf(_SC_NPROCESSORS_ONLN);
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &set)) {
            fmd_cpus_add(&out->cores, i);
            fmd_cpus_add(&out->hyper, i);
        }
    return FMD_OK;
}
