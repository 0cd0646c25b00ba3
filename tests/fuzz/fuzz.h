/* A parser under random input. Each fuzz_<parser>.c has the two functions below; replay.c runs them over
 * the seeds and a fixed set of mutations, libFuzzer over what it finds by itself (tests/fuzz/run). */
#ifndef FMD_TEST_FUZZ_H
#define FMD_TEST_FUZZ_H

#include "fmd/error.h"

#include <stddef.h>
#include <stdint.h>

enum { FUZZ_BYTES = 4096 };

/* Writes seed number `i`, good input, into `out`; returns its length, 0 past the last. */
size_t fuzz_seed(size_t i, uint8_t out[FUZZ_BYTES]);

/* The same of `n` texts. */
size_t fuzz_text_seed(const char *const *texts, size_t n, size_t i, uint8_t out[FUZZ_BYTES]);

/* Gives the input to the parser; aborts where the parser breaks a promise. Returns 0. The name is
 * libFuzzer's. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Aborts unless `st` is FMD_OK or one of the two, and a failure says why. */
void fuzz_check_status(fmd_status st, fmd_status one, fmd_status other);

/* The path of a file in memory that holds these bytes, until the next call. */
const char *fuzz_file(const uint8_t *data, size_t size);

#endif
