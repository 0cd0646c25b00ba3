#include "dist/binding.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { WORD_BITS = 64, MAX_CPUS = FMD_BINDING_WORDS * WORD_BITS };

void fmd_cpus_add(fmd_cpus *s, int cpu)
{
    if (cpu >= 0 && cpu < MAX_CPUS)
        s->word[cpu / WORD_BITS] |= UINT64_C(1) << cpu % WORD_BITS;
}

static bool has(const fmd_cpus *s, int cpu)
{
    return cpu < MAX_CPUS && s->word[cpu / WORD_BITS] >> cpu % WORD_BITS & 1;
}

int fmd_cpus_count(const fmd_cpus *s)
{
    int n = 0;
    for (int i = 0; i < FMD_BINDING_WORDS; i++)
        n += __builtin_popcountll(s->word[i]);
    return n;
}

/* Whether all of `a` is in `b`. */
static bool within(const fmd_cpus *a, const fmd_cpus *b)
{
    for (int i = 0; i < FMD_BINDING_WORDS; i++)
        if (a->word[i] & ~b->word[i])
            return false;
    return true;
}

static void unite(fmd_cpus *a, const fmd_cpus *b)
{
    for (int i = 0; i < FMD_BINDING_WORDS; i++)
        a->word[i] |= b->word[i];
}

const char *fmd_cpus_text(const fmd_cpus *s, char text[FMD_BINDING_TEXT])
{
    size_t used = 0;
    text[0] = '\0';
    for (int first = 0; first < MAX_CPUS && used < FMD_BINDING_TEXT; first++) {
        if (!has(s, first))
            continue;
        int last = first;
        while (has(s, last + 1))
            last++;
        used += (size_t)snprintf(text + used, FMD_BINDING_TEXT - used, "%s%d", used > 0 ? "," : "",
                                 first);
        if (last > first && used < FMD_BINDING_TEXT)
            used += (size_t)snprintf(text + used, FMD_BINDING_TEXT - used, "-%d", last);
        first = last;
    }
    return text;
}

/* A set of ranks on one host, with the union of their cores and hardware threads. */
typedef struct crowd {
    int n, ranks[3]; /* the first three, for messages */
    fmd_cpus cores, hyper;
} crowd;

static void join(crowd *c, int rank, const fmd_binding *b)
{
    if (c->n < 3)
        c->ranks[c->n] = rank;
    c->n++;
    unite(&c->cores, &b->cores);
    unite(&c->hyper, &b->hyper);
}

/* "ranks 0, 1 and 4 others" */
static const char *name_ranks(const crowd *c, char text[64])
{
    if (c->n == 1)
        snprintf(text, 64, "rank %d", c->ranks[0]);
    else if (c->n == 2)
        snprintf(text, 64, "ranks %d and %d", c->ranks[0], c->ranks[1]);
    else if (c->n == 3)
        snprintf(text, 64, "ranks %d, %d and %d", c->ranks[0], c->ranks[1], c->ranks[2]);
    else
        snprintf(text, 64, "ranks %d, %d and %d others", c->ranks[0], c->ranks[1], c->n - 2);
    return text;
}

static const char *plural(int n)
{
    return n == 1 ? "" : "s";
}

/* Reports a crowd that has fewer cores than threads. */
static void condemn(fmd_binding_verdict *out, const crowd *c, bool whole, int threads,
                    const char *host)
{
    char ranks[64], cores[FMD_BINDING_TEXT];
    const int n_cores = fmd_cpus_count(&c->cores);
    name_ranks(c, ranks);
    fmd_cpus_text(&c->cores, cores);
    if (c->n * threads <= fmd_cpus_count(&c->hyper)) {
        out->kind = FMD_BINDING_HYPER;
        snprintf(out->text, sizeof out->text,
                 "%s with %d thread%s each share core%s %.100s of %s: its hardware threads are no "
                 "cores",
                 ranks, threads, plural(threads), plural(n_cores), cores, host);
    } else if (whole) {
        out->kind = FMD_BINDING_CROWDED;
        snprintf(out->text, sizeof out->text, "%d rank%s x %d thread%s on the %d core%s of %s",
                 c->n, plural(c->n), threads, plural(threads), n_cores, plural(n_cores), host);
    } else {
        out->kind = c->n == 1 ? FMD_BINDING_NARROW : FMD_BINDING_SHARED;
        snprintf(out->text, sizeof out->text, "%s with %d thread%s%s: bound to core%s %.100s of %s",
                 ranks, threads, plural(threads), c->n > 1 ? " each" : "", plural(n_cores), cores,
                 host);
    }
}

/* The verdict for a good binding. */
static void praise(fmd_binding_verdict *out, const crowd *all, const fmd_binding *one)
{
    const int own = fmd_cpus_count(&one->cores);
    out->kind = FMD_BINDING_GOOD;
    if (own == one->n_cores)
        snprintf(out->text, sizeof out->text, "%d rank%s on the %d core%s of %s, not bound", all->n,
                 plural(all->n), one->n_cores, plural(one->n_cores), one->host);
    else
        snprintf(out->text, sizeof out->text, "%d rank%s on %s, bound to %d of %d core%s%s", all->n,
                 plural(all->n), one->host, own, one->n_cores, plural(one->n_cores),
                 all->n > 1 ? " each" : "");
}

/* By Hall's theorem, there are cores for all if every set of ranks together has as many cores as it
 * needs. Launchers make bindings that are nested or disjoint, so it suffices to test, for each rank,
 * the set of ranks bound within its cores. The message describes the smallest set that fails. */
void fmd_binding_judge(fmd_binding_verdict *out, const fmd_binding *all, int n, const char *host,
                       int threads)
{
    crowd whole = {.n = 0};
    const fmd_binding *one = NULL;
    for (int i = 0; i < n; i++)
        if (strcmp(all[i].host, host) == 0) {
            join(&whole, i, &all[i]);
            one = one != NULL ? one : &all[i];
        }
    *out = (fmd_binding_verdict){.kind = FMD_BINDING_GOOD};
    if (one == NULL)
        return;
    praise(out, &whole, one);
    int smallest = fmd_cpus_count(&whole.cores) + 1;
    for (int i = 0; i < n; i++) {
        crowd c = {.n = 0};
        const int n_cores = fmd_cpus_count(&all[i].cores);
        if (strcmp(all[i].host, host) != 0 || n_cores >= smallest)
            continue;
        for (int k = 0; k < n; k++)
            if (strcmp(all[k].host, host) == 0 && within(&all[k].cores, &all[i].cores))
                join(&c, k, &all[k]);
        if (c.n * threads <= n_cores)
            continue;
        smallest = n_cores;
        condemn(out, &c, n_cores == all[i].n_cores, threads, host);
    }
}
