/* IDX files and tiny data sets for tests, in a temporary folder. */
#ifndef FMD_TEST_IDX_FILES_H
#define FMD_TEST_IDX_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TEST_PATH_BYTES = 512 };

/* Creates an empty folder in $TMPDIR or /tmp; removes it with its contents. */
void make_folder(char path[TEST_PATH_BYTES]);
void remove_folder(const char *path);

/* The same as setup and teardown of a cmocka test. The test runs inside the folder, so that the paths
 * in messages do not change from run to run. */
int enter_folder(void **state);
int leave_folder(void **state);

/* All paths are relative to `folder`; "." is the working directory. */
void make_subfolder(const char *folder, const char *name);
void write_file(const char *folder, const char *name, const void *data, size_t n);

/* Writes one gzip member; level 0 stores the bytes uncompressed. Returns its length. */
size_t pack_gzip(const void *data, size_t n, int level, uint8_t *out, size_t capacity);

/* Writes the header of an IDX file of unsigned bytes; returns its length. */
size_t put_idx_header(uint8_t *out, int dims, const uint32_t *dim);

/* A data set that a small network can learn: a pixel is bright where its place, modulo the number
 * of classes, is the label; the rest is noise. Sample i has label first_label + i % classes. */
typedef struct tiny_dataset {
    uint32_t n_train, n_test;
    uint32_t height, width, channels; /* channels 0: images without that dimension */
    uint32_t classes;
    uint32_t first_label; /* 1: labels 1 to classes, as in EMNIST's letters */
    bool packed;
} tiny_dataset;

/* Writes the four files into `folder`. */
void write_tiny_dataset(const char *folder, const tiny_dataset *d);

#endif
