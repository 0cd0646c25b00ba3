#include "data/class_names.h"

#include "base/system/regular_file.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Removes blanks at both ends, the end of the line, and the byte order mark of some editors. */
static char *trim(char *line, bool first)
{
    if (first && strncmp(line, "\xef\xbb\xbf", 3) == 0)
        line += 3;
    while (*line == ' ' || *line == '\t')
        line++;
    size_t n = strlen(line);
    while (n > 0 && strchr(" \t\r\n", line[n - 1]) != NULL)
        n--;
    line[n] = '\0';
    return line;
}

static fmd_status check(const char *name, const char *path, int line)
{
    if (line > FMD_CLASSES_MAX)
        return FMD_FAIL(FMD_EDATA, "'%s': found more than %d names, but labels are bytes", path,
                        FMD_CLASSES_MAX);
    if (strlen(name) >= FMD_CLASS_NAME_BYTES)
        return FMD_FAIL(FMD_EDATA, "'%s', line %d: found a name of %zu bytes, expected at most %d",
                        path, line, strlen(name), FMD_CLASS_NAME_BYTES - 1);
    uint32_t character;
    for (size_t n; *name != '\0'; name += n)
        if ((n = fmd_utf8_decode(name, &character)) == 0 || !fmd_utf8_is_shown(character))
            return FMD_FAIL(FMD_EDATA, "'%s', line %d: found byte 0x%02x, expected a name in UTF-8",
                            path, line, (unsigned char)*name);
    return FMD_OK;
}

/* Empty lines may end the file, but none may be between names. */
static fmd_status read_names(int *n, char names[][FMD_CLASS_NAME_BYTES], FILE *f, char **line,
                             const char *path)
{
    size_t capacity = 0;
    ssize_t length;
    int empty = 0;
    for (int at = 1; (length = getline(line, &capacity, f)) >= 0; at++) {
        if (strlen(*line) != (size_t)length)
            return FMD_FAIL(FMD_EDATA, "'%s', line %d: found byte 0x00, expected a name in UTF-8",
                            path, at);
        const char *name = trim(*line, at == 1);
        if (*name == '\0') {
            empty = empty == 0 ? at : empty;
            continue;
        }
        if (empty > 0)
            return FMD_FAIL(FMD_EDATA, "'%s', line %d: found an empty line, expected a name", path,
                            empty);
        FMD_TRY(check(name, path, at));
        snprintf(names[(*n)++], FMD_CLASS_NAME_BYTES, "%s", name);
    }
    if (ferror(f))
        return FMD_FAIL(FMD_EIO, "cannot read '%s': %s", path, strerror(errno));
    if (*n == 0)
        return FMD_FAIL(FMD_EDATA, "'%s': found no names, expected one a line", path);
    return FMD_OK;
}

/* Opens a text file; *out is NULL if it does not exist. */
static fmd_status open_text(FILE **out, const char *path)
{
    int fd;
    size_t bytes;
    *out = NULL;
    fmd_status st = fmd_regular_file_open(&fd, &bytes, path, "a text file with names of classes");
    if (st != FMD_OK)
        return st == FMD_ENOINPUT ? FMD_OK : st;
    *out = fdopen(fd, "r");
    if (*out == NULL) {
        close(fd);
        return FMD_FAIL(FMD_ENOMEM, "out of memory: opening '%s'", path);
    }
    return FMD_OK;
}

fmd_status fmd_class_names_read(int *n, char names[][FMD_CLASS_NAME_BYTES], const char *folder,
                                const char *file)
{
    char path[FMD_PATH_BYTES + 32];
    FILE *f;
    snprintf(path, sizeof path, "%s/%s", folder, file);
    *n = 0;
    FMD_TRY(open_text(&f, path));
    if (f == NULL)
        return FMD_OK;
    char *line = NULL;
    const fmd_status st = read_names(n, names, f, &line, path);
    free(line);
    fclose(f);
    return st;
}

/* "A a" of "65 97"; false: not codes of visible ASCII characters. */
static bool name_of_codes(char name[FMD_CLASS_NAME_BYTES], const char *codes)
{
    size_t used = 0;
    int length = 0;
    for (unsigned code; sscanf(codes, " %5u%n", &code, &length) == 1; codes += length) {
        if (code <= ' ' || code > '~' || used + 2 >= FMD_CLASS_NAME_BYTES)
            return false;
        if (used > 0)
            name[used++] = ' ';
        name[used++] = (char)code;
    }
    name[used] = '\0';
    return used > 0 && codes[strspn(codes, " \t\r\n")] == '\0';
}

static fmd_status read_mapping(int *n, char names[][FMD_CLASS_NAME_BYTES], FILE *f,
                               const char *path)
{
    char line[256];
    for (int at = 1; fgets(line, sizeof line, f) != NULL; at++) {
        int label, length = 0;
        if (line[strspn(line, " \t\r\n")] == '\0')
            continue;
        if (sscanf(line, "%5d%n", &label, &length) != 1 || label < 0 || label >= FMD_CLASSES_MAX ||
            !name_of_codes(names[label], line + length))
            return FMD_FAIL(FMD_EDATA,
                            "'%s', line %d: expected a label and codes of ASCII characters, as in "
                            "'1 65 97'",
                            path, at);
        *n = label >= *n ? label + 1 : *n;
    }
    for (int i = 0; i < *n; i++)
        if (*names[i] == '\0')
            snprintf(names[i], FMD_CLASS_NAME_BYTES, "-");
    return ferror(f) ? FMD_FAIL(FMD_EIO, "cannot read '%s': %s", path, strerror(errno)) : FMD_OK;
}

fmd_status fmd_class_names_read_mapping(int *n, char names[][FMD_CLASS_NAME_BYTES],
                                        const char *path)
{
    FILE *f;
    *n = 0;
    FMD_TRY(open_text(&f, path));
    if (f == NULL)
        return FMD_OK;
    const fmd_status st = read_mapping(n, names, f, path);
    fclose(f);
    return st;
}
