#include "serve/connections.h"

#include "base/timer.h"

#include <stdlib.h>
#include <sys/socket.h>

void fmd_connections_open(fmd_connections *c)
{
    *c = (fmd_connections){.first = NULL};
    pthread_mutex_init(&c->lock, NULL);
}

void fmd_connections_close(fmd_connections *c)
{
    pthread_mutex_destroy(&c->lock);
}

fmd_connection *fmd_connections_add(fmd_connections *c, int socket)
{
    fmd_connection *one = calloc(1, sizeof *one);
    if (one == NULL)
        return NULL;
    one->socket = socket;
    one->since = fmd_now();
    pthread_mutex_lock(&c->lock);
    one->after = c->first;
    if (c->first != NULL)
        c->first->before = one;
    c->first = one;
    c->n++;
    pthread_mutex_unlock(&c->lock);
    return one;
}

void fmd_connections_remove(fmd_connections *c, fmd_connection *one)
{
    pthread_mutex_lock(&c->lock);
    if (one->before != NULL)
        one->before->after = one->after;
    else
        c->first = one->after;
    if (one->after != NULL)
        one->after->before = one->before;
    c->n--;
    pthread_mutex_unlock(&c->lock);
    free(one);
}

void fmd_connections_restart(fmd_connections *c, fmd_connection *one, bool working)
{
    pthread_mutex_lock(&c->lock);
    one->since = fmd_now();
    one->working = working;
    pthread_mutex_unlock(&c->lock);
}

size_t fmd_connections_expire(fmd_connections *c, double seconds)
{
    size_t n = 0;
    const double now = fmd_now();
    pthread_mutex_lock(&c->lock);
    for (fmd_connection *one = c->first; one != NULL; one = one->after)
        if (!one->working && now - one->since > seconds) {
            shutdown(one->socket, SHUT_RDWR);
            one->working = true; /* once is enough */
            n++;
        }
    pthread_mutex_unlock(&c->lock);
    return n;
}

size_t fmd_connections_count(fmd_connections *c)
{
    pthread_mutex_lock(&c->lock);
    const size_t n = c->n;
    pthread_mutex_unlock(&c->lock);
    return n;
}
