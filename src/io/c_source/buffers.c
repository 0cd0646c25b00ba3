#include "io/c_source/buffers.h"

#include "base/mem.h"

#include <stdlib.h>

/* A value; those that share memory from the start, such as the output of a reshape, are one with
 * `root`. */
typedef struct life {
    size_t count;     /* floats */
    size_t root, end; /* of a root: the last operation that reads it */
} life;

/* Whether the operation may write over its first input. */
static bool works_in_place(fmd_forward_kind kind)
{
    switch (kind) {
    case FMD_FORWARD_ACTIVATION:
    case FMD_FORWARD_BATCH_NORMALIZATION:
    case FMD_FORWARD_LAYER_NORMALIZATION:
    case FMD_FORWARD_NORMALIZATION:
    case FMD_FORWARD_RESCALING:
    case FMD_FORWARD_ADD: return true;
    default: return false;
    }
}

/* The input is value 0 here, operation i makes value i + 1. */
static void find_lives(const fmd_forward *f, life *lives)
{
    lives[0] = (life){.count = fmd_shape_count(f->in)};
    for (size_t i = 0; i < f->n; i++) {
        const fmd_forward_op *op = &f->ops[i];
        const size_t first = (size_t)op->inputs[0] + 1;
        lives[i + 1] = (life){.count = fmd_shape_count(op->out),
                              .root = op->kind == FMD_FORWARD_RESHAPE ? lives[first].root : i + 1,
                              .end = i};
        for (int k = 0; k < op->n_inputs; k++)
            lives[lives[op->inputs[k] + 1].root].end = i;
    }
}

/* The lowest place for value `v` that no value overlaps which operation `op` or a later one needs. */
static size_t find_place(const fmd_buffers *b, const life *lives, size_t v, size_t op)
{
    size_t place = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (size_t i = 0; i < v; i++) {
            const bool lives_on = lives[i].root == i && lives[i].end >= op;
            if (lives_on && place < b->place[i] + lives[i].count &&
                b->place[i] < place + lives[v].count) {
                place = b->place[i] + lives[i].count;
                moved = true;
            }
        }
    }
    return place;
}

static void place_values(fmd_buffers *b, const fmd_forward *f, life *lives)
{
    b->floats = lives[0].count;
    for (size_t i = 0; i < f->n; i++) {
        const fmd_forward_op *op = &f->ops[i];
        const size_t v = i + 1, root = lives[op->inputs[0] + 1].root;
        bool over = works_in_place(op->kind) && lives[root].end == i;
        for (int k = 1; k < op->n_inputs; k++)
            over = over && lives[op->inputs[k] + 1].root != root;
        if (lives[v].root != v || over)
            b->place[v] = b->place[root];
        else
            b->place[v] = find_place(b, lives, v, i);
        const size_t end = b->place[v] + lives[v].count;
        b->floats = end > b->floats ? end : b->floats;
    }
}

fmd_status fmd_buffers_create(fmd_buffers *b, const fmd_forward *f)
{
    life *lives;
    *b = (fmd_buffers){.floats = 0};
    FMD_TRY(fmd_alloc(&lives, f->n + 1, sizeof *lives, "the exported model"));
    const fmd_status st = fmd_alloc(&b->place, f->n + 1, sizeof *b->place, "the exported model");
    if (st == FMD_OK) {
        find_lives(f, lives);
        place_values(b, f, lives);
    }
    free(lives);
    return st;
}

void fmd_buffers_free(fmd_buffers *b)
{
    free(b->place);
    *b = (fmd_buffers){.floats = 0};
}

size_t fmd_buffers_place(const fmd_buffers *b, int value)
{
    return b->place[value + 1];
}
