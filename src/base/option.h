/* Tables of options: conversion between text and struct fields, with all checks.
 *
 * One table serves the command line, the environment, the JSON config, --help and the stored
 * config; the same tables describe the arguments of layers and optimizers ("dense:128:relu"). An
 * option writes only its own field of a plain struct. */
#ifndef FMD_BASE_OPTION_H
#define FMD_BASE_OPTION_H

#include "base/shape.h"
#include "fmd/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum fmd_option_kind {
    FMD_OPTION_BOOL,     /* bool */
    FMD_OPTION_INT,      /* int64_t */
    FMD_OPTION_FLOAT,    /* double */
    FMD_OPTION_TEXT,     /* char[size] */
    FMD_OPTION_CHOICE,   /* int, the index into `choices` */
    FMD_OPTION_DURATION, /* double, seconds; text is "90", "90s", "15m", "1h30m" */
    FMD_OPTION_DIMS,     /* fmd_shape; text is "3x5", or "3" for 3x3 where `size` is 2 */
    FMD_OPTION_NUMBERS,  /* fmd_numbers; text is "0.5", or "0.1x0.5" */
} fmd_option_kind;

/* One number or several. */
enum { FMD_NUMBERS_MAX = 8 };
typedef struct fmd_numbers {
    int n;
    double at[FMD_NUMBERS_MAX];
} fmd_numbers;

typedef struct fmd_option {
    const char *name; /* "batch-size" */
    fmd_option_kind kind;
    size_t offset;       /* of the field in the struct */
    size_t size;         /* of a text field, with its NUL; number of dims or numbers, 0: any */
    const char *initial; /* the default, as text */
    double min, max;     /* inclusive range of numbers; both 0: any */
    const char *choices; /* "exact|native"; a trailing "|" is allowed */
    const char *unset;   /* a word for "not given" ("auto"): FMD_UNSET_INT or NAN in the field */
    bool repeats;      /* a text option that may be given repeatedly; values are joined by commas */
    const char *group; /* heading in the help */
    const char *value; /* placeholder in the help: "N", "FILE" */
    const char *keras; /* the name in Keras' own configuration; NULL: Keras has none */
    const char *help;  /* one line */
} fmd_option;

#define FMD_UNSET_INT INT64_MIN

/* Capacity for the text form of any option. */
enum { FMD_OPTION_TEXT_BYTES = 1024 };

/* Local. Writes every default into the struct at `base`. FMD_EINTERNAL if a default
 * does not parse. */
FMD_CHECKED fmd_status fmd_options_reset(const fmd_option *table, size_t n, void *base);

/* Local. The option called `name` (dashes and underscores are the same), or NULL. */
const fmd_option *fmd_option_find(const fmd_option *table, size_t n, const char *name);

/* Local. Sets one option from text. `label` is the option as the user wrote it ("--epochs",
 * "config.json: epochs") and starts the message. The message of FMD_EUSAGE has the label, the text and
 * the allowed values. */
FMD_CHECKED fmd_status fmd_option_set(const fmd_option *o, void *base, const char *label,
                                      const char *text);

/* Local. The text form of the option's value; fmd_option_set converts it back to the same value. */
const char *fmd_option_text(const fmd_option *o, const void *base,
                            char text[FMD_OPTION_TEXT_BYTES]);

/* Local. Sets options from the arguments of a spec, "128:relu:nobias": each argument is name=value,
 * the name of a bool (or "no" and the name), or a value for the first unset option that accepts it.
 * Options without a default are required. `label` and status as in fmd_option_set. */
FMD_CHECKED fmd_status fmd_options_parse_args(const fmd_option *table, size_t n, void *base,
                                              const char *label, const char *args);

/* Local. Copies word number `index` of the choices "a|b|c" into `text`. */
const char *fmd_choice_text(const char *choices, int index, char text[FMD_OPTION_TEXT_BYTES]);

/* Local. The word of "a|b|c" nearest to `word` by edit distance, or "" if none is close. */
const char *fmd_choice_nearest(const char *choices, const char *word,
                               char text[FMD_OPTION_TEXT_BYTES]);

/* Local. The end of a message about an unknown word: " (did you mean 'relu'?)", or "". */
const char *fmd_did_you_mean(const char *choices, const char *word,
                             char text[FMD_OPTION_TEXT_BYTES]);

#endif
