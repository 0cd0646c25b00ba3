/* The learning rate as a function of the step. */
#ifndef FMD_SCHEDULE_H
#define FMD_SCHEDULE_H

#include <stdint.h>

/* Names for option tables, and their order. */
#define FMD_SCHEDULE_NAMES "cosine|constant"
typedef enum fmd_schedule { FMD_SCHEDULE_COSINE, FMD_SCHEDULE_CONSTANT } fmd_schedule;

/* Local. The learning rate of step `step` (from 0) of `total`, rounded to float as Keras keeps it.
 * Cosine: base (1 + cos(pi step / total)) / 2, Keras'
 * CosineDecay with alpha 0 (Loshchilov and Hutter, "SGDR", ICLR 2017). */
double fmd_schedule_rate(fmd_schedule kind, double base, uint64_t step, uint64_t total);

#endif
