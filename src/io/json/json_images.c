#include "io/json/json_images.h"

#include "base/mem.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DEPTH = 8 };

/* Brackets within each other; jansson calls itself for each of them. */
static size_t depth_of(const char *text, size_t bytes)
{
    size_t depth = 0, deepest = 0;
    bool in_string = false;
    for (size_t i = 0; i < bytes; i++) {
        const char c = text[i];
        if (in_string && c == '\\')
            i++;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == '[' || c == '{') && ++depth > deepest)
            deepest = depth;
        else if (!in_string && (c == ']' || c == '}') && depth > 0)
            depth--;
    }
    return deepest;
}

/* An image on its way into bytes. */
typedef struct reading {
    size_t image;
    fmd_shape shape;
    uint8_t *to;
} reading;

static fmd_status read_pixel(const reading *r, const json_t *value, size_t at)
{
    const double v = json_is_number(value) ? json_number_value(value) : -1;
    if (v < 0 || v > 255 || v != (double)(int)v)
        return FMD_FAIL(FMD_EDATA, "instances[%zu]: pixel %zu is not a whole number from 0 to 255",
                        r->image, at);
    r->to[at] = (uint8_t)v;
    return FMD_OK;
}

/* Dimension `d` of the image, from pixel `at` on. A last dimension of 1 may be left out. */
static fmd_status read_part(const reading *r, const json_t *part, int d, size_t at)
{
    char text[FMD_SHAPE_TEXT];
    const bool last = d == r->shape.rank;
    if (last || (d == r->shape.rank - 1 && r->shape.dim[d] == 1 && !json_is_array(part)))
        return read_pixel(r, part, at);
    const size_t size = (size_t)r->shape.dim[d];
    if (!json_is_array(part) || json_array_size(part) != size)
        return FMD_FAIL(FMD_EDATA, "instances[%zu]: not an image of shape %s", r->image,
                        fmd_shape_text(r->shape, 0, text));
    size_t stride = 1;
    for (int i = d + 1; i < r->shape.rank; i++)
        stride *= (size_t)r->shape.dim[i];
    for (size_t i = 0; i < size; i++)
        FMD_TRY(read_part(r, json_array_get(part, i), d + 1, at + i * stride));
    return FMD_OK;
}

static fmd_status read_image(const reading *r, const json_t *image)
{
    const size_t pixels = fmd_shape_count(r->shape);
    const bool flat = json_array_size(image) == pixels && json_is_number(json_array_get(image, 0));
    if (!flat)
        return read_part(r, image, 0, 0);
    for (size_t i = 0; i < pixels; i++)
        FMD_TRY(read_pixel(r, json_array_get(image, i), i));
    return FMD_OK;
}

static fmd_status read_all(uint8_t **out, size_t *n, const json_t *root, fmd_shape shape,
                           size_t most)
{
    const json_t *list = json_object_get(root, "instances");
    const size_t count = json_array_size(list), pixels = fmd_shape_count(shape);
    if (count == 0)
        return FMD_FAIL(FMD_EDATA, "expected {\"instances\": [image, ...]}");
    if (count > most)
        return FMD_FAIL(FMD_EDATA, "%zu instances: at most %zu in a request", count, most);
    uint8_t *bytes;
    FMD_TRY(fmd_alloc(&bytes, count, pixels, "the images of a request"));
    for (size_t i = 0; i < count; i++) {
        const reading r = {.image = i, .shape = shape, .to = bytes + i * pixels};
        const fmd_status st = read_image(&r, json_array_get(list, i));
        if (st != FMD_OK) {
            free(bytes);
            return st;
        }
    }
    *out = bytes;
    *n = count;
    return FMD_OK;
}

fmd_status fmd_json_images(uint8_t **out, size_t *n, const char *text, size_t bytes,
                           fmd_shape shape, size_t most)
{
    json_error_t error;
    if (depth_of(text, bytes) > MOST_DEPTH)
        return FMD_FAIL(FMD_EDATA, "JSON: more than %d levels of brackets", MOST_DEPTH);
    json_t *root = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL)
        return FMD_FAIL(FMD_EDATA, "JSON: line %d, column %d: %s", error.line, error.column,
                        error.text);
    const fmd_status st = read_all(out, n, root, shape, most);
    json_decref(root);
    return st;
}
