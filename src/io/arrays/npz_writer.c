#include "io/arrays/npz_writer.h"

#include "base/mem.h"
#include "io/archive_writer.h"

#include <stdio.h>
#include <string.h>

enum { HEADER_BYTES = 128 }; /* of version 1 of the format, a multiple of 64 */

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "values are written as they are");

static void put_header(char *to, fmd_shape s)
{
    enum { MAGIC = 10 };
    char shape[FMD_SHAPE_TEXT];
    const uint16_t rest = HEADER_BYTES - MAGIC;
    memset(to, ' ', HEADER_BYTES);
    memcpy(to, "\x93NUMPY\x01\x00", MAGIC - sizeof rest);
    memcpy(to + MAGIC - sizeof rest, &rest, sizeof rest);
    fmd_shape_text(s, 0, shape);
    if (s.rank == 1)
        snprintf(shape, sizeof shape, "(%d,)", s.dim[0]);
    const int n = snprintf(to + MAGIC, HEADER_BYTES - MAGIC,
                           "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }", shape);
    to[MAGIC + n] = ' ';
    to[HEADER_BYTES - 1] = '\n';
}

static fmd_status add_tensor(fmd_archive_writer *w, const fmd_model *m, const fmd_tensor *t)
{
    char name[FMD_LAYER_NAME + 64], *data;
    const size_t bytes = t->count * sizeof(float);
    snprintf(name, sizeof name, "%s/%s.npy", fmd_model_layer(m, (size_t)t->layer)->name, t->name);
    FMD_TRY(fmd_alloc(&data, HEADER_BYTES + bytes, 1, name));
    put_header(data, t->shape);
    memcpy(data + HEADER_BYTES, fmd_model_params(m) + t->offset, bytes);
    return fmd_archive_writer_add(w, name, data, HEADER_BYTES + bytes);
}

fmd_status fmd_npz_write(const char *path, const fmd_model *m)
{
    fmd_archive_writer *w;
    FMD_TRY(fmd_archive_writer_create(&w));
    fmd_status st = FMD_OK;
    for (size_t i = 0; st == FMD_OK && i < fmd_model_n_tensors(m); i++)
        st = add_tensor(w, m, fmd_model_tensor(m, i));
    if (st == FMD_OK)
        st = fmd_archive_writer_finish(w, path);
    fmd_archive_writer_destroy(w);
    return st;
}
