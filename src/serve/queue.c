#include "serve/queue.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

fmd_status fmd_queue_open(fmd_queue *q)
{
    *q = (fmd_queue){.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (q->wake < 0)
        return FMD_FAIL(FMD_EIO, "cannot create an eventfd: %s", strerror(errno));
    pthread_mutex_init(&q->lock, NULL);
    q->last = &q->first;
    return FMD_OK;
}

void fmd_queue_close(fmd_queue *q)
{
    pthread_mutex_destroy(&q->lock);
    close(q->wake);
}

bool fmd_queue_put(fmd_queue *q, fmd_ticket *t)
{
    t->next = NULL;
    pthread_mutex_lock(&q->lock);
    const bool taken = !q->ended;
    if (taken) {
        *q->last = t;
        q->last = &t->next;
        q->images += t->n;
    }
    pthread_mutex_unlock(&q->lock);
    fmd_queue_wake(q);
    return taken;
}

void fmd_queue_end(fmd_queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->ended = true;
    pthread_mutex_unlock(&q->lock);
}

/* The counter of an eventfd cannot be full after fewer than 2^64 - 1 calls. */
void fmd_queue_wake(const fmd_queue *q)
{
    const uint64_t one = 1;
    (void)!write(q->wake, &one, sizeof one);
}

void fmd_queue_wait(fmd_queue *q, double seconds)
{
    struct pollfd p = {.fd = q->wake, .events = POLLIN};
    uint64_t count;
    if (poll(&p, 1, (int)(seconds * 1000)) > 0)
        (void)!read(q->wake, &count, sizeof count);
}

fmd_ticket *fmd_queue_take(fmd_queue *q, size_t most)
{
    pthread_mutex_lock(&q->lock);
    fmd_ticket *taken = q->first, **end = &taken;
    for (size_t n = 0; *end != NULL && (n == 0 || n + (*end)->n <= most);) {
        n += (*end)->n;
        q->images -= (*end)->n;
        end = &(*end)->next;
    }
    q->first = *end;
    if (q->first == NULL)
        q->last = &q->first;
    *end = NULL;
    pthread_mutex_unlock(&q->lock);
    return taken;
}

size_t fmd_queue_images(fmd_queue *q)
{
    pthread_mutex_lock(&q->lock);
    const size_t n = q->images;
    pthread_mutex_unlock(&q->lock);
    return n;
}
