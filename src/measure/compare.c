#include "measure/compare.h"

#include "io/run_names.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Members of run.json; what cannot be equal, such as times, is left out. */
static const struct fact {
    const char *part, *name, *group, *key;
} facts[] = {
    {"data", "data set", FMD_KEY_DATA, FMD_KEY_NAME},
    {"data", "training images", FMD_KEY_DATA, "train_images"},
    {"data", "training labels", FMD_KEY_DATA, "train_labels"},
    {"data", "test images", FMD_KEY_DATA, "test_images"},
    {"data", "test labels", FMD_KEY_DATA, "test_labels"},
    {"program", "version", NULL, FMD_KEY_VERSION},
    {"program", "commit", NULL, "commit"},
    {"program", "MPI", NULL, "mpi"},
    {"program", "CPU", NULL, "cpu"},
    {"program", "instructions", NULL, "instructions"},
    {"program", "BLAS kernels", NULL, FMD_KEY_BLAS_CORE},
    {"program", "compiler", NULL, "compiler"},
    {"result", "weights (XXH3)", FMD_KEY_RESULT, "weights_xxh3"},
};

/* Numbers of run.json. */
static const struct fact numbers[] = {
    {"program", "ranks", NULL, FMD_KEY_RANKS},
    {"program", "nodes", NULL, FMD_KEY_NODES},
    {"result", "epochs", FMD_KEY_RESULT, FMD_KEY_EPOCHS},
    {"result", "steps", FMD_KEY_RESULT, FMD_KEY_STEPS},
};

const char *fmd_comparison_letter(size_t run, char text[2])
{
    text[0] = (char)('A' + run);
    text[1] = '\0';
    return text;
}

/* Adds a property unless all runs have the same value. */
static fmd_status add(fmd_comparison *c, const char *group, const char *name,
                      const char *const values[FMD_COMPARE_RUNS])
{
    bool same = true;
    for (size_t i = 1; i < c->n; i++)
        same = same && strcmp(values[i], values[0]) == 0;
    if (same)
        return FMD_OK;
    fmd_difference *grown = realloc(c->differences, (c->n_differences + 1) * sizeof *grown);
    if (grown == NULL)
        return FMD_FAIL(FMD_ENOMEM, "out of memory: comparing runs");
    c->differences = grown;
    fmd_difference *d = &grown[c->n_differences++];
    *d = (fmd_difference){.group = group, .name = name};
    for (size_t i = 0; i < c->n; i++)
        if ((d->values[i] = strdup(values[i])) == NULL)
            return FMD_FAIL(FMD_ENOMEM, "out of memory: comparing runs");
    return FMD_OK;
}

static fmd_status compare_options(fmd_comparison *c)
{
    char(*texts)[FMD_OPTION_TEXT_BYTES] = calloc(FMD_COMPARE_RUNS, sizeof *texts);
    fmd_status st = texts != NULL ? FMD_OK : FMD_FAIL(FMD_ENOMEM, "out of memory: comparing runs");
    for (size_t k = 0; k < fmd_config_table_length && st == FMD_OK; k++) {
        const fmd_option *o = &fmd_config_table[k];
        const char *values[FMD_COMPARE_RUNS];
        if (!fmd_config_has(FMD_TRAIN_GROUPS, o) || fmd_word_is_among("run|output", o->group) ||
            strcmp(o->name, "resume") == 0)
            continue;
        for (size_t i = 0; i < c->n; i++)
            values[i] = c->runs[i]->no_config.status == FMD_OK
                            ? fmd_option_text(o, &c->runs[i]->config, texts[i])
                            : "unknown";
        st = add(c, "options", o->name, values);
    }
    free(texts);
    return st;
}

static fmd_status compare_records(fmd_comparison *c)
{
    const char *values[FMD_COMPARE_RUNS];
    for (size_t k = 0; k < sizeof facts / sizeof *facts; k++) {
        const struct fact *f = &facts[k];
        for (size_t i = 0; i < c->n; i++) {
            const char *text = fmd_run_view_text(c->runs[i], f->group, f->key);
            values[i] = text != NULL ? text : "unknown";
        }
        FMD_TRY(add(c, f->part, f->name, values));
    }
    for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
        const struct fact *f = &numbers[k];
        char texts[FMD_COMPARE_RUNS][32];
        for (size_t i = 0; i < c->n; i++) {
            const double value = fmd_run_view_real(c->runs[i], f->group, f->key);
            snprintf(texts[i], sizeof texts[i], isnan(value) ? "unknown" : "%.0f", value);
            values[i] = texts[i];
        }
        FMD_TRY(add(c, f->part, f->name, values));
    }
    return FMD_OK;
}

/* Measured here, or as run.json has it. */
static void read_accuracy(fmd_comparison *c, size_t i)
{
    const fmd_run_view *v = c->runs[i];
    const double images = fmd_run_view_real(v, FMD_KEY_DATA, FMD_KEY_N_TEST);
    c->accuracy[i] = fmd_run_view_real(v, FMD_KEY_RESULT, FMD_KEY_TEST_ACCURACY);
    c->low[i] = c->high[i] = (double)NAN;
    if (v->no_data.status == FMD_OK) {
        c->accuracy[i] = v->classification.accuracy;
        c->low[i] = v->classification.low;
        c->high[i] = v->classification.high;
    } else if (images >= 1 && c->accuracy[i] >= 0) {
        fmd_wilson((size_t)rint(c->accuracy[i] * images), (size_t)images, &c->low[i], &c->high[i]);
    }
}

/* Why a pair cannot be tested; "" if it can. */
static void check_pair(const fmd_comparison *c, fmd_compared_pair *p)
{
    const fmd_run_view *a = c->runs[p->first], *b = c->runs[p->second];
    const fmd_absence *absent = a->no_data.status != FMD_OK ? &a->no_data : &b->no_data;
    const fmd_hash *x = a->trained.data.info.hash, *y = b->trained.data.info.hash;
    p->why[0] = '\0';
    if (absent->status != FMD_OK)
        snprintf(p->why, sizeof p->why, "%.150s", absent->why);
    else if (a->prediction.n != b->prediction.n ||
             memcmp(&x[FMD_TEST_IMAGES], &y[FMD_TEST_IMAGES], 2 * sizeof *x) != 0)
        snprintf(p->why, sizeof p->why, "they have different test images");
}

static void test_pairs(fmd_comparison *c)
{
    double p[FMD_COMPARE_PAIRS];
    for (size_t i = 0; i < c->n; i++)
        for (size_t k = i + 1; k < c->n; k++) {
            fmd_compared_pair *pair = &c->pairs[c->n_pairs++];
            *pair = (fmd_compared_pair){.first = i, .second = k, .p = (double)NAN};
            check_pair(c, pair);
            if (*pair->why != '\0')
                continue;
            const fmd_run_view *a = c->runs[i], *b = c->runs[k];
            pair->test = fmd_mcnemar_count(a->prediction.predicted, b->prediction.predicted,
                                           a->trained.split.labels, a->prediction.n);
            fmd_mcnemar_test(&pair->test);
            p[c->n_tested++] = pair->test.p;
        }
    fmd_holm(p, c->n_tested);
    for (size_t i = 0, at = 0; i < c->n_pairs; i++)
        if (*c->pairs[i].why == '\0')
            c->pairs[i].p = p[at++];
}

fmd_status fmd_comparison_make(fmd_comparison *c)
{
    FMD_TRY(compare_options(c));
    FMD_TRY(compare_records(c));
    for (size_t i = 0; i < c->n; i++)
        read_accuracy(c, i);
    test_pairs(c);
    return FMD_OK;
}

void fmd_comparison_free(fmd_comparison *c)
{
    for (size_t i = 0; i < c->n_differences; i++)
        for (size_t k = 0; k < c->n; k++)
            free(c->differences[i].values[k]);
    free(c->differences);
    c->differences = NULL;
    c->n_differences = 0;
}

size_t fmd_comparison_count(const fmd_comparison *c, const char *group)
{
    size_t n = 0;
    for (size_t i = 0; i < c->n_differences; i++)
        n += strcmp(c->differences[i].group, group) == 0;
    return n;
}

const char *fmd_comparison_sentence(const fmd_compared_pair *p, char *text, size_t size)
{
    const fmd_mcnemar *t = &p->test;
    const bool first = t->only_first > t->only_second;
    char a[2], b[2], number[16];
    fmd_comparison_letter(first ? p->first : p->second, a);
    fmd_comparison_letter(first ? p->second : p->first, b);
    snprintf(number, sizeof number, p->p < 0.0001 ? "< 0.0001" : "= %.4f", p->p);
    if (*p->why != '\0')
        snprintf(text, size, "%s and %s were not tested: %s", b, a, p->why);
    else if (t->only_first + t->only_second == 0)
        snprintf(text, size, "%s and %s are right and wrong on the same images", b, a);
    else if (p->p < FMD_COMPARE_LEVEL)
        snprintf(text, size, "%s is better than %s by more than chance (p %s)", a, b, number);
    else
        snprintf(text, size, "the difference of %s and %s may be chance (p %s)", b, a, number);
    return text;
}

static void put_run(fmd_json *j, const fmd_comparison *c, size_t i)
{
    const fmd_run_view *v = c->runs[i];
    char letter[2];
    fmd_json_row(j, "runs");
    fmd_json_text(j, "runs", "letter", fmd_comparison_letter(i, letter));
    fmd_json_text(j, "runs", "path", v->path);
    fmd_json_real(j, "runs", "test_accuracy", c->accuracy[i]);
    fmd_json_real(j, "runs", "low", c->low[i]);
    fmd_json_real(j, "runs", "high", c->high[i]);
    fmd_json_int(j, "runs", "epochs", (long long)v->history.n);
    fmd_json_real(j, "runs", "training_seconds",
                  fmd_run_view_real(v, FMD_KEY_TIME, FMD_KEY_TRAINING_SECONDS));
    const char *weights = fmd_run_view_text(v, FMD_KEY_RESULT, "weights_xxh3");
    fmd_json_text(j, "runs", "weights_xxh3", weights != NULL ? weights : "");
}

static void put_pair(fmd_json *j, const fmd_compared_pair *p)
{
    char letter[2];
    const double none = (double)NAN;
    fmd_json_row(j, "pairs");
    fmd_json_text(j, "pairs", "first", fmd_comparison_letter(p->first, letter));
    fmd_json_text(j, "pairs", "second", fmd_comparison_letter(p->second, letter));
    fmd_json_text(j, "pairs", "not_tested_because", p->why);
    fmd_json_int(j, "pairs", "only_first_right", (long long)p->test.only_first);
    fmd_json_int(j, "pairs", "only_second_right", (long long)p->test.only_second);
    fmd_json_int(j, "pairs", "both_right", (long long)p->test.both);
    fmd_json_int(j, "pairs", "both_wrong", (long long)p->test.neither);
    fmd_json_bool(j, "pairs", "exact", p->test.exact);
    fmd_json_real(j, "pairs", "p", *p->why == '\0' ? p->test.p : none);
    fmd_json_real(j, "pairs", "p_adjusted", p->p);
}

fmd_status fmd_comparison_json(fmd_json **out, const fmd_comparison *c)
{
    fmd_json *j;
    FMD_TRY(fmd_json_create(&j));
    for (size_t i = 0; i < c->n; i++)
        put_run(j, c, i);
    for (size_t i = 0; i < c->n_differences; i++) {
        const fmd_difference *d = &c->differences[i];
        fmd_json_row(j, "differences");
        fmd_json_text(j, "differences", "group", d->group);
        fmd_json_text(j, "differences", "name", d->name);
        for (size_t k = 0; k < c->n; k++) {
            char letter[2];
            fmd_json_text(j, "differences", fmd_comparison_letter(k, letter), d->values[k]);
        }
    }
    for (size_t i = 0; i < c->n_pairs; i++)
        put_pair(j, &c->pairs[i]);
    *out = j;
    return FMD_OK;
}
