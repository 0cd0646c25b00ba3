/* A whole state for checkpoints: a model, an optimizer, fingerprint, and state entries of every kind, in which
 * every value differs from every other. */
#ifndef TRAINED_H
#define TRAINED_H

#include "fmd/checkpoint.h"

enum { TRAINED_ENTRIES = 5, TRAINED_FINGERPRINT = 3, TRAINED_STEPS = 3 };

typedef struct trained {
    fmd_model *m;
    fmd_optimizer *o;
    uint8_t reason[16];
    int32_t scales[3];
    int64_t epoch;
    float best_params[4];
    double history[5];
    fmd_state_entry entries[TRAINED_ENTRIES];
    fmd_fingerprint_entry fingerprint[TRAINED_FINGERPRINT];
    fmd_state state;
} trained;

/* The spec and the input of the model: 4 x 3 images, 7 classes, tensors at 0, 60, 90, 96, 138. */
extern const char trained_layers[];
extern const fmd_shape trained_image;

/* Fills *t, which must stay where it is, as after three steps with this optimizer. */
void trained_make(trained *t, const char *optimizer);
/* The same with nothing learned: what a program has before it reads a checkpoint. */
void trained_make_new(trained *t, const char *optimizer);
void trained_release(trained *t);

/* A copy of all values, for trained_assert_equal; released by free(). */
void *trained_copy(const trained *t);
/* Every value of the state is as it was when the copy was made, bit for bit. */
void trained_assert_equal(const trained *t, const void *copy);

/* Writes a good file, with Adam; its bytes are released by free(). */
char *trained_write(const char *path, size_t *n);

/* A new state with Adam, and a copy of what it was before a file was read. */
typedef struct victim {
    trained t;
    void *before;
} victim;
void victim_make(victim *v);
void victim_release(victim *v);

/* The bytes of a file, released by free(), and back. */
char *read_bytes(const char *path, size_t *n);
void write_bytes(const char *path, const char *bytes, size_t n);

/* Whether what is done between begin and end prints on stderr: how many bytes. */
void watch_stderr_begin(void);
size_t watch_stderr_end(void);

#endif
