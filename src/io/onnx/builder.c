#include "io/onnx/builder.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGN = 16, INPUTS = 3, ATTRIBUTES = 8 };

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "raw data are little-endian");

void *fmd_onnx_keep(fmd_onnx_builder *b, size_t bytes)
{
    const size_t rounded = (bytes + ALIGN - 1) / ALIGN * ALIGN;
    b->full = b->full || rounded > b->bytes - b->used;
    if (b->full)
        return b->memory; /* nothing is written any more */
    void *at = b->memory + b->used;
    b->used += rounded;
    return at;
}

char *fmd_onnx_text(fmd_onnx_builder *b, const char *text)
{
    const size_t bytes = strlen(text) + 1;
    char *copy = memcpy(fmd_onnx_keep(b, bytes), text, bytes);
    for (char *at = copy; *at != '\0';) {
        uint32_t character;
        const size_t n = fmd_utf8_decode(at, &character);
        if (n == 0)
            *at = '?';
        at += n > 0 ? n : 1;
    }
    return copy;
}

fmd_status fmd_onnx_builder_create(fmd_onnx_builder *b, size_t nodes, size_t tensors, size_t bytes)
{
    const Onnx__Graph empty = ONNX__GRAPH__INIT;
    *b = (fmd_onnx_builder){.graph = empty, .most_nodes = nodes, .most_tensors = tensors};
    b->bytes = bytes + (nodes + tensors + 4) * sizeof(void *);
    FMD_TRY(fmd_alloc(&b->memory, b->bytes, 1, "the ONNX graph"));
    b->graph.node = fmd_onnx_keep(b, nodes * sizeof(void *));
    b->graph.initializer = fmd_onnx_keep(b, tensors * sizeof(void *));
    return FMD_OK;
}

void fmd_onnx_builder_free(fmd_onnx_builder *b)
{
    free(b->memory);
    b->memory = NULL;
}

static char *new_name(fmd_onnx_builder *b, const char *layer, const char *kind)
{
    char name[FMD_ONNX_NAME];
    snprintf(name, sizeof name, "%s_%s_%d", layer, kind, b->names++);
    return fmd_onnx_text(b, name);
}

Onnx__Node *fmd_onnx_node_named(fmd_onnx_builder *b, char *name, const char *type, char *x)
{
    const Onnx__Node empty = ONNX__NODE__INIT;
    Onnx__Node *node = fmd_onnx_keep(b, sizeof *node);
    b->full = b->full || b->graph.n_node == b->most_nodes;
    if (!b->full)
        b->graph.node[b->graph.n_node++] = node;
    *node = empty;
    node->name = name;
    node->op_type = fmd_onnx_text(b, type);
    node->input = fmd_onnx_keep(b, INPUTS * sizeof *node->input);
    node->output = fmd_onnx_keep(b, sizeof *node->output);
    node->attribute = fmd_onnx_keep(b, ATTRIBUTES * sizeof(void *));
    if (b->full)
        return node;
    node->output[0] = name;
    node->n_output = 1;
    node->input[0] = x;
    node->n_input = 1;
    return node;
}

Onnx__Node *fmd_onnx_node(fmd_onnx_builder *b, const char *layer, const char *type, char *x,
                          char *y, char *z)
{
    Onnx__Node *node = fmd_onnx_node_named(b, new_name(b, layer, type), type, x);
    if (y != NULL && !b->full)
        node->input[node->n_input++] = y;
    if (y != NULL && z != NULL && !b->full)
        node->input[node->n_input++] = z;
    return node;
}

void fmd_onnx_add_input(fmd_onnx_builder *b, Onnx__Node *node, char *input, size_t most)
{
    if (node->n_input == 1) {
        char **more = fmd_onnx_keep(b, most * sizeof *more);
        if (b->full)
            return;
        more[0] = node->input[0];
        node->input = more;
    }
    if (!b->full)
        node->input[node->n_input++] = input;
}

static Onnx__Attribute *new_attribute(fmd_onnx_builder *b, Onnx__Node *node, const char *name,
                                      int type)
{
    const Onnx__Attribute empty = ONNX__ATTRIBUTE__INIT;
    Onnx__Attribute *a = fmd_onnx_keep(b, sizeof *a);
    *a = empty;
    a->name = fmd_onnx_text(b, name);
    a->has_type = true;
    a->type = type;
    if (!b->full)
        node->attribute[node->n_attribute++] = a;
    return a;
}

enum { TYPE_FLOAT = 1, TYPE_INT = 2, TYPE_INTS = 7 };

void fmd_onnx_set_int(fmd_onnx_builder *b, Onnx__Node *node, const char *name, int64_t value)
{
    Onnx__Attribute *a = new_attribute(b, node, name, TYPE_INT);
    a->has_i = true;
    a->i = value;
}

void fmd_onnx_set_float(fmd_onnx_builder *b, Onnx__Node *node, const char *name, float value)
{
    Onnx__Attribute *a = new_attribute(b, node, name, TYPE_FLOAT);
    a->has_f = true;
    a->f = value;
}

static int64_t *copy_ints(fmd_onnx_builder *b, size_t n, const int64_t *values)
{
    int64_t *copy = fmd_onnx_keep(b, n * sizeof *values);
    for (size_t i = 0; i < n; i++)
        copy[i] = values[i];
    return copy;
}

void fmd_onnx_set_ints(fmd_onnx_builder *b, Onnx__Node *node, const char *name, size_t n,
                       const int64_t *values)
{
    Onnx__Attribute *a = new_attribute(b, node, name, TYPE_INTS);
    a->n_ints = n;
    a->ints = copy_ints(b, n, values);
}

static char *new_tensor(fmd_onnx_builder *b, const char *layer, const char *name, int type,
                        size_t rank, const int64_t *dims, size_t item, const void *values)
{
    const Onnx__Tensor empty = ONNX__TENSOR__INIT;
    Onnx__Tensor *t = fmd_onnx_keep(b, sizeof *t);
    b->full = b->full || b->graph.n_initializer == b->most_tensors;
    if (!b->full)
        b->graph.initializer[b->graph.n_initializer++] = t;
    *t = empty;
    t->name = new_name(b, layer, name);
    t->has_data_type = true;
    t->data_type = type;
    t->n_dims = rank;
    t->dims = copy_ints(b, rank, dims);
    t->has_raw_data = true;
    t->raw_data.len = item;
    for (size_t i = 0; i < rank; i++)
        t->raw_data.len *= (size_t)dims[i];
    memcpy(&t->raw_data.data, &values, sizeof values); /* protobuf-c only reads it */
    return t->name;
}

char *fmd_onnx_floats(fmd_onnx_builder *b, const char *layer, const char *name, size_t rank,
                      const int64_t *dims, const float *values)
{
    return new_tensor(b, layer, name, FMD_ONNX_FLOAT, rank, dims, sizeof *values, values);
}

char *fmd_onnx_float(fmd_onnx_builder *b, const char *layer, float value)
{
    float *kept = fmd_onnx_keep(b, sizeof *kept);
    *kept = value;
    return fmd_onnx_floats(b, layer, "number", 0, NULL, kept);
}

char *fmd_onnx_ints(fmd_onnx_builder *b, const char *layer, size_t n, const int64_t *values)
{
    const int64_t dims[] = {(int64_t)n};
    return new_tensor(b, layer, "sizes", FMD_ONNX_INT64, 1, dims, sizeof *values,
                      copy_ints(b, n, values));
}

Onnx__ValueInfo *fmd_onnx_value(fmd_onnx_builder *b, const char *name, int type, size_t rank,
                                const int *dims)
{
    const Onnx__ValueInfo no_info = ONNX__VALUE_INFO__INIT;
    const Onnx__Type no_type = ONNX__TYPE__INIT;
    const Onnx__TensorType no_tensor = ONNX__TENSOR_TYPE__INIT;
    const Onnx__Shape no_shape = ONNX__SHAPE__INIT;
    const Onnx__Dimension no_dimension = ONNX__DIMENSION__INIT;
    struct {
        Onnx__ValueInfo info;
        Onnx__Type type;
        Onnx__TensorType tensor;
        Onnx__Shape shape;
        Onnx__Dimension *at[FMD_ONNX_RANK], dimensions[FMD_ONNX_RANK];
    } *v = fmd_onnx_keep(b, sizeof *v);
    v->info = no_info;
    v->type = no_type;
    v->tensor = no_tensor;
    v->shape = no_shape;
    v->info.name = fmd_onnx_text(b, name);
    v->info.type = &v->type;
    v->type.tensor_type = &v->tensor;
    v->tensor.has_elem_type = true;
    v->tensor.elem_type = type;
    v->tensor.shape = &v->shape;
    v->shape.n_dim = rank + 1;
    v->shape.dim = v->at;
    for (size_t i = 0; i <= rank; i++) {
        v->dimensions[i] = no_dimension;
        v->at[i] = &v->dimensions[i];
        if (i == 0)
            v->dimensions[i].dim_param = fmd_onnx_text(b, "batch");
        v->dimensions[i].has_dim_value = i > 0;
        v->dimensions[i].dim_value = i > 0 ? dims[i - 1] : 0;
    }
    return &v->info;
}
