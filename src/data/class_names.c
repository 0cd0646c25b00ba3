#include "data/class_names.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Without the blanks around it, the end of the line, and the mark that some editors begin with. */
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
    for (const char *c = name; *c != '\0'; c++)
        if (iscntrl((unsigned char)*c))
            return FMD_FAIL(FMD_EDATA, "'%s', line %d: found byte 0x%02x, expected a name as text",
                            path, line, (unsigned char)*c);
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
            return FMD_FAIL(FMD_EDATA, "'%s', line %d: found byte 0x00, expected a name as text",
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

fmd_status fmd_class_names_read(int *n, char names[][FMD_CLASS_NAME_BYTES], const char *folder)
{
    char path[FMD_PATH_BYTES + sizeof FMD_CLASSES_FILE];
    snprintf(path, sizeof path, "%s/" FMD_CLASSES_FILE, folder);
    *n = 0;
    FILE *f = fopen(path, "re");
    if (f == NULL && errno == ENOENT)
        return FMD_OK;
    if (f == NULL)
        return FMD_FAIL(FMD_EIO, "cannot open '%s': %s", path, strerror(errno));
    char *line = NULL;
    const fmd_status st = read_names(n, names, f, &line, path);
    free(line);
    fclose(f);
    return st;
}
