/* Bodies of requests as images, and predictions as bodies of answers. */
#ifndef FMD_SERVE_ANSWER_H
#define FMD_SERVE_ANSWER_H

#include "run/loaded_model.h"
#include "run/pictures/user_picture.h"
#include "serve/queue.h"

/* Images of a request, at most. */
enum { FMD_SERVE_MOST_INSTANCES = 256 };

/* What an answer needs to know of the model. */
typedef struct fmd_served {
    const fmd_loaded_model *trained;
    fmd_model_images images;
    char hash[FMD_HASH_TEXT]; /* of the weights */
} fmd_served;

/* Local. The images in a body, JSON or a PNG or JPEG file, as a ticket. FMD_EDATA, FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_ticket_read(fmd_ticket **out, const fmd_served *s, const void *body,
                                       size_t bytes);
void fmd_ticket_free(fmd_ticket *t);

/* Local. The predictions of a ticket with the members that predict --json prints; `plain`: only
 * "predictions", rows of probabilities, as TensorFlow Serving. Text released by free(). FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_ticket_answer(char **out, const fmd_served *s, const fmd_ticket *t,
                                         bool plain);

/* Local. {"error": ...}, and the description of the model. Text released by free(). FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_answer_error(char **out, const char *message);
FMD_CHECKED fmd_status fmd_answer_model(char **out, const fmd_served *s);

#endif
