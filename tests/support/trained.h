/* A complete state for checkpoints: model, optimizer, fingerprint and state entries of every kind. All
 * values differ from each other. */
#ifndef TRAINED_H
#define TRAINED_H

#include "io/checkpoint/checkpoint.h"

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

/* Fills *t with the state after three steps with this optimizer; *t must not move. */
void trained_make(trained *t, const char *optimizer);
/* The untrained state, as before a checkpoint is read. */
void trained_make_new(trained *t, const char *optimizer);
void trained_release(trained *t);

/* A copy of all values, for trained_assert_equal; released by free(). */
void *trained_copy(const trained *t);
/* Every value of the state is as it was when the copy was made, bit for bit. */
void trained_assert_equal(const trained *t, const void *copy);

/* Writes a good file, with Adam; its bytes are released by free(). */
char *trained_write(const char *path, size_t *n);

/* A new state with Adam, and a copy from before a file was read. */
typedef struct victim {
    trained t;
    void *before;
} victim;
void victim_make(victim *v);
void victim_release(victim *v);

/* Reads a file, whose bytes are released by free(); writes a file. */
char *read_bytes(const char *path, size_t *n);
void write_bytes(const char *path, const char *bytes, size_t n);

/* Counts the bytes printed to stderr between begin and end. */
void watch_stderr_begin(void);
size_t watch_stderr_end(void);

#endif
