#include "run/reader/model_title.h"

#include "io/json/json_object.h"
#include "io/run_names.h"

#include <stdio.h>
#include <string.h>

/* A list that is longer is cut to the second length. */
enum { MOST = 180, CUT = 100 };

const char *fmd_model_title(const char *name, const char *layers, char text[FMD_MODEL_TITLE])
{
    size_t n = 1, kept = 0;
    for (const char *c = layers; *c != '\0'; c++)
        n += *c == ',';
    if (name != NULL && *name != '\0') {
        snprintf(text, FMD_MODEL_TITLE, "%.*s (%zu layers)", FMD_MODEL_NAME - 1, name, n);
        return text;
    }
    if (strlen(layers) <= MOST) {
        snprintf(text, FMD_MODEL_TITLE, "%s", layers);
        return text;
    }
    for (size_t i = 0; i < CUT; i++)
        if (layers[i] == ',')
            kept = i;
    snprintf(text, FMD_MODEL_TITLE, "%.*s, ... (%zu layers)", (int)(kept > 0 ? kept : CUT), layers,
             n);
    return text;
}

const char *fmd_model_name_of(const char *weights, char name[FMD_MODEL_NAME])
{
    char path[2048];
    const char *slash = strrchr(weights, '/');
    fmd_json *config;
    name[0] = '\0';
    snprintf(path, sizeof path, "%.*s../" FMD_FILE_CONFIG,
             slash != NULL ? (int)(slash + 1 - weights) : 0, weights);
    if (fmd_json_read(&config, path) != FMD_OK)
        return name;
    const char *found = fmd_json_get_text(config, NULL, "model-name");
    snprintf(name, FMD_MODEL_NAME, "%s", found != NULL ? found : "");
    fmd_json_destroy(config);
    return name;
}
