#include "serve/server.h"

#include "base/log.h"
#include "base/system/print.h"
#include "base/timer.h"
#include "serve/answer.h"
#include "serve/connections.h"
#include "serve/counters.h"
#include "serve/listen.h"
#include "serve/model_thread.h"
#include "serve/page.h"

#include <microhttpd.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Memory of a connection for head and buffers; a longer head is refused with 431. */
enum { CONNECTION_BYTES = 32 << 10 };

typedef struct server {
    fmd_served served;
    fmd_queue queue;
    fmd_counters counters;
    fmd_connections connections;
    fmd_model_thread model;
    char *page;
    size_t page_bytes, most_body;
    atomic_size_t under_way; /* requests between their head and their answer */
    atomic_bool ending;
} server;

typedef enum route { ROUTE_PREDICT, ROUTE_PLAIN, ROUTE_OTHER } route;

/* A request, from its head to the last byte of its answer. */
typedef struct request {
    route route;
    double begun;
    unsigned code;
    bool refused; /* answered before the body, so that the connection closes */
    bool too_large;
    char *body;
    size_t bytes, room;
    fmd_ticket *ticket; /* once the body is read; answered when the handler is called again */
} request;

static fmd_connection *connection_of(struct MHD_Connection *c)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

static void restart_clock(server *s, struct MHD_Connection *c, bool working)
{
    fmd_connection *one = connection_of(c);
    if (one != NULL)
        fmd_connections_restart(&s->connections, one, working);
}

/* Queues an answer; `text` is released by free(), or belongs to the server. */
static enum MHD_Result answer(server *s, struct MHD_Connection *c, request *r, unsigned code,
                              const char *type, char *text, size_t bytes, bool keeps)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        bytes, text, keeps ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        if (!keeps)
            free(text);
        return MHD_NO;
    }
    MHD_add_response_header(response, "Content-Type", type);
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "Cache-Control", "no-store");
    if (code == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, "Allow", r->route == ROUTE_OTHER ? "GET, HEAD" : "POST");
    if (atomic_load(&s->ending))
        MHD_add_response_header(response, "Connection", "close");
    r->code = code;
    const enum MHD_Result queued = MHD_queue_response(c, code, response);
    MHD_destroy_response(response);
    return queued;
}

static enum MHD_Result answer_json(server *s, struct MHD_Connection *c, request *r, unsigned code,
                                   fmd_status st, char *text)
{
    if (st != FMD_OK)
        return MHD_NO;
    return answer(s, c, r, code, "application/json", text, strlen(text), false);
}

static enum MHD_Result answer_error(server *s, struct MHD_Connection *c, request *r, unsigned code,
                                    const char *message)
{
    char *text = NULL;
    const fmd_status st = fmd_answer_error(&text, message);
    return answer_json(s, c, r, code, st, text);
}

static enum MHD_Result answer_metrics(server *s, struct MHD_Connection *c, request *r)
{
    const fmd_gauges g = {.open_connections = fmd_connections_count(&s->connections),
                          .waiting_images = fmd_queue_images(&s->queue)};
    char *text = NULL;
    size_t bytes = 0;
    if (fmd_counters_text(&s->counters, &g, &text, &bytes) != FMD_OK)
        return MHD_NO;
    return answer(s, c, r, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", text, bytes,
                  false);
}

/* /predict, and the name of TensorFlow Serving, whatever the model is called. */
static route route_of(const char *url)
{
    static const char prefix[] = "/v1/models/", end[] = ":predict";
    const size_t n = strlen(url);
    if (strcmp(url, "/predict") == 0)
        return ROUTE_PREDICT;
    const bool named = strncmp(url, prefix, sizeof prefix - 1) == 0 &&
                       n > sizeof prefix + sizeof end - 2 &&
                       strcmp(url + n - (sizeof end - 1), end) == 0;
    return named ? ROUTE_PLAIN : ROUTE_OTHER;
}

/* Whether the head announces a body that is too large. */
static bool announces_too_much(const server *s, struct MHD_Connection *c)
{
    const char *text = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Content-Length");
    return text != NULL && strtoull(text, NULL, 10) > s->most_body;
}

static enum MHD_Result refuse_size(server *s, struct MHD_Connection *c, request *r)
{
    char message[80];
    snprintf(message, sizeof message, "the body has more than %zu bytes", s->most_body);
    r->refused = true;
    return answer_error(s, c, r, MHD_HTTP_CONTENT_TOO_LARGE, message);
}

/* The head of a request for a prediction is there. */
static enum MHD_Result begin_prediction(server *s, struct MHD_Connection *c, request *r,
                                        const char *method)
{
    if (strcmp(method, MHD_HTTP_METHOD_POST) != 0) {
        r->refused = true;
        return answer_error(s, c, r, MHD_HTTP_METHOD_NOT_ALLOWED,
                            "send a picture or {\"instances\": [...]} with POST");
    }
    return announces_too_much(s, c) ? refuse_size(s, c, r) : MHD_YES;
}

static bool exists(const char *url)
{
    static const char *const paths[] = {"/", "/healthz", "/metrics", "/model"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (strcmp(url, paths[i]) == 0)
            return true;
    return false;
}

static enum MHD_Result get(server *s, struct MHD_Connection *c, request *r, const char *url,
                           const char *method)
{
    static char healthy[] = "ok\n";
    char *text = NULL;
    if (!exists(url))
        return answer_error(s, c, r, MHD_HTTP_NOT_FOUND,
                            "not found: there are /, /predict, /model, /healthz and /metrics");
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return answer_error(s, c, r, MHD_HTTP_METHOD_NOT_ALLOWED, "use GET here");
    if (strcmp(url, "/") == 0)
        return answer(s, c, r, MHD_HTTP_OK, "text/html; charset=utf-8", s->page, s->page_bytes,
                      true);
    if (strcmp(url, "/healthz") == 0)
        return answer(s, c, r, MHD_HTTP_OK, "text/plain", healthy, sizeof healthy - 1, true);
    if (strcmp(url, "/metrics") == 0)
        return answer_metrics(s, c, r);
    const fmd_status st = fmd_answer_model(&text, &s->served);
    return answer_json(s, c, r, MHD_HTTP_OK, st, text);
}

/* Appends a piece of the body. A body of unknown length may grow too large; libmicrohttpd takes the answer
 * only at its end, so the rest is dropped. MHD_NO closes the connection: memory is short. */
static enum MHD_Result append(const server *s, request *r, const char *data, size_t bytes)
{
    enum { FIRST = 16 << 10 };
    r->too_large = r->too_large || bytes > s->most_body - r->bytes;
    if (r->too_large)
        return MHD_YES;
    if (r->bytes + bytes > r->room) {
        size_t room = r->room > 0 ? r->room : FIRST;
        while (room < r->bytes + bytes)
            room *= 2;
        char *body = realloc(r->body, room);
        if (body == NULL)
            return MHD_NO;
        r->body = body;
        r->room = room;
    }
    memcpy(r->body + r->bytes, data, bytes);
    r->bytes += bytes;
    return MHD_YES;
}

/* The body is there: its images go to the thread of the model, and the connection rests. */
static enum MHD_Result submit(server *s, struct MHD_Connection *c, request *r)
{
    const fmd_status st = r->bytes > 0 ? fmd_ticket_read(&r->ticket, &s->served, r->body, r->bytes)
                                       : FMD_FAIL(FMD_EDATA, "the body is empty");
    free(r->body);
    r->body = NULL;
    if (st != FMD_OK)
        return answer_error(s, c, r,
                            st == FMD_ENOMEM ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_BAD_REQUEST,
                            fmd_error_message());
    r->ticket->owner = c;
    restart_clock(s, c, true);
    MHD_suspend_connection(c);
    if (!fmd_queue_put(&s->queue, r->ticket)) {
        r->ticket->abandoned = true;
        MHD_resume_connection(c);
    }
    return MHD_YES;
}

static enum MHD_Result conclude(server *s, struct MHD_Connection *c, request *r)
{
    char *text = NULL;
    restart_clock(s, c, false); /* now the client has to read */
    if (r->ticket->abandoned)
        return answer_error(s, c, r, MHD_HTTP_SERVICE_UNAVAILABLE, "the server ends");
    if (r->ticket->failed)
        return answer_error(s, c, r, MHD_HTTP_INTERNAL_SERVER_ERROR,
                            "the model's scores are not finite");
    const fmd_status st = fmd_ticket_answer(&text, &s->served, r->ticket, r->route == ROUTE_PLAIN);
    return answer_json(s, c, r, MHD_HTTP_OK, st, text);
}

static enum MHD_Result handle(void *self, struct MHD_Connection *c, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *bytes, void **context)
{
    (void)version;
    server *s = self;
    request *r = *context;
    if (r == NULL) {
        r = calloc(1, sizeof *r);
        if (r == NULL)
            return MHD_NO;
        *r = (request){.route = route_of(url), .begun = fmd_now()};
        *context = r;
        atomic_fetch_add(&s->under_way, 1);
        return r->route == ROUTE_OTHER ? MHD_YES : begin_prediction(s, c, r, method);
    }
    if (*bytes > 0) {
        const size_t n = *bytes;
        *bytes = 0;
        return r->refused || r->route == ROUTE_OTHER ? MHD_YES : append(s, r, data, n);
    }
    if (r->refused)
        return MHD_YES;
    if (r->route == ROUTE_OTHER)
        return get(s, c, r, url, method);
    if (r->too_large)
        return refuse_size(s, c, r);
    return r->ticket == NULL ? submit(s, c, r) : conclude(s, c, r);
}

static void complete(void *self, struct MHD_Connection *c, void **context,
                     enum MHD_RequestTerminationCode how)
{
    (void)how;
    server *s = self;
    request *r = *context;
    if (r == NULL)
        return;
    const double seconds = fmd_now() - r->begun;
    if (r->code != 0)
        fmd_counters_answer(&s->counters, r->code,
                            r->ticket != NULL && r->code == MHD_HTTP_OK ? seconds : -1);
    restart_clock(s, c, false);
    fmd_ticket_free(r->ticket);
    free(r->body);
    free(r);
    *context = NULL;
    if (atomic_fetch_sub(&s->under_way, 1) == 1 && atomic_load(&s->ending))
        fmd_queue_wake(&s->queue);
}

static void notify(void *self, struct MHD_Connection *c, void **context,
                   enum MHD_ConnectionNotificationCode what)
{
    server *s = self;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
        *context = fmd_connections_add(&s->connections, info->connect_fd);
        fmd_counters_connection(&s->counters);
    } else if (*context != NULL) {
        fmd_connections_remove(&s->connections, *context);
        *context = NULL;
    }
}

/* Forwards everything that has arrived, or gives it up. */
static void work_off(server *s, bool abandons)
{
    fmd_ticket *tickets;
    while ((tickets = fmd_queue_take(&s->queue, s->model.most)) != NULL) {
        if (!abandons)
            fmd_model_thread_forward(&s->model, tickets);
        while (tickets != NULL) {
            fmd_ticket *one = tickets;
            tickets = one->next; /* resumed, the ticket may be gone */
            one->abandoned = abandons;
            MHD_resume_connection(one->owner);
        }
    }
}

/* Of the signal handler. */
static const fmd_queue *signalled;
static volatile sig_atomic_t signals;

static void take_signal(int signal)
{
    (void)signal;
    signals = signals + 1;
    fmd_queue_wake(signalled);
}

static void handle_signals(const server *s)
{
    const struct sigaction action = {.sa_handler = take_signal, .sa_flags = SA_RESTART};
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    signalled = &s->queue;
    signals = 0;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
}

/* The thread of the model, until a signal; then until all requests under way are answered, a time limit,
 * or a second signal. */
static void run(server *s, struct MHD_Daemon *daemon, double timeout)
{
    enum { TICKS = 2 }; /* of a second */
    double end = 0;
    while (end == 0 || (atomic_load(&s->under_way) > 0 && fmd_now() < end && signals < 2)) {
        fmd_queue_wait(&s->queue, 1.0 / TICKS);
        work_off(s, false);
        fmd_counters_expired(&s->counters, fmd_connections_expire(&s->connections, timeout));
        if (signals > 0 && end == 0) {
            end = fmd_now() + timeout;
            atomic_store(&s->ending, true);
            /* Refuses connections. libmicrohttpd may use the socket until its end. */
            shutdown(MHD_quiesce_daemon(daemon), SHUT_RDWR);
        }
    }
    fmd_queue_end(&s->queue); /* libmicrohttpd aborts if a connection rests at its end */
    work_off(s, true);
}

static struct MHD_Daemon *start(server *s, int socket, const fmd_config *config)
{
    return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_ALLOW_SUSPEND_RESUME,
                            0, NULL, NULL, handle, s, MHD_OPTION_LISTEN_SOCKET, socket,
                            MHD_OPTION_CONNECTION_LIMIT, (unsigned)config->serve.max_connections,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
                            MHD_OPTION_NOTIFY_COMPLETED, complete, s, MHD_OPTION_NOTIFY_CONNECTION,
                            notify, s, MHD_OPTION_END);
}

/* Serves on a socket that listens. */
static fmd_status serve(server *s, int socket, const char *address, const fmd_config *config)
{
    handle_signals(s);
    struct MHD_Daemon *daemon = start(s, socket, config);
    if (daemon == NULL) {
        close(socket);
        return FMD_FAIL(FMD_EIO, "cannot start the HTTP server on %s", address);
    }
    fmd_print("serving %s on http://%s/ (Ctrl-C stops)\n", s->served.trained->file.path, address);
    fflush(stdout);
    run(s, daemon, config->serve.request_timeout);
    MHD_stop_daemon(daemon);
    close(socket);
    return FMD_OK;
}

static fmd_status open_server(server *s, const fmd_config *config)
{
    FMD_TRY(fmd_serve_page(&s->page, &s->page_bytes, s->served.trained, &s->served.images,
                           config->model.weights));
    FMD_TRY(fmd_model_thread_open(&s->model, s->served.trained, (size_t)config->serve.max_batch,
                                  FMD_SERVE_MOST_INSTANCES, &s->counters));
    const fmd_status st = fmd_queue_open(&s->queue);
    if (st != FMD_OK)
        fmd_model_thread_close(&s->model);
    return st;
}

fmd_status fmd_serve(const fmd_loaded_model *trained, const fmd_config *config)
{
    char address[FMD_LISTEN_TEXT];
    int socket;
    server s = {.served = {.trained = trained},
                .most_body = (size_t)(config->serve.max_body * (1 << 20))};
    s.served.images.invert = fmd_invert_of(config, &trained->data.info);
    fmd_hash_text(fmd_model_hash(trained->model), s.served.hash);
    FMD_TRY(fmd_model_images_of(&s.served.images, fmd_model_in(trained->model)));
    fmd_status st = open_server(&s, config);
    if (st != FMD_OK) {
        free(s.page);
        return st;
    }
    fmd_counters_open(&s.counters);
    fmd_connections_open(&s.connections);
    st = fmd_listen(&socket, address, config->serve.host, (int)config->serve.port);
    if (st == FMD_OK)
        st = serve(&s, socket, address, config);
    fmd_connections_close(&s.connections);
    fmd_counters_close(&s.counters);
    fmd_queue_close(&s.queue);
    fmd_model_thread_close(&s.model);
    free(s.page);
    return st;
}
