#include "support/keras_trace.h"

#include "support/fmd_test.h"

#include <stdlib.h>
#include <string.h>

FILE *trace_open(const char *name)
{
    const char *root = getenv("FMD_SOURCE_DIR");
    char path[1024], comment[256];
    snprintf(path, sizeof path, "%s/tests/golden/%s", root != NULL ? root : ".", name);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("cannot open '%s': set FMD_SOURCE_DIR", path);
    int c;
    while ((c = getc(file)) == '#')
        assert_non_null(fgets(comment, sizeof comment, file));
    ungetc(c, file);
    return file;
}

bool trace_begins(FILE *file, char name[64])
{
    if (fscanf(file, " trace %63s", name) == 1)
        return true;
    assert_true(feof(file));
    return false;
}

int trace_row(FILE *file, const char *name, double *values)
{
    char found[32];
    int n;
    assert_int_equal(fscanf(file, "%31s %d", found, &n), 2);
    assert_string_equal(found, name);
    assert_in_range(n, 1, TRACE_EPOCHS);
    for (int i = 0; i < n; i++)
        assert_int_equal(fscanf(file, "%lf", &values[i]), 1);
    return n;
}

fmd_monitor_mode trace_mode(const char *word)
{
    return strcmp(word, "min") == 0   ? FMD_MODE_MIN
           : strcmp(word, "max") == 0 ? FMD_MODE_MAX
                                      : FMD_MODE_AUTO;
}

fmd_metrics trace_metrics(const char *monitor, double value)
{
    fmd_metrics m = {
        .accuracy = 0.1, .loss = 9, .val_accuracy = 0.1, .val_loss = 9, .learning_rate = 0.01};
    double *to = strcmp(monitor, "accuracy") == 0       ? &m.accuracy
                 : strcmp(monitor, "loss") == 0         ? &m.loss
                 : strcmp(monitor, "val_accuracy") == 0 ? &m.val_accuracy
                                                        : &m.val_loss;
    *to = value;
    return m;
}

bool trace_same(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

double callback_entry(fmd_callback *c, const char *name)
{
    fmd_state_entry entries[FMD_CALLBACK_ENTRIES], *item = entries;
    const size_t n = c->ops->entries(c, entries);
    while (item < entries + n && strcmp(item->name, name) != 0)
        item++;
    if (item == entries + n || item->count != 1)
        fail_msg("a checkpoint has no number '%s' of the callback", name);
    switch (item->kind) {
    case FMD_STATE_U8: return *(uint8_t *)item->data;
    case FMD_STATE_I32: return *(int32_t *)item->data;
    case FMD_STATE_I64: return (double)*(int64_t *)item->data;
    case FMD_STATE_F32: return (double)*(float *)item->data;
    case FMD_STATE_F64: return *(double *)item->data;
    }
    return (double)NAN;
}

void callback_hand_over(fmd_callback *from, fmd_callback *to)
{
    fmd_state_entry given[FMD_CALLBACK_ENTRIES], taken[FMD_CALLBACK_ENTRIES];
    const size_t n = from->ops->entries(from, given);
    assert_int_equal(to->ops->entries(to, taken), n);
    assert_in_range(n, 1, FMD_CALLBACK_ENTRIES);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(given[i].name, taken[i].name);
        assert_int_equal(fmd_state_entry_bytes(&given[i]), fmd_state_entry_bytes(&taken[i]));
        memcpy(taken[i].data, given[i].data, fmd_state_entry_bytes(&given[i]));
    }
    from->ops->destroy(from);
}
