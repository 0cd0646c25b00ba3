/* A build without JPEG. */
#include "io/pictures/picture.h"

static fmd_status absent(const char *path)
{
    return FMD_FAIL(FMD_EDATA,
                    "'%s': a JPEG file, and this fmnist-dist was built without JPEG; build it with "
                    "-D FMD_JPEG=ON, or convert the file to PNG",
                    path);
}

fmd_status fmd_picture_decode_jpeg(fmd_picture *out, const void *data, size_t bytes,
                                   const char *path, size_t channels)
{
    (void)out;
    (void)data;
    (void)bytes;
    (void)channels;
    return absent(path);
}

fmd_status fmd_picture_examine_jpeg(fmd_picture *out, FILE *file, const char *path)
{
    (void)out;
    (void)file;
    return absent(path);
}
