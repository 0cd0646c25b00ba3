#include "support/idx_files.h"

#include "support/fmd_test.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

void make_folder(char path[TEST_PATH_BYTES])
{
    const char *root = getenv("TMPDIR");
    int n = snprintf(path, TEST_PATH_BYTES, "%s/fmnist-dist-test-XXXXXX",
                     root != NULL && *root != '\0' ? root : "/tmp");
    assert_true(n < TEST_PATH_BYTES);
    assert_non_null(mkdtemp(path));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

void remove_folder(const char *path)
{
    assert_int_equal(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

typedef struct folder_state {
    char path[TEST_PATH_BYTES];
    int before;
} folder_state;

int enter_folder(void **state)
{
    folder_state *s = malloc(sizeof *s);
    assert_non_null(s);
    s->before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(s->before >= 0);
    make_folder(s->path);
    assert_int_equal(chdir(s->path), 0);
    *state = s;
    return 0;
}

int leave_folder(void **state)
{
    folder_state *s = *state;
    assert_int_equal(fchdir(s->before), 0);
    close(s->before);
    remove_folder(s->path);
    free(s);
    return 0;
}

static void join(char path[TEST_PATH_BYTES], const char *folder, const char *name)
{
    assert_true(snprintf(path, TEST_PATH_BYTES, "%s/%s", folder, name) < TEST_PATH_BYTES);
}

void make_subfolder(const char *folder, const char *name)
{
    char path[TEST_PATH_BYTES];
    join(path, folder, name);
    assert_int_equal(mkdir(path, 0755), 0);
}

void write_file(const char *folder, const char *name, const void *data, size_t n)
{
    char path[TEST_PATH_BYTES];
    join(path, folder, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

size_t pack_gzip(const void *data, size_t n, int level, uint8_t *out, size_t capacity)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    memcpy(&z.next_in, &data, sizeof data); /* zlib's interface lacks const */
    z.avail_in = (uInt)n;
    z.next_out = out;
    z.avail_out = (uInt)capacity;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t length = z.total_out;
    deflateEnd(&z);
    return length;
}

size_t put_idx_header(uint8_t *out, int dims, const uint32_t *dim)
{
    memcpy(out, (uint8_t[]){0, 0, 8, (uint8_t)dims}, 4);
    for (int i = 0; i < dims; i++) {
        for (int j = 0; j < 4; j++)
            out[4 + 4 * i + j] = (uint8_t)(dim[i] >> (24 - 8 * j));
    }
    return 4 + 4 * (size_t)dims;
}

static void write_idx(const char *folder, const char *name, const void *data, size_t n, bool packed)
{
    char packed_name[TEST_PATH_BYTES];
    if (!packed) {
        write_file(folder, name, data, n);
        return;
    }
    size_t capacity = n + n / 100 + 100;
    uint8_t *out = malloc(capacity);
    assert_non_null(out);
    snprintf(packed_name, sizeof packed_name, "%s.gz", name);
    write_file(folder, packed_name, out, pack_gzip(data, n, 1, out, capacity));
    free(out);
}

static uint8_t noise(uint64_t i)
{
    i = (i + 1) * 0x9e3779b97f4a7c15;
    return (uint8_t)((i ^ i >> 31) * 0xbf58476d1ce4e5b9 >> 57);
}

static void write_half(const char *folder, const char *half, const tiny_dataset *d, uint32_t n,
                       uint64_t seed)
{
    uint32_t dim[4] = {n, d->height, d->width, d->channels};
    int dims = d->channels == 0 ? 3 : 4;
    size_t image = (size_t)d->height * d->width * (d->channels == 0 ? 1 : d->channels);
    uint8_t *data = malloc(4 + 4 * 4 + n * image);
    assert_non_null(data);
    char name[64];

    size_t used = put_idx_header(data, dims, dim);
    for (size_t i = 0; i < n * image; i++) {
        bool bright = i % image % d->classes == i / image % d->classes;
        data[used++] = (uint8_t)(noise(seed + i) + (bright ? 128 : 0));
    }
    snprintf(name, sizeof name, "%s-images-idx%d-ubyte", half, dims);
    write_idx(folder, name, data, used, d->packed);

    used = put_idx_header(data, 1, dim);
    for (uint32_t i = 0; i < n; i++)
        data[used++] = (uint8_t)(d->first_label + i % d->classes);
    snprintf(name, sizeof name, "%s-labels-idx1-ubyte", half);
    write_idx(folder, name, data, used, d->packed);
    free(data);
}

void write_tiny_dataset(const char *folder, const tiny_dataset *d)
{
    write_half(folder, "train", d, d->n_train, 0);
    write_half(folder, "t10k", d, d->n_test, 1000000000);
}
