/* Cores and hardware threads by hwloc. */
#include "dist/binding.h"

#include <hwloc.h>
#include <stdio.h>
#include <string.h>

/* Collects the cores and hardware threads that intersect `set`. */
static void collect(fmd_binding *out, hwloc_topology_t topology, hwloc_const_cpuset_t set)
{
    const hwloc_obj_type_t core =
        hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE) > 0 ? HWLOC_OBJ_CORE : HWLOC_OBJ_PU;
    out->n_cores = hwloc_get_nbobjs_by_type(topology, core);
    for (int i = 0; i < out->n_cores; i++)
        if (hwloc_bitmap_intersects(hwloc_get_obj_by_type(topology, core, (unsigned)i)->cpuset,
                                    set))
            fmd_cpus_add(&out->cores, i);
    const int n_hyper = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_PU);
    for (int i = 0; i < n_hyper; i++) {
        hwloc_obj_t o = hwloc_get_obj_by_type(topology, HWLOC_OBJ_PU, (unsigned)i);
        if (hwloc_bitmap_intersects(o->cpuset, set))
            fmd_cpus_add(&out->hyper, (int)o->os_index);
    }
}

fmd_status fmd_binding_find(fmd_binding *out, const char *host)
{
    hwloc_topology_t topology;
    memset(out, 0, sizeof *out);
    snprintf(out->host, sizeof out->host, "%s", host);
    if (hwloc_topology_init(&topology) != 0)
        return FMD_FAIL(FMD_EINTERNAL, "hwloc does not start");
    hwloc_cpuset_t set = hwloc_bitmap_alloc();
    const bool known = set != NULL && hwloc_topology_load(topology) == 0 &&
                       hwloc_get_cpubind(topology, set, HWLOC_CPUBIND_PROCESS) == 0;
    if (known)
        collect(out, topology, set);
    hwloc_bitmap_free(set);
    hwloc_topology_destroy(topology);
    return known ? FMD_OK : FMD_FAIL(FMD_EINTERNAL, "hwloc does not know this machine");
}
