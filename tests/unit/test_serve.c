/* The server with its threads, in one process: many clients at once get the answers that one alone gets,
 * between others that send rubbish or go away. The preset tsan runs this under ThreadSanitizer. */
#include "support/fmd_test.h"

#include "math/gemm.h"
#include "serve/server.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENTS = 6, REQUESTS = 30, PIXELS = 12, ANSWER = 4096 };

static fmd_config config;

/* A port that nobody listens on. */
static int free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    close(fd);
    return ntohs(a.sin_port);
}

static int connect_to_server(void)
{
    const struct sockaddr_in a = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)config.serve.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int i = 0; i < 5000; i++) {
        const int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fd, (const struct sockaddr *)&a, sizeof a) == 0)
            return fd;
        close(fd);
        usleep(2000);
    }
    return -1;
}

/* Sends an image of PIXELS pixels, i and the next ones, and reads the body of the answer; false: there is
 * no whole answer with the code 200. */
static bool ask(int fd, int image, char body[ANSWER])
{
    char text[512], json[256];
    size_t used = (size_t)snprintf(json, sizeof json, "{\"instances\":[[");
    for (int i = 0; i < PIXELS; i++)
        used += (size_t)snprintf(json + used, sizeof json - used, "%s%d", i > 0 ? "," : "",
                                 (image + i * 17) % 256);
    used += (size_t)snprintf(json + used, sizeof json - used, "]]}");
    const int n =
        snprintf(text, sizeof text,
                 "POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s", used, json);
    if (send(fd, text, (size_t)n, MSG_NOSIGNAL) != n)
        return false;
    size_t got = 0;
    for (;;) {
        const ssize_t more = recv(fd, body + got, ANSWER - 1 - got, 0);
        if (more <= 0)
            return false;
        got += (size_t)more;
        body[got] = '\0';
        const char *start = strstr(body, "\r\n\r\n"), *length = strstr(body, "Content-Length: ");
        if (start == NULL || length == NULL)
            continue;
        const size_t whole = strtoul(length + strlen("Content-Length: "), NULL, 10);
        if (strlen(start + 4) < whole)
            continue;
        const bool good = strncmp(body, "HTTP/1.1 200", 12) == 0;
        memmove(body, start + 4, whole + 1);
        return good;
    }
}

static const char unfinished[] = "POST /predict HTTP/1.1\r\nContent-Length: 99\r\n\r\n{\"inst";
static const char rubbish[] = "\x01\x02 rubbish\r\n\r\n";

static char alone[CLIENTS * REQUESTS][ANSWER];

typedef struct client {
    pthread_t thread;
    int number, wrong;
} client;

/* Compares each answer with that of the same image alone, and breaks a connection now and then. */
static void *ask_often(void *self)
{
    client *c = self;
    char *body = malloc(ANSWER);
    int fd = connect_to_server();
    for (int i = 0; i < REQUESTS; i++) {
        const int image = c->number * REQUESTS + i;
        c->wrong += !ask(fd, image, body) || strcmp(body, alone[image]) != 0;
        const bool breaks = i % 7 == 6, offends = i % 5 == 4;
        if (!breaks && !offends)
            continue;
        if (breaks)
            (void)!send(fd, unfinished, sizeof unfinished - 1, MSG_NOSIGNAL);
        else
            (void)!send(fd, rubbish, sizeof rubbish - 1, MSG_NOSIGNAL);
        close(fd);
        fd = connect_to_server();
    }
    close(fd);
    free(body);
    return NULL;
}

/* One client, then many, then the signal. */
static void *drive(void *self)
{
    client *clients = self;
    const int fd = connect_to_server();
    for (int i = 0; i < CLIENTS * REQUESTS; i++)
        clients[0].wrong += !ask(fd, i, alone[i]);
    close(fd);
    for (int i = 0; i < CLIENTS; i++)
        pthread_create(&clients[i].thread, NULL, ask_often, &clients[i]);
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(clients[i].thread, NULL);
    kill(getpid(), SIGTERM);
    return NULL;
}

static void test_serve__answers_do_not_depend_on_other_clients(void **state)
{
    (void)state;
    client clients[CLIENTS] = {{.number = 0}};
    pthread_t driver;
    fmd_loaded_model trained = {.divisor = 255};
    trained.data.info.classes = 10;
    snprintf(trained.data.info.path, sizeof trained.data.info.path, "/nowhere");
    assert_ok(fmd_model_create(&trained.model, "conv2d:4:3:same:relu,flatten,dense:10:softmax",
                               (fmd_shape){.rank = 3, .dim = {3, 4, 1}}, 64));
    fmd_model_init(trained.model, 1);
    assert_ok(fmd_options_reset(fmd_config_table, fmd_config_table_length, &config));
    config.serve.port = free_port();
    for (int i = 0; i < CLIENTS; i++)
        clients[i].number = i;
    assert_int_equal(pthread_create(&driver, NULL, drive, clients), 0);
    assert_ok(fmd_serve(&trained, &config));
    pthread_join(driver, NULL);
    for (int i = 0; i < CLIENTS; i++)
        assert_int_equal(clients[i].wrong, 0);
    assert_string_not_equal(alone[0], alone[1]);
    fmd_model_destroy(trained.model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_serve__answers_do_not_depend_on_other_clients),
    };
    if (fmd_math_open(FMD_GEMM_AUTO, 1) != FMD_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
