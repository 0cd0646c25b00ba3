#include "train/phases.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#define SKIP(...)
static const struct phase {
    size_t offset; /* in fmd_phase_seconds */
    bool computes;
} phases[FMD_PHASES] = {
#define ROW(name, label, computes) {offsetof(fmd_phase_seconds, name), computes},
    FMD_PHASE_LIST(ROW, SKIP)
#undef ROW
};

#define NAME(name, ...) #name,
const char *const fmd_phase_names[FMD_PHASES] = {FMD_PHASE_LIST(NAME, SKIP)};

static double seconds_of(const fmd_phase_seconds *rank, size_t phase)
{
    return *(const double *)((const char *)rank + phases[phase].offset);
}

fmd_phase_spread fmd_phases_compare(const fmd_phase_seconds *ranks,
                                    const fmd_phase_seconds *earlier, int n)
{
    fmd_phase_spread s = {.slowest = 0};
    double all = 0;
    for (int r = 0; r < n; r++) {
        double computing = 0;
        for (size_t p = 0; p < FMD_PHASES; p++) {
            const double before = earlier != NULL ? seconds_of(&earlier[r], p) : 0;
            const double t = seconds_of(&ranks[r], p) - before;
            s.min[p] = r == 0 ? t : fmin(s.min[p], t);
            s.max[p] = r == 0 ? t : fmax(s.max[p], t);
            s.mean[p] += t / n;
            computing += phases[p].computes ? t : 0;
        }
        all += computing;
        if (computing > s.slowest_seconds) {
            s.slowest_seconds = computing;
            s.slowest = r;
        }
    }
    s.above_mean = all > 0 ? s.slowest_seconds * n / all - 1 : 0;
    return s;
}
