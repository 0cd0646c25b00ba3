#include "data/class_weight.h"

#include "base/option.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void balance(float weights[FMD_CLASSES_MAX], const fmd_split *train)
{
    size_t images[FMD_CLASSES_MAX], classes = 0;
    fmd_split_count(train, images);
    for (size_t k = 0; k < FMD_CLASSES_MAX; k++)
        classes += images[k] > 0;
    for (size_t k = 0; k < FMD_CLASSES_MAX; k++)
        if (images[k] > 0)
            weights[k] = (float)((double)train->n / ((double)classes * (double)images[k]));
}

/* The label of a class, given by number or name; -1: there is none. */
static int find_class(const fmd_dataset_info *info, const char *text)
{
    char *end;
    const long label = strtol(text, &end, 10);
    if (end != text && *end == '\0')
        return label >= 0 && label < info->classes ? (int)label : -1;
    for (int k = 0; k < info->classes; k++)
        if (*text != '\0' && strcasecmp(fmd_class_name(info, k), text) == 0)
            return k;
    return -1;
}

fmd_status fmd_class_weight_parse(float weights[FMD_CLASSES_MAX], const char *text,
                                  const fmd_dataset_info *info, const fmd_split *train)
{
    static const char label[] = "--class-weight";
    const double most = 1e6;
    char copy[FMD_OPTION_TEXT_BYTES], *rest = copy;
    bool given[FMD_CLASSES_MAX] = {false};
    for (size_t k = 0; k < FMD_CLASSES_MAX; k++)
        weights[k] = 1;
    if (strcmp(text, "balanced") == 0) {
        balance(weights, train);
        return FMD_OK;
    }
    snprintf(copy, sizeof copy, "%s", text);
    for (char *class; rest != NULL && (class = strsep(&rest, ",")) != NULL;) {
        char *number = class, *end;
        strsep(&number, "=");
        if (number == NULL)
            return FMD_FAIL(FMD_EUSAGE,
                            "%s: '%s' is not none, balanced or a list of CLASS=WEIGHT, e.g. "
                            "0=1,6=2.5",
                            label, text);
        const int k = find_class(info, class);
        if (k < 0)
            return FMD_FAIL(FMD_EUSAGE, "%s: '%s' is not a class: give a label from 0 to %d%s",
                            label, class, info->classes - 1,
                            *fmd_class_name(info, 0) != '\0' ? " or a name" : "");
        if (given[k])
            return FMD_FAIL(FMD_EUSAGE, "%s: class %d is given twice", label, k);
        given[k] = true;
        const double weight = strtod(number, &end);
        if (end == number || *end != '\0' || !(weight >= 0) || weight > most)
            return FMD_FAIL(FMD_EUSAGE, "%s: '%s' is not a weight from 0 to %g", label, number,
                            most);
        weights[k] = (float)weight;
    }
    return FMD_OK;
}
