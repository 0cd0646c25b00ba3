/* A graph of ONNX under construction. All its memory comes from one array whose size is known before,
 * so that no call can fail. */
#ifndef FMD_IO_ONNX_BUILDER_H
#define FMD_IO_ONNX_BUILDER_H

#include "fmd/error.h"
#include "onnx.pb-c.h"

/* Types of elements. */
enum { FMD_ONNX_FLOAT = 1, FMD_ONNX_UINT8 = 2, FMD_ONNX_INT64 = 7 };

enum { FMD_ONNX_RANK = 5, FMD_ONNX_NAME = 96 };

typedef struct fmd_onnx_builder {
    Onnx__Graph graph;
    size_t most_nodes, most_tensors;
    char *memory;
    size_t used, bytes;
    int names; /* given so far */
    bool full; /* a fault: the array was too small */
} fmd_onnx_builder;

/* Local. `bytes` are for names, attributes and copied values, besides the nodes and tensors.
 * FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_onnx_builder_create(fmd_onnx_builder *b, size_t nodes, size_t tensors,
                                               size_t bytes);
void fmd_onnx_builder_free(fmd_onnx_builder *b);

/* Local. Memory that lives as long as the graph; a text in it, with '?' for bytes that
 * are not UTF-8. */
void *fmd_onnx_keep(fmd_onnx_builder *b, size_t bytes);
char *fmd_onnx_text(fmd_onnx_builder *b, const char *text);

/* Local. Appends a node that makes one value from up to three, until the first NULL. Its name, also
 * that of the value, begins with `layer`; fmd_onnx_node_named makes the value `name`. */
Onnx__Node *fmd_onnx_node(fmd_onnx_builder *b, const char *layer, const char *type, char *x,
                          char *y, char *z);
Onnx__Node *fmd_onnx_node_named(fmd_onnx_builder *b, char *name, const char *type, char *x);

/* Local. One more input of the last node. */
void fmd_onnx_add_input(fmd_onnx_builder *b, Onnx__Node *node, char *input, size_t most);

/* Local. Attributes of a node. */
void fmd_onnx_set_int(fmd_onnx_builder *b, Onnx__Node *node, const char *name, int64_t value);
void fmd_onnx_set_float(fmd_onnx_builder *b, Onnx__Node *node, const char *name, float value);
void fmd_onnx_set_ints(fmd_onnx_builder *b, Onnx__Node *node, const char *name, size_t n,
                       const int64_t *values);

/* Local. A constant; returns its name. `values` of floats must live as long as the graph. */
char *fmd_onnx_floats(fmd_onnx_builder *b, const char *layer, const char *name, size_t rank,
                      const int64_t *dims, const float *values);
char *fmd_onnx_float(fmd_onnx_builder *b, const char *layer, float value);
char *fmd_onnx_ints(fmd_onnx_builder *b, const char *layer, size_t n, const int64_t *values);

/* Local. Input or output of the graph: a batch of tensors of these dims. */
Onnx__ValueInfo *fmd_onnx_value(fmd_onnx_builder *b, const char *name, int type, size_t rank,
                                const int *dims);

#endif
