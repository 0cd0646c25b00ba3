#include "measure/scaling.h"

#include <math.h>
#include <stdint.h>

double fmd_karp_flatt(double speedup, double p)
{
    if (!(p > 1))
        return (double)NAN;
    return (1 / speedup - 1 / p) / (1 - 1 / p);
}

void fmd_scaling_compare(fmd_scaling_point *points, size_t n)
{
    const fmd_scaling_point *base = NULL;
    for (size_t i = 0; i < n && base == NULL; i++)
        if (points[i].counts)
            base = &points[i];
    for (size_t i = 0; i < n; i++) {
        fmd_scaling_point *p = &points[i];
        p->speedup = p->efficiency = p->serial_fraction = (double)NAN;
        if (base == NULL)
            continue;
        const double ratio = p->rate / base->rate;
        p->speedup = ratio * base->ranks;
        p->efficiency = p->speedup / p->ranks;
        p->serial_fraction = fmd_karp_flatt(ratio, (double)p->ranks / base->ranks);
    }
}

size_t fmd_scaling_knee(const fmd_scaling_point *points, size_t n)
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < n; i++) {
        const fmd_scaling_point *p = &points[i];
        if (p->counts && (best == SIZE_MAX || p->speedup * p->efficiency >
                                                  points[best].speedup * points[best].efficiency))
            best = i;
    }
    return best;
}

/* Speed-up times efficiency at a rate, up to a factor common to all points. */
static double power_of(const fmd_scaling_point *p, double rate)
{
    return rate * rate / p->ranks;
}

size_t fmd_scaling_rival(const fmd_scaling_point *points, size_t n, size_t knee)
{
    size_t rival = SIZE_MAX;
    double widest = -1;
    for (size_t i = 0; i < n; i++) {
        const fmd_scaling_point *p = &points[i], *k = &points[knee];
        const double width = (p->fastest - p->slowest) / p->rate;
        if (i == knee || !p->counts || !(power_of(p, p->fastest) > power_of(k, k->slowest)) ||
            width <= widest)
            continue;
        rival = i;
        widest = width;
    }
    return rival;
}

/* The factors of alpha and beta. */
static double messages_of(int ranks)
{
    return 2 * ceil(log2(ranks));
}

static double bytes_of(int ranks, double bytes)
{
    return 2 * (ranks - 1) / (double)ranks * bytes;
}

bool fmd_allreduce_fit(const fmd_allreduce_sample *samples, size_t n, fmd_allreduce_model *out)
{
    /* Normal equations of the rows (a, b) . (alpha, beta) = 1, each divided by its time. */
    double aa = 0, ab = 0, bb = 0, a1 = 0, b1 = 0;
    for (size_t i = 0; i < n; i++) {
        const fmd_allreduce_sample *s = &samples[i];
        if (s->ranks < 2 || !(s->seconds > 0))
            continue;
        const double a = messages_of(s->ranks) / s->seconds;
        const double b = bytes_of(s->ranks, s->bytes) / s->seconds;
        aa += a * a;
        ab += a * b;
        bb += b * b;
        a1 += a;
        b1 += b;
    }
    const double determinant = aa * bb - ab * ab;
    if (!(determinant > 1e-12 * aa * bb))
        return false;
    out->alpha = (bb * a1 - ab * b1) / determinant;
    out->beta = (aa * b1 - ab * a1) / determinant;
    if (out->alpha < 0)
        *out = (fmd_allreduce_model){0, b1 / bb};
    else if (out->beta < 0)
        *out = (fmd_allreduce_model){a1 / aa, 0};
    return true;
}

double fmd_allreduce_seconds(const fmd_allreduce_model *m, int ranks, double bytes)
{
    return ranks < 2 ? 0 : messages_of(ranks) * m->alpha + bytes_of(ranks, bytes) * m->beta;
}

int fmd_scaling_model_knee(const fmd_allreduce_model *m, double divided, double bytes, int most)
{
    int best = 1;
    double best_power = 0;
    for (int p = 1; p <= most; p *= 2) {
        const double rate = 1 / (divided / p + fmd_allreduce_seconds(m, p, bytes));
        const double power = rate * rate / p; /* speed-up times efficiency, up to a factor */
        if (power > best_power) {
            best_power = power;
            best = p;
        }
    }
    return best;
}
