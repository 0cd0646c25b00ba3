/* The results of a scaling study: advice in words, tables, JSON and CSV. */
#include "base/version.h"
#include "fmd/version.h"
#include "measure/study.h"

#include "base/format.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

double fmd_study_model_speedup(const fmd_study *s, const fmd_study_mode *m, int ranks)
{
    const double work = m->strong ? m->compute / ranks : m->compute;
    const double step = work + fmd_allreduce_seconds(&s->model, ranks, s->message_bytes);
    return (m->strong ? 1 : ranks) * m->compute / step;
}

/* A number, or a dash for an unknown one. */
static void put(char cell[FMD_STUDY_CELL], double value, int decimals, const char *unit)
{
    if (isnan(value))
        snprintf(cell, FMD_STUDY_CELL, "-");
    else
        snprintf(cell, FMD_STUDY_CELL, "%.*f%s", decimals, value, unit);
}

/* Whether a point that counts follows. */
static bool has_more(const fmd_study_mode *m, int i)
{
    while (++i < m->n)
        if (m->scaling[i].counts)
            return true;
    return false;
}

static const char *remark(const fmd_study_mode *m, int i)
{
    if (!m->scaling[i].counts)
        return "OVERSUBSCRIBED";
    if (m->points[i].idle > 0)
        return "idle ranks";
    return (size_t)i == m->knee && has_more(m, i) && !m->inconclusive ? "knee" : "";
}

const fmd_study_table fmd_study_tables[FMD_STUDY_TABLES] = {
    {.name = "speed",
     .caption = "medians over the runs",
     .head = "#Ranks|#Step, ms|#95 % interval|#Images/s|#Speed-up|#Efficiency|#Serial|Remark",
     .n_columns = 8,
     .width = {5, 8, 13, 9, 8, 10, 7, 0}},
    {.name = "breakdown",
     .caption = "shares of a step",
     .head = "#Ranks|#Nodes|#Batch|#Runs|#Compute|#Allreduce|#Wait",
     .n_columns = 7,
     .width = {5, 5, 6, 4, 7, 9, 5}},
};

static void put_speeds(const fmd_study_mode *m, int i, char cells[][FMD_STUDY_CELL])
{
    const fmd_scaling_point *s = &m->scaling[i];
    const fmd_stats *step = &m->points[i].step;
    char count[32];
    put(cells[1], step->median * 1e3, 3, "");
    if (isnan(step->low))
        snprintf(cells[2], FMD_STUDY_CELL, "-");
    else
        snprintf(cells[2], FMD_STUDY_CELL, "%.3f-%.3f", step->low * 1e3, step->high * 1e3);
    snprintf(cells[3], FMD_STUDY_CELL, "%s", fmd_format_count((size_t)rint(s->rate), count));
    put(cells[4], s->speedup, 2, "");
    put(cells[5], s->efficiency * 100, 0, " %");
    if (s->serial_fraction > 1) /* slower than the base: the fraction is undefined */
        snprintf(cells[6], FMD_STUDY_CELL, ">100 %%");
    else
        put(cells[6], s->serial_fraction * 100, 1, " %");
    snprintf(cells[7], FMD_STUDY_CELL, "%s", remark(m, i));
}

void fmd_study_cells(const fmd_study_mode *m, int table, int i,
                     char cells[FMD_STUDY_COLUMNS][FMD_STUDY_CELL])
{
    const fmd_study_point *p = &m->points[i];
    put(cells[0], m->scaling[i].ranks, 0, "");
    if (table == 0) {
        put_speeds(m, i, cells);
        return;
    }
    put(cells[1], p->nodes, 0, "");
    put(cells[2], p->batch, 0, "");
    put(cells[3], p->runs, 0, "");
    put(cells[4], p->compute * 100, 0, " %");
    put(cells[5], p->reduce * 100, 0, " %");
    put(cells[6], p->wait * 100, 0, " %");
}

void fmd_study_print_tables(const fmd_study_mode *m, FILE *out)
{
    for (int k = 0; k < FMD_STUDY_TABLES; k++) {
        const fmd_study_table *t = &fmd_study_tables[k];
        const char *head = t->head;
        fprintf(out, "%s%s scaling: %s\n", k > 0 ? "\n" : "", m->name, t->caption);
        for (int c = 0; c < t->n_columns; c++) {
            const int n = (int)strcspn(head, "|"), skip = *head == '#';
            fprintf(out, "%s%*.*s", c > 0 ? "  " : "", t->width[c], n - skip, head + skip);
            head += n + (head[n] == '|');
        }
        fputc('\n', out);
        for (int i = 0; i < m->n; i++) {
            char cells[FMD_STUDY_COLUMNS][FMD_STUDY_CELL];
            fmd_study_cells(m, k, i, cells);
            for (int c = 0; c < t->n_columns; c++)
                fprintf(out, "%s%*s", c > 0 ? "  " : "", t->width[c], cells[c]);
            fputc('\n', out);
        }
    }
}

static int count_marked(const fmd_study_mode *m)
{
    int marked = 0;
    for (int i = 0; i < m->n; i++)
        marked += !m->scaling[i].counts;
    return marked;
}

/* The causes of the difference to an ideal speed-up. */
static void explain_loss(const fmd_study_mode *m, FILE *out)
{
    const fmd_study_point *p = &m->points[m->knee];
    const double even = m->strong ? m->compute / m->scaling[m->knee].ranks : m->compute;
    const double longer = p->compute * p->step.median / even - 1;
    const double lost = p->reduce + p->wait;
    fprintf(out,
            "%.0f %% of a step is spent in the allreduce and %.0f %% in waiting for the slowest "
            "rank",
            p->reduce * 100, p->wait * 100);
    if (lost < 0.05)
        fprintf(out, ", which is little");
    else if (p->wait > 2 * p->reduce)
        fprintf(out, ": some ranks are slower than others; check binding, and other programs on "
                     "the nodes");
    else if (p->reduce > 2 * p->wait)
        fprintf(out, ": messages dominate; a larger batch needs fewer of them");
    fprintf(out, ".");
    if (longer > 0.02)
        fprintf(out,
                " The computation takes %.0f %% longer than an ideal split: every rank updates "
                "all parameters, and ranks share memory, caches and clock frequency.",
                longer * 100);
    fprintf(out, "\n");
}

/* A constant serial fraction means serial work; a growing one, communication. */
static void explain_serial(const fmd_study_mode *m, FILE *out)
{
    const fmd_scaling_point *first = NULL, *last = NULL;
    for (int i = 0; i < m->n; i++)
        if (m->scaling[i].counts && !isnan(m->scaling[i].serial_fraction)) {
            first = first == NULL ? &m->scaling[i] : first;
            last = &m->scaling[i];
        }
    if (last == NULL || last == first || first->serial_fraction > 1 || last->serial_fraction > 1)
        return;
    const double grown = last->serial_fraction - first->serial_fraction;
    fprintf(out, "The serial fraction is %.1f %% on %d ranks and %.1f %% on %d: %s.\n",
            first->serial_fraction * 100, first->ranks, last->serial_fraction * 100, last->ranks,
            grown > 0.01    ? "it grows, so the cost of communication grows with the ranks"
            : grown < -0.01 ? "it falls, so serial work matters less with more ranks"
                            : "it is constant, so some work is serial");
}

static void explain_spread(const fmd_study_mode *m, FILE *out)
{
    const fmd_scaling_point *wide = &m->scaling[m->widest];
    const double batch = m->points[m->widest].batch;
    fprintf(
        out,
        "Inconclusive: the steps on %d rank%s took %.3g to %.3g ms, too wide a spread for advice. "
        "Measure again on an idle machine, or raise --repetitions.\n",
        wide->ranks, wide->ranks == 1 ? "" : "s", 1e3 * batch / wide->fastest,
        1e3 * batch / wide->slowest);
}

static void recommend(const fmd_study_mode *m, FILE *out)
{
    const fmd_scaling_point *knee = &m->scaling[m->knee], *first = knee, *last = knee;
    for (int i = m->n - 1; i >= 0; i--)
        if (m->scaling[i].counts)
            first = &m->scaling[i];
    for (int i = 0; i < m->n; i++)
        if (m->scaling[i].counts)
            last = &m->scaling[i];
    fprintf(out, "Use %d rank%s", knee->ranks, knee->ranks == 1 ? "" : "s");
    if (knee != first)
        fprintf(out, ": %.2f times the rate of %d rank%s, at %.0f %% efficiency",
                knee->rate / first->rate, first->ranks, first->ranks == 1 ? "" : "s",
                knee->efficiency * 100);
    if (last != knee)
        fprintf(out, ". More ranks cost more than they gain: %d ranks have %.2f times its rate",
                last->ranks, last->rate / knee->rate);
    else if (knee != first)
        fprintf(out,
                ". Larger numbers were not measured on cores of their own; there is no knee up "
                "to here");
    else
        fprintf(out, ", the only number measured on cores of its own");
    fprintf(out, ".");
    if (m->rival != SIZE_MAX)
        fprintf(out, " Within the spread of the runs, %d rank%s may be as good.",
                m->scaling[m->rival].ranks, m->scaling[m->rival].ranks == 1 ? "" : "s");
    fprintf(out, "\n");
}

/* The prediction of the model: only computation and allreduce take time. */
static void explain_model(const fmd_study *s, const fmd_study_mode *m, FILE *out)
{
    enum { SOME = 64, MANY = 1024 };
    fprintf(out,
            "With the model of the allreduce (alpha %.2f us, beta %.3f ns a byte, fitted to these "
            "measurements) and no other overhead, ",
            s->model.alpha * 1e6, s->model.beta * 1e9);
    if (!m->strong)
        fprintf(out, "the efficiency would be %.0f %% on %d ranks and %.0f %% on %d.\n",
                100 * fmd_study_model_speedup(s, m, SOME) / SOME, SOME,
                100 * fmd_study_model_speedup(s, m, MANY) / MANY, MANY);
    else if (m->microbatches > 0 && 2 * m->model_knee > m->microbatches)
        fprintf(out,
                "there would be no knee up to %d ranks; more ranks have no work, since a batch of "
                "%d has %d microbatches.\n",
                m->model_knee, m->points[0].batch, m->microbatches);
    else
        fprintf(out, "the knee would be at about %d ranks.\n", m->model_knee);
}

void fmd_study_advice(const fmd_study *s, const fmd_study_mode *m, FILE *out)
{
    const int marked = count_marked(m);
    if (m->knee == SIZE_MAX)
        fprintf(out, "No result: ranks shared cores in every run.\n");
    else if (m->inconclusive)
        explain_spread(m, out);
    else {
        recommend(m, out);
        if (m->scaling[m->knee].ranks > 1)
            explain_loss(m, out);
        explain_serial(m, out);
    }
    if (s->has_model && m->knee != SIZE_MAX && !m->inconclusive)
        explain_model(s, m, out);
    if (m->n > 0 && m->points[m->n - 1].idle > 0)
        fprintf(out,
                "Of %d ranks %d have no work: the batch has fewer microbatches than ranks. Raise "
                "--batch-size or lower --microbatch-size.\n",
                m->scaling[m->n - 1].ranks, m->points[m->n - 1].idle);
    if (marked > 0)
        fprintf(out,
                "%d point%s OVERSUBSCRIBED, with more ranks than cores: left out of the advice, "
                "since shared cores show no scaling.\n",
                marked, marked == 1 ? " is" : "s are");
    if (m->n > 0 && m->points[0].runs == 1 && m->n > 1)
        fprintf(out,
                "Each number of ranks ran once, so the spread is unknown: --repetitions 6 gives "
                "95 %% intervals.\n");
    else if (m->n > 0 && isnan(m->points[0].step.low))
        fprintf(out, "A 95 %% interval needs six runs: --repetitions 6.\n");
    if (!m->strong)
        fprintf(out, "In weak scaling the batch grows with the ranks, so an epoch has fewer steps. "
                     "Compare rates, not accuracies.\n");
}

static void put_point(fmd_json *j, const fmd_study_mode *m, int i)
{
    const fmd_scaling_point *s = &m->scaling[i];
    const fmd_study_point *p = &m->points[i];
    fmd_json_row(j, "points");
    fmd_json_text(j, "points", "mode", m->name);
    fmd_json_int(j, "points", "ranks", s->ranks);
    fmd_json_int(j, "points", "nodes", p->nodes);
    fmd_json_int(j, "points", "batch", p->batch);
    fmd_json_int(j, "points", "runs", p->runs);
    fmd_json_bool(j, "points", "oversubscribed", !s->counts);
    fmd_json_int(j, "points", "ranks_without_work", p->idle);
    fmd_json_real(j, "points", "step_ms", p->step.median * 1e3);
    fmd_json_real(j, "points", "step_ms_low", p->step.low * 1e3);
    fmd_json_real(j, "points", "step_ms_high", p->step.high * 1e3);
    fmd_json_real(j, "points", "step_ms_min", p->step.min * 1e3);
    fmd_json_real(j, "points", "step_ms_max", p->step.max * 1e3);
    fmd_json_real(j, "points", "images_per_second", s->rate);
    fmd_json_real(j, "points", "speedup", s->speedup);
    fmd_json_real(j, "points", "efficiency", s->efficiency);
    fmd_json_real(j, "points", "serial_fraction", s->serial_fraction);
    fmd_json_real(j, "points", "compute", p->compute);
    fmd_json_real(j, "points", "allreduce", p->reduce);
    fmd_json_real(j, "points", "wait", p->wait);
}

static fmd_status write_json(const fmd_study *s)
{
    char path[FMD_STUDY_PATH];
    fmd_json *j;
    FMD_TRY(fmd_json_create(&j));
    fmd_json_text(j, NULL, "version", FMD_VERSION);
    fmd_json_text(j, NULL, "commit", fmd_version_commit());
    fmd_json_text(j, NULL, "made", s->when);
    fmd_json_text(j, NULL, "host", s->host);
    fmd_json_text(j, NULL, "cpu", s->cpu);
    fmd_json_text(j, NULL, "mpi", s->mpi);
    fmd_json_text(j, NULL, "blas_core", s->core);
    fmd_json_text(j, NULL, "layers", s->layers);
    for (int i = 0; i < FMD_STUDY_WAYS; i++)
        for (int k = 0; k < s->modes[i].n; k++)
            put_point(j, &s->modes[i], k);
    for (int i = 0; i < FMD_STUDY_WAYS; i++) {
        const fmd_study_mode *m = &s->modes[i];
        if (m->n > 0 && m->knee != SIZE_MAX) {
            fmd_json_int(j, m->name, "knee_ranks", m->scaling[m->knee].ranks);
            fmd_json_bool(j, m->name, "conclusive", !m->inconclusive);
        }
        if (m->model_knee > 0)
            fmd_json_int(j, m->name, "model_knee_ranks", m->model_knee);
    }
    fmd_json_real(j, "allreduce_model", "alpha_seconds",
                  s->has_model ? s->model.alpha : (double)NAN);
    fmd_json_real(j, "allreduce_model", "beta_seconds_a_byte",
                  s->has_model ? s->model.beta : (double)NAN);
    fmd_json_real(j, "allreduce_model", "message_bytes", s->message_bytes);
    const fmd_status st = fmd_json_write(j, fmd_study_path(s, path, "scaling.json"));
    fmd_json_destroy(j);
    return st;
}

/* The numbers of scaling.json, for spreadsheets. */
static void put_csv(const fmd_study *s, FILE *out)
{
    fprintf(out, "mode,ranks,nodes,batch,runs,oversubscribed,step_ms,step_ms_low,step_ms_high,"
                 "images_per_second,speedup,efficiency,serial_fraction,compute,allreduce,wait\n");
    for (int i = 0; i < FMD_STUDY_WAYS; i++)
        for (int k = 0; k < s->modes[i].n; k++) {
            const fmd_study_mode *m = &s->modes[i];
            const fmd_scaling_point *q = &m->scaling[k];
            const fmd_study_point *p = &m->points[k];
            const double values[] = {
                p->step.median * 1e3, p->step.low * 1e3,  p->step.high * 1e3, q->rate,   q->speedup,
                q->efficiency,        q->serial_fraction, p->compute,         p->reduce, p->wait};
            fprintf(out, "%s,%d,%d,%d,%d,%d", m->name, q->ranks, p->nodes, p->batch, p->runs,
                    !q->counts);
            for (size_t v = 0; v < sizeof values / sizeof *values; v++)
                if (isnan(values[v]))
                    fprintf(out, ",NA");
                else
                    fprintf(out, ",%.9g", values[v]);
            fputc('\n', out);
        }
}

static void put_text(const fmd_study *s, FILE *out)
{
    for (int i = 0; i < FMD_STUDY_WAYS; i++) {
        if (s->modes[i].n == 0)
            continue;
        fmd_study_print_tables(&s->modes[i], out);
        fputc('\n', out);
        fmd_study_advice(s, &s->modes[i], out);
        fputc('\n', out);
    }
}

static fmd_status write_file(const fmd_study *s, const char *name,
                             void (*put_all)(const fmd_study *s, FILE *out))
{
    char path[FMD_STUDY_PATH];
    FILE *out = fopen(fmd_study_path(s, path, "%s", name), "w");
    if (out != NULL) {
        put_all(s, out);
        const bool whole = ferror(out) == 0;
        if (fclose(out) == 0 && whole)
            return FMD_OK;
    }
    return FMD_FAIL(FMD_EIO, "cannot write '%s': %s", path, strerror(errno));
}

fmd_status fmd_study_write(const fmd_study *s)
{
    FMD_TRY(write_json(s));
    FMD_TRY(write_file(s, "table.csv", put_csv));
    return write_file(s, "table.txt", put_text);
}
