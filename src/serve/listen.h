/* The socket of the server. */
#ifndef FMD_SERVE_LISTEN_H
#define FMD_SERVE_LISTEN_H

#include "fmd/error.h"

enum { FMD_LISTEN_TEXT = 320 };

/* Local. A socket that listens on a port of a host, a name or an address; port 0: any that is free.
 * `address` receives "127.0.0.1:8501". Warns if other machines may connect. FMD_EUSAGE: unknown host;
 * FMD_EIO: the port is taken or not allowed. */
FMD_CHECKED fmd_status fmd_listen(int *out, char address[FMD_LISTEN_TEXT], const char *host,
                                  int port);

#endif
