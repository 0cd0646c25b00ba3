/* For tests of callbacks: traces of Keras' own in tests/golden/, and what a checkpoint has of ours. */
#ifndef FMD_TEST_KERAS_TRACE_H
#define FMD_TEST_KERAS_TRACE_H

#include "fmd/callback.h"

#include <stdio.h>

enum { TRACE_EPOCHS = 64 };

/* tests/golden/NAME, behind the comment at its beginning. */
FILE *trace_open(const char *name);

/* The name of the next trace; false at the end of the file. */
bool trace_begins(FILE *file, char name[64]);

/* "wait 3 0 0 1", with up to TRACE_EPOCHS numbers; returns how many. */
int trace_row(FILE *file, const char *name, double *values);

fmd_monitor_mode trace_mode(const char *word);

/* With this value of the metric; the others stand still, as if nothing got better. */
fmd_metrics trace_metrics(const char *monitor, double value);

/* NaN is as good as NaN. */
bool trace_same(double a, double b);

/* The single number of this name that a checkpoint has of the callback. */
double callback_entry(fmd_callback *c, const char *name);

/* Gives what a checkpoint has of one callback to another, and destroys the first. */
void callback_hand_over(fmd_callback *from, fmd_callback *to);

#endif
