#include "fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

size_t fuzz_text_seed(const char *const *texts, size_t n, size_t i, uint8_t out[FUZZ_BYTES])
{
    if (i >= n)
        return 0;
    memcpy(out, texts[i], strlen(texts[i]));
    return strlen(texts[i]);
}

void fuzz_check_status(fmd_status st, fmd_status one, fmd_status other)
{
    if (st == FMD_OK)
        return;
    const char *message = fmd_error_message();
    if ((st == one || st == other) && *message != '\0')
        return;
    fprintf(stderr, "status %d, expected %d or %d: '%s'\n", (int)st, (int)one, (int)other, message);
    abort();
}

const char *fuzz_file(const uint8_t *data, size_t size)
{
    static int fd = -1;
    static char path[64];
    if (fd < 0) {
        fd = memfd_create("fuzz", MFD_CLOEXEC);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    if (ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size) {
        perror(path);
        exit(1);
    }
    return path;
}
