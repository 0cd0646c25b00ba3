/* Weights of the classes in the training loss, from the text of --class-weight. */
#ifndef FMD_DATA_CLASS_WEIGHT_H
#define FMD_DATA_CLASS_WEIGHT_H

#include "data/dataset.h"

/* Local. "balanced": images / (classes * images of the class) over `train`, as scikit-learn; classes
 * without images do not count and weigh 1. Otherwise "CLASS=W,...": a class is a label or a name, and
 * the others weigh 1, as in Keras. FMD_EUSAGE. */
FMD_CHECKED fmd_status fmd_class_weight_parse(float weights[FMD_CLASSES_MAX], const char *text,
                                              const fmd_dataset_info *info, const fmd_split *train);

#endif
