#include "support/plain_sink.h"

#include "support/fmd_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static float *begin(void *self, size_t tensor, size_t offset, size_t n)
{
    plain_sink *s = self;
    assert_int_equal(s->n, 0);
    assert_true(tensor < fmd_model_n_tensors(s->model));
    assert_true(n > 0 && offset + n <= fmd_model_tensor(s->model, tensor)->count);
    s->tensor = tensor;
    s->offset = offset;
    s->n = n;
    for (size_t i = 0; i < n; i++)
        s->scratch[i] = NAN; /* garbage, as the interface says */
    return s->scratch;
}

static void commit(void *self, size_t tensor, size_t offset, size_t n)
{
    plain_sink *s = self;
    assert_int_equal(tensor, s->tensor);
    assert_int_equal(offset, s->offset);
    assert_int_equal(n, s->n);
    size_t place = fmd_model_tensor(s->model, tensor)->offset + offset;
    for (size_t i = 0; i < n; i++) {
        s->sums[place + i] += s->scratch[i];
        s->times[place + i]++;
    }
    s->n = 0;
}

void plain_sink_open(plain_sink *s, const fmd_model *m)
{
    size_t n = fmd_model_n_params(m) + 1; /* never zero bytes */
    *s = (plain_sink){.sink = {.self = s, .begin = begin, .commit = commit},
                      .model = m,
                      .sums = calloc(n, sizeof(float)),
                      .times = calloc(n, sizeof(unsigned)),
                      .scratch = calloc(n, sizeof(float))};
    assert_true(s->sums != NULL && s->times != NULL && s->scratch != NULL);
}

void plain_sink_close(plain_sink *s)
{
    free(s->sums);
    free(s->times);
    free(s->scratch);
}

void plain_sink_reset(plain_sink *s)
{
    size_t n = fmd_model_n_params(s->model);
    memset(s->sums, 0, n * sizeof *s->sums);
    memset(s->times, 0, n * sizeof *s->times);
}

void plain_sink_assert_complete(const plain_sink *s, size_t first, size_t n, int microbatches)
{
    assert_int_equal(s->n, 0);
    for (size_t t = first; t < first + n; t++) {
        const fmd_tensor *tensor = fmd_model_tensor(s->model, t);
        for (size_t i = 0; i < tensor->count; i++)
            assert_int_equal(s->times[tensor->offset + i], microbatches);
    }
}
