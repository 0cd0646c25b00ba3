/* Images on their way from the threads of HTTP to the thread of the model.
 *
 * A ticket belongs to its request. From fmd_queue_put until the connection is resumed, only the thread of
 * the model may touch it. */
#ifndef FMD_SERVE_QUEUE_H
#define FMD_SERVE_QUEUE_H

#include "fmd/error.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fmd_ticket {
    struct fmd_ticket *next;
    size_t n;             /* images */
    uint8_t *pixels;      /* of the images, in the input shape of the model */
    float *probabilities; /* n times classes */
    uint8_t *predicted;   /* n */
    bool failed;          /* scores are not finite */
    bool abandoned;       /* the server ends */
    void *owner;
} fmd_ticket;

typedef struct fmd_queue {
    pthread_mutex_t lock;
    fmd_ticket *first, **last;
    size_t images;
    bool ended; /* takes no further ticket */
    int wake;   /* an eventfd, readable after fmd_queue_put and fmd_queue_wake */
} fmd_queue;

/* Local. An empty queue. FMD_EIO: no file descriptor is left. */
FMD_CHECKED fmd_status fmd_queue_open(fmd_queue *q);
void fmd_queue_close(fmd_queue *q);

/* Local. Appends a ticket and wakes the thread of the model. False: the queue has ended. */
bool fmd_queue_put(fmd_queue *q, fmd_ticket *t);

/* Local. The queue takes no further ticket. */
void fmd_queue_end(fmd_queue *q);

/* Local. Wakes the thread of the model; may be called by a signal handler. */
void fmd_queue_wake(const fmd_queue *q);

/* Local. Waits until there is something to do, at most `seconds`. */
void fmd_queue_wait(fmd_queue *q, double seconds);

/* Local. The oldest tickets, a list, of together at most `most` images, but at least one ticket. NULL:
 * the queue is empty. */
fmd_ticket *fmd_queue_take(fmd_queue *q, size_t most);

/* Local. Images that wait. */
size_t fmd_queue_images(fmd_queue *q);

#endif
