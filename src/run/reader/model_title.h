/* A model in one line. */
#ifndef FMD_RUN_MODEL_TITLE_H
#define FMD_RUN_MODEL_TITLE_H

#include <stddef.h>

enum { FMD_MODEL_TITLE = 224 };

/* Local. "resnet20 (71 layers)" for a model with a name; otherwise its layers, of which a long list is
 * cut. `name` may be NULL or "". */
const char *fmd_model_title(const char *name, const char *layers, char text[FMD_MODEL_TITLE]);

/* Local. The name of the model of the run that wrote the weights file, from the config.json above its
 * folder; "" if there is none. */
enum { FMD_MODEL_NAME = 64 };
const char *fmd_model_name_of(const char *weights, char name[FMD_MODEL_NAME]);

#endif
