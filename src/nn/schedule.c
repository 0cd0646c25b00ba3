#include "fmd/schedule.h"

#include <math.h>

double fmd_schedule_rate(fmd_schedule kind, double base, uint64_t step, uint64_t total)
{
    double rate = base;
    if (kind == FMD_SCHEDULE_COSINE) {
        double done = step < total ? (double)step / (double)total : 1;
        rate = base * 0.5 * (1 + cos(M_PI * done));
    }
    return (double)(float)rate;
}
