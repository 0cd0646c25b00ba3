/* Models in text files, with the training options that suit them.
 *
 * Lines of a file: comments (#), training options ("--epochs 12"), and layers as in --layers. The
 * word CLASSES is the number of classes of the data set. Those that are installed have names: presets. */
#ifndef FMD_CLI_PRESET_H
#define FMD_CLI_PRESET_H

#include "run/config.h"

enum { FMD_PRESET_OPTIONS = 8, FMD_PRESET_TEXT = 128 };

typedef struct fmd_preset {
    char layers[FMD_CONFIG_LAYERS_BYTES];
    char name[64];                  /* of the file, without its ending */
    char about[FMD_PRESET_TEXT];    /* the first comment */
    char measured[FMD_PRESET_TEXT]; /* the comment that begins with "measured: ", or empty */
    size_t n;                       /* options */
    const fmd_option *option[FMD_PRESET_OPTIONS];
    char value[FMD_PRESET_OPTIONS][FMD_PRESET_TEXT];
} fmd_preset;

/* Local. The file for the value of --model: the preset of this name, or a file that ends in ".txt".
 * Empty: it is another file, which Keras wrote. FMD_EUSAGE names the nearest preset. */
FMD_CHECKED fmd_status fmd_preset_find(char path[FMD_PATH_BYTES], const char *name);

/* Local. Reads a file. FMD_ENOINPUT, FMD_EIO; FMD_EDATA names the line. */
FMD_CHECKED fmd_status fmd_preset_read(fmd_preset *p, const char *path);

/* Local. Sets the name of the model and the preset's options, but for those of which the user gave one
 * or another that decides the same. */
FMD_CHECKED fmd_status fmd_preset_apply(const fmd_preset *p, fmd_config *config, const bool *given);

/* Local. The names of all presets in alphabetical order, "convnet|lenet5". */
void fmd_preset_names(char names[FMD_OPTION_TEXT_BYTES]);

/* Local. Prints all presets: parameters and FLOP for grey images of 28 x 28, options, figures. */
FMD_CHECKED fmd_status fmd_preset_list(void);

#endif
