#include "support/golden.h"

#include "support/fmd_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 64, MAX_ENTRIES = 4096 };

typedef struct entry {
    char name[NAME_BYTES], type[8]; /* "text", "f4", "f8", "u1", "u2", "u1/255" */
    const char *text;
    fmd_shape shape;
    void *values;
} entry;

struct golden {
    char *bytes;
    size_t n;
    entry entries[MAX_ENTRIES];
};

static char *read_file(const char *path, size_t *bytes)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        fail_msg("cannot open '%s': set FMD_SOURCE_DIR", path);
    fseek(f, 0, SEEK_END);
    *bytes = (size_t)ftell(f);
    rewind(f);
    char *all = malloc(*bytes + 1);
    assert_non_null(all);
    assert_int_equal(fread(all, 1, *bytes, f), *bytes);
    all[*bytes] = '\0';
    fclose(f);
    return all;
}

/* The array as floats, doubles or bytes. */
static void *decode(const char *type, size_t n, const char *data, const char *end)
{
    size_t size = (size_t)(type[1] - '0');
    int divisor = type[2] == '/' ? atoi(type + 3) : 0;
    assert_true(data + n * size <= end);
    size_t wide = divisor ? sizeof(float) : size;
    void *values = malloc(n * wide);
    assert_non_null(values);
    if (!divisor)
        return memcpy(values, data, n * size);
    for (size_t i = 0; i < n; i++) {
        uint16_t u = 0; /* little-endian, as the program */
        memcpy(&u, data + i * size, size);
        ((float *)values)[i] = (float)u / (float)divisor;
    }
    return values;
}

/* "act_relu/w0 f4 2 196 16 25088", or "act_relu/layers text flatten,dense:16:relu". */
static void parse_line(entry *e, char *line, const char *data, const char *end)
{
    int used = 0;
    if (sscanf(line, "%63s %7s %n", e->name, e->type, &used) != 2)
        fail_msg("not a line of a golden file: '%s'", line);
    e->text = line + used;
    if (strcmp(e->type, "text") == 0)
        return;
    char *p = line + used;
    e->shape.rank = (int)strtol(p, &p, 10);
    assert_in_range(e->shape.rank, 1, FMD_SHAPE_MAX);
    for (int i = 0; i < e->shape.rank; i++)
        e->shape.dim[i] = (int)strtol(p, &p, 10);
    e->values = decode(e->type, fmd_shape_count(e->shape), data + strtol(p, &p, 10), end);
}

golden *golden_open(const char *name)
{
    char path[1024];
    const char *root = getenv("FMD_SOURCE_DIR");
    snprintf(path, sizeof path, "%s/tests/golden/%s.golden", root != NULL ? root : ".", name);
    golden *g = calloc(1, sizeof *g);
    assert_non_null(g);
    size_t bytes;
    g->bytes = read_file(path, &bytes);
    char *data = strstr(g->bytes, "\ndata\n");
    if (strncmp(g->bytes, "fmd-golden 1\n", 13) != 0 || data == NULL)
        fail_msg("'%s' is not a golden file", path);
    data[0] = '\0';
    for (char *line = g->bytes + 13, *next; line != NULL; line = next) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        assert_true(g->n < MAX_ENTRIES);
        parse_line(&g->entries[g->n++], line, data + 6, g->bytes + bytes);
    }
    return g;
}

void golden_close(golden *g)
{
    for (size_t i = 0; i < g->n; i++)
        free(g->entries[i].values);
    free(g->bytes);
    free(g);
}

static const entry *find(const golden *g, const char *name)
{
    for (size_t i = 0; i < g->n; i++)
        if (strcmp(g->entries[i].name, name) == 0)
            return &g->entries[i];
    return NULL;
}

/* The entry, which must be of this type ("f4" takes pixels too) and size. */
static const entry *need(const golden *g, const char *name, const char *type, size_t count)
{
    const entry *e = find(g, name);
    if (e == NULL)
        fail_msg("the golden file has no '%s'", name);
    const char *found = strchr(e->type, '/') != NULL ? "f4" : e->type;
    if (type != NULL && strcmp(found, type) != 0)
        fail_msg("'%s' of the golden file is '%s', not '%s'", name, e->type, type);
    if (count != 0 && fmd_shape_count(e->shape) != count)
        fail_msg("'%s' of the golden file has %zu values, not %zu", name, fmd_shape_count(e->shape),
                 count);
    return e;
}

#define FORMAT_NAME                                                                                \
    char name[NAME_BYTES];                                                                         \
    va_list arguments;                                                                             \
    va_start(arguments, format);                                                                   \
    vsnprintf(name, sizeof name, format, arguments);                                               \
    va_end(arguments)

bool golden_has(const golden *g, const char *format, ...)
{
    FORMAT_NAME;
    return find(g, name) != NULL;
}

const char *golden_text(const golden *g, const char *format, ...)
{
    FORMAT_NAME;
    return need(g, name, "text", 0)->text;
}

fmd_shape golden_shape(const golden *g, const char *format, ...)
{
    FORMAT_NAME;
    return need(g, name, NULL, 0)->shape;
}

const float *golden_floats(const golden *g, size_t count, const char *format, ...)
{
    FORMAT_NAME;
    return need(g, name, "f4", count)->values;
}

const double *golden_doubles(const golden *g, size_t count, const char *format, ...)
{
    FORMAT_NAME;
    return need(g, name, "f8", count)->values;
}

const uint8_t *golden_bytes(const golden *g, size_t count, const char *format, ...)
{
    FORMAT_NAME;
    return need(g, name, "u1", count)->values;
}

void golden_each(const golden *g, const char *name,
                 void (*f)(const golden *g, const char *word, void *context), void *context)
{
    char word[NAME_BYTES];
    int used;
    const char *text = golden_text(g, "%s", name);
    for (const char *p = text; sscanf(p, "%63s%n", word, &used) == 1; p += used)
        f(g, word, context);
}
