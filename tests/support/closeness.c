#include "support/closeness.h"

#include "support/fmd_test.h"

#include <math.h>
#include <stdio.h>

void closeness_add(closeness *c, double difference, double limit, const char *format, ...)
{
    double parts = isnan(difference) ? HUGE_VAL : difference / limit;
    c->n++;
    if (c->n > 1 && parts <= c->parts)
        return;
    c->parts = parts;
    c->difference = difference;
    c->limit = limit;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(c->where, sizeof c->where, format, arguments);
    va_end(arguments);
}

void closeness_check(const closeness *c)
{
    print_message("%s: at most %.2g, limit %.2g, at %s\n", c->what, c->difference, c->limit,
                  c->where);
    assert_true(c->n > 0);
    if (!(c->parts <= 1))
        fail_msg("%s: %.3g is %.3g times the limit, at %s", c->what, c->difference, c->parts,
                 c->where);
}

double largest_difference(size_t n, const float *a, const float *b)
{
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)a[i] - (double)b[i]);
        most = isnan(d) ? HUGE_VAL : d > most ? d : most;
    }
    return most;
}

double largest_difference64(size_t n, const float *a, const double *b)
{
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)a[i] - b[i]);
        most = isnan(d) ? HUGE_VAL : d > most ? d : most;
    }
    return most;
}

double largest(size_t n, const float *a)
{
    double most = 0;
    for (size_t i = 0; i < n; i++)
        most = isnan(a[i]) ? HUGE_VAL : fmax(most, fabs((double)a[i]));
    return most;
}
