#include "measure/rate_test.h"

#include <math.h>

/* The moving average covers n / WINDOW steps, and slopes are taken over as many. */
enum { WINDOW = 20, FEWEST = 10 };

static const double too_high = 4, longest_memory = 0.98;

static size_t window_of(const fmd_rate_test *t)
{
    return t->planned / WINDOW > 1 ? t->planned / WINDOW : 1;
}

bool fmd_rate_test_add(fmd_rate_test *t, double rate, double loss)
{
    const double keep = fmin(1 - 1 / (double)window_of(t), longest_memory);
    const size_t i = t->n++;
    /* the average before its correction */
    const double before = i > 0 ? t->smooth[i - 1] * (1 - pow(keep, (double)i)) : 0;
    t->rate[i] = rate;
    t->loss[i] = loss;
    t->smooth[i] = (keep * before + (1 - keep) * loss) / (1 - pow(keep, (double)i + 1));
    if (i == 0 || t->smooth[i] < t->best)
        t->best = t->smooth[i];
    return !(t->smooth[i] <= too_high * t->best);
}

bool fmd_rate_test_choose(fmd_rate_test *t)
{
    const size_t width = window_of(t);
    size_t lowest = 0, steepest = 0;
    double slope = 0;
    if (t->n < FEWEST)
        return false;
    for (size_t i = 1; i < t->n; i++)
        if (t->smooth[i] < t->smooth[lowest])
            lowest = i;
    for (size_t i = width; i + width <= lowest; i++) {
        const double fall = (t->smooth[i + width] - t->smooth[i - width]) /
                            log(t->rate[i + width] / t->rate[i - width]);
        if (fall < slope) {
            slope = fall;
            steepest = i;
        }
    }
    if (!(slope < 0))
        return false;
    t->lowest = t->rate[lowest];
    t->steepest = t->rate[steepest];
    t->suggestion = sqrt(t->steepest * t->lowest / 10);
    return true;
}
