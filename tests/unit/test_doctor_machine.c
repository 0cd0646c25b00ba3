/* What the doctor says of made-up machines: folders with the files of /proc, /sys and /. */
#include "cli/doctor/doctor.h"
#include "support/temp_folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const fmd_needs two_ranks = {
    .total_bytes = 255000000, .shared_bytes = 56200000, .ranks = 2, .threads = 1, .host = "vm"};

static const fmd_finding *find(const fmd_findings *f, const char *topic)
{
    for (int i = 0; i < f->n; i++)
        if (strcmp(f->item[i].topic, topic) == 0)
            return &f->item[i];
    return NULL;
}

static void expect(const fmd_findings *f, const char *topic, fmd_grade grade, const char *text)
{
    const fmd_finding *one = find(f, topic);
    if (one == NULL)
        fail_msg("nothing is found of %s", topic);
    assert_string_equal(one->text, text);
    assert_int_equal(one->grade, grade);
    assert_int_equal(*one->cure != '\0', grade != FMD_FINE);
}

static fmd_findings examine(const char *root)
{
    fmd_findings f = {.n = 0};
    fmd_doctor_machine(&f, root, &two_ranks);
    return f;
}

static void test_doctor_machine__processor_memory_and_container_are_told(void **state)
{
    const char *root = *state;
    temp_put(root, "/proc/cpuinfo", "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n");
    temp_put(root, "/proc/meminfo", "MemTotal:       8000000 kB\nMemAvailable:    4000000 kB\n");
    fmd_findings f = examine(root);
    expect(&f, "machine", FMD_FINE, "processor Some CPU @ 2 GHz, 8.2 GB of memory, no container");
    expect(&f, "memory", FMD_FINE, "4.10 GB free, about 0.26 GB needed");
    temp_put(root, "/proc/1/cgroup", "0::/kubepods/pod1\n");
    f = examine(root);
    expect(&f, "machine", FMD_FINE,
           "processor Some CPU @ 2 GHz, 8.2 GB of memory, in a container: kubepods");
    temp_put(root, "/.dockerenv", "");
    f = examine(root);
    expect(&f, "machine", FMD_FINE,
           "processor Some CPU @ 2 GHz, 8.2 GB of memory, in a container: Docker");
}

static void test_doctor_machine__little_memory_is_a_problem(void **state)
{
    const char *root = *state;
    temp_put(root, "/proc/meminfo", "MemAvailable:    200000 kB\n");
    fmd_findings f = examine(root);
    expect(&f, "memory", FMD_PROBLEM, "0.20 GB free, about 0.26 GB needed");
    temp_put(root, "/proc/meminfo", "MemAvailable:    4000000 kB\n");
    temp_put(root, "/proc/self/cgroup", "0::/job/step\n");
    temp_put(root, "/sys/fs/cgroup/job/step/memory.max", "max\n");
    temp_put(root, "/sys/fs/cgroup/job/memory.max", "100000000\n"); /* of the group above */
    f = examine(root);
    expect(&f, "memory", FMD_PROBLEM, "0.10 GB left in the control group, about 0.26 GB needed");
}

static void test_doctor_machine__time_of_the_control_group_is_compared(void **state)
{
    const char *root = *state;
    fmd_findings f = examine(root);
    assert_null(find(&f, "quota"));
    temp_put(root, "/proc/self/cgroup", "0::/\n");
    temp_put(root, "/sys/fs/cgroup/cpu.max", "max 100000\n");
    f = examine(root);
    assert_null(find(&f, "quota"));
    temp_put(root, "/sys/fs/cgroup/cpu.max", "150000 100000\n");
    f = examine(root);
    expect(&f, "quota", FMD_PROBLEM,
           "the control group allows the time of 1.5 cores, for 2 ranks x 1 thread");
    /* version 1, and a group whose name has nothing to do with it */
    temp_put(root, "/proc/self/cgroup", "4:cpuset:/x\n3:cpu,cpuacct:/a\n");
    temp_put(root, "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "400000\n");
    temp_put(root, "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "200000\n");
    f = examine(root);
    expect(&f, "quota", FMD_FINE,
           "the control group allows the time of 2 cores, for 2 ranks x 1 thread");
    temp_put(root, "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "-1\n");
    f = examine(root);
    assert_null(find(&f, "quota"));
}

static void test_doctor_machine__memory_that_ranks_share_is_looked_at(void **state)
{
    const char *root = *state;
    fmd_findings f = examine(root);
    expect(&f, "shm", FMD_WARN,
           "there is no /dev/shm: ranks share memory through files in $TMPDIR");
    temp_put(root, "/dev/shm/x", "");
    f = examine(root);
    assert_int_equal(find(&f, "shm")->grade, FMD_FINE);
    f.n = 0;
    fmd_doctor_machine(
        &f, root,
        &(fmd_needs){
            .total_bytes = 1e30, .shared_bytes = 1e30, .ranks = 2, .threads = 1, .host = "vm"});
    assert_int_equal(find(&f, "shm")->grade, FMD_PROBLEM);
    f.n = 0; /* alone, a rank shares nothing */
    fmd_doctor_machine(
        &f, root,
        &(fmd_needs){
            .total_bytes = 1e30, .shared_bytes = 1e30, .ranks = 1, .threads = 1, .host = "vm"});
    assert_int_equal(find(&f, "shm")->grade, FMD_FINE);
}

static void test_doctor_machine__leftovers_of_killed_jobs_are_named(void **state)
{
    const char *root = *state;
    fmd_findings f = {.n = 0};
    fmd_doctor_leftovers(&f, root);
    expect(&f, "left", FMD_FINE, "no files of killed jobs");
    temp_put(root, "/dev/shm/vader_segment.vm.0.1", "");
    temp_put(root, "/dev/shm/vader_segment.vm.0.2", "");
    temp_put(root, "/dev/shm/another", "");
    temp_put(root, "/proc/7/maps", "7f00-7f01 rw-s 0 00:1 9 /dev/shm/vader_segment.vm.0.2\n");
    temp_put(root, "/tmp/ompi.vm.0/pid.7/x", "");
    temp_put(root, "/tmp/ompi.vm.0/pid.8/x", "");
    f.n = 0;
    fmd_doctor_leftovers(&f, root);
    expect(&f, "left", FMD_WARN,
           "killed jobs left 1 file (0.0 MB) in /dev/shm and 1 session folder");
    assert_string_equal(find(&f, "left")->cure,
                        "rm -r /dev/shm/vader_segment.vm.0.1 /tmp/ompi.vm.0/pid.8");
    temp_put(root, "/dev/shm/vader_segment.; rm x", "");
    f.n = 0;
    fmd_doctor_leftovers(&f, root);
    assert_non_null(strstr(find(&f, "left")->cure, "pid.8, and 1 more"));
    assert_null(strchr(find(&f, "left")->cure, ';'));
}

static void test_doctor_machine__a_slow_clock_is_a_warning(void **state)
{
    const char *root = *state, *folder = "/sys/devices/system/cpu/cpu0/cpufreq/";
    char governor[256], driver[256];
    snprintf(governor, sizeof governor, "%sscaling_governor", folder);
    snprintf(driver, sizeof driver, "%sscaling_driver", folder);
    temp_put(root, governor, "powersave\n");
    temp_put(root, driver, "acpi-cpufreq\n");
    fmd_findings f = examine(root);
    expect(&f, "clock", FMD_WARN, "frequency governor powersave, driver acpi-cpufreq");
    temp_put(root, driver, "intel_pstate\n");
    f = examine(root);
    expect(&f, "clock", FMD_FINE, "frequency governor powersave, driver intel_pstate");
}

static void test_doctor_machine__settings_that_hurt_are_named(void **state)
{
    const char *root = *state;
    fmd_findings f = examine(root);
    expect(&f, "setting", FMD_FINE, "no harmful environment variables");
    setenv("OMP_PROC_BIND", "true", 1);
    f = examine(root);
    expect(&f, "setting", FMD_WARN, "OMP_PROC_BIND=true may bind all ranks to the same core");
    setenv("OMP_PROC_BIND", "false", 1);
    setenv("OMPI_MCA_btl", "self,tcp", 1);
    f = examine(root);
    expect(&f, "setting", FMD_WARN,
           "OMPI_MCA_btl=self,tcp: ranks of a machine do not use its shared memory");
    setenv("OMPI_MCA_btl", "^vader", 1);
    f = examine(root);
    assert_int_equal(find(&f, "setting")->grade, FMD_WARN);
    setenv("OMPI_MCA_btl", "^tcp", 1);
    f = examine(root);
    assert_int_equal(find(&f, "setting")->grade, FMD_FINE);
    unsetenv("OPENBLAS_NUM_THREADS");
    unsetenv("OMP_NUM_THREADS");
    const fmd_needs many = {.ranks = 100000, .threads = 1};
    f.n = 0;
    fmd_doctor_machine(&f, root, &many);
    assert_int_equal(find(&f, "setting")->grade,
                     sysconf(_SC_NPROCESSORS_ONLN) > 1 ? FMD_WARN : FMD_FINE);
}

static int set_up(void **state)
{
    static const char *const names[] = {"OMP_PROC_BIND", "GOMP_CPU_AFFINITY", "KMP_AFFINITY",
                                        "OMPI_MCA_btl", "OMPI_MCA_osc_sm_backing_directory"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    *state = temp_folder;
    return temp_folder_make(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, temp_folder_remove)
    const struct CMUnitTest tests[] = {
        TEST(test_doctor_machine__processor_memory_and_container_are_told),
        TEST(test_doctor_machine__little_memory_is_a_problem),
        TEST(test_doctor_machine__time_of_the_control_group_is_compared),
        TEST(test_doctor_machine__memory_that_ranks_share_is_looked_at),
        TEST(test_doctor_machine__leftovers_of_killed_jobs_are_named),
        TEST(test_doctor_machine__a_slow_clock_is_a_warning),
        TEST(test_doctor_machine__settings_that_hurt_are_named),
    };
    return cmocka_run_group_tests_name("doctor_machine", tests, NULL, NULL);
}
