/* The open connections of the server, and how long each has been waiting for a whole request.
 *
 * libmicrohttpd's own timeout begins anew with each byte, so a client that sends one byte now and then
 * would keep its connection for ever. Here a connection has a fixed time for each request. */
#ifndef FMD_SERVE_CONNECTIONS_H
#define FMD_SERVE_CONNECTIONS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct fmd_connection {
    struct fmd_connection *before, *after;
    int socket;
    double since; /* the client is expected to send or to read */
    bool working; /* its request waits for the model: no time runs */
} fmd_connection;

typedef struct fmd_connections {
    pthread_mutex_t lock;
    fmd_connection *first;
    size_t n;
} fmd_connections;

void fmd_connections_open(fmd_connections *c);
void fmd_connections_close(fmd_connections *c);

/* Local. A new connection; NULL: out of memory. The socket stays open until fmd_connections_remove. */
fmd_connection *fmd_connections_add(fmd_connections *c, int socket);
void fmd_connections_remove(fmd_connections *c, fmd_connection *one);

/* Local. Its time begins anew; while it is `working`, none runs. */
void fmd_connections_restart(fmd_connections *c, fmd_connection *one, bool working);

/* Local. Shuts down connections that have been waiting for more than `seconds`; returns their number. */
size_t fmd_connections_expire(fmd_connections *c, double seconds);

/* Local. How many are open. */
size_t fmd_connections_count(fmd_connections *c);

#endif
