/* make_data FOLDER [NAME=NUMBER]...: writes a tiny data set into a folder that is there. The names
 * are the fields of tiny_dataset. */
#include "support/idx_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t *find(tiny_dataset *d, const char *name, size_t length)
{
    const struct {
        const char *name;
        uint32_t *field;
    } fields[] = {{"n_train", &d->n_train},        {"n_test", &d->n_test},
                  {"height", &d->height},          {"width", &d->width},
                  {"channels", &d->channels},      {"classes", &d->classes},
                  {"first_label", &d->first_label}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (strlen(fields[i].name) == length && strncmp(fields[i].name, name, length) == 0)
            return fields[i].field;
    return NULL;
}

int main(int argc, char **argv)
{
    tiny_dataset d = {.n_train = 203, .n_test = 61, .height = 9, .width = 7, .classes = 10};
    for (int i = 2; i < argc; i++) {
        const char *equals = strchr(argv[i], '=');
        if (strcmp(argv[i], "packed=1") == 0) {
            d.packed = true;
            continue;
        }
        uint32_t *field = equals == NULL ? NULL : find(&d, argv[i], (size_t)(equals - argv[i]));
        if (field == NULL) {
            fprintf(stderr, "make_data: '%s' is not understood\n", argv[i]);
            return 64;
        }
        *field = (uint32_t)strtoul(equals + 1, NULL, 10);
    }
    if (argc < 2)
        return 64;
    write_tiny_dataset(argv[1], &d);
    return 0;
}
