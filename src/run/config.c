#include "run/config.h"

#include <stdio.h>
#include <string.h>

bool fmd_word_is_among(const char *words, const char *word)
{
    const size_t n = strlen(word);
    for (const char *at = words; n > 0 && (at = strstr(at, word)) != NULL; at += n)
        if ((at == words || at[-1] == '|') && (at[n] == '|' || at[n] == '\0'))
            return true;
    return false;
}

bool fmd_config_has(const char *groups, const fmd_option *o)
{
    return fmd_word_is_among(groups, o->group);
}

bool fmd_config_gives(const fmd_config *config, const char *name)
{
    return config->given[fmd_option_find(fmd_config_table, fmd_config_table_length, name) -
                         fmd_config_table];
}

/* "dense:CLASSES:softmax" */
static void fill_in_classes(const char *layers, int classes, char spec[FMD_CONFIG_LAYERS_BYTES])
{
    static const char word[] = "CLASSES";
    size_t used = 0;
    for (const char *at; (at = strstr(layers, word)) != NULL; layers = at + sizeof word - 1)
        used += (size_t)snprintf(spec + used, FMD_CONFIG_LAYERS_BYTES - used, "%.*s%d",
                                 (int)(at - layers), layers, classes);
    snprintf(spec + used, FMD_CONFIG_LAYERS_BYTES - used, "%s", layers);
}

fmd_status fmd_config_layers(const fmd_config *config, int classes,
                             char spec[FMD_CONFIG_LAYERS_BYTES])
{
    if (*config->model.layers != '\0') {
        fill_in_classes(config->model.layers, classes, spec);
        return FMD_OK;
    }
    size_t used = (size_t)snprintf(spec, FMD_CONFIG_LAYERS_BYTES, "flatten");
    char sizes[sizeof config->model.hidden], *rest = sizes;
    memcpy(sizes, config->model.hidden, sizeof sizes);
    while (*config->model.hidden != '\0' && rest != NULL) {
        const char *size = strsep(&rest, ",");
        if (*size == '\0' || *size == '0' || strspn(size, "0123456789") != strlen(size))
            return FMD_FAIL(FMD_EUSAGE, "--hidden: '%s' is not a list of sizes such as 128,64",
                            config->model.hidden);
        used +=
            (size_t)snprintf(spec + used, FMD_CONFIG_LAYERS_BYTES - used, ",dense:%s:relu", size);
    }
    snprintf(spec + used, FMD_CONFIG_LAYERS_BYTES - used, ",dense:%d:softmax", classes);
    return FMD_OK;
}
