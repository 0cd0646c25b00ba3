#include "train/evaluation/classification.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

static double ratio(size_t a, size_t b)
{
    return b > 0 ? (double)a / (double)b : 0;
}

/* Images predicted as a class. */
static size_t count_predicted(const fmd_classification *r, size_t class)
{
    size_t n = 0;
    for (size_t label = 0; label < r->classes; label++)
        n += r->confusion[label * r->classes + class];
    return n;
}

static size_t count_labelled(const fmd_classification *r, size_t class)
{
    size_t n = 0;
    for (size_t predicted = 0; predicted < r->classes; predicted++)
        n += r->confusion[class * r->classes + predicted];
    return n;
}

/* Adds `weight` times a score to another. */
static void add_score(fmd_score *sum, const fmd_score *s, double weight)
{
    sum->precision += weight * s->precision;
    sum->recall += weight * s->recall;
    sum->f1 += weight * s->f1;
    sum->support += s->support;
}

static void score_classes(fmd_classification *r)
{
    size_t occur = 0;
    for (size_t k = 0; k < r->classes; k++) {
        const size_t hits = r->confusion[k * r->classes + k];
        const size_t predicted = count_predicted(r, k), labelled = count_labelled(r, k);
        r->of_class[k] = (fmd_score){.precision = ratio(hits, predicted),
                                     .recall = ratio(hits, labelled),
                                     .f1 = ratio(2 * hits, predicted + labelled),
                                     .support = labelled};
        r->correct += hits;
        occur += predicted + labelled > 0;
    }
    for (size_t k = 0; k < r->classes; k++) {
        add_score(&r->macro, &r->of_class[k], 1 / (double)occur);
        add_score(&r->weighted, &r->of_class[k], ratio(r->of_class[k].support, r->n));
    }
}

fmd_status fmd_classify(fmd_classification *out, const fmd_prediction *p, const uint8_t *labels)
{
    fmd_classification r = {.n = p->n, .classes = p->classes};
    FMD_TRY(fmd_alloc(&r.confusion, p->classes * p->classes, sizeof *r.confusion,
                      "the confusion matrix"));
    fmd_status st = fmd_alloc(&r.of_class, p->classes, sizeof *r.of_class, "the scores");
    if (st != FMD_OK) {
        fmd_classification_free(&r);
        return st;
    }
    for (size_t i = 0; i < p->n; i++)
        r.confusion[labels[i] * p->classes + p->predicted[i]]++;
    score_classes(&r);
    r.accuracy = ratio(r.correct, r.n);
    fmd_wilson(r.correct, r.n, &r.low, &r.high);
    *out = r;
    return FMD_OK;
}

void fmd_classification_free(fmd_classification *r)
{
    free(r->confusion);
    free(r->of_class);
    *r = (fmd_classification){.n = 0};
}

size_t fmd_most_confused(const fmd_classification *r, fmd_confused *out, size_t most)
{
    size_t n = 0;
    for (size_t i = 0; i < r->classes * r->classes; i++) {
        const fmd_confused c = {i / r->classes, i % r->classes, r->confusion[i]};
        size_t at = n;
        while (at > 0 && c.n > out[at - 1].n)
            at--;
        if (c.label == c.predicted || c.n == 0 || at == most)
            continue;
        n = n < most ? n + 1 : n;
        for (size_t k = n - 1; k > at; k--)
            out[k] = out[k - 1];
        out[at] = c;
    }
    return n;
}

double fmd_top_k(const fmd_prediction *p, const uint8_t *labels, size_t k)
{
    size_t hits = 0;
    for (size_t i = 0; i < p->n; i++) {
        const float *row = p->probabilities + i * p->classes;
        size_t above = 0;
        for (size_t j = 0; j < p->classes; j++)
            above += row[j] > row[labels[i]];
        hits += above < k;
    }
    return ratio(hits, p->n);
}

void fmd_wilson(size_t correct, size_t n, double *low, double *high)
{
    const double z = 1.959963984540054; /* the normal distribution's 97.5 % */
    const double share = ratio(correct, n), m = (double)n, spread = z * z / m;
    const double middle = share + spread / 2;
    const double half = z * sqrt(share * (1 - share) / m + spread / (4 * m));
    *low = correct == 0 ? 0 : (middle - half) / (1 + spread);
    *high = correct == n ? 1 : (middle + half) / (1 + spread);
}
