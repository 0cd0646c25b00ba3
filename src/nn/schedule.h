/* The learning rate as a function of the step: Keras' schedules, behind a warm-up.
 *
 * A plain struct: a copy of it is another schedule, and the training loop changes `base` in its own
 * when rank 0 has decided on another rate. */
#ifndef FMD_NN_SCHEDULE_H
#define FMD_NN_SCHEDULE_H

#include "base/option.h"

#include <stdbool.h>
#include <stdint.h>

enum { FMD_SCHEDULE_SPEC_BYTES = 256, FMD_SCHEDULE_PIECES = 16 };

/* Keras' ReduceLROnPlateau; the callback of that name does the work. */
typedef struct fmd_plateau_args {
    char monitor[32]; /* "auto": the user did not say */
    int mode;         /* fmd_monitor_mode */
    double factor, min_delta, min_lr;
    int64_t patience, cooldown;
} fmd_plateau_args;

typedef struct fmd_schedule_ops fmd_schedule_ops;

typedef struct fmd_schedule {
    const fmd_schedule_ops *ops;
    char spec[FMD_SCHEDULE_SPEC_BYTES]; /* as given */
    double base;                        /* the rate that the schedule starts with */
    double start;                       /* the rate that the warm-up starts with */
    uint64_t warmup;                    /* steps of the warm-up; the schedule's step 0 follows */

    /* Arguments, for the kinds that have them; rates are those for the batch in use. */
    int64_t decay_steps;
    double decay_rate, alpha, end_learning_rate, power, t_mul, m_mul;
    double pct_start, div_factor, final_div_factor;
    bool staircase, cycle;
    char boundaries[128], values[256];
    int n_boundaries;
    double boundary[FMD_SCHEDULE_PIECES - 1], value[FMD_SCHEDULE_PIECES];
    fmd_plateau_args plateau;
} fmd_schedule;

/* What a schedule has to fit. */
typedef struct fmd_schedule_plan {
    double learning_rate; /* for the base batch; NAN: the schedule's own, where it has one */
    double scale;         /* the rates are multiplied by this for the batch in use */
    double warmup_epochs; /* less than all */
    uint64_t epoch_steps, epochs;
} fmd_schedule_plan;

/* Local. From a spec: "cosine", "exponential:decay_rate=0.96:decay_steps=1000:staircase". The
 * warm-up is linear in the step, from the rate for the base batch where the scale is above 1 (Goyal
 * et al., "Accurate, Large Minibatch SGD", 2017, 2.2), otherwise from 0. FMD_EUSAGE. */
FMD_CHECKED fmd_status fmd_schedule_create(fmd_schedule *out, const char *spec,
                                           const fmd_schedule_plan *plan);

/* Local. The learning rate of the step numbered `at`, from 0, rounded to float as Keras keeps
 * it. */
double fmd_schedule_rate(const fmd_schedule *s, uint64_t at);

/* Local. Whether the spec names the rates themselves, so that there is no other learning rate. */
bool fmd_schedule_has_rates(const char *spec);

/* Local. The name and the arguments of a schedule of the table; NULL past the last. */
const char *fmd_schedule_at(size_t index, const fmd_option **args, size_t *n_args);

/* Local. The arguments of "plateau"; NULL for the others. */
const fmd_plateau_args *fmd_schedule_plateau(const fmd_schedule *s);

#endif
