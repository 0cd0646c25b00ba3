/* The short form: every seed, every beginning of it, and some thousand mutations, always the same.
 *
 *   fuzz_<parser>                 runs all of these
 *   fuzz_<parser> FILE...         runs the inputs in these files: what a fuzzer has found
 *   fuzz_<parser> --seeds FOLDER  writes the seeds, for a fuzzer to begin with */
#include "fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MUTATIONS = 4000, MOST_EDITS = 4 };

static uint64_t random_state = 1;

/* Knuth's MMIX generator; the upper bits are the good ones. */
static size_t below(size_t bound)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(random_state >> 33) % bound;
}

/* Changes one byte, takes some out, or doubles some. */
static size_t edit(uint8_t *data, size_t size)
{
    static const uint8_t special[] = {0, 1, '0', '9', ':', ',', '"', '-', 0x7f, 0x80, 0xff};
    const size_t at = below(size), most = size - at, n = 1 + below(most < 16 ? most : 16);
    switch (below(4)) {
    case 0: data[at] ^= (uint8_t)(1u << below(8)); return size;
    case 1: data[at] = special[below(sizeof special)]; return size;
    case 2:
        if (n == size)
            return size;
        memmove(data + at, data + at + n, most - n);
        return size - n;
    default:
        if (size + n > FUZZ_BYTES)
            return size;
        memmove(data + at + n, data + at, most);
        return size + n;
    }
}

/* From an array of just this size, so that a sanitizer sees who reads beyond it. */
static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (copy == NULL)
        exit(1);
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static int run_all(void)
{
    uint8_t seed[FUZZ_BYTES], data[FUZZ_BYTES];
    size_t n_seeds = 0, size;
    for (; (size = fuzz_seed(n_seeds, seed)) > 0; n_seeds++)
        for (size_t length = 0; length <= size; length++)
            run(seed, length);
    for (int i = 0; i < MUTATIONS; i++) {
        size = fuzz_seed((size_t)i % n_seeds, data);
        for (size_t edits = 1 + below(MOST_EDITS); edits > 0; edits--)
            size = edit(data, size);
        run(data, size);
    }
    return 0;
}

static int run_file(const char *path)
{
    static uint8_t data[1 << 20];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    run(data, fread(data, 1, sizeof data, file));
    fclose(file);
    return 0;
}

static int write_seeds(const char *folder)
{
    uint8_t seed[FUZZ_BYTES];
    size_t size;
    int failed = 0;
    for (size_t i = 0; (size = fuzz_seed(i, seed)) > 0 && !failed; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%zu", folder, i);
        FILE *file = fopen(path, "wb");
        failed = file == NULL || fwrite(seed, 1, size, file) != size;
        if (file != NULL)
            failed |= fclose(file) != 0;
        if (failed)
            perror(path);
    }
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0;
    if (argc == 3 && strcmp(argv[1], "--seeds") == 0)
        return write_seeds(argv[2]);
    for (int i = 1; i < argc; i++)
        failed |= run_file(argv[i]);
    return argc > 1 ? failed : run_all();
}
