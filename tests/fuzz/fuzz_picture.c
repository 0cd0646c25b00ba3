/* PNG files, read as grey and as coloured. */
#include "fuzz/fuzz.h"
#include "io/pictures/picture.h"

#include <stdlib.h>
#include <string.h>

size_t fuzz_seed(size_t i, uint8_t out[FUZZ_BYTES])
{
    fmd_picture p;
    void *png = NULL;
    size_t bytes = 0;
    if (i >= 2 || fmd_picture_create(&p, 9, 7, i == 0 ? 1 : 3) != FMD_OK)
        return 0;
    for (size_t k = 0; k < 9 * 7 * p.channels; k++)
        p.pixels[k] = (uint8_t)(k * k);
    if (fmd_picture_encode(&p, &png, &bytes) != FMD_OK || bytes > FUZZ_BYTES)
        abort();
    memcpy(out, png, bytes);
    free(png);
    fmd_picture_free(&p);
    return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = fuzz_file(data, size);
    for (size_t channels = 1; channels <= 3; channels += 2) {
        fmd_picture p;
        const fmd_status st = fmd_picture_read(&p, path, channels, 255);
        fuzz_check_status(st, FMD_EDATA, FMD_ENOMEM);
        if (st != FMD_OK)
            continue;
        if (p.width == 0 || p.height == 0 || p.width > FMD_PICTURE_MAX_PIXELS / p.height)
            abort();
        fmd_picture_free(&p);
    }
    return 0;
}
