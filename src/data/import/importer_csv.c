/* Tables of pixels and labels as text, plain or gzipped: one file, or a folder with one for training and
 * one for testing. A line has an image: a label, first or last, and values of pixels from 0 to 255. */
#include "base/mem.h"
#include "base/system/regular_file.h"
#include "data/import/importer.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { FILES = 2, BUFFER_BYTES = 1 << 17 };

/* An image of 16 million values. */
static const size_t max_line = (size_t)64 << 20;

typedef struct reader {
    char path[FILES][FMD_PATH_BYTES];
    size_t bytes[FILES];
    int n_files, at; /* files, and the one that is read */
    gzFile file;
    size_t line; /* number of the line, from 1 */
    char *text;
    size_t length, capacity;
    char delimiter;
    bool last;     /* the label is the last column */
    bool waiting;  /* the line in memory is the next sample */
    size_t pixels; /* of an image; columns without the label */
    uint8_t *image;
    fmd_size size;
    size_t channels;
} reader;

static bool is_csv(const char *name)
{
    return fnmatch("*.csv", name, FNM_CASEFOLD) == 0 ||
           fnmatch("*.csv.gz", name, FNM_CASEFOLD) == 0 || fnmatch("*.tsv", name, 0) == 0;
}

/* Files of the source, by name: the one for training first. */
static int find_files(const char *source, char path[FILES][FMD_PATH_BYTES])
{
    static const char *const parts[FILES] = {"*train*", "*test*"};
    struct stat st;
    struct dirent **entries;
    int found = 0;
    if (stat(source, &st) != 0)
        return 0;
    if (!S_ISDIR(st.st_mode)) {
        snprintf(path[0], FMD_PATH_BYTES, "%s", source);
        return is_csv(source);
    }
    const int n = scandir(source, &entries, NULL, alphasort);
    for (int k = 0; k < FILES; k++) {
        bool there = false;
        for (int i = 0; i < n && !there; i++)
            if (is_csv(entries[i]->d_name) &&
                fnmatch(parts[k], entries[i]->d_name, FNM_CASEFOLD) == 0) {
                snprintf(path[k], FMD_PATH_BYTES, "%.760s/%.255s", source, entries[i]->d_name);
                there = true;
            }
        found += there && found == k;
    }
    for (int i = 0; i < n; i++)
        free(entries[i]);
    if (n >= 0)
        free(entries);
    return found;
}

static bool recognises(const fmd_import_args *args)
{
    char path[FILES][FMD_PATH_BYTES];
    return find_files(args->source, path) > 0;
}

static fmd_status cannot_unpack(const reader *r)
{
    int code;
    const char *why = gzerror(r->file, &code);
    if (code == Z_ERRNO)
        return FMD_FAIL(FMD_EIO, "cannot read '%s': %s", r->path[r->at], strerror(errno));
    return FMD_FAIL(FMD_EDATA, "'%s', line %zu: damaged or cut off gzip data: %s", r->path[r->at],
                    r->line, why);
}

static fmd_status grow(reader *r)
{
    const size_t capacity = r->capacity > 0 ? 2 * r->capacity : 1 << 16;
    if (capacity > max_line)
        return FMD_FAIL(FMD_EDATA, "'%s', line %zu: longer than %zu bytes: not a table of pixels",
                        r->path[r->at], r->line, max_line);
    char *text = realloc(r->text, capacity);
    if (text == NULL)
        return FMD_FAIL(FMD_ENOMEM, "out of memory: a line of '%s'", r->path[r->at]);
    r->text = text;
    r->capacity = capacity;
    return FMD_OK;
}

/* Reads a line without its end; *ended: there is none. */
static fmd_status read_line(reader *r, bool *ended)
{
    int c;
    r->length = 0;
    r->line++;
    while ((c = gzgetc(r->file)) != -1 && c != '\n') {
        if (r->length + 1 >= r->capacity)
            FMD_TRY(grow(r));
        r->text[r->length++] = (char)c;
    }
    int code = Z_OK;
    if (c == -1 && (gzerror(r->file, &code), code != Z_OK))
        return cannot_unpack(r);
    *ended = c == -1 && r->length == 0;
    while (r->length > 0 && r->text[r->length - 1] == '\r')
        r->length--;
    if (r->capacity == 0)
        FMD_TRY(grow(r));
    r->text[r->length] = '\0';
    return FMD_OK;
}

/* The next line that is not empty. */
static fmd_status read_row(reader *r, bool *ended)
{
    do
        FMD_TRY(read_line(r, ended));
    while (!*ended && r->text[strspn(r->text, " \t")] == '\0' && r->length == strlen(r->text));
    return FMD_OK;
}

static fmd_status open_file(reader *r, int at)
{
    int fd;
    FMD_TRY(fmd_regular_file_open(&fd, &r->bytes[at], r->path[at], "a table"));
    r->at = at;
    r->line = 0;
    r->file = gzdopen(fd, "rb");
    if (r->file == NULL) {
        close(fd);
        return FMD_FAIL(FMD_ENOMEM, "out of memory: opening '%s'", r->path[at]);
    }
    gzbuffer(r->file, BUFFER_BYTES);
    return FMD_OK;
}

static size_t count_columns(const reader *r)
{
    size_t n = 1;
    for (size_t i = 0; i < r->length; i++)
        n += r->text[i] == r->delimiter;
    return n;
}

/* A value: a whole number of at most three digits, perhaps with .0 or in quotation marks; -1: it is
 * none. *at moves behind it and the delimiter. */
static int take_value(const char **at, char delimiter)
{
    const char *c = *at;
    int value = -1, digits = 0;
    while (*c == ' ')
        c++;
    const bool quoted = *c == '"';
    c += quoted;
    for (; isdigit((unsigned char)*c) && digits < 4; c++, digits++)
        value = 10 * (digits == 0 ? 0 : value) + (*c - '0');
    if (digits > 0 && *c == '.')
        c += 1 + strspn(c + 1, "0");
    if (quoted && *c++ != '"')
        value = -1;
    while (*c == ' ')
        c++;
    if (*c != delimiter && *c != '\0')
        value = -1;
    c += strcspn(c, (const char[]){delimiter, '\0'});
    *at = *c == delimiter ? c + 1 : c;
    return value <= UINT8_MAX ? value : -1;
}

/* Whether a field of the line is a word: the line has names of columns. Those of pixels may be
 * numbers. */
static bool is_header(const reader *r)
{
    for (const char *at = r->text; at != NULL; at = strchr(at, r->delimiter)) {
        at += *at == r->delimiter;
        const char *word = at + strspn(at, " \"");
        if (isalpha((unsigned char)*word) && strncasecmp(word, "nan", 3) != 0)
            return true;
    }
    return false;
}

static bool is_label_name(const char *field, char delimiter)
{
    static const char *const names[] = {"label", "class", "target", "y"};
    char name[16];
    field += strspn(field, " \"");
    const size_t n = strcspn(field, (const char[]){delimiter, '"', ' ', '\0'});
    snprintf(name, sizeof name, "%.*s", (int)(n < 15 ? n : 15), field);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(name, names[i]) == 0)
            return true;
    return false;
}

/* Looks at the first line of a file: names of columns, or values. */
static fmd_status start_file(reader *r, const fmd_import_args *args)
{
    bool ended;
    FMD_TRY(read_row(r, &ended));
    if (ended)
        return FMD_FAIL(FMD_EDATA, "'%s': found no line", r->path[r->at]);
    if (memcmp(r->text, "\xef\xbb\xbf", r->length < 3 ? r->length : 3) == 0 && r->length >= 3)
        memmove(r->text, r->text + 3, (r->length -= 3) + 1);
    for (size_t i = 0; i < r->length; i++)
        if ((unsigned char)r->text[i] < ' ' && r->text[i] != '\t')
            return FMD_FAIL(FMD_EDATA, "'%s', line %zu: found byte 0x%02x: not a text file",
                            r->path[r->at], r->line, (unsigned char)r->text[i]);
    if (strchr(r->text, ',') != NULL)
        r->delimiter = ',';
    else
        r->delimiter = strchr(r->text, ';') != NULL ? ';' : '\t';
    r->waiting = !is_header(r);
    if (r->at > 0)
        return FMD_OK;
    r->last = args->label == FMD_IMPORT_LABEL_LAST;
    const char *end = strrchr(r->text, r->delimiter);
    if (args->label == FMD_IMPORT_LABEL_AUTO && !r->waiting && end != NULL)
        r->last = is_label_name(end + 1, r->delimiter) && !is_label_name(r->text, r->delimiter);
    r->pixels = count_columns(r) - 1;
    return FMD_OK;
}

static size_t side_of(size_t pixels)
{
    size_t side = 1;
    while (side * side < pixels)
        side++;
    return side * side == pixels ? side : 0;
}

/* The shape that the user names, if the values are that many; else a square, grey or coloured. */
static fmd_status find_shape(reader *r, const fmd_import_args *args)
{
    const size_t wanted = args->size.width * args->size.height, n = r->pixels;
    if (wanted > 0 && (n == wanted || n == 3 * wanted)) {
        r->size = args->size;
        r->channels = n / wanted;
    } else if (side_of(n) > 1) {
        r->size = (fmd_size){.width = side_of(n), .height = side_of(n)};
        r->channels = 1;
    } else if (n % 3 == 0 && side_of(n / 3) > 1) {
        r->size = (fmd_size){.width = side_of(n / 3), .height = side_of(n / 3)};
        r->channels = 3;
    } else {
        return FMD_FAIL(FMD_EDATA,
                        "'%s': found %zu values besides the label, not those of a square image: "
                        "name the size of the images, as in --size 20x30",
                        r->path[0], n);
    }
    return fmd_alloc(&r->image, n, 1, "an image");
}

static fmd_status open_table(void **out, const fmd_import_args *args, fmd_import_source *source)
{
    reader *r;
    FMD_TRY(fmd_alloc(&r, 1, sizeof *r, "a table"));
    *out = r;
    r->n_files = find_files(args->source, r->path);
    FMD_TRY(open_file(r, 0));
    FMD_TRY(start_file(r, args));
    FMD_TRY(find_shape(r, args));
    source->size = r->size;
    source->channels = r->channels;
    source->has_test = r->n_files > 1;
    source->total = (double)r->bytes[0];
    struct stat st;
    if (r->n_files > 1 && stat(r->path[1], &st) == 0)
        source->total += (double)st.st_size;
    snprintf(source->note, sizeof source->note, "the label is the %s column",
             r->last ? "last" : "first");
    return FMD_OK;
}

/* Parses the line in memory. */
static void parse(reader *r, fmd_import_sample *s)
{
    const char *at = r->text;
    const size_t columns = r->pixels + 1, label_at = r->last ? r->pixels : 0;
    snprintf(s->name, sizeof s->name, "'%.400s', line %zu", r->path[r->at], r->line);
    s->label = -1;
    if (count_columns(r) != columns || strlen(r->text) != r->length) {
        s->dropped = "another number of values than the first line";
        return;
    }
    bool good = true;
    size_t pixel = 0;
    for (size_t i = 0; i < columns; i++) {
        const int value = take_value(&at, r->delimiter);
        if (i == label_at) {
            s->label = value;
        } else {
            good = good && value >= 0;
            r->image[pixel++] = (uint8_t)(value >= 0 ? value : 0);
        }
    }
    if (s->label < 0)
        s->dropped = "the label is not a whole number from 0 to 255";
    else if (!good)
        s->dropped = "a pixel is not a whole number from 0 to 255";
}

static fmd_status next_sample(void *table, fmd_import_source *source, fmd_import_sample *s)
{
    reader *r = table;
    const fmd_import_args any = {.label = FMD_IMPORT_LABEL_AUTO};
    bool ended = false;
    if (!r->waiting)
        FMD_TRY(read_row(r, &ended));
    while (ended && r->at + 1 < r->n_files) {
        gzclose(r->file);
        r->file = NULL;
        FMD_TRY(open_file(r, r->at + 1));
        FMD_TRY(start_file(r, &any));
        ended = false;
        if (!r->waiting)
            FMD_TRY(read_row(r, &ended));
    }
    r->waiting = false;
    if (ended)
        return FMD_OK;
    parse(r, s);
    s->test = r->at > 0;
    s->pixels = r->image;
    s->size = r->size;
    s->channels = r->channels;
    source->done = (double)gzoffset(r->file) + (r->at > 0 ? (double)r->bytes[0] : 0);
    return FMD_OK;
}

static void close_table(void *table)
{
    reader *r = table;
    if (r == NULL)
        return;
    if (r->file != NULL)
        gzclose(r->file);
    free(r->text);
    free(r->image);
    free(r);
}

const fmd_importer fmd_importer_csv = {"table of pixels (CSV)", recognises, open_table, next_sample,
                                       close_table};
