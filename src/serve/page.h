/* The page of the server, for trying the model. */
#ifndef FMD_SERVE_PAGE_H
#define FMD_SERVE_PAGE_H

#include "run/loaded_model.h"
#include "run/pictures/user_picture.h"

/* Local. The page as text, released by free(); predictions come from /predict. Test images are shown if
 * they can be found. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_serve_page(char **out, size_t *bytes, const fmd_loaded_model *trained,
                                      const fmd_model_images *images, const char *name);

#endif
