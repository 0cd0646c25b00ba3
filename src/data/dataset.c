#include "data/dataset.h"

#include "base/mem.h"

#include <string.h>

/* The readers' limits on images keep the sum from overflowing. */
size_t fmd_dataset_layout(const fmd_dataset_info *info, size_t offset[FMD_DATASET_FILES])
{
    size_t image = info->streamed ? 0 : fmd_shape_count(info->image), total = 0;
    size_t bytes[FMD_DATASET_FILES] = {[FMD_TRAIN_IMAGES] = info->n_train * image,
                                       [FMD_TRAIN_LABELS] = info->n_train,
                                       [FMD_TEST_IMAGES] = info->n_test * image,
                                       [FMD_TEST_LABELS] = info->n_test};
    for (int i = 0; i < FMD_DATASET_FILES; i++) {
        offset[i] = total;
        total += (bytes[i] + FMD_ALIGN - 1) / FMD_ALIGN * FMD_ALIGN;
    }
    return total;
}

void fmd_dataset_view(fmd_dataset *out, const fmd_dataset_info *info, const void *memory)
{
    const uint8_t *base = memory;
    size_t offset[FMD_DATASET_FILES];
    fmd_dataset_layout(info, offset);
    *out = (fmd_dataset){
        .info = *info,
        .train = {.n = info->n_train,
                  .images = info->streamed ? NULL : base + offset[FMD_TRAIN_IMAGES],
                  .labels = base + offset[FMD_TRAIN_LABELS]},
        .test = {.n = info->n_test,
                 .images = info->streamed ? NULL : base + offset[FMD_TEST_IMAGES],
                 .labels = base + offset[FMD_TEST_LABELS]},
    };
}

fmd_split fmd_split_part(const fmd_split *s, size_t first, size_t n, size_t bytes)
{
    if (s->index != NULL) {
        fmd_split part = *s;
        part.n = n;
        part.index = s->index + first;
        return part;
    }
    return (fmd_split){.n = n,
                       .images = s->images != NULL ? s->images + first * bytes : NULL,
                       .labels = s->labels != NULL ? s->labels + first : NULL,
                       .stream = s->stream,
                       .first = s->first + first};
}

fmd_shape fmd_dataset_part_shape(const fmd_dataset_info *info, int part)
{
    return part == FMD_TRAIN_IMAGES || part == FMD_TEST_IMAGES ? info->image
                                                               : (fmd_shape){.rank = 0};
}

const char *fmd_dataset_key(int part)
{
    static const char *const keys[FMD_DATASET_FILES] = {[FMD_TRAIN_IMAGES] = "train_images",
                                                        [FMD_TRAIN_LABELS] = "train_labels",
                                                        [FMD_TEST_IMAGES] = "test_images",
                                                        [FMD_TEST_LABELS] = "test_labels"};
    return keys[part];
}

const char *fmd_class_name(const fmd_dataset_info *info, int label)
{
    return label >= 0 && label < FMD_CLASSES_MAX ? info->class_names[label] : "";
}

void fmd_split_count(const fmd_split *split, size_t images[FMD_CLASSES_MAX])
{
    memset(images, 0, FMD_CLASSES_MAX * sizeof *images);
    for (size_t i = 0; i < split->n; i++)
        images[split->labels[split->index != NULL ? split->index[i] : i]]++;
}

int fmd_split_unmatched(const fmd_split *a, const fmd_split *b)
{
    size_t in_a[FMD_CLASSES_MAX], in_b[FMD_CLASSES_MAX];
    int n = 0;
    fmd_split_count(a, in_a);
    fmd_split_count(b, in_b);
    for (int i = 0; i < FMD_CLASSES_MAX; i++)
        n += in_a[i] > 0 && in_b[i] == 0;
    return n;
}
