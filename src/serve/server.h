/* A trained model behind HTTP, for programs and people on this machine.
 *
 * A thread of libmicrohttpd reads requests and writes answers; the calling thread owns the model and
 * forwards the images of all requests that have arrived as one batch. The probabilities have the same
 * bits as those of predict, whatever a batch contains. */
#ifndef FMD_SERVE_SERVER_H
#define FMD_SERVE_SERVER_H

#include "run/config.h"
#include "run/loaded_model.h"

/* Local. Serves the model until SIGINT or SIGTERM, then answers the requests under way. FMD_EUSAGE: an
 * unknown host, or no images of 1 or 3 channels; FMD_EIO: the port is taken; FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_serve(const fmd_loaded_model *trained, const fmd_config *config);

#endif
