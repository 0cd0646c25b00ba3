/* What a scaling study says: in words, as a table, as JSON and as CSV. */
#include "measure/study.h"

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

/* A number, or a dash where there is none. */
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
        return "ranks without work";
    return (size_t)i == m->knee && has_more(m, i) ? "knee" : "";
}

void fmd_study_cells(const fmd_study_mode *m, int i, char cells[FMD_STUDY_COLUMNS][FMD_STUDY_CELL])
{
    const fmd_scaling_point *s = &m->scaling[i];
    const fmd_study_point *p = &m->points[i];
    put(cells[0], s->ranks, 0, "");
    snprintf(cells[1], FMD_STUDY_CELL, "%s", remark(m, i));
    put(cells[2], p->nodes, 0, "");
    put(cells[3], p->batch, 0, "");
    put(cells[4], p->runs, 0, "");
    put(cells[5], p->step.median * 1e3, 3, "");
    if (isnan(p->step.low))
        snprintf(cells[6], FMD_STUDY_CELL, "-");
    else
        snprintf(cells[6], FMD_STUDY_CELL, "%.3f-%.3f", p->step.low * 1e3, p->step.high * 1e3);
    put(cells[7], s->rate, 0, "");
    put(cells[8], s->speedup, 2, "");
    put(cells[9], s->efficiency * 100, 0, " %");
    put(cells[10], s->serial_fraction * 100, 1, " %");
    put(cells[11], p->compute * 100, 0, " %");
    put(cells[12], p->reduce * 100, 0, " %");
    put(cells[13], p->wait * 100, 0, " %");
}

void fmd_study_table(const fmd_study_mode *m, FILE *out)
{
    static const int width[FMD_STUDY_COLUMNS] = {5, -18, 5, 6, 4, 8, 15, 9, 8, 10, 7, 7, 9, 5};
    const char *head = FMD_STUDY_HEAD;
    fprintf(out, "%s scaling\n", m->name);
    for (int k = 0; k < FMD_STUDY_COLUMNS; k++) {
        const int n = (int)strcspn(head, "|"), skip = *head == '#';
        fprintf(out, "%s%*.*s", k > 0 ? "  " : "", width[k], n - skip, head + skip);
        head += n + (head[n] == '|');
    }
    fputc('\n', out);
    for (int i = 0; i < m->n; i++) {
        char cells[FMD_STUDY_COLUMNS][FMD_STUDY_CELL];
        fmd_study_cells(m, i, cells);
        for (int k = 0; k < FMD_STUDY_COLUMNS; k++)
            fprintf(out, "%s%*s", k > 0 ? "  " : "", width[k], cells[k]);
        fputc('\n', out);
    }
}

static int count_marked(const fmd_study_mode *m)
{
    int marked = 0;
    for (int i = 0; i < m->n; i++)
        marked += !m->scaling[i].counts;
    return marked;
}

/* What takes the time that is missing for an ideal speed-up. */
static void explain_loss(const fmd_study_mode *m, FILE *out)
{
    const fmd_study_point *p = &m->points[m->knee];
    const double even = m->strong ? m->compute / m->scaling[m->knee].ranks : m->compute;
    const double longer = p->compute * p->step.median / even - 1;
    const double lost = p->reduce + p->wait;
    fprintf(out,
            "%.0f %% of a step is spent in the allreduce and %.0f %% in waiting for the last "
            "rank",
            p->reduce * 100, p->wait * 100);
    if (lost < 0.05)
        fprintf(out, ", which is little");
    else if (p->wait > 2 * p->reduce)
        fprintf(out, ": ranks are not equally fast; see to binding, and to other programs on the "
                     "nodes");
    else if (p->reduce > 2 * p->wait)
        fprintf(out, ": the message is what costs; a larger batch has fewer of them");
    fprintf(out, ".");
    if (longer > 0.02)
        fprintf(
            out,
            " The work itself takes %.0f %% longer than an even share of it: every rank updates "
            "all parameters, and ranks share memory, caches and clock.",
            longer * 100);
    fprintf(out, "\n");
}

/* Whether the serial fraction stays or grows tells serial work from communication. */
static void explain_serial(const fmd_study_mode *m, FILE *out)
{
    const fmd_scaling_point *first = NULL, *last = NULL;
    for (int i = 0; i < m->n; i++)
        if (m->scaling[i].counts && !isnan(m->scaling[i].serial_fraction)) {
            first = first == NULL ? &m->scaling[i] : first;
            last = &m->scaling[i];
        }
    if (last == NULL || last == first)
        return;
    const double grown = last->serial_fraction - first->serial_fraction;
    fprintf(out, "The serial fraction goes from %.1f %% on %d ranks to %.1f %% on %d: %s.\n",
            first->serial_fraction * 100, first->ranks, last->serial_fraction * 100, last->ranks,
            grown > 0.01    ? "it grows, so communication costs more and more"
            : grown < -0.01 ? "it falls, so what is not divided matters less and less"
                            : "it stays, so it is work that is not divided");
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
        fprintf(out, ": %.2f times the rate of %s, at %.0f %% efficiency",
                knee->speedup / first->ranks, first->ranks == 1 ? "one" : "the fewest",
                knee->efficiency * 100);
    if (last != knee)
        fprintf(out, ". More bring less than they cost: %d ranks give %.2f times its rate",
                last->ranks, last->rate / knee->rate);
    else if (knee != first)
        fprintf(out, ". No more were measured on cores of their own, and up to here there is no "
                     "knee");
    else
        fprintf(out, ", the only number measured on cores of their own");
    fprintf(out, ".\n");
}

/* What it would be if nothing but work and allreduce took time. */
static void explain_model(const fmd_study *s, const fmd_study_mode *m, FILE *out)
{
    enum { SOME = 64, MANY = 1024 };
    fprintf(out,
            "By the model of the allreduce (alpha %.2f us, beta %.3f ns a byte, fitted to what was "
            "measured here), with nothing else in the way, ",
            s->model.alpha * 1e6, s->model.beta * 1e9);
    if (!m->strong)
        fprintf(out, "the efficiency would be %.0f %% on %d ranks and %.0f %% on %d.\n",
                100 * fmd_study_model_speedup(s, m, SOME) / SOME, SOME,
                100 * fmd_study_model_speedup(s, m, MANY) / MANY, MANY);
    else if (m->microbatches > 0 && 2 * m->model_knee > m->microbatches)
        fprintf(out,
                "there would be no knee up to %d ranks; more have no work, as a batch of %d "
                "has %d microbatches.\n",
                m->model_knee, m->points[0].batch, m->microbatches);
    else
        fprintf(out, "the knee would be at about %d ranks.\n", m->model_knee);
}

void fmd_study_advice(const fmd_study *s, const fmd_study_mode *m, FILE *out)
{
    const int marked = count_marked(m);
    if (m->knee == SIZE_MAX)
        fprintf(out, "No point counts: in all of them ranks shared cores.\n");
    else {
        recommend(m, out);
        if (m->scaling[m->knee].ranks > 1)
            explain_loss(m, out);
        explain_serial(m, out);
    }
    if (s->has_model && m->knee != SIZE_MAX)
        explain_model(s, m, out);
    if (m->n > 0 && m->points[m->n - 1].idle > 0)
        fprintf(
            out,
            "On %d ranks %d have no work: the batch has fewer microbatches than there are ranks; "
            "give a larger --batch-size or a smaller --microbatch-size.\n",
            m->scaling[m->n - 1].ranks, m->points[m->n - 1].idle);
    if (marked > 0)
        fprintf(out,
                "%d point%s OVERSUBSCRIBED, with more ranks than cores: %s no part in any of "
                "this and say%s nothing of scaling.\n",
                marked, marked == 1 ? " is" : "s are", marked == 1 ? "it has" : "they have",
                marked == 1 ? "s" : "");
    if (m->n > 0 && isnan(m->points[0].step.low))
        fprintf(out,
                "There are too few runs for a 95 %% interval: --repetitions 6 is the least.\n");
    if (!m->strong)
        fprintf(out,
                "Weak scaling lets the batch grow with the ranks: that is another optimisation "
                "problem, with fewer steps to an epoch. Rates compare, accuracies do not.\n");
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
    fmd_json_text(j, NULL, "made", s->when);
    fmd_json_text(j, NULL, "host", s->host);
    fmd_json_text(j, NULL, "blas_core", s->core);
    fmd_json_text(j, NULL, "layers", s->layers);
    for (int i = 0; i < FMD_STUDY_WAYS; i++)
        for (int k = 0; k < s->modes[i].n; k++)
            put_point(j, &s->modes[i], k);
    for (int i = 0; i < FMD_STUDY_WAYS; i++) {
        const fmd_study_mode *m = &s->modes[i];
        if (m->knee != SIZE_MAX)
            fmd_json_int(j, m->name, "knee_ranks", m->scaling[m->knee].ranks);
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
        fmd_study_table(&s->modes[i], out);
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
