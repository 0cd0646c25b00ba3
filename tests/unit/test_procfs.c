#include "support/temp_folder.h"

#include "base/system/procfs.h"

#include <math.h>

static int make_root(void **state)
{
    *state = temp_folder;
    return temp_folder_make(state);
}

static void expect_left(const char *root, double bytes, bool limited)
{
    bool found = !limited;
    const double left = fmd_procfs_memory(root, &found);
    if (left != bytes || found != limited)
        fail_msg("found %.0f bytes, limited %d, expected %.0f, %d", left, found, bytes, limited);
}

static void test_procfs__without_files_nobody_knows(void **state)
{
    expect_left(*state, (double)INFINITY, false);
}

static void test_procfs__the_machine_gives_what_is_available_and_swap(void **state)
{
    const char *root = *state;
    temp_put(root, "/proc/meminfo", "MemTotal:  9 kB\nMemAvailable:    1000 kB\n");
    expect_left(root, 1000 * 1024, false);
    temp_put(root, "/proc/meminfo",
             "MemAvailable:    1000 kB\nSwapTotal: 800 kB\nSwapFree:  500 kB\n");
    expect_left(root, 1500 * 1024, false);
}

static void test_procfs__a_group_leaves_its_limit_less_what_is_used(void **state)
{
    const char *root = *state;
    temp_put(root, "/proc/meminfo", "MemAvailable:    1000 kB\n");
    temp_put(root, "/proc/self/cgroup", "0::/job/step\n");
    temp_put(root, "/sys/fs/cgroup/job/step/memory.max", "max\n");
    temp_put(root, "/sys/fs/cgroup/job/step/memory.current", "12345\n");
    expect_left(root, 1000 * 1024, false);
    temp_put(root, "/sys/fs/cgroup/job/memory.max", "500000\n"); /* of the group above */
    expect_left(root, 500000, true);
    temp_put(root, "/sys/fs/cgroup/job/memory.current", "300000\n");
    expect_left(root, 200000, true);
    temp_put(root, "/sys/fs/cgroup/job/memory.stat",
             "anon 5\nactive_file 10000\ninactive_file_x 7\ninactive_file 40000\n");
    expect_left(root, 250000, true);
    temp_put(root, "/sys/fs/cgroup/job/memory.current", "700000\n");
    temp_put(root, "/sys/fs/cgroup/job/memory.stat", "");
    expect_left(root, 0, true);
    temp_put(root, "/sys/fs/cgroup/job/memory.max", "900000000\n");
    expect_left(root, 1000 * 1024, false);
}

static void test_procfs__groups_of_version_1_count_as_well(void **state)
{
    const char *root = *state;
    temp_put(root, "/proc/meminfo", "MemAvailable:    1000 kB\n");
    temp_put(root, "/proc/self/cgroup", "5:devices:/x\n4:memory:/slurm/job\n0::/\n");
    temp_put(root, "/sys/fs/cgroup/memory/slurm/job/memory.limit_in_bytes",
             "9223372036854771712\n");
    expect_left(root, 1000 * 1024, false);
    temp_put(root, "/sys/fs/cgroup/memory/slurm/memory.limit_in_bytes", "500000\n");
    temp_put(root, "/sys/fs/cgroup/memory/slurm/memory.usage_in_bytes", "100000\n");
    temp_put(root, "/sys/fs/cgroup/memory/slurm/memory.stat",
             "inactive_file 9\ntotal_inactive_file 20000\n");
    expect_left(root, 420000, true);
}

static void test_procfs__fields_end_at_a_colon_or_a_blank(void **state)
{
    const char *root = *state;
    char value[FMD_SYSTEM_LINE] = "";
    temp_put(root, "/proc/cpuinfo", "model\t\t: 85\nmodel name\t: Some CPU @ 2 GHz\n");
    assert_true(fmd_procfs_field(root, "/proc/cpuinfo", "model name", value));
    assert_string_equal(value, "Some CPU @ 2 GHz");
    assert_false(fmd_procfs_field(root, "/proc/cpuinfo", "mod", value));
    assert_false(fmd_procfs_field(root, "/proc/nothing", "model", value));
}

int main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, make_root, temp_folder_remove)
    const struct CMUnitTest tests[] = {
        TEST(test_procfs__without_files_nobody_knows),
        TEST(test_procfs__the_machine_gives_what_is_available_and_swap),
        TEST(test_procfs__a_group_leaves_its_limit_less_what_is_used),
        TEST(test_procfs__groups_of_version_1_count_as_well),
        TEST(test_procfs__fields_end_at_a_colon_or_a_blank),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
