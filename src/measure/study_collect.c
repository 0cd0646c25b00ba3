/* Reads the runs of a scaling study, and compares them. */
#include "measure/study.h"

#include "base/log.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_RUNS = 10000, MOST_MODEL_RANKS = 1 << 16 };

/* Limits for the width of an interval, relative to the rate: above the first, an interval that
 * decides the advice makes it inconclusive; above the second, any interval does. */
static const double too_wide = 0.1, useless = 0.5;

/* Milliseconds of a phase; NAN: the run has no such phase. */
static double phase_ms(const fmd_json *j, const char *name)
{
    for (size_t i = 0; fmd_json_has_row(j, "breakdown", i); i++) {
        const char *phase = fmd_json_row_text(j, "breakdown", i, "phase");
        if (phase != NULL && strcmp(phase, name) == 0)
            return fmd_json_row_real(j, "breakdown", i, "mean_ms");
    }
    return (double)NAN;
}

/* Milliseconds of a step. */
static double step_ms(const fmd_json *j)
{
    for (size_t i = 0; fmd_json_has_row(j, "repeated", i); i++) {
        const char *quantity = fmd_json_row_text(j, "repeated", i, "quantity");
        if (quantity != NULL && strcmp(quantity, "step_ms") == 0)
            return fmd_json_row_real(j, "repeated", i, "median");
    }
    return (double)NAN;
}

/* Whether each rank had cores of its own. */
static bool has_cores(const fmd_json *j)
{
    return fmd_json_get_real(j, NULL, "threads_per_core") <= 1;
}

/* Values that all runs of a study share come from the last run read. */
static void read_surroundings(fmd_study *s, const fmd_json *j)
{
    const char *layers = fmd_json_get_text(j, NULL, "layers");
    const char *host = fmd_json_get_text(j, NULL, "host");
    const char *core = fmd_json_get_text(j, NULL, "blas_core");
    const char *cpu = fmd_json_get_text(j, NULL, "cpu");
    const char *mpi = fmd_json_get_text(j, NULL, "mpi");
    snprintf(s->layers, sizeof s->layers, "%s", layers != NULL ? layers : "");
    snprintf(s->host, sizeof s->host, "%s", host != NULL ? host : "");
    snprintf(s->core, sizeof s->core, "%s", core != NULL ? core : "");
    snprintf(s->cpu, sizeof s->cpu, "%s", cpu != NULL ? cpu : "");
    snprintf(s->mpi, sizeof s->mpi, "%s", mpi != NULL ? mpi : "");
    const double bytes = fmd_json_get_real(j, "roofline", "message_bytes");
    if (!isnan(bytes))
        s->message_bytes = bytes;
}

/* The samples of one point, run by run. */
typedef struct runs {
    double *step, *compute, *reduce, *wait;
    size_t n;
} runs;

static fmd_status read_run(fmd_study *s, fmd_study_point *p, fmd_scaling_point *scaling,
                           const char *path, runs *r)
{
    fmd_json *j;
    FMD_TRY(fmd_json_read(&j, path));
    const double step = step_ms(j), whole = phase_ms(j, "step"), reduce = phase_ms(j, "allreduce");
    const double wait = phase_ms(j, "wait"), batch = fmd_json_get_real(j, NULL, "batch_size");
    const double microbatch = fmd_json_get_real(j, NULL, "microbatch_size");
    const double nodes = fmd_json_get_real(j, NULL, "nodes");
    if (fmd_json_get_real(j, NULL, "ranks") != scaling->ranks) {
        fmd_json_destroy(j);
        return FMD_FAIL(
            FMD_EDATA,
            "'%s' was not measured on %d ranks: remove it, and the study measures it again", path,
            scaling->ranks);
    }
    if (!(step > 0) || !(whole > 0) || isnan(wait + reduce + batch + microbatch + nodes)) {
        fmd_json_destroy(j);
        return FMD_FAIL(
            FMD_EDATA, "'%s' lacks the times of a step: remove it, and the study measures it again",
            path);
    }
    r->step[r->n] = step * 1e-3;
    r->reduce[r->n] = reduce / whole;
    r->wait[r->n] = wait / whole;
    r->compute[r->n++] = 1 - (reduce + wait) / whole;
    p->nodes = (int)nodes;
    p->batch = (int)batch;
    const int microbatches = (int)ceil(batch / microbatch);
    const char *mode = fmd_json_get_text(j, NULL, "reduce");
    if (mode != NULL && strcmp(mode, "exact") == 0) {
        p->microbatches = microbatches;
        p->idle = scaling->ranks > microbatches ? scaling->ranks - microbatches : 0;
    }
    scaling->counts = scaling->counts && has_cores(j);
    read_surroundings(s, j);
    fmd_json_destroy(j);
    return FMD_OK;
}

/* *found: there is at least one run. */
static fmd_status read_point(fmd_study *s, fmd_study_mode *m, int ranks, runs *r)
{
    char path[FMD_STUDY_PATH];
    fmd_study_point *p = &m->points[m->n];
    fmd_scaling_point *scaling = &m->scaling[m->n];
    *p = (fmd_study_point){.runs = 0};
    *scaling = (fmd_scaling_point){.ranks = ranks, .counts = true};
    r->n = 0;
    for (int number = 1; number <= MOST_RUNS; number++) {
        fmd_study_path(s, path, "points/%s-%d-%d.json", m->name, ranks, number);
        if (access(path, F_OK) == 0)
            FMD_TRY(read_run(s, p, scaling, path, r));
        else if (number > s->config->bench.repetitions)
            break;
    }
    if (r->n == 0)
        return FMD_OK;
    p->runs = (int)r->n;
    p->step = fmd_stats_of(r->step, r->n);
    p->compute = fmd_stats_of(r->compute, r->n).median;
    p->reduce = fmd_stats_of(r->reduce, r->n).median;
    p->wait = fmd_stats_of(r->wait, r->n).median;
    const bool interval = !isnan(p->step.low);
    scaling->rate = p->batch / p->step.median;
    scaling->slowest = p->batch / (interval ? p->step.high : p->step.max);
    scaling->fastest = p->batch / (interval ? p->step.low : p->step.min);
    m->n++;
    return FMD_OK;
}

static fmd_status read_mode(fmd_study *s, fmd_study_mode *m)
{
    runs r = {.n = 0};
    const size_t most = MOST_RUNS + 1;
    double *all = malloc(4 * most * sizeof *all);
    if (all == NULL)
        return FMD_FAIL(FMD_ENOMEM, "out of memory: the runs of a study");
    r.step = all;
    r.compute = all + most;
    r.reduce = all + 2 * most;
    r.wait = all + 3 * most;
    fmd_status st = FMD_OK;
    for (int i = 0; i < s->n_ranks && st == FMD_OK; i++)
        st = read_point(s, m, s->ranks[i], &r);
    free(all);
    return st;
}

static fmd_status read_allreduce(fmd_study *s, int ranks)
{
    char path[FMD_STUDY_PATH];
    fmd_json *j;
    fmd_study_path(s, path, "points/allreduce-%d.json", ranks);
    if (access(path, F_OK) != 0)
        return FMD_OK;
    FMD_TRY(fmd_json_read(&j, path));
    const bool counts = has_cores(j);
    for (size_t i = 0; fmd_json_has_row(j, "allreduce", i) && s->n_samples < FMD_STUDY_SAMPLES;
         i++) {
        s->sample_counts[s->n_samples] = counts;
        s->samples[s->n_samples++] =
            (fmd_allreduce_sample){ranks, fmd_json_row_real(j, "allreduce", i, "bytes"),
                                   fmd_json_row_real(j, "allreduce", i, "p50_us") * 1e-6};
    }
    fmd_json_destroy(j);
    return FMD_OK;
}

static void fit_model(fmd_study *s)
{
    fmd_allreduce_sample counted[FMD_STUDY_SAMPLES];
    size_t n = 0;
    for (size_t i = 0; i < s->n_samples; i++)
        if (s->sample_counts[i])
            counted[n++] = s->samples[i];
    s->has_model = fmd_allreduce_fit(counted, n, &s->model);
}

/* The base of the comparison; -1: no point counts. */
static int base_of(const fmd_study_mode *m)
{
    for (int i = 0; i < m->n; i++)
        if (m->scaling[i].counts)
            return i;
    return -1;
}

/* The interval of the rate as a share of the rate. */
static double spread_of(const fmd_scaling_point *p)
{
    return (p->fastest - p->slowest) / p->rate;
}

static void compare(const fmd_study *s, fmd_study_mode *m)
{
    fmd_scaling_compare(m->scaling, (size_t)m->n);
    if (!m->strong) /* Karp and Flatt assume a fixed problem size */
        for (int i = 0; i < m->n; i++)
            m->scaling[i].serial_fraction = (double)NAN;
    m->rival = SIZE_MAX;
    m->knee = fmd_scaling_knee(m->scaling, (size_t)m->n);
    const int base = base_of(m);
    if (base < 0)
        return;
    m->rival = fmd_scaling_rival(m->scaling, (size_t)m->n, m->knee);
    m->widest = m->knee;
    for (int i = 0; i < m->n; i++)
        if (m->scaling[i].counts && spread_of(&m->scaling[i]) > spread_of(&m->scaling[m->widest]))
            m->widest = (size_t)i;
    const double widest = spread_of(&m->scaling[m->widest]);
    m->inconclusive = widest > useless || (m->rival != SIZE_MAX && widest > too_wide);
    const fmd_study_point *p = &m->points[base];
    m->compute = p->compute * p->step.median * (m->strong ? m->scaling[base].ranks : 1);
    if (s->has_model && m->strong)
        m->model_knee =
            fmd_scaling_model_knee(&s->model, m->compute, s->message_bytes,
                                   p->microbatches > 0 ? p->microbatches : MOST_MODEL_RANKS);
    m->microbatches = p->microbatches;
}

fmd_status fmd_study_collect(fmd_study *s)
{
    int points = 0;
    for (int i = 0; i < FMD_STUDY_WAYS; i++) {
        FMD_TRY(read_mode(s, &s->modes[i]));
        points += s->modes[i].n;
    }
    if (points == 0)
        return FMD_FAIL(FMD_ENOINPUT, "'%s' has no results yet", s->folder);
    for (int i = 0; i < s->n_ranks; i++)
        FMD_TRY(read_allreduce(s, s->ranks[i]));
    fit_model(s);
    for (int i = 0; i < FMD_STUDY_WAYS; i++)
        compare(s, &s->modes[i]);
    return FMD_OK;
}
