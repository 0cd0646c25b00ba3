#include "io/c_source/c_source_private.h"

#include "base/mem.h"
#include "io/atomic_file.h"

#include <errno.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "c_functions.h"

/* The section `name` of the functions, without its heading. */
static void print_function(const fmd_c_writer *w, const char *name)
{
    char heading[64];
    snprintf(heading, sizeof heading, "/*** %s ***/\n", name);
    const char *begin = strstr(c_functions, heading) + strlen(heading);
    const char *end = strstr(begin, "/*** ");
    fwrite(begin, 1, (size_t)(end - begin), w->out);
}

/* A text in a comment or string: printable ASCII, of which nothing ends either. */
static void print_plain(const fmd_c_writer *w, const char *text)
{
    for (; *text != '\0'; text++)
        fputc(*text >= ' ' && *text <= '~' && strchr("\"\\*?", *text) == NULL ? *text : '_',
              w->out);
}

/* A class name as a string literal: UTF-8 as octal escapes. */
static void print_string(const fmd_c_writer *w, const char *text)
{
    fputc('"', w->out);
    for (; *text != '\0'; text++)
        if (*text >= ' ' && *text <= '~' && strchr("\"\\?", *text) == NULL)
            fputc(*text, w->out);
        else
            fprintf(w->out, "\\%03o", (unsigned char)*text);
    fputc('"', w->out);
}

/* Floats behind the values of the model: the sums of a tile. */
static size_t winograd_floats(const fmd_c_writer *w)
{
    size_t most = 0;
    for (size_t i = 0; i < w->f->n; i++) {
        const fmd_forward_op *op = &w->f->ops[i];
        const size_t n = FMD_C_TILE * (size_t)op->conv.out_c;
        if (fmd_c_source_is_winograd(w, op) && n > most)
            most = n;
    }
    return most;
}

/* The function of an activation, whose names are Keras'; tanh is one of the C library. */
static const char *function_of(const fmd_forward_op *op)
{
    return strcmp(op->function, "tanh") == 0 ? "hyperbolic" : op->function;
}

static void print_activation(const fmd_c_writer *w, const fmd_forward_op *op, const char *x,
                             const char *y)
{
    const char *function = function_of(op);
    if (strcmp(function, "softmax") == 0)
        fprintf(w->out, "    softmax(%d, %d, %s, %s);\n", fmd_c_source_rows(op->out, 1),
                fmd_c_source_columns(op->out, 1), x, y);
    else if (strcmp(function, "leaky_relu") == 0) {
        fprintf(w->out, "    leaky_relu(%zu, ", fmd_shape_count(op->out));
        fmd_c_source_float(w, op->slope);
        fprintf(w->out, ", %s, %s);\n", x, y);
    } else
        fprintf(w->out, "    %s(%zu, %s, %s);\n", function, fmd_shape_count(op->out), x, y);
}

enum { PLACE = 48 };

static const char *place_of(const fmd_c_writer *w, int value, size_t more, char text[PLACE])
{
    const size_t place = fmd_buffers_place(&w->buffers, value) + more;
    if (value == (int)w->f->n - 1)
        snprintf(text, PLACE, "probabilities");
    else
        snprintf(text, PLACE, "workspace + %zu", place);
    return text;
}

static void print_product(const fmd_c_writer *w, size_t i, const char *x, const char *y)
{
    const fmd_forward_op *op = &w->f->ops[i];
    char name[FMD_C_NAME], bias[FMD_C_NAME + 8];
    fmd_c_source_name(w, i, name);
    snprintf(bias, sizeof bias, "%s%s", op->bias != NULL ? name : "NULL",
             op->bias != NULL ? "_bias" : "");
    if (op->kind == FMD_FORWARD_DENSE)
        fprintf(w->out, "    dense(%d, %d, %d, ", fmd_c_source_rows(op->in[0], 1),
                fmd_c_source_columns(op->in[0], 1), fmd_c_source_columns(op->out, 1));
    else if (fmd_c_source_is_winograd(w, op))
        fprintf(w->out, "    convolve_tiles(&%s_shape, workspace + %zu, ", name, w->buffers.floats);
    else
        fprintf(w->out, "    convolve(&%s_shape, ", name);
    fprintf(w->out, "%s, %s_kernel, %s, %s);\n", x, name, w->int8 ? "NULL" : bias, y);
    if (w->int8)
        fprintf(w->out, "    rescale(%d, %d, %s_scale, %s, %s);\n", fmd_c_source_rows(op->out, 1),
                fmd_c_source_columns(op->out, 1), name, bias, y);
}

static void print_merge(const fmd_c_writer *w, const fmd_forward_op *op, int value)
{
    char x[PLACE], y[PLACE], a[PLACE];
    const size_t n = fmd_shape_count(op->out);
    const int whole = fmd_c_source_columns(op->out, op->out.rank - op->axis);
    size_t offset = 0;
    if (op->kind == FMD_FORWARD_ADD) {
        place_of(w, op->inputs[0], 0, a);
        place_of(w, value, 0, y);
        for (int k = 1; k < op->n_inputs; k++)
            fprintf(w->out, "    add(%zu, %s, %s, %s);\n", n, k == 1 ? a : y,
                    place_of(w, op->inputs[k], 0, x), y);
        return;
    }
    for (int k = 0; k < op->n_inputs; k++) {
        const int run = fmd_c_source_columns(op->in[k], op->in[k].rank - op->axis);
        fprintf(w->out, "    concatenate(%d, %d, %d, %s, %s);\n",
                fmd_c_source_rows(op->out, op->out.rank - op->axis), run, whole,
                place_of(w, op->inputs[k], 0, x), place_of(w, value, offset, y));
        offset += (size_t)run;
    }
}

/* The call of an operation. */
static void print_call(const fmd_c_writer *w, size_t i)
{
    const fmd_forward_op *op = &w->f->ops[i];
    const fmd_shape in = op->in[0], out = op->out;
    const int c = fmd_c_source_columns(in, 1), rows = fmd_c_source_rows(in, 1);
    char name[FMD_C_NAME], x[PLACE], y[PLACE], from[FMD_SHAPE_TEXT], to[FMD_SHAPE_TEXT];
    fmd_c_source_name(w, i, name);
    place_of(w, op->inputs[0], 0, x);
    place_of(w, (int)i, 0, y);
    if (op->kind == FMD_FORWARD_RESHAPE)
        return;
    fprintf(w->out, "    /* %s: %s to %s */\n", op->layer->name, fmd_shape_text(in, 0, from),
            fmd_shape_text(out, 0, to));
    switch (op->kind) {
    case FMD_FORWARD_CONVOLUTION:
    case FMD_FORWARD_DENSE: print_product(w, i, x, y); break;
    case FMD_FORWARD_ACTIVATION: print_activation(w, op, x, y); break;
    case FMD_FORWARD_BATCH_NORMALIZATION:
        fprintf(w->out, "    batch_normalization(%d, %d, %s, %s_mean, %s_factor, %s_shift, %s);\n",
                rows, c, x, name, name, name, y);
        break;
    case FMD_FORWARD_LAYER_NORMALIZATION:
        fprintf(w->out, "    layer_normalization(%d, %d, %.17g, %s, ",
                fmd_c_source_rows(in, op->axes), fmd_c_source_columns(in, op->axes), op->epsilon,
                x);
        fprintf(w->out, "%s%s, ", op->gamma != NULL ? name : "NULL",
                op->gamma != NULL ? "_gamma" : "");
        fprintf(w->out, "%s%s, %s);\n", op->beta != NULL ? name : "NULL",
                op->beta != NULL ? "_beta" : "", y);
        break;
    case FMD_FORWARD_NORMALIZATION:
        fprintf(w->out, "    normalization(%d, %d, %s, %s_mean, %s_deviation, %s);\n", rows, c, x,
                name, name, y);
        break;
    case FMD_FORWARD_RESCALING:
        fprintf(w->out, "    rescaling(%zu, %s, ", fmd_shape_count(in), x);
        fmd_c_source_float(w, op->scale);
        fputs(", ", w->out);
        fmd_c_source_float(w, op->offset);
        fprintf(w->out, ", %s);\n", y);
        break;
    case FMD_FORWARD_MAX_POOL:
    case FMD_FORWARD_AVERAGE_POOL:
        fprintf(w->out, "    %s(&%s_shape, %s, %s);\n",
                op->kind == FMD_FORWARD_MAX_POOL ? "max_pool" : "average_pool", name, x, y);
        break;
    case FMD_FORWARD_GLOBAL_AVERAGE:
    case FMD_FORWARD_GLOBAL_MAX:
        fprintf(w->out, "    %s(%d, %d, %s, %s);\n",
                op->kind == FMD_FORWARD_GLOBAL_MAX ? "global_max" : "global_average", rows, c, x,
                y);
        break;
    case FMD_FORWARD_BORDER:
        fprintf(w->out, "    border(%d, %d, %d, %d, %d, %d, %d, %s, %s);\n", in.dim[0], in.dim[1],
                out.dim[0], out.dim[1], c, op->border.top, op->border.left, x, y);
        break;
    default: print_merge(w, op, (int)i); break;
    }
}

/* Whether the exported file calls a function. */
static bool needs(const fmd_c_writer *w, const char *function)
{
    static const struct {
        fmd_forward_kind kind;
        const char *functions;
    } of[] = {
        {FMD_FORWARD_CONVOLUTION, "|fma|convolution|"},
        {FMD_FORWARD_DENSE, "|fma|dense|"},
        {FMD_FORWARD_BATCH_NORMALIZATION, "|batch_normalization|"},
        {FMD_FORWARD_LAYER_NORMALIZATION, "|layer_normalization|"},
        {FMD_FORWARD_NORMALIZATION, "|normalization|"},
        {FMD_FORWARD_RESCALING, "|rescaling|"},
        {FMD_FORWARD_MAX_POOL, "|pool|max_pool|"},
        {FMD_FORWARD_AVERAGE_POOL, "|pool|average_pool|"},
        {FMD_FORWARD_GLOBAL_AVERAGE, "|global_average|"},
        {FMD_FORWARD_GLOBAL_MAX, "|global_max|"},
        {FMD_FORWARD_ADD, "|add|"},
        {FMD_FORWARD_CONCATENATE, "|concatenate|"},
        {FMD_FORWARD_BORDER, "|border|"},
    };
    char word[64];
    snprintf(word, sizeof word, "|%s|", function);
    if (strstr("|exponential|clamp|softmax|best|main|", word) != NULL)
        return true;
    for (size_t i = 0; i < w->f->n; i++) {
        const fmd_forward_op *op = &w->f->ops[i];
        const bool product = op->kind == FMD_FORWARD_CONVOLUTION || op->kind == FMD_FORWARD_DENSE;
        if (op->kind == FMD_FORWARD_ACTIVATION && strcmp(function_of(op), function) == 0)
            return true;
        if (w->int8 && product && strcmp(function, "rescale") == 0)
            return true;
        if (op->kind == FMD_FORWARD_CONVOLUTION &&
            strcmp(function, fmd_c_source_is_winograd(w, op) ? "winograd" : "direct") == 0)
            return true;
        for (size_t k = 0; k < sizeof of / sizeof *of; k++)
            if (of[k].kind == op->kind && strstr(of[k].functions, word) != NULL)
                return true;
    }
    return false;
}

static void print_functions(const fmd_c_writer *w, bool main)
{
    for (const char *at = c_functions; (at = strstr(at, "/*** ")) != NULL; at++) {
        char name[32];
        if (sscanf(at, "/*** %31s", name) != 1 || strcmp(name, "end") == 0)
            continue;
        if (needs(w, name) && (strcmp(name, "main") == 0) == main)
            print_function(w, name);
    }
}

static void print_head(const fmd_c_writer *w)
{
    const fmd_shape in = w->f->in;
    const int channels = in.rank == 3 ? in.dim[2] : 1;
    fputs("/* A trained model as C source, with no dependency but the C library.\n *\n", w->out);
    for (size_t i = 0; i < w->about->n_notes; i++) {
        fprintf(w->out, " * %s: ", w->about->notes[i].key);
        print_plain(w, w->about->notes[i].text);
        fputs("\n", w->out);
    }
    fprintf(w->out,
            " *\n"
            " *   int model_predict(const unsigned char *pixels, float *workspace,\n"
            " *                     float *probabilities);\n"
            " *\n"
            " * takes one image, %d rows of %d pixels of %d byte%s each, 0 to 255. It fills\n"
            " * `probabilities`, one for each of %d classes, and returns the most probable class.\n"
            " * `workspace` has MODEL_WORKSPACE floats; calls with different ones may run at the\n"
            " * same time. Nothing is allocated, and there is no other state.\n *\n",
            in.dim[0], in.rank > 1 ? in.dim[1] : 1, channels, channels == 1 ? "" : "s",
            fmd_model_classes(w->f->model));
    if (w->int8)
        fputs(" * Kernels are signed bytes with a scale for each output channel.\n", w->out);
    else if (w->about->same_bits)
        fputs(" * The probabilities have the bits of `fmnist-dist predict`.\n", w->out);
    fputs(" * -DMODEL_MAIN adds a program: cc -O3 -std=c99 -DMODEL_MAIN THIS_FILE -lm, then\n"
          " * ./a.out IMAGE. -march=native makes it several times as fast. */\n"
          "#include <float.h>\n#include <math.h>\n#include <stddef.h>\n#include <string.h>\n\n"
          "/* Products and sums are rounded one by one, but for those of MODEL_FMA. */\n"
          "#if defined(__clang__)\n#pragma STDC FP_CONTRACT OFF\n"
          "#elif defined(__GNUC__)\n#pragma GCC optimize(\"fp-contract=off\")\n#endif\n",
          w->out);
    fprintf(w->out,
            "\nenum {\n    MODEL_HEIGHT = %d,\n    MODEL_WIDTH = %d,\n    MODEL_CHANNELS = %d,\n"
            "    MODEL_PIXELS = %zu,\n    MODEL_CLASSES = %d,\n    MODEL_WORKSPACE = %zu\n};\n",
            in.dim[0], in.rank > 1 ? in.dim[1] : 1, channels, fmd_shape_count(in),
            fmd_model_classes(w->f->model), w->buffers.floats + winograd_floats(w));
    fputs("\nint model_predict(const unsigned char *pixels, float *workspace, float "
          "*probabilities);\nextern const char *const model_class_names[MODEL_CLASSES];\n"
          "\nconst char *const model_class_names[MODEL_CLASSES] = {\n",
          w->out);
    for (int i = 0; i < fmd_model_classes(w->f->model); i++) {
        fputs("    ", w->out);
        print_string(w, w->about->class_names[i]);
        fputs(",\n", w->out);
    }
    fprintf(w->out, "};\n\ntypedef %s weight;\n\n", w->int8 ? "signed char" : "float");
}

static void print_predict(const fmd_c_writer *w)
{
    char scores[PLACE];
    const int last = (int)w->f->n - 1;
    fputs("\nint model_predict(const unsigned char *pixels, float *workspace, float "
          "*probabilities)\n{\n    int i;\n    for (i = 0; i < MODEL_PIXELS; i++)\n        "
          "workspace[i] = (float)pixels[i]",
          w->out);
    if (w->about->divisor != 1)
        fprintf(w->out, " / %.1ff", (double)w->about->divisor);
    fputs(";\n", w->out);
    for (int i = 0; i < last; i++)
        print_call(w, (size_t)i);
    place_of(w, w->f->ops[last].inputs[0], 0, scores);
    fprintf(w->out,
            "    softmax(1, MODEL_CLASSES, %s, probabilities);\n    return best(%s);\n}\n\n",
            scores, scores);
}

static fmd_status print_all(fmd_c_writer *w)
{
    print_head(w);
    print_functions(w, false);
    for (size_t i = 0; i < w->f->n; i++)
        FMD_TRY(fmd_c_source_constants(w, i));
    print_predict(w);
    print_functions(w, true);
    return FMD_OK;
}

/* Indices of the exported functions are int. */
static fmd_status check_sizes(const fmd_c_writer *w)
{
    size_t most = w->buffers.floats + winograd_floats(w);
    for (size_t i = 0; i < w->f->n; i++) {
        const fmd_forward_op *op = &w->f->ops[i];
        const size_t n = op->kernel != NULL ? fmd_c_source_kernel_values(w, op) : 0;
        most = n > most ? n : most;
    }
    if (most > INT_MAX)
        return FMD_FAIL(FMD_EUSAGE, "--format c: the model is too large: %zu values in one array",
                        most);
    return FMD_OK;
}

fmd_status fmd_c_source_write(const char *path, const fmd_forward *f,
                              const fmd_forward_about *about, bool int8)
{
    char *text = NULL;
    size_t bytes = 0;
    fmd_c_writer w = {.f = f, .about = about, .int8 = int8};
    fmd_status st = fmd_buffers_create(&w.buffers, f);
    if (st == FMD_OK)
        st = check_sizes(&w);
    if (st == FMD_OK && (w.out = open_memstream(&text, &bytes)) == NULL)
        st = FMD_FAIL(FMD_ENOMEM, "out of memory: the C source of the model");
    if (st == FMD_OK) {
        st = print_all(&w);
        const bool failed = ferror(w.out) != 0;
        if ((fclose(w.out) != 0 || failed) && st == FMD_OK)
            st = FMD_FAIL(FMD_ENOMEM, "out of memory: the C source of the model");
    }
    if (st == FMD_OK)
        st = fmd_atomic_file_write(path, text, bytes);
    free(text);
    fmd_buffers_free(&w.buffers);
    return st;
}
