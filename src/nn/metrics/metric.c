#include "nn/metrics/metric.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FMD_METRIC(name) extern const fmd_metric_ops fmd_metric_##name;
#include "nn/metrics/metrics.def"
#undef FMD_METRIC

static const fmd_metric_ops *const registry[] = {
#define FMD_METRIC(name) &fmd_metric_##name,
#include "nn/metrics/metrics.def"
#undef FMD_METRIC
};

static const char prefix[] = "val_";
enum { PREFIX = sizeof prefix - 1 };

const fmd_metric_ops *fmd_metric_ops_at(size_t i)
{
    return i < sizeof registry / sizeof *registry ? registry[i] : NULL;
}

/* The length of the name without its k. */
static size_t stem(const fmd_metric_ops *ops)
{
    return strlen(ops->name) - (ops->default_k > 0);
}

const fmd_metric_ops *fmd_metric_ops_of_column(const char *name)
{
    const fmd_metric_ops *ops;
    if (strncmp(name, prefix, PREFIX) == 0)
        name += PREFIX;
    for (size_t i = 0; (ops = fmd_metric_ops_at(i)) != NULL; i++) {
        const size_t n = stem(ops), digits = strspn(name + strnlen(name, n), "0123456789");
        if (strncmp(name, ops->name, n) == 0 && (digits > 0) == (ops->default_k > 0) &&
            name[n + digits] == '\0')
            return ops;
    }
    return NULL;
}

static fmd_status unknown(const char *word)
{
    char names[256] = "accuracy", hint[FMD_OPTION_TEXT_BYTES];
    size_t used = strlen(names);
    const fmd_metric_ops *ops;
    for (size_t i = 0; (ops = fmd_metric_ops_at(i)) != NULL; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "|%s", ops->name);
    return FMD_FAIL(FMD_EUSAGE, "--metrics: '%s' is not one of %s%s", word, names,
                    fmd_did_you_mean(names, word, hint));
}

/* "f1", "top_k", "top_k:5", "top_5" */
static fmd_status parse(fmd_metric *m, const char *word, size_t classes)
{
    const fmd_metric_ops *ops = fmd_metric_ops_of_column(word);
    const char *number = ops != NULL ? word + stem(ops) : "";
    for (size_t i = 0; ops == NULL && fmd_metric_ops_at(i) != NULL; i++) {
        const fmd_metric_ops *o = fmd_metric_ops_at(i);
        const size_t n = strlen(o->name);
        if (o->default_k == 0 || strncmp(word, o->name, n) != 0 ||
            (word[n] != ':' && word[n] != '\0'))
            continue;
        ops = o;
        number = word + n + (word[n] == ':');
    }
    if (ops == NULL || strncmp(word, prefix, PREFIX) == 0)
        return unknown(word);
    *m = (fmd_metric){.ops = ops, .k = ops->default_k};
    if (*number != '\0') {
        char *end;
        const long k = strtol(number, &end, 10);
        if (*end != '\0' || k < 1 || (size_t)k > classes)
            return FMD_FAIL(FMD_EUSAGE,
                            "--metrics: '%s' needs a whole number from 1 to %zu, the "
                            "number of classes",
                            word, classes);
        m->k = (int)k;
    }
    if (ops->default_k > 0 && (size_t)m->k > classes)
        m->k = (int)classes;
    snprintf(m->val_name, sizeof m->val_name, "%s%.*s", prefix, (int)stem(ops), ops->name);
    if (ops->default_k > 0)
        snprintf(m->val_name + strlen(m->val_name), sizeof m->val_name - strlen(m->val_name), "%d",
                 m->k);
    return FMD_OK;
}

fmd_status fmd_metric_list_parse(fmd_metric_list *out, const char *spec, size_t classes)
{
    fmd_metric_list l = {.classes = classes};
    char text[FMD_OPTION_TEXT_BYTES], *rest = text;
    snprintf(text, sizeof text, "%s", spec);
    for (const char *word; rest != NULL && (word = strsep(&rest, ",")) != NULL;) {
        fmd_metric m;
        if (strcmp(word, "accuracy") == 0)
            continue;
        FMD_TRY(parse(&m, word, classes));
        if (l.n == FMD_METRICS_MAX)
            return FMD_FAIL(FMD_EUSAGE, "--metrics: '%s': at most %d metrics besides accuracy",
                            spec, FMD_METRICS_MAX);
        for (size_t i = 0; i < l.n; i++)
            if (strcmp(l.of[i].val_name, m.val_name) == 0)
                return FMD_FAIL(FMD_EUSAGE, "--metrics: %s is given twice", m.val_name + PREFIX);
        m.first = l.n_counters;
        l.n_counters += m.ops->counters + classes * m.ops->counters_per_class;
        l.of[l.n++] = m;
    }
    *out = l;
    return FMD_OK;
}

const char *fmd_metric_column(const fmd_metric *m)
{
    return m->val_name + PREFIX;
}

void fmd_metric_list_count(const fmd_metric_list *l, const float *scores,
                           const fmd_targets *targets, size_t n, int64_t *counters)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < l->n; k++)
            l->of[k].ops->add(counters + l->of[k].first, l->classes, l->of[k].k,
                              scores + i * l->classes, fmd_target_label(targets, i));
}

void fmd_metric_list_values(const fmd_metric_list *l, const int64_t *counters,
                            double values[FMD_METRICS_MAX])
{
    for (size_t k = 0; k < l->n; k++)
        values[k] = l->of[k].ops->value(counters + l->of[k].first, l->classes);
}
