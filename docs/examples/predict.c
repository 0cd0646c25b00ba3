/* Classifies test images with a trained model. mpirun -np 2 ./predict MODEL [DATA SET] [IMAGES] */
#include <fmd/fmd.h>

#include <stdio.h>
#include <stdlib.h>

static bool same_shape(fmd_shape a, fmd_shape b)
{
    bool same = a.rank == b.rank;
    for (int i = 0; i < a.rank && same; i++)
        same = a.dim[i] == b.dim[i];
    return same;
}

static size_t most_probable(const float *probabilities, size_t classes)
{
    size_t best = 0;
    for (size_t k = 1; k < classes; k++)
        if (probabilities[k] > probabilities[best])
            best = k;
    return best;
}

static fmd_status run(fmd_comm *comm, const char *path, const char *name, size_t n)
{
    fmd_dataset *data;
    fmd_model *model;
    double divisor;
    FMD_TRY(fmd_model_load(&model, comm, path, &divisor));
    FMD_TRY(fmd_dataset_load(&data, comm, name, NULL));
    if (!same_shape(fmd_model_in(model), fmd_dataset_image_shape(data)))
        return FMD_FAIL(FMD_EUSAGE, "the images of %s have another shape than the model's", name);
    const size_t classes = (size_t)fmd_model_classes(model);
    const size_t all = fmd_dataset_size(data, FMD_SPLIT_TEST);
    if (n > all)
        n = all;
    float *p = (float *)calloc(n * classes, sizeof *p);
    if (p == NULL)
        return FMD_FAIL(FMD_ENOMEM, "no memory for the probabilities");
    FMD_TRY(
        fmd_model_predict(comm, model, fmd_dataset_images(data, FMD_SPLIT_TEST), n, divisor, p));
    for (size_t i = 0; i < n && fmd_comm_rank(comm) == 0; i++) {
        const size_t k = most_probable(p + i * classes, classes);
        printf("%zu %zu %.4f %s\n", i, k, (double)p[i * classes + k],
               fmd_dataset_class_name(data, (int)k));
    }
    free(p);
    fmd_dataset_destroy(data);
    fmd_model_destroy(model);
    return FMD_OK;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: predict MODEL [DATA SET] [IMAGES]\n");
        return FMD_EUSAGE;
    }
    fmd_comm *comm = NULL;
    fmd_status status = fmd_comm_open(&comm);
    if (status == FMD_OK)
        status = run(comm, argv[1], argc > 2 ? argv[2] : "fashion-mnist",
                     argc > 3 ? (size_t)atol(argv[3]) : 10);
    if (status != FMD_OK)
        fprintf(stderr, "predict: %s\n", fmd_error_message());
    fmd_comm_close(comm);
    return status;
}
