#include "measure/mcnemar.h"

#include <math.h>

enum { FEW = 25 };

fmd_mcnemar fmd_mcnemar_count(const uint8_t *first, const uint8_t *second, const uint8_t *labels,
                              size_t n)
{
    fmd_mcnemar m = {.both = 0};
    for (size_t i = 0; i < n; i++) {
        const bool a = first[i] == labels[i], b = second[i] == labels[i];
        m.both += a && b;
        m.neither += !a && !b;
        m.only_first += a && !b;
        m.only_second += !a && b;
    }
    return m;
}

/* P(X <= k) for X of Binomial(n, 1/2). */
static double binomial_tail(size_t n, size_t k)
{
    const double all = (double)n, ln2 = log(2);
    double sum = 0;
    for (size_t i = 0; i <= k; i++)
        sum +=
            exp(lgamma(all + 1) - lgamma((double)i + 1) - lgamma(all - (double)i + 1) - all * ln2);
    return sum;
}

void fmd_mcnemar_test(fmd_mcnemar *m)
{
    const size_t b = m->only_first, c = m->only_second, n = b + c;
    m->exact = n < FEW;
    if (m->exact) {
        m->p = n == 0 ? 1 : fmin(1, 2 * binomial_tail(n, b < c ? b : c));
    } else {
        const double excess = fmax(fabs((double)b - (double)c) - 1, 0);
        m->p = erfc(sqrt(excess * excess / (double)n / 2));
    }
}

void fmd_holm(double *p, size_t n)
{
    double floor = 0;
    bool done[64] = {false};
    for (size_t k = 0; k < n && n <= sizeof done / sizeof *done; k++) {
        size_t least = n;
        for (size_t i = 0; i < n; i++)
            if (!done[i] && (least == n || p[i] < p[least]))
                least = i;
        floor = fmax(floor, fmin(1, (double)(n - k) * p[least]));
        p[least] = floor;
        done[least] = true;
    }
}
