#include "nn/regularizer.h"

#include <math.h>
#include <string.h>

bool fmd_regularizer_exists(const fmd_model *m)
{
    bool exists = false;
    for (size_t i = 0; i < fmd_model_n_trainable_tensors(m); i++) {
        const fmd_regularizer *r = &fmd_model_tensor(m, i)->regularizer;
        exists |= r->l2 > 0 || r->max_norm > 0;
    }
    return exists;
}

double fmd_regularizer_loss(const fmd_model *m)
{
    double loss = 0;
    for (size_t i = 0; i < fmd_model_n_trainable_tensors(m); i++) {
        const fmd_tensor *t = fmd_model_tensor(m, i);
        const float *w = fmd_model_params(m) + t->offset;
        double squares = 0;
        for (size_t k = 0; t->regularizer.l2 > 0 && k < t->count; k++)
            squares += (double)w[k] * (double)w[k];
        loss += t->regularizer.l2 * squares;
    }
    return loss;
}

void fmd_regularizer_gradient(const fmd_model *m, size_t first, size_t n, const float *gradient,
                              float *out)
{
    memcpy(out, gradient, n * sizeof *out);
    for (size_t i = 0; i < fmd_model_n_trainable_tensors(m); i++) {
        const fmd_tensor *t = fmd_model_tensor(m, i);
        const size_t from = first > t->offset ? first : t->offset;
        const size_t to = first + n < t->offset + t->count ? first + n : t->offset + t->count;
        const float factor = (float)(2 * t->regularizer.l2);
        for (size_t k = from; factor > 0 && k < to; k++)
            out[k - first] += factor * fmd_model_params(m)[k];
    }
}

/* w times min(norm, max) / (1e-7 + norm), for each column along the first axis. */
static void constrain(const fmd_tensor *t, float *w)
{
    const size_t rows = (size_t)t->shape.dim[0], columns = t->count / rows;
    for (size_t j = 0; j < columns; j++) {
        double squares = 0;
        for (size_t i = 0; i < rows; i++)
            squares += (double)w[i * columns + j] * (double)w[i * columns + j];
        const double norm = sqrt(squares);
        if (norm <= t->regularizer.max_norm)
            continue;
        const double scale = t->regularizer.max_norm / (1e-7 + norm);
        for (size_t i = 0; i < rows; i++)
            w[i * columns + j] = (float)((double)w[i * columns + j] * scale);
    }
}

bool fmd_regularizer_constrains(const fmd_model *m)
{
    bool constrains = false;
    for (size_t i = 0; i < fmd_model_n_trainable_tensors(m); i++)
        constrains |= fmd_model_tensor(m, i)->regularizer.max_norm > 0;
    return constrains;
}

void fmd_regularizer_constrain(fmd_model *m)
{
    for (size_t i = 0; i < fmd_model_n_trainable_tensors(m); i++) {
        const fmd_tensor *t = fmd_model_tensor(m, i);
        if (t->regularizer.max_norm > 0)
            constrain(t, fmd_model_params(m) + t->offset);
    }
}
