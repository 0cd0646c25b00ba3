/* IDX files, plain and packed. The first byte says what the file must hold. */
#include "data/idx.h"
#include "fuzz/fuzz.h"
#include "support/idx_files.h"

#include <stdlib.h>

enum { MOST_PAYLOAD = 1 << 20 };

size_t fuzz_seed(size_t i, uint8_t out[FUZZ_BYTES])
{
    static const uint32_t dims[][4] = {{7}, {3, 5, 4}, {2, 3, 4, 3}};
    const int n_dims = i / 3 == 0 ? 1 : (int)(i / 3) + 2;
    uint8_t file[256];
    if (i >= 9)
        return 0;
    size_t n = put_idx_header(file, n_dims, dims[i / 3]), bytes = 1;
    for (int k = 0; k < n_dims; k++)
        bytes *= dims[i / 3][k];
    for (size_t k = 0; k < bytes; k++)
        file[n++] = (uint8_t)(k * k);
    out[0] = n_dims > 1;
    if (i % 3 == 0) {
        for (size_t k = 0; k < n; k++)
            out[1 + k] = file[k];
        return 1 + n;
    }
    /* One member, or two. */
    const size_t cut = i % 3 == 1 ? n : n / 2;
    size_t used = 1 + pack_gzip(file, cut, 9, out + 1, FUZZ_BYTES - 1);
    if (cut < n)
        used += pack_gzip(file + cut, n - cut, 0, out + used, FUZZ_BYTES - used);
    return used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fmd_idx *f;
    fmd_hash hash;
    if (size == 0)
        return 0;
    const fmd_idx_kind kind = data[0] & 1 ? FMD_IDX_IMAGES : FMD_IDX_LABELS;
    const fmd_status st = fmd_idx_open(&f, fuzz_file(data + 1, size - 1), kind);
    fuzz_check_status(st, FMD_EDATA, FMD_EDATA);
    if (st != FMD_OK)
        return 0;
    const fmd_idx_header *h = fmd_idx_header_of(f);
    if (h->bytes != h->n * fmd_shape_count(h->image) || h->bytes == 0)
        abort();
    uint8_t *payload = h->bytes <= MOST_PAYLOAD ? malloc(h->bytes) : NULL;
    if (payload != NULL)
        fuzz_check_status(fmd_idx_read(f, payload, &hash), FMD_EDATA, FMD_EDATA);
    free(payload);
    fmd_idx_close(f);
    return 0;
}
