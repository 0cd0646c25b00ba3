#include "cli/predict/index_list.h"

#include "base/mem.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Digits only, at most 9 of them. */
static bool read_number(const char **at, size_t *value)
{
    const size_t digits = strspn(*at, "0123456789");
    *value = digits > 0 ? strtoul(*at, NULL, 10) : 0;
    *at += digits;
    return digits > 0 && digits < 10;
}

/* One item of the list, which ends at a comma or at the end. */
static fmd_status read_range(const char **at, size_t n, const char *what, size_t *first,
                             size_t *last)
{
    const char *item = *at;
    const int length = (int)strcspn(item, ",");
    bool good = read_number(at, first);
    *last = *first;
    if (good && **at == '-') {
        ++*at;
        good = read_number(at, last);
    }
    if (!good || *at != item + length || *first > *last)
        return FMD_FAIL(FMD_EUSAGE, "--index: '%.*s' is neither an index nor a range such as 5-9",
                        length, item);
    if (*last >= n)
        return FMD_FAIL(FMD_EUSAGE, "--index: there is no %zu: the %s are 0 to %zu", *last, what,
                        n - 1);
    *at += **at == ',';
    return FMD_OK;
}

/* Counts the indices, and puts them into `to` unless that is NULL. */
static fmd_status read_list(const char *text, size_t n, const char *what, uint32_t *to,
                            size_t *count)
{
    size_t first, last;
    *count = 0;
    while (*text != '\0') {
        FMD_TRY(read_range(&text, n, what, &first, &last));
        for (size_t i = first; i <= last; i++, ++*count)
            if (to != NULL)
                to[*count] = (uint32_t)i;
    }
    return FMD_OK;
}

fmd_status fmd_index_list_create(fmd_index_list *out, const char *text, size_t first, size_t n,
                                 const char *what)
{
    fmd_index_list list = {.n = first < n ? first : n};
    if (*text != '\0')
        FMD_TRY(read_list(text, n, what, NULL, &list.n));
    FMD_TRY(fmd_alloc(&list.at, list.n, sizeof *list.at, "the list of images"));
    for (size_t i = 0; *text == '\0' && i < list.n; i++)
        list.at[i] = (uint32_t)i;
    const fmd_status st = read_list(text, n, what, list.at, &first);
    if (st == FMD_OK)
        *out = list;
    else
        free(list.at);
    return st;
}

void fmd_index_list_free(fmd_index_list *list)
{
    free(list->at);
    *list = (fmd_index_list){.n = 0};
}
