#include "io/onnx/onnx_private.h"

#include "base/mem.h"
#include "fmd/version.h"
#include "io/atomic_file.h"
#include "io/json/json_value.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { OPSET = 17, IR_VERSION = 8 };

/* Most nodes and constants of an operation besides those of its inputs, and bytes for them. */
enum { OP_NODES = 8, OP_TENSORS = 8, OP_BYTES = 8192 };

/* The input and what makes floats of it. */
static Onnx__ValueInfo *begin(fmd_onnx_writer *w, bool uint8)
{
    const fmd_shape in = w->f->in;
    Onnx__ValueInfo *pixels = fmd_onnx_value(
        &w->b, "pixels", uint8 ? FMD_ONNX_UINT8 : FMD_ONNX_FLOAT, (size_t)in.rank, in.dim);
    char *x = pixels->name;
    w->layer = "pixels";
    pixels->doc_string = fmd_onnx_text(&w->b, "images with values from 0 to 255");
    if (uint8) {
        Onnx__Node *cast = fmd_onnx_node(&w->b, w->layer, "Cast", x, NULL, NULL);
        fmd_onnx_set_int(&w->b, cast, "to", FMD_ONNX_FLOAT);
        x = cast->name;
    }
    if (w->about->divisor != 1)
        x = fmd_onnx_node(&w->b, w->layer, "Div", x,
                          fmd_onnx_float(&w->b, w->layer, w->about->divisor), NULL)
                ->name;
    w->values[0] = (fmd_onnx_layouts){.plain = x, .shape = in};
    return pixels;
}

/* A JSON array of the names of the classes; NULL: out of memory. */
static char *class_names(const fmd_forward *f, const fmd_forward_about *about)
{
    json_t *names = json_array();
    int failed = names == NULL;
    for (int i = 0; i < fmd_model_classes(f->model); i++)
        failed |= json_array_append_new(names, json_string(about->class_names[i]));
    char *text = failed ? NULL : fmd_json_print(names, false);
    json_decref(names);
    return text;
}

static void add_entry(fmd_onnx_writer *w, Onnx__Model *m, const char *key, const char *text)
{
    const Onnx__Entry empty = ONNX__ENTRY__INIT;
    Onnx__Entry *e = fmd_onnx_keep(&w->b, sizeof *e);
    *e = empty;
    e->key = fmd_onnx_text(&w->b, key);
    e->value = fmd_onnx_text(&w->b, text);
    m->metadata_props[m->n_metadata_props++] = e;
}

static fmd_status pack(const char *path, const Onnx__Model *m)
{
    const size_t bytes = onnx__model__get_packed_size(m);
    uint8_t *data;
    if (bytes > INT_MAX)
        return FMD_FAIL(FMD_EUSAGE,
                        "--format onnx: the model has %zu bytes, but a file of ONNX at "
                        "most 2 GiB",
                        bytes);
    FMD_TRY(fmd_alloc(&data, bytes, 1, "the ONNX file"));
    onnx__model__pack(m, data);
    const fmd_status st = fmd_atomic_file_write(path, data, bytes);
    free(data);
    return st;
}

static fmd_status write_graph(fmd_onnx_writer *w, const char *path, const char *names, bool uint8)
{
    char output[] = "probabilities", title[] = "model", producer[] = "fmnist-dist",
         version[] = FMD_VERSION, domain[] = "";
    const fmd_forward_op *last = &w->f->ops[w->f->n - 1];
    Onnx__ValueInfo *in = begin(w, uint8);
    for (size_t i = 0; i + 1 < w->f->n; i++)
        fmd_onnx_write_op(w, i);
    Onnx__ValueInfo *out = fmd_onnx_value(&w->b, output, FMD_ONNX_FLOAT, 1, last->out.dim);
    w->layer = last->layer->name;
    fmd_onnx_write_softmax(w, last, &w->values[w->f->n], out->name);
    w->b.graph.name = title;
    w->b.graph.input = &in;
    w->b.graph.n_input = 1;
    w->b.graph.output = &out;
    w->b.graph.n_output = 1;
    Onnx__OperatorSet set = ONNX__OPERATOR_SET__INIT, *sets[] = {&set};
    set.domain = domain;
    set.has_version = true;
    set.version = OPSET;
    Onnx__Model m = ONNX__MODEL__INIT;
    m.has_ir_version = true;
    m.ir_version = IR_VERSION;
    m.producer_name = producer;
    m.producer_version = version;
    m.graph = &w->b.graph;
    m.opset_import = sets;
    m.n_opset_import = 1;
    m.metadata_props = fmd_onnx_keep(&w->b, (w->about->n_notes + 1) * sizeof(void *));
    add_entry(w, &m, "class_names", names);
    for (size_t i = 0; i < w->about->n_notes; i++)
        add_entry(w, &m, w->about->notes[i].key, w->about->notes[i].text);
    if (w->b.full)
        return FMD_FAIL(FMD_EINTERNAL, "export: the memory for an ONNX graph was misjudged");
    return pack(path, &m);
}

/* Copies of kernels and channels, and texts. */
static size_t bytes_needed(const fmd_forward *f, const fmd_forward_about *about, const char *names)
{
    size_t bytes = ((size_t)1 << 16) + strlen(names);
    for (size_t i = 0; i < about->n_notes; i++)
        bytes += strlen(about->notes[i].text) + 256;
    for (size_t i = 0; i < f->n; i++) {
        const fmd_forward_op *op = &f->ops[i];
        bytes += OP_BYTES + (size_t)op->n_inputs * 1024;
        bytes += 4 * fmd_onnx_last_dim(op->out) * sizeof(float);
        if (op->kind == FMD_FORWARD_LAYER_NORMALIZATION)
            bytes += fmd_shape_count(op->out) * sizeof(float);
        if (op->kind == FMD_FORWARD_DENSE)
            bytes += fmd_onnx_last_dim(op->in[0]) * fmd_onnx_last_dim(op->out) * sizeof(float);
        if (op->kind == FMD_FORWARD_CONVOLUTION)
            bytes += (size_t)(op->conv.kernel_h * op->conv.kernel_w) *
                     (size_t)(op->conv.in_c / op->conv.groups) * (size_t)op->conv.out_c *
                     sizeof(float);
    }
    return bytes;
}

fmd_status fmd_onnx_write(const char *path, const fmd_forward *f, const fmd_forward_about *about,
                          bool uint8)
{
    fmd_onnx_writer w = {.f = f, .about = about};
    size_t nodes = OP_NODES, tensors = OP_TENSORS;
    for (size_t i = 0; i < f->n; i++) {
        nodes += OP_NODES + 3 * (size_t)f->ops[i].n_inputs;
        tensors += OP_TENSORS + 3 * (size_t)f->ops[i].n_inputs;
    }
    char *names = class_names(f, about);
    if (names == NULL)
        return FMD_FAIL(FMD_ENOMEM, "out of memory: the names of the classes");
    fmd_status st = fmd_alloc(&w.values, f->n + 1, sizeof *w.values, "the ONNX graph");
    if (st == FMD_OK)
        st = fmd_onnx_builder_create(&w.b, nodes, tensors, bytes_needed(f, about, names));
    if (st == FMD_OK)
        st = write_graph(&w, path, names, uint8);
    fmd_onnx_builder_free(&w.b);
    free(w.values);
    free(names);
    return st;
}
