#include "serve/counters.h"

#include <stdio.h>
#include <stdlib.h>

static const double seconds[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                 0.1,    0.25,  0.5,    1,     2.5,  5,     10};
static const double images[] = {1, 2, 4, 8, 16, 32, 64, 128, 256};

void fmd_counters_open(fmd_counters *m)
{
    *m = (fmd_counters){.latency = {.bounds = seconds, .n = sizeof seconds / sizeof *seconds},
                        .batches = {.bounds = images, .n = sizeof images / sizeof *images}};
    pthread_mutex_init(&m->lock, NULL);
}

void fmd_counters_close(fmd_counters *m)
{
    pthread_mutex_destroy(&m->lock);
}

static void observe(fmd_histogram *h, double value)
{
    size_t i = 0;
    while (i < h->n && value > h->bounds[i])
        i++;
    h->counts[i]++;
    h->sum += value;
}

void fmd_counters_answer(fmd_counters *m, unsigned code, double latency)
{
    size_t i = 0;
    pthread_mutex_lock(&m->lock);
    while (i < FMD_COUNTERS_CODES - 1 && m->codes[i].code != code && m->codes[i].code != 0)
        i++;
    m->codes[i].code = code;
    m->codes[i].n++;
    if (latency >= 0)
        observe(&m->latency, latency);
    pthread_mutex_unlock(&m->lock);
}

void fmd_counters_batch(fmd_counters *m, size_t n)
{
    pthread_mutex_lock(&m->lock);
    observe(&m->batches, (double)n);
    pthread_mutex_unlock(&m->lock);
}

void fmd_counters_connection(fmd_counters *m)
{
    pthread_mutex_lock(&m->lock);
    m->connections++;
    pthread_mutex_unlock(&m->lock);
}

void fmd_counters_expired(fmd_counters *m, size_t n)
{
    pthread_mutex_lock(&m->lock);
    m->expired += n;
    pthread_mutex_unlock(&m->lock);
}

static void put_head(FILE *out, const char *name, const char *type, const char *help)
{
    fprintf(out, "# HELP fmnist_dist_%s %s\n# TYPE fmnist_dist_%s %s\n", name, help, name, type);
}

static void put_histogram(FILE *out, const char *name, const char *help, const fmd_histogram *h)
{
    uint64_t total = 0;
    put_head(out, name, "histogram", help);
    for (size_t i = 0; i < h->n; i++) {
        total += h->counts[i];
        fprintf(out, "fmnist_dist_%s_bucket{le=\"%g\"} %llu\n", name, h->bounds[i],
                (unsigned long long)total);
    }
    total += h->counts[h->n];
    fprintf(out,
            "fmnist_dist_%s_bucket{le=\"+Inf\"} %llu\nfmnist_dist_%s_sum %.9g\n"
            "fmnist_dist_%s_count %llu\n",
            name, (unsigned long long)total, name, h->sum, name, (unsigned long long)total);
}

static void put_value(FILE *out, const char *name, const char *type, const char *help,
                      uint64_t value)
{
    put_head(out, name, type, help);
    fprintf(out, "fmnist_dist_%s %llu\n", name, (unsigned long long)value);
}

fmd_status fmd_counters_text(fmd_counters *m, const fmd_gauges *g, char **out, size_t *bytes)
{
    char *text = NULL;
    FILE *file = open_memstream(&text, bytes);
    if (file == NULL)
        return FMD_FAIL(FMD_ENOMEM, "out of memory: the metrics");
    pthread_mutex_lock(&m->lock);
    put_head(file, "requests_total", "counter", "Answered requests by status code.");
    for (size_t i = 0; i < FMD_COUNTERS_CODES && m->codes[i].code != 0; i++)
        fprintf(file, "fmnist_dist_requests_total{code=\"%u\"} %llu\n", m->codes[i].code,
                (unsigned long long)m->codes[i].n);
    put_histogram(file, "prediction_seconds",
                  "Time from the head of a prediction request to its answer.", &m->latency);
    put_histogram(file, "batch_images", "Images of a forward pass.", &m->batches);
    put_value(file, "connections_total", "counter", "Accepted connections.", m->connections);
    put_value(file, "expired_connections_total", "counter",
              "Connections closed because no whole request arrived in time.", m->expired);
    pthread_mutex_unlock(&m->lock);
    put_value(file, "open_connections", "gauge", "Open connections.", g->open_connections);
    put_value(file, "waiting_images", "gauge", "Images that wait for the model.",
              g->waiting_images);
    if (fclose(file) != 0) {
        free(text);
        return FMD_FAIL(FMD_ENOMEM, "out of memory: the metrics");
    }
    *out = text;
    return FMD_OK;
}
