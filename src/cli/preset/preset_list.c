#include "base/format.h"
#include "cli/preset/preset.h"
#include "data/dataset.h"
#include "nn/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static fmd_status print_preset(const char *name)
{
    static fmd_preset p;
    static fmd_config config;
    static char layers[FMD_CONFIG_LAYERS_BYTES];
    char path[FMD_PATH_BYTES], count[32];
    fmd_model *m;
    FMD_TRY(fmd_preset_find(path, name));
    FMD_TRY(fmd_preset_read(&p, path));
    memcpy(config.model.layers, p.layers, sizeof p.layers);
    FMD_TRY(fmd_config_layers(&config, 10, layers));
    FMD_TRY(fmd_model_create(&m, layers, FMD_MNIST_IMAGE, 1));
    printf("  %-12s %11s  %8.2f  %s\n", name, fmd_format_count(fmd_model_n_params(m), count),
           fmd_model_cost(m, 1).forward_flops / 1e6, p.about);
    if (p.n > 0)
        printf("%-38s", "");
    for (size_t i = 0; i < p.n; i++)
        printf("--%s %s%s", p.option[i]->name, p.value[i], i + 1 < p.n ? " " : "\n");
    if (*p.measured != '\0')
        printf("%-38smeasured: %s\n", "", p.measured);
    fmd_model_destroy(m);
    return FMD_OK;
}

fmd_status fmd_preset_list(void)
{
    char names[FMD_OPTION_TEXT_BYTES], *rest = names;
    fmd_preset_names(names);
    printf("models for --model NAME, with the options that they set unless you do\n\n"
           "  %-12s %11s  %8s\n",
           "name", "parameters", "MFLOP");
    for (char *name; *names != '\0' && (name = strsep(&rest, "|")) != NULL;)
        FMD_TRY(print_preset(name));
    printf("\nMFLOP: of the forward pass of one grey image of 28 x 28 pixels. --model FILE.txt "
           "reads a\nmodel of your own in the same form; --model FILE.json one of Keras.\n");
    return FMD_OK;
}
