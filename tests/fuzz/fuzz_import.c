/* Sources of data import. The first byte chooses the kind of file: a table, plain or named as packed, the
 * labels of QMNIST, the records of CIFAR-100, a picture. The result is looked at no further than the
 * importer does. */
#include "data/import/import.h"
#include "data/source.h"
#include "fuzz/fuzz.h"

#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CSV, QMNIST, CIFAR, FOLDER, KINDS };

static const char table[] = "label,a,b,c,d\n1,0,255,3,4\n0,9,8,7,6\n2,1.0,\"2\",3,4\n1,5,5,5,5\n";

size_t fuzz_seed(size_t i, uint8_t out[FUZZ_BYTES])
{
    static const char *const tables[] = {table, "1;2;3;4;5\n0;2;3;4;5\r\n", "nan,1,2,3,4\n,,,,\n"};
    /* Three labels of QMNIST. */
    static const uint8_t labels[] = {0, 0, 12, 2, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0,
                                     0, 5, 0,  0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 1};
    if (i < 3) {
        out[0] = CSV;
        memcpy(out + 1, tables[i], strlen(tables[i]));
        return 1 + strlen(tables[i]);
    }
    if (i == 3) {
        out[0] = QMNIST;
        memcpy(out + 1, labels, sizeof labels);
        return 1 + sizeof labels;
    }
    if (i > 4)
        return 0;
    memset(out, 0, 1 + 3074);
    out[0] = CIFAR;
    out[2] = 99;
    return 1 + 3074;
}

static void put(const char *path, const void *data, size_t n)
{
    FILE *f = fopen(path, "wb");
    if (f == NULL || fwrite(data, 1, n, f) != n || fclose(f) != 0) {
        perror(path);
        exit(1);
    }
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static char root[64];

static void remove_root(void)
{
    nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* A folder of this process, with the same files each time. */
static const char *folder_of(int kind)
{
    static const char *const folders[KINDS] = {"csv", "qmnist", "cifar", "folder"};
    static const uint8_t two_images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 7, 9};
    static const uint8_t two_labels[] = {0, 0, 12, 2, 0, 0, 0, 2, 0, 0,
                                         0, 1, 0,  0, 0, 1, 0, 0, 0, 0};
    if (*root == '\0') {
        /* In memory: a result is synced, which takes its time on a disk. */
        snprintf(root, sizeof root, "/dev/shm/fuzz-XXXXXX");
        if (mkdtemp(root) == NULL || chdir(root) != 0 || atexit(remove_root) != 0)
            exit(1);
        for (int i = 0; i < KINDS; i++)
            mkdir(folders[i], 0700);
        mkdir("folder/a", 0700);
        put("qmnist/qmnist-train-images-idx3-ubyte", two_images, sizeof two_images);
        put("qmnist/qmnist-test-images-idx3-ubyte", two_images, sizeof two_images);
        put("qmnist/qmnist-test-labels-idx2-int", two_labels, sizeof two_labels);
        put("cifar/fine_label_names.txt", "a\n", 2);
        uint8_t record[3074] = {0};
        put("cifar/test.bin", record, sizeof record);
    }
    return folders[kind];
}

static void remove_result(void)
{
    static const char *const names[] = {"train-images-idx3-ubyte",
                                        "train-images-idx4-ubyte",
                                        "train-labels-idx1-ubyte",
                                        "t10k-images-idx3-ubyte",
                                        "t10k-images-idx4-ubyte",
                                        "t10k-labels-idx1-ubyte",
                                        "classes.txt"};
    char path[64];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "result/%s", names[i]);
        unlink(path);
    }
    if (rmdir("result") != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const files[KINDS] = {"csv/t.csv", "qmnist/qmnist-train-labels-idx2-int",
                                             "cifar/train.bin", "folder/a/x.png"};
    static fmd_import_report report;
    if (size == 0)
        return 0;
    const int kind = data[0] % KINDS;
    const char *source = folder_of(kind);
    put(files[kind], data + 1, size - 1);
    const fmd_import_args args = {.source = kind == CSV ? files[kind] : source,
                                  .dest = "result",
                                  .dir = "",
                                  .size = {.width = 3, .height = 2},
                                  .fit = (fmd_import_fit)(size % 3),
                                  .test_split = 0.5};
    const fmd_import_args own_test = {
        .source = source, .dest = "result", .dir = "", .test_split = (double)NAN};
    const bool split = kind == CSV || kind == FOLDER;
    const fmd_status st = fmd_import(split ? &args : &own_test, &report);
    fuzz_check_status(st, FMD_EDATA, FMD_EDATA);
    if (st != FMD_OK && access("result", F_OK) == 0)
        abort(); /* half a data set */
    if (st != FMD_OK)
        return 0;
    fmd_dataset d;
    void *memory;
    if (fmd_source_read(&d, &memory, "./result", "") != FMD_OK || d.train.n != report.info.n_train)
        abort(); /* training cannot read what was written */
    free(memory);
    remove_result();
    return 0;
}
