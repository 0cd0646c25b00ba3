/* Where ranks may run, with made-up machines. */
#include "dist/binding.h"
#include "support/fmd_test.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A rank on `host`, of `n_cores` cores with two hardware threads each (core c: c and c + n_cores),
 * bound to cores first to last; `half`: to the first hardware thread of each only. */
static fmd_binding bound(const char *host, int n_cores, int first, int last, int half)
{
    fmd_binding b = {.n_cores = n_cores};
    snprintf(b.host, sizeof b.host, "%s", host);
    for (int i = first; i <= last; i++) {
        fmd_cpus_add(&b.cores, i);
        if (half != 1)
            fmd_cpus_add(&b.hyper, i);
        if (half != 0)
            fmd_cpus_add(&b.hyper, i + n_cores);
    }
    return b;
}

static void expect(const fmd_binding *all, int n, int threads, fmd_binding_kind kind,
                   const char *text)
{
    fmd_binding_verdict v;
    fmd_binding_judge(&v, all, n, "a", threads);
    assert_string_equal(v.text, text);
    assert_int_equal(v.kind, kind);
}

static void test_binding__cpus_are_listed_as_ranges(void **state)
{
    (void)state;
    char text[FMD_BINDING_TEXT];
    fmd_cpus s = {.word = {0}};
    assert_string_equal(fmd_cpus_text(&s, text), "");
    const int cpus[] = {0, 1, 2, 7, 63, 64, 1023};
    for (size_t i = 0; i < sizeof cpus / sizeof *cpus; i++)
        fmd_cpus_add(&s, cpus[i]);
    fmd_cpus_add(&s, 1024); /* there is no such */
    assert_string_equal(fmd_cpus_text(&s, text), "0-2,7,63-64,1023");
    assert_int_equal(fmd_cpus_count(&s), 7);
}

static void test_binding__a_core_for_each_rank_is_good(void **state)
{
    (void)state;
    const fmd_binding bound_ranks[] = {bound("a", 4, 0, 0, 0), bound("a", 4, 1, 1, 0)};
    const fmd_binding free_ranks[] = {bound("a", 2, 0, 1, 0), bound("a", 2, 0, 1, 0)};
    const fmd_binding sockets[] = {bound("a", 4, 0, 1, 0), bound("a", 4, 0, 1, 0),
                                   bound("a", 4, 2, 3, 0), bound("b", 4, 2, 3, 0)};
    expect(bound_ranks, 2, 1, FMD_BINDING_GOOD, "2 ranks on a, bound to 1 of 4 cores each");
    expect(free_ranks, 2, 1, FMD_BINDING_GOOD, "2 ranks on the 2 cores of a, not bound");
    expect(sockets, 4, 1, FMD_BINDING_GOOD, "3 ranks on a, bound to 2 of 4 cores each");
    expect(bound_ranks, 1, 1, FMD_BINDING_GOOD, "1 rank on a, bound to 1 of 4 cores");
}

static void test_binding__ranks_on_one_core_are_named(void **state)
{
    (void)state;
    fmd_binding two[] = {bound("b", 4, 2, 2, 0), bound("a", 4, 2, 2, 0), bound("a", 4, 2, 2, 0),
                         bound("a", 4, 0, 3, 0)};
    expect(two, 4, 1, FMD_BINDING_SHARED, "ranks 1 and 2 with 1 thread each: bound to core 2 of a");
    two[0] = bound("a", 4, 2, 2, 0); /* as on host a, so it counts too */
    expect(two, 4, 1, FMD_BINDING_SHARED,
           "ranks 0, 1 and 2 with 1 thread each: bound to core 2 of a");
    fmd_binding many[6];
    for (int i = 0; i < 6; i++)
        many[i] = bound("a", 8, 4, 5, 0);
    expect(many, 6, 1, FMD_BINDING_SHARED,
           "ranks 0, 1 and 4 others with 1 thread each: bound to cores 4-5 of a");
}

static void test_binding__more_ranks_than_cores_is_crowded(void **state)
{
    (void)state;
    const fmd_binding all[] = {bound("a", 2, 0, 1, 0), bound("a", 2, 0, 1, 0),
                               bound("a", 2, 0, 1, 0)};
    expect(all, 3, 1, FMD_BINDING_CROWDED, "3 ranks x 1 thread on the 2 cores of a");
    expect(all, 2, 2, FMD_BINDING_CROWDED, "2 ranks x 2 threads on the 2 cores of a");
    expect(all, 2, 1, FMD_BINDING_GOOD, "2 ranks on the 2 cores of a, not bound");
}

static void test_binding__threads_need_cores_too(void **state)
{
    (void)state;
    const fmd_binding all[] = {bound("a", 4, 0, 0, 0), bound("a", 4, 1, 2, 0)};
    expect(all, 2, 2, FMD_BINDING_NARROW, "rank 0 with 2 threads: bound to core 0 of a");
}

static void test_binding__hardware_threads_are_no_cores(void **state)
{
    (void)state;
    const fmd_binding all[] = {bound("a", 2, 0, 1, 2), bound("a", 2, 0, 1, 2),
                               bound("a", 2, 0, 1, 2)};
    const fmd_binding halves[] = {bound("a", 2, 1, 1, 0), bound("a", 2, 1, 1, 1)};
    expect(all, 3, 1, FMD_BINDING_HYPER,
           "ranks 0, 1 and 2 with 1 thread each share cores 0-1 of a: its hardware threads are no "
           "cores");
    expect(halves, 2, 1, FMD_BINDING_HYPER,
           "ranks 0 and 1 with 1 thread each share core 1 of a: its hardware threads are no cores");
}

static void test_binding__this_process_runs_somewhere(void **state)
{
    (void)state;
    fmd_binding b;
    assert_int_equal(fmd_binding_find(&b, "here"), FMD_OK);
    assert_string_equal(b.host, "here");
    assert_in_range(fmd_cpus_count(&b.cores), 1, b.n_cores);
    assert_in_range(fmd_cpus_count(&b.hyper), fmd_cpus_count(&b.cores), 1024);
    assert_in_range(fmd_cpus_count(&b.hyper), 1, sysconf(_SC_NPROCESSORS_CONF));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_binding__cpus_are_listed_as_ranges),
        cmocka_unit_test(test_binding__a_core_for_each_rank_is_good),
        cmocka_unit_test(test_binding__ranks_on_one_core_are_named),
        cmocka_unit_test(test_binding__more_ranks_than_cores_is_crowded),
        cmocka_unit_test(test_binding__threads_need_cores_too),
        cmocka_unit_test(test_binding__hardware_threads_are_no_cores),
        cmocka_unit_test(test_binding__this_process_runs_somewhere),
    };
    return cmocka_run_group_tests_name("binding", tests, NULL, NULL);
}
