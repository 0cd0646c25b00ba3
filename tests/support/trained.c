#include "support/trained.h"

#include "support/fmd_test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char trained_layers[] = "flatten,dense:5:relu:init=he_normal:nobias,dropout:0.25,"
                              "activation:tanh,dense:6,dense:7:softmax";
const fmd_shape trained_image = {.rank = 2, .dim = {4, 3}};

void trained_make_new(trained *t, const char *optimizer)
{
    memset(t, 0, sizeof *t);
    assert_ok(fmd_model_create(&t->m, trained_layers, trained_image, 4));
    assert_ok(fmd_optimizer_create(&t->o, optimizer, fmd_model_n_params(t->m)));
    const double any = (double)INFINITY;
    const fmd_state_entry entries[] = {
        {"reason", FMD_STATE_U8, 16, t->reason, -any, any, true},
        {"scale", FMD_STATE_I32, 3, t->scales, -any, any, true},
        {"epoch", FMD_STATE_I64, 1, &t->epoch, -any, any, true},
        {"best_params", FMD_STATE_F32, 4, t->best_params, -any, any, true},
        {"history", FMD_STATE_F64, 5, t->history, -any, any, true}};
    const fmd_fingerprint_entry fingerprint[] = {{.name = "batch-size", .text = "256"},
                                                 {.name = "layers", .text = "dense"},
                                                 {.name = "BLAS kernels", .text = "none"}};
    memcpy(t->entries, entries, sizeof entries);
    memcpy(t->fingerprint, fingerprint, sizeof fingerprint);
    t->state = (fmd_state){.model = t->m,
                           .optimizer = t->o,
                           .learning_rate = 0.005,
                           .normalize = true,
                           .fingerprint = t->fingerprint,
                           .n_fingerprint = TRAINED_FINGERPRINT,
                           .entries = t->entries,
                           .n_entries = TRAINED_ENTRIES};
}

void trained_make(trained *t, const char *optimizer)
{
    trained_make_new(t, optimizer);
    const size_t n = fmd_model_n_params(t->m);
    fmd_optimizer_set_steps(t->o, TRAINED_STEPS);
    t->state.step = TRAINED_STEPS;
    for (size_t i = 0; i < n; i++)
        fmd_model_params(t->m)[i] = 1.0f / (float)(i + 3);
    for (size_t slot = 0; slot < fmd_optimizer_n_slots(t->o); slot++)
        for (size_t i = 0; i < n; i++)
            fmd_optimizer_slot(t->o, slot)[i] = (float)(1000 * (slot + 1) + i);
    /* Values that conversions would lose. */
    const int32_t scales[] = {INT32_MIN, -1, INT32_MAX};
    const double history[] = {(double)NAN, -0.0, 0.1, (double)-INFINITY, 5e-324};
    const float best[] = {NAN, -0.0f, 0.1f, 1e-45f};
    memcpy(t->reason, "stopped\xff\0\1", 10);
    memcpy(t->scales, scales, sizeof scales);
    memcpy(t->history, history, sizeof history);
    memcpy(t->best_params, best, sizeof best);
    t->epoch = INT64_MIN + 7;
}

void trained_release(trained *t)
{
    fmd_model_destroy(t->m);
    fmd_optimizer_destroy(t->o);
}

static size_t copy_part(char *to, const void *from, size_t bytes)
{
    if (to != NULL)
        memcpy(to, from, bytes);
    return bytes;
}

/* Concatenates all values, or counts their bytes. */
static size_t copy_all(const trained *t, char *to)
{
    const size_t bytes = fmd_model_n_params(t->m) * sizeof(float);
    const uint64_t steps = fmd_optimizer_steps(t->o);
    size_t n = copy_part(to, &steps, sizeof steps);
    n += copy_part(to == NULL ? NULL : to + n, fmd_model_params(t->m), bytes);
    for (size_t i = 0; i < fmd_optimizer_n_slots(t->o); i++)
        n += copy_part(to == NULL ? NULL : to + n, fmd_optimizer_slot(t->o, i), bytes);
    for (size_t i = 0; i < TRAINED_ENTRIES; i++)
        n += copy_part(to == NULL ? NULL : to + n, t->entries[i].data,
                       fmd_state_entry_bytes(&t->entries[i]));
    return n;
}

void *trained_copy(const trained *t)
{
    char *copy = malloc(copy_all(t, NULL));
    assert_non_null(copy);
    copy_all(t, copy);
    return copy;
}

void trained_assert_equal(const trained *t, const void *copy)
{
    void *now = trained_copy(t);
    assert_memory_equal(now, copy, copy_all(t, NULL));
    free(now);
}

char *trained_write(const char *path, size_t *n)
{
    trained t;
    trained_make(&t, "adam");
    assert_ok(fmd_checkpoint_write(path, &t.state));
    trained_release(&t);
    return read_bytes(path, n);
}

void victim_make(victim *v)
{
    trained_make_new(&v->t, "adam");
    v->before = trained_copy(&v->t);
}

void victim_release(victim *v)
{
    free(v->before);
    trained_release(&v->t);
}

char *read_bytes(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    char *bytes = malloc(1 << 20);
    assert_non_null(bytes);
    *n = fread(bytes, 1, 1 << 20, f);
    fclose(f);
    return bytes;
}

void write_bytes(const char *path, const char *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

static int real_stderr = -1;
static FILE *watched;

void watch_stderr_begin(void)
{
    fflush(stderr);
    watched = tmpfile();
    assert_non_null(watched);
    real_stderr = dup(STDERR_FILENO);
    assert_true(dup2(fileno(watched), STDERR_FILENO) >= 0);
}

size_t watch_stderr_end(void)
{
    struct stat info;
    fflush(stderr);
    assert_true(dup2(real_stderr, STDERR_FILENO) >= 0);
    close(real_stderr);
    assert_int_equal(fstat(fileno(watched), &info), 0);
    fclose(watched);
    return (size_t)info.st_size;
}
