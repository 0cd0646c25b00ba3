/* What the compiled peers share: the data set, the options, the clock. For C and C++. */
#ifndef PEER_H
#define PEER_H

#include <getopt.h>
#include <immintrin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

enum { PEER_CLASSES = 10 };

typedef struct peer_options {
    const char *data_dir;
    int hidden, batch_size, epochs, threads; /* epochs: timed ones, after one to warm up */
    int net_a; /* the network of models/net_a.txt, instead of a perceptron */
    float learning_rate;
} peer_options;

typedef struct peer_samples {
    int n, pixels;
    float *images; /* n x pixels, from 0 to 1 */
    unsigned char *labels;
} peer_samples;

static peer_options peer_parse(int argc, char **argv)
{
    static const struct option known[] = {
        {"data-dir", 1, NULL, 'd'},      {"hidden", 1, NULL, 'h'},
        {"batch-size", 1, NULL, 'b'},    {"epochs", 1, NULL, 'e'},
        {"learning-rate", 1, NULL, 'l'}, {"threads", 1, NULL, 't'},
        {"net-a", 0, NULL, 'a'},         {NULL, 0, NULL, 0},
    };
    peer_options o = {NULL, 128, 256, 1, 1, 0, 1e-3F};
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (c) {
        case 'd': o.data_dir = optarg; break;
        case 'h': o.hidden = atoi(optarg); break;
        case 'b': o.batch_size = atoi(optarg); break;
        case 'e': o.epochs = atoi(optarg); break;
        case 'a': o.net_a = 1; break;
        case 'l': o.learning_rate = strtof(optarg, NULL); break;
        case 't': o.threads = atoi(optarg); break;
        default: exit(64);
        }
    }
    if (o.data_dir == NULL || o.hidden < 1 || o.batch_size < 1) {
        fprintf(stderr,
                "usage: %s --data-dir FOLDER [--hidden N | --net-a] [--batch-size N] [--epochs N] "
                "[--threads N] [--learning-rate X]\n",
                argv[0]);
        exit(64);
    }
    return o;
}

static gzFile peer_open(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    gzFile file = gzopen(path, "rb"); /* reads plain files, too */
    if (file == NULL) {
        snprintf(path, sizeof path, "%s/%s.gz", folder, name);
        file = gzopen(path, "rb");
    }
    if (file == NULL) {
        fprintf(stderr, "cannot open '%s'\n", path);
        exit(66);
    }
    return file;
}

/* Return the bytes behind the header of the IDX file, how many items they are, and how large. */
static unsigned char *peer_read_idx(const char *folder, const char *name, int *n, int *item_bytes)
{
    gzFile file = peer_open(folder, name);
    unsigned char magic[4] = {0}, size[4] = {0};
    gzread(file, magic, 4);
    *n = 0, *item_bytes = 1;
    for (int d = 0; d < magic[3]; d++) {
        gzread(file, size, 4);
        const int length = size[0] << 24 | size[1] << 16 | size[2] << 8 | size[3];
        if (d == 0)
            *n = length;
        else
            *item_bytes *= length;
    }
    const unsigned bytes = (unsigned)*n * (unsigned)*item_bytes;
    unsigned char *items = (unsigned char *)malloc(bytes);
    if (bytes == 0 || gzread(file, items, bytes) != (int)bytes) {
        fprintf(stderr, "'%s' in '%s' is no whole IDX file\n", name, folder);
        exit(65);
    }
    gzclose(file);
    return items;
}

/* part: "train" or "t10k". */
static peer_samples peer_read(const char *folder, const char *part)
{
    peer_samples s;
    char name[64];
    int labels, one;
    snprintf(name, sizeof name, "%s-images-idx3-ubyte", part);
    unsigned char *bytes = peer_read_idx(folder, name, &s.n, &s.pixels);
    snprintf(name, sizeof name, "%s-labels-idx1-ubyte", part);
    s.labels = peer_read_idx(folder, name, &labels, &one);
    const size_t values = (size_t)s.n * (size_t)s.pixels;
    s.images = (float *)malloc(values * sizeof(float));
    for (size_t i = 0; i < values; i++)
        s.images[i] = (float)bytes[i] / 255;
    free(bytes);
    return s;
}

/* Else the moments of dark pixels decay into slow subnormals. */
static void peer_flush_subnormals(void)
{
    _MM_SET_FLUSH_ZERO_MODE(_MM_FLUSH_ZERO_ON);
}

static double peer_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

#endif
