/* The breakdown of a step's time into phases, on one rank and over all ranks. */
#ifndef FMD_TRAIN_PHASES_H
#define FMD_TRAIN_PHASES_H

/* The phases of a step, in their order: name, label in `bench`, and whether the rank computes
 * rather than waits. `bench` separates the DETAILs, which training does not: `progress` is the work on
 * sums between nodes during backward, and is part of `backward`; the others are part of `reduce`.
 * `convert` is the work around the message (counters, checksum, flags), `wait` the time until the last
 * rank has completed its message. Rounding to the scale is in `backward`, rounding back in `update`:
 * data are worked on while they are in the cache. */
#define FMD_PHASE_LIST(PHASE, DETAIL)                                                              \
    PHASE(assemble, "assemble", true)                                                              \
    PHASE(forward, "forward", true)                                                                \
    PHASE(backward, "backward", true)                                                              \
    DETAIL(progress, "progress", false)                                                            \
    DETAIL(convert, "convert", true)                                                               \
    DETAIL(wait, "wait", false)                                                                    \
    PHASE(reduce, "allreduce", false)                                                              \
    PHASE(update, "update", true)

/* Seconds of one rank in each of them. */
typedef struct fmd_phase_seconds {
#define FIELD(name, ...) double name;
    FMD_PHASE_LIST(FIELD, FIELD)
#undef FIELD
} fmd_phase_seconds;

/* The phases of training: "assemble", "forward", "backward", "reduce", "update". */
#define COUNT(name, ...) FMD_PHASE_##name,
#define SKIP(...)
enum { FMD_PHASE_LIST(COUNT, SKIP) FMD_PHASES };
#undef COUNT
#undef SKIP
extern const char *const fmd_phase_names[FMD_PHASES];

typedef struct fmd_phase_spread {
    double min[FMD_PHASES], mean[FMD_PHASES], max[FMD_PHASES]; /* over the ranks */
    int slowest;            /* the rank that computed longest: the others wait for it */
    double slowest_seconds; /* of computing, on that rank */
    double above_mean;      /* relative to the mean of the ranks: 0.25 for 25 % more */
} fmd_phase_spread;

/* Local. Compares the seconds of `n` ranks, minus `earlier`; NULL: nothing is subtracted. */
fmd_phase_spread fmd_phases_compare(const fmd_phase_seconds *ranks,
                                    const fmd_phase_seconds *earlier, int n);

#endif
