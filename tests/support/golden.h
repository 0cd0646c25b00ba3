/* Reads tests/golden/NAME.golden.
 *
 * The format is described in tests/golden/README.md. Readers fail the test if an entry is missing or
 * its size is unexpected, so no comparison passes for lack of numbers. */
#ifndef FMD_TEST_GOLDEN_H
#define FMD_TEST_GOLDEN_H

#include "support/closeness.h"

#include "base/shape.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct golden golden;

golden *golden_open(const char *name);
void golden_close(golden *g);

/* True if there is an entry of this name. */
bool golden_has(const golden *g, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The words of a text entry. */
const char *golden_text(const golden *g, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The shape of an array. */
fmd_shape golden_shape(const golden *g, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The `count` values of an array: f4 and pixels, f8, u1. They live until golden_close. */
const float *golden_floats(const golden *g, size_t count, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
const double *golden_doubles(const golden *g, size_t count, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
const uint8_t *golden_bytes(const golden *g, size_t count, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Calls `f` for each word of a text entry ("cases"). */
void golden_each(const golden *g, const char *name,
                 void (*f)(const golden *g, const char *word, void *context), void *context);

#endif
