/* Where the time of a step goes: its phases, on one rank and over all of them. */
#ifndef FMD_TRAIN_PHASES_H
#define FMD_TRAIN_PHASES_H

/* Seconds of one rank, by phase of a step. Training has `convert` and `wait` in `reduce`; `bench`
 * tells them apart. Rounding to the scale is in `backward`, rounding back in `update`: what is in the
 * cache is worked on while it is there. */
typedef struct fmd_phase_seconds {
    double assemble, forward, backward;
    double convert; /* what surrounds the message: counters, checksum, flags */
    double wait;    /* for the last rank, before the collective */
    double reduce, update;
} fmd_phase_seconds;

/* The phases of training, in their order: "assemble", "forward", "backward", "reduce", "update". In
 * all but "reduce" a rank computes, and waits for nobody. */
enum { FMD_PHASES = 5 };
extern const char *const fmd_phase_names[FMD_PHASES];

typedef struct fmd_phase_spread {
    double min[FMD_PHASES], mean[FMD_PHASES], max[FMD_PHASES]; /* over the ranks */
    int slowest;            /* the rank that computed longest: the others wait for it */
    double slowest_seconds; /* that it computed */
    double above_mean;      /* by what share that is more than the mean: 0.25 for 25 % */
} fmd_phase_spread;

/* Local. How the seconds of `n` ranks compare, those of `earlier` not counted; NULL: all count. */
fmd_phase_spread fmd_phases_compare(const fmd_phase_seconds *ranks,
                                    const fmd_phase_seconds *earlier, int n);

#endif
