/* For tests of callbacks: traces of Keras callbacks from tests/golden/, and callback state in
 * checkpoints. */
#ifndef FMD_TEST_KERAS_TRACE_H
#define FMD_TEST_KERAS_TRACE_H

#include "train/callbacks/callback.h"

#include <stdio.h>

enum { TRACE_EPOCHS = 64 };

/* Opens tests/golden/NAME and skips the comment at its start. */
FILE *trace_open(const char *name);

/* The name of the next trace; false at the end of the file. */
bool trace_begins(FILE *file, char name[64]);

/* "wait 3 0 0 1", with up to TRACE_EPOCHS numbers; returns how many. */
int trace_row(FILE *file, const char *name, double *values);

fmd_monitor_mode trace_mode(const char *word);

/* Metrics with this value; all other metrics stay constant, without improvement. */
fmd_metrics trace_metrics(const char *monitor, double value);

/* Equality in which NaN equals NaN. */
bool trace_same(double a, double b);

/* The single number under this name in the checkpoint state of the callback. */
double callback_entry(fmd_callback *c, const char *name);

/* Transfers the checkpoint state of one callback to another, and destroys the first. */
void callback_hand_over(fmd_callback *from, fmd_callback *to);

#endif
