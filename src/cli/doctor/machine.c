/* Checks of one machine, without MPI. */
#include "base/system/procfs.h"
#include "cli/doctor/doctor.h"
#include "dist/shared_room.h"

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Idle threads that OpenBLAS starts; a machine suffers from this number on. */
static const double many_threads = 2000;

void fmd_find(fmd_findings *f, fmd_grade grade, const char *topic, const char *cure,
              const char *format, ...)
{
    if (f->n == FMD_FINDINGS)
        return;
    fmd_finding *one = &f->item[f->n++];
    va_list args;
    va_start(args, format);
    vsnprintf(one->text, sizeof one->text, format, args);
    va_end(args);
    one->grade = (int)grade;
    snprintf(one->topic, sizeof one->topic, "%s", topic);
    snprintf(one->cure, sizeof one->cure, "%s", grade == FMD_FINE ? "" : cure);
}

static bool exists(const char *root, const char *name)
{
    char path[FMD_SYSTEM_PATH];
    snprintf(path, sizeof path, "%s%s", root, name);
    return access(path, F_OK) == 0;
}

static const char *container(const char *root)
{
    static const struct {
        const char *file, *name;
    } marks[] = {{"/.dockerenv", "Docker"},
                 {"/run/.containerenv", "Podman"},
                 {"/.singularity.d", "Apptainer"}};
    static const char *const groups[] = {"docker", "kubepods", "libpod", "lxc"};
    char line[FMD_SYSTEM_LINE];
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (exists(root, marks[i].file))
            return marks[i].name;
    FILE *file = fmd_procfs_open(root, "/proc/1/cgroup");
    const char *found = NULL;
    while (file != NULL && found == NULL && fgets(line, sizeof line, file) != NULL)
        for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
            if (strstr(line, groups[i]) != NULL)
                found = groups[i];
    if (file != NULL)
        fclose(file);
    return found;
}

static void check_processor(fmd_findings *f, const char *root)
{
    char model[FMD_SYSTEM_LINE], memory[FMD_SYSTEM_LINE];
    const double bytes = fmd_procfs_field(root, "/proc/meminfo", "MemTotal", memory)
                             ? 1024 * strtod(memory, NULL)
                             : 0;
    const char *inside = container(root);
    fmd_find(f, FMD_FINE, "machine", "", "processor %.200s, %.1f GB of memory, %s%s",
             fmd_procfs_cpu(root, model), bytes / 1e9,
             inside != NULL ? "in a container: " : "no container", inside != NULL ? inside : "");
}

static void check_governor(fmd_findings *f, const char *root)
{
    char governor[FMD_SYSTEM_LINE], driver[FMD_SYSTEM_LINE] = "";
    const char *folder = "/sys/devices/system/cpu/cpu0/cpufreq/";
    char name[FMD_SYSTEM_PATH];
    snprintf(name, sizeof name, "%sscaling_governor", folder);
    if (!fmd_procfs_line(root, name, governor))
        return;
    snprintf(name, sizeof name, "%sscaling_driver", folder);
    fmd_procfs_line(root, name, driver);
    /* With these two drivers, the processor itself chooses its clock. */
    const bool own = strstr(driver, "intel_pstate") != NULL || strstr(driver, "amd-pstate") != NULL;
    const bool slow = strcmp(governor, "powersave") == 0 && !own;
    fmd_find(f, slow ? FMD_WARN : FMD_FINE, "clock", "cpupower frequency-set -g performance",
             "frequency governor %.60s%s%.60s", governor, *driver != '\0' ? ", driver " : "",
             driver);
}

static void check_user(fmd_findings *f)
{
    if (geteuid() == 0)
        fmd_find(f, FMD_WARN, "user", "run as another user; in a container: --user", "%s",
                 "running as root: a mistaken path can overwrite system files");
    else
        fmd_find(f, FMD_FINE, "user", "", "not root");
}

/* "150000 100000" of cpu.max, or version 1's cpu.cfs_quota_us, which has the period beside it. */
static double read_quota(const char *root, const char *path)
{
    char line[FMD_SYSTEM_LINE], other[FMD_SYSTEM_PATH];
    if (!fmd_procfs_line(root, path, line))
        return (double)INFINITY;
    char *end;
    const double quota = strtod(line, &end);
    double period = strtod(end, NULL);
    const char *name = strstr(path, "cpu.cfs_quota_us");
    if (name != NULL) {
        snprintf(other, sizeof other, "%.*scpu.cfs_period_us", (int)(name - path), path);
        period = fmd_procfs_line(root, other, line) ? strtod(line, NULL) : 0;
    }
    return end != line && quota > 0 && period > 0 ? quota / period : (double)INFINITY;
}

static void check_quota(fmd_findings *f, const char *root, const fmd_needs *needs)
{
    const double cores =
        fmd_procfs_group_limit(root, "cpu", "cpu.max", "cpu.cfs_quota_us", read_quota);
    if (isfinite(cores))
        fmd_find(f, needs->ranks * needs->threads > cores ? FMD_PROBLEM : FMD_FINE, "quota",
                 "fewer ranks; docker run --cpus, a larger limit of the pod or the job",
                 "the control group allows the time of %.4g cores, for %d rank%s x %d thread%s",
                 cores, needs->ranks, needs->ranks == 1 ? "" : "s", needs->threads,
                 needs->threads == 1 ? "" : "s");
}

static void check_memory(fmd_findings *f, const char *root, const fmd_needs *needs)
{
    const double needed = needs->total_bytes;
    bool limited;
    const double room = fmd_procfs_memory(root, &limited);
    if (isfinite(room))
        fmd_find(f, needed > room ? FMD_PROBLEM : FMD_FINE, "memory",
                 "fewer ranks to a machine, or --mem of the job, --memory of the container",
                 "%.2f GB %s, about %.2f GB needed", room / 1e9,
                 limited ? "left in the control group" : "free", needed / 1e9);
}

/* The check that a training makes. A rank alone on its machine shares nothing. */
static void check_shm(fmd_findings *f, const char *root, const fmd_needs *needs)
{
    double left;
    const char *folder = fmd_shared_room(root, &left);
    const double needed = needs->ranks > 1 ? needs->shared_bytes : 0;
    if (left < 0)
        fmd_find(f, FMD_WARN, "shm", "mount -t tmpfs tmpfs /dev/shm",
                 "there is no %.200s: ranks share memory through files in $TMPDIR", folder);
    else if (fmd_shared_room_check(root, needs->host, needed) != FMD_OK)
        fmd_find(f, FMD_PROBLEM, "shm",
                 "docker run --shm-size=1g, or as root: mount -o remount,size=1g /dev/shm",
                 "%.500s", fmd_error_message());
    else
        fmd_find(f, FMD_FINE, "shm", "", "%.200s has %.0f MB free, training needs %.1f MB", folder,
                 left / 1e6, needed / 1e6);
}

/* Whether Open MPI is told to do without shared memory: "self,tcp" or "^vader". */
static bool without_shared_memory(const char *btl)
{
    const bool named = strstr(btl, "vader") != NULL || strstr(btl, "sm") != NULL;
    return *btl == '^' ? named : !named;
}

static void check_environment(fmd_findings *f, const fmd_needs *needs)
{
    static const char *const binding[] = {"OMP_PROC_BIND", "GOMP_CPU_AFFINITY", "KMP_AFFINITY"};
    const int before = f->n;
    for (size_t i = 0; i < sizeof binding / sizeof *binding; i++) {
        const char *value = getenv(binding[i]);
        if (value != NULL && strcmp(value, "false") != 0)
            fmd_find(f, FMD_WARN, "setting", "unset it; mpirun and srun bind",
                     "%s=%.60s may bind all ranks to the same core", binding[i], value);
    }
    const char *btl = getenv("OMPI_MCA_btl");
    if (btl != NULL && without_shared_memory(btl))
        fmd_find(f, FMD_WARN, "setting", "unset it, or OMPI_MCA_btl=self,vader,tcp",
                 "OMPI_MCA_btl=%.60s: ranks of a machine do not use its shared memory", btl);
    const double made = needs->ranks * (double)(sysconf(_SC_NPROCESSORS_ONLN) - 1);
    if (made > many_threads && getenv("OPENBLAS_NUM_THREADS") == NULL &&
        getenv("OMP_NUM_THREADS") == NULL)
        fmd_find(f, FMD_WARN, "setting", "export OPENBLAS_NUM_THREADS=1",
                 "OpenBLAS starts %.0f idle threads on this machine", made);
    if (f->n == before)
        fmd_find(f, FMD_FINE, "setting", "", "no harmful environment variables");
}

void fmd_doctor_machine(fmd_findings *f, const char *root, const fmd_needs *needs)
{
    check_processor(f, root);
    check_governor(f, root);
    check_user(f);
    check_quota(f, root, needs);
    check_memory(f, root, needs);
    check_shm(f, root, needs);
    check_environment(f, needs);
}
