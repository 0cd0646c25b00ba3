/* make_exports FOLDER: for each layer of the registry, each activation and some graphs, a small model
 * with random values, exported in all forms, with images and the probabilities of this program.
 *
 * NAME.c, NAME-int8.c, NAME-folded.c, NAME.onnx (bytes), NAME-float.onnx, NAME-folded.onnx, NAME.raw
 * (images), NAME.expected (float32). Prints the names. */
#include "base/mem.h"
#include "base/version.h"
#include "io/c_source/c_source.h"
#include "io/onnx/onnx.h"
#include "math/gemm.h"
#include "nn/activations/activation.h"
#include "nn/losses/loss.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(name) +1
enum { IMAGES = 7, SPEC = 1024, PATH = 1200, ACTIVATIONS = 0 FMD_ACTIVATION_LIST(COUNT) };

static uint32_t state = 1;

static uint32_t draw(void)
{
    state = state * 1664525u + 1013904223u;
    return state >> 8;
}

/* Ends the program if something failed. */
static void must(fmd_status st, const char *name)
{
    if (st == FMD_OK)
        return;
    fprintf(stderr, "%s: %s\n", name, fmd_error_message());
    exit(1);
}

static void write_bytes(const char *folder, const char *name, const char *ending, const void *data,
                        size_t bytes)
{
    char path[PATH];
    snprintf(path, sizeof path, "%s/%s%s", folder, name, ending);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(data, 1, bytes, file) != bytes || fclose(file) != 0) {
        fprintf(stderr, "cannot write %s\n", path);
        exit(1);
    }
}

static void write_forms(const char *folder, const char *name, const fmd_model *m, bool fold)
{
    static const char *const classes[256] = {"\"zero\" \\0?\?/", "\xc3\xa4rmel*/", ""};
    static const fmd_forward_note notes[] = {{"layers", "*/ \" \\ \n#error \xe9"}};
    const char *names[256];
    const bool onnx = fmd_part_require("", "ONNX") == FMD_OK;
    fmd_forward_about about = {.divisor = 255, .class_names = names, .notes = notes, .n_notes = 1};
    fmd_forward f;
    char path[PATH];
    for (size_t i = 0; i < 256; i++)
        names[i] = classes[i] != NULL ? classes[i] : "";
    must(fmd_forward_create(&f, m, fold), name);
    snprintf(path, sizeof path, "%s/%s%s.c", folder, name, fold ? "-folded" : "");
    must(fmd_c_source_write(path, &f, &about, false), name);
    snprintf(path, sizeof path, "%s/%s-int8.c", folder, name);
    if (!fold)
        must(fmd_c_source_write(path, &f, &about, true), name);
    snprintf(path, sizeof path, "%s/%s%s.onnx", folder, name, fold ? "-folded" : "");
    if (onnx)
        must(fmd_onnx_write(path, &f, &about, true), name);
    snprintf(path, sizeof path, "%s/%s-float.onnx", folder, name);
    if (onnx && !fold)
        must(fmd_onnx_write(path, &f, &about, false), name);
    fmd_forward_free(&f);
}

/* Gaussian-like values of the size that keeps sums near 1; positive variances. */
static void fill(const fmd_model *m)
{
    for (size_t i = 0; i < fmd_model_n_tensors(m); i++) {
        const fmd_tensor *t = fmd_model_tensor(m, i);
        float *values = fmd_model_params(m) + t->offset;
        for (size_t k = 0; k < t->count; k++) {
            const float u = (float)draw() * 0x1p-23f - 1;
            const bool positive = strcmp(t->name, "moving_variance") == 0;
            values[k] = positive ? 0.2f + u * u : 0.5f * u + (t->shape.rank == 1 ? 0.1f : 0);
        }
    }
}

static void export_model(const char *folder, const char *name, const char *layers, fmd_shape in)
{
    fmd_model *m;
    uint8_t *pixels;
    float *probabilities;
    must(fmd_model_create(&m, layers, in, IMAGES), name);
    fill(m);
    const size_t n = IMAGES * fmd_shape_count(fmd_model_in(m));
    const size_t classes = (size_t)fmd_model_classes(m);
    must(fmd_alloc(&pixels, n, 1, name), name);
    must(fmd_alloc(&probabilities, IMAGES * classes, sizeof(float), name), name);
    for (size_t i = 0; i < n; i++) {
        pixels[i] = draw() % 3 == 0 ? 0 : (uint8_t)(draw() % 256);
        fmd_model_input(m)[i] = (float)pixels[i] / 255;
    }
    const fmd_pass pass = {.microbatches = 1, .microbatch_size = IMAGES};
    fmd_softmax_rows(IMAGES, classes, fmd_model_forward(m, &pass, NULL), probabilities);
    write_bytes(folder, name, ".raw", pixels, n);
    write_bytes(folder, name, ".expected", probabilities, IMAGES * classes * sizeof(float));
    write_forms(folder, name, m, false);
    write_forms(folder, name, m, true);
    printf("%s\n", name);
    free(pixels);
    free(probabilities);
    fmd_model_destroy(m);
}

/* Graphs and geometries that the examples of the layers leave out. */
static const struct {
    const char *layers;
    fmd_shape in;
} further[] = {
    {"conv2d:20:3:relu@a,max_pooling2d@b,from:a,conv2d:20:2:valid:strides=2,add:b,flatten,dense:4",
     {3, {9, 8, 3}}},
    {"conv2d:3:3:same@a,from:input,conv2d:2:3:same,concatenate:a,flatten,relu,dense:5:gelu",
     {2, {7, 6}}},
    {"conv2d:4:2@a,conv2d:4:2:same,concatenate:a:axis=1,global_max_pooling2d", {3, {6, 5, 2}}},
    {"conv2d:18:3:dilation_rate=2:same,batch_normalization,relu,conv2d:18:3:groups=3:nobias,"
     "batch_normalization:noscale,global_average_pooling2d",
     {3, {9, 9, 9}}},
    {"depthwise_conv2d:3:strides=2:same,batch_normalization:nocenter,dropout:0.3,"
     "separable_conv2d:6:3:same:depth_multiplier=2,batch_normalization,activation:softmax,flatten",
     {3, {8, 7, 4}}},
    {"random_flip,zero_padding2d:2,random_crop:9:8,random_translation:0.1:0.1,random_erasing,"
     "rescaling:2:-1,normalization:0.4x0.5:0.2x0.3,conv2d:6:3,layer_normalization,flatten",
     {3, {8, 7, 2}}},
    {"flatten,dense:24:sigmoid,reshape:4x3x2,conv2d:5:2:elu,flatten,softmax,dense:12:tanh,"
     "batch_normalization,leaky_re_lu:0.1,dropout:0.5",
     {2, {5, 5}}},
    {"dense:6:leaky_relu,batch_normalization,max_pooling2d:3:2:same,average_pooling2d:3:strides=2:"
     "padding=same,flatten,batch_normalization,layer_normalization:nocenter:noscale",
     {3, {11, 10, 2}}},
    {"conv2d:5:1:relu,global_average_pooling2d:keepdims,conv2d:6:1,flatten", {3, {4, 4, 3}}},
    {"separable_conv2d:4:2,separable_conv2d:5:2:relu,separable_conv2d:3:2:nobias,flatten",
     {3, {7, 6, 2}}},
    {"max_pooling2d:1:3,conv2d:4:5:same:strides=3,rescaling:0.5:0.1,spatial_dropout2d:0.1,flatten"
     "@x,add:x:x",
     {3, {8, 8, 1}}},
};

static void export_layer(const char *folder, const fmd_layer_ops *ops)
{
    char layers[SPEC];
    snprintf(layers, sizeof layers, "%s%s,flatten,dense:6:softmax", ops->example,
             ops->merges ? ":input:input" : "");
    export_model(folder, ops->name, layers, ops->example_in);
}

int main(int argc, char **argv)
{
    char layers[SPEC], name[64], activation[FMD_OPTION_TEXT_BYTES];
    const fmd_layer_ops *ops;
    if (argc != 2)
        return 64;
    must(fmd_math_open(FMD_GEMM_OWN, 1), "math");
    for (size_t i = 0; (ops = fmd_layer_ops_at(i)) != NULL; i++)
        export_layer(argv[1], ops);
    for (int i = 0; i < ACTIVATIONS; i++) {
        fmd_choice_text(FMD_ACTIVATION_NAMES, i, activation);
        snprintf(layers, sizeof layers, "conv2d:4:2:%.40s,flatten,dense:7:%.40s,dense:6:softmax",
                 activation, activation);
        snprintf(name, sizeof name, "function_%.40s", activation);
        export_model(argv[1], name, layers, (fmd_shape){3, {4, 5, 3}});
    }
    for (size_t i = 0; i < sizeof further / sizeof *further; i++) {
        snprintf(layers, sizeof layers, "%s,flatten,dense:5:softmax", further[i].layers);
        snprintf(name, sizeof name, "graph_%zu", i);
        export_model(argv[1], name, layers, further[i].in);
    }
    return 0;
}
