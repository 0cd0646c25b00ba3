#include "serve/listen.h"

#include "base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool is_loopback(const struct sockaddr_storage *a)
{
    if (a->ss_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)a)->sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)a)->sin6_addr);
}

/* "127.0.0.1:8501", "[::1]:8501" */
static void describe(int fd, char text[FMD_LISTEN_TEXT], bool *loopback)
{
    struct sockaddr_storage a;
    socklen_t n = sizeof a;
    char host[256] = "", port[16] = "";
    memset(&a, 0, sizeof a);
    getsockname(fd, (struct sockaddr *)&a, &n);
    getnameinfo((struct sockaddr *)&a, n, host, sizeof host, port, sizeof port,
                NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(text, FMD_LISTEN_TEXT, a.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
    *loopback = is_loopback(&a);
}

/* -1 and errno. */
static int listen_on(const struct addrinfo *a)
{
    const int yes = 1;
    const int fd =
        socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
        return fd;
    const int why = errno;
    close(fd);
    errno = why;
    return -1;
}

fmd_status fmd_listen(int *out, char address[FMD_LISTEN_TEXT], const char *host, int port)
{
    const struct addrinfo wanted = {.ai_family = AF_UNSPEC,
                                    .ai_socktype = SOCK_STREAM,
                                    .ai_flags = AI_NUMERICSERV | AI_PASSIVE};
    struct addrinfo *found = NULL;
    char service[16];
    bool loopback;
    snprintf(service, sizeof service, "%d", port);
    const int unknown = getaddrinfo(host, service, &wanted, &found);
    if (unknown != 0)
        return FMD_FAIL(FMD_EUSAGE, "--host: '%s' is not an address of this machine: %s", host,
                        gai_strerror(unknown));
    int fd = -1;
    for (const struct addrinfo *a = found; a != NULL && fd < 0; a = a->ai_next)
        fd = listen_on(a);
    const int why = errno;
    freeaddrinfo(found);
    if (fd < 0)
        return FMD_FAIL(FMD_EIO, "cannot listen on port %d of '%s': %s; --port 0 takes a free one",
                        port, host, strerror(why));
    describe(fd, address, &loopback);
    if (!loopback)
        fmd_warn("other machines can reach %s: anyone there may ask for predictions", address);
    *out = fd;
    return FMD_OK;
}
