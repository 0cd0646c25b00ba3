#include "train/checkpoints/background.h"

#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct fmd_background {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool started, ends;  /* protected by `mutex`, as is `self` */
    void (*job)(void *); /* NULL: none */
    void *self;
    atomic_bool busy;
};

static void *work(void *arg)
{
    fmd_background *b = arg;
    pthread_mutex_lock(&b->mutex);
    while (!b->ends || b->job != NULL) {
        if (b->job == NULL) {
            pthread_cond_wait(&b->changed, &b->mutex);
            continue;
        }
        pthread_mutex_unlock(&b->mutex);
        b->job(b->self);
        pthread_mutex_lock(&b->mutex);
        b->job = NULL;
        b->busy = false;
        pthread_cond_broadcast(&b->changed);
    }
    pthread_mutex_unlock(&b->mutex);
    return NULL;
}

fmd_status fmd_background_create(fmd_background **out)
{
    fmd_background *b;
    FMD_TRY(fmd_alloc(&b, 1, sizeof *b, "the writing thread"));
    pthread_mutex_init(&b->mutex, NULL);
    pthread_cond_init(&b->changed, NULL);
    *out = b;
    return FMD_OK;
}

void fmd_background_destroy(fmd_background *b)
{
    if (b == NULL)
        return;
    pthread_mutex_lock(&b->mutex);
    b->ends = true;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->mutex);
    if (b->started)
        pthread_join(b->thread, NULL);
    pthread_cond_destroy(&b->changed);
    pthread_mutex_destroy(&b->mutex);
    free(b);
}

/* All signals stay with the other threads. */
static fmd_status start(fmd_background *b)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int error = pthread_create(&b->thread, NULL, work, b);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0)
        return FMD_FAIL(FMD_ENOMEM,
                        "cannot start the writing thread: %s; raise the limit of memory or of "
                        "processes (ulimit -v, ulimit -u)",
                        strerror(error));
    b->started = true;
    return FMD_OK;
}

fmd_status fmd_background_run(fmd_background *b, void (*job)(void *self), void *self)
{
    if (!b->started)
        FMD_TRY(start(b));
    pthread_mutex_lock(&b->mutex);
    b->job = job;
    b->self = self;
    b->busy = true;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->mutex);
    return FMD_OK;
}

bool fmd_background_is_idle(const fmd_background *b)
{
    return !b->busy;
}

void fmd_background_wait(fmd_background *b)
{
    pthread_mutex_lock(&b->mutex);
    while (b->busy)
        pthread_cond_wait(&b->changed, &b->mutex);
    pthread_mutex_unlock(&b->mutex);
}
