/* inspect: shows the contents of a checkpoint, or the differences between two. */
#include "base/format.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/system/print.h"
#include "cli/commands.h"
#include "nn/optimizers/optimizer.h"
#include "run/reader/model_title.h"
#include "run/weights_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file, with a model and an optimizer as described in it. */
typedef struct checkpoint {
    char path[FMD_WEIGHTS_PATH_BYTES];
    long long bytes;
    fmd_checkpoint_info info;
    fmd_checkpoint_contents contents;
    fmd_model *model;
    fmd_optimizer *optimizer;
    int64_t epochs, step;    /* whole epochs done, and steps of the next one */
    fmd_metric_list metrics; /* columns of the history besides Keras' five */
    size_t columns;
    const double *history; /* a row an epoch */
} checkpoint;

static const fmd_state_entry *find_entry(const checkpoint *c, const char *name, fmd_state_kind kind)
{
    for (size_t i = 0; i < c->contents.n_entries; i++) {
        const fmd_state_entry *item = &c->contents.entries[i];
        if (strcmp(item->name, name) == 0 && item->kind == kind && item->count > 0)
            return item;
    }
    return NULL;
}

/* The columns of the history, by name if there are more than Keras' five. */
static fmd_status read_columns(checkpoint *c)
{
    const fmd_state_entry *names = find_entry(c, "history_columns", FMD_STATE_U8);
    const char *text = names != NULL ? names->data : "";
    char spec[FMD_METRICS_COLUMNS * FMD_METRIC_NAME_BYTES] = "accuracy", *rest = NULL;
    char copy[sizeof spec] = "";
    if (names != NULL && (names->count > sizeof copy || text[names->count - 1] != '\0'))
        return FMD_FAIL(FMD_EDATA, "'%s' is damaged: 'history_columns' has impossible values",
                        c->path);
    snprintf(copy, sizeof copy, "%s", text);
    rest = copy;
    for (const char *word; rest != NULL && (word = strsep(&rest, ",")) != NULL;)
        if (strncmp(word, "val_", 4) != 0 && fmd_metric_ops_of_column(word) != NULL)
            snprintf(spec + strlen(spec), sizeof spec - strlen(spec), ",%s", word);
    FMD_TRY(fmd_metric_list_parse(&c->metrics, spec, FMD_LOSS_CLASSES));
    while (fmd_metrics_column(&c->metrics, c->columns) != NULL)
        c->columns++;
    return FMD_OK;
}

/* The values of an epoch. */
static fmd_metrics epoch_of(const checkpoint *c, int64_t i)
{
    fmd_metrics m = fmd_metrics_none(&c->metrics);
    for (size_t k = 0; k < c->columns; k++)
        *fmd_metrics_at(&m, k) = c->history[(size_t)i * c->columns + k];
    return m;
}

/* Reads how far the training had come. */
static fmd_status read_position(checkpoint *c)
{
    const fmd_state_entry *epoch = find_entry(c, "epoch", FMD_STATE_I64);
    const fmd_state_entry *step = find_entry(c, "step", FMD_STATE_I64);
    const fmd_state_entry *history = find_entry(c, "history", FMD_STATE_F64);
    if (epoch == NULL || step == NULL || history == NULL)
        return FMD_FAIL(FMD_EDATA,
                        "'%s' lacks epoch, step or history: not a checkpoint of a training",
                        c->path);
    c->epochs = *(const int64_t *)epoch->data;
    c->step = *(const int64_t *)step->data;
    c->history = history->data;
    FMD_TRY(read_columns(c));
    if (c->epochs < 0 || c->step < 0 || (uint64_t)c->epochs > history->count / c->columns)
        return FMD_FAIL(FMD_EDATA, "'%s': epoch %" PRId64 " with step %" PRId64 " is impossible",
                        c->path, c->epochs, c->step);
    return FMD_OK;
}

/* Reads the whole file, with the checks that a resumed training makes. */
static fmd_status open_checkpoint(checkpoint *c, const char *given)
{
    struct stat s;
    FMD_TRY(fmd_weights_path(given, c->path));
    if (stat(c->path, &s) != 0)
        return FMD_FAIL(FMD_ENOINPUT, "cannot open '%s': %s", c->path, strerror(errno));
    c->bytes = (long long)s.st_size;
    FMD_TRY(fmd_checkpoint_read_info(c->path, &c->info));
    FMD_TRY(fmd_checkpoint_read_contents(c->path, &c->contents));
    FMD_TRY(read_position(c));
    const char *optimizer = fmd_fingerprint_text(&c->contents, "optimizer");
    if (optimizer == NULL)
        return FMD_FAIL(FMD_EDATA, "'%s' does not name its optimizer", c->path);
    FMD_TRY(fmd_model_create(&c->model, c->info.layers, c->info.in, 1));
    FMD_TRY(fmd_optimizer_create(&c->optimizer, optimizer, fmd_model_n_trainable_params(c->model)));
    return fmd_checkpoint_read(c->path, &(fmd_state){.model = c->model,
                                                     .optimizer = c->optimizer,
                                                     .entries = c->contents.entries,
                                                     .n_entries = c->contents.n_entries});
}

static void close_checkpoint(checkpoint *c)
{
    fmd_checkpoint_free_contents(&c->contents);
    fmd_optimizer_destroy(c->optimizer);
    fmd_model_destroy(c->model);
    free(c);
}

/* A tensor of the model, or a slot of the optimizer for one. */
typedef struct view {
    char name[160];
    fmd_shape shape;
    size_t count;
    const float *values;
} view;

static size_t n_views(const checkpoint *c)
{
    return fmd_model_n_tensors(c->model) +
           fmd_model_n_trainable_tensors(c->model) * fmd_optimizer_n_slots(c->optimizer);
}

static view view_at(const checkpoint *c, size_t i)
{
    const size_t tensors = fmd_model_n_tensors(c->model);
    const size_t trainable = fmd_model_n_trainable_tensors(c->model);
    const bool of_model = i < tensors;
    const size_t slot = of_model ? 0 : 1 + (i - tensors) / trainable;
    const fmd_tensor *t = fmd_model_tensor(c->model, of_model ? i : (i - tensors) % trainable);
    const float *values =
        of_model ? fmd_model_params(c->model) : fmd_optimizer_slot(c->optimizer, slot - 1);
    view v = {.shape = t->shape, .count = t->count, .values = values + t->offset};
    snprintf(v.name, sizeof v.name, "%s/%s%s%s", fmd_model_layer(c->model, (size_t)t->layer)->name,
             t->name, of_model ? "" : " ",
             of_model ? "" : fmd_optimizer_slot_name(c->optimizer, slot - 1));
    return v;
}

static bool find_view(const checkpoint *c, const view *like, view *out)
{
    for (size_t i = 0; i < n_views(c); i++) {
        *out = view_at(c, i);
        if (strcmp(out->name, like->name) == 0 &&
            memcmp(&out->shape, &like->shape, sizeof out->shape) == 0)
            return true;
    }
    return false;
}

static double item_value(const fmd_state_entry *item, size_t i)
{
    switch (item->kind) {
    case FMD_STATE_U8: return ((const uint8_t *)item->data)[i];
    case FMD_STATE_I32: return ((const int32_t *)item->data)[i];
    case FMD_STATE_I64: return (double)((const int64_t *)item->data)[i];
    case FMD_STATE_F32: return (double)((const float *)item->data)[i];
    case FMD_STATE_F64: return ((const double *)item->data)[i];
    }
    return 0;
}

/* Up to eight values; of more, the text if they are bytes, else their hash. */
static const char *entry_text(const fmd_state_entry *item, char *text, size_t size)
{
    char hash[FMD_HASH_TEXT];
    const char *bytes = item->data;
    size_t used = 0;
    if (item->kind == FMD_STATE_U8 && item->count > 8) {
        snprintf(text, size, "\"%.*s\"", (int)strnlen(bytes, item->count), bytes);
    } else if (item->count > 8) {
        fmd_hash_text(fmd_hash_bytes(item->data, fmd_state_entry_bytes(item)), hash);
        snprintf(text, size, "%zu values, xxh3:%s", item->count, hash);
    } else {
        *text = '\0';
        for (size_t i = 0; i < item->count && used < size; i++)
            used += (size_t)snprintf(text + used, size - used, "%s%.10g", i > 0 ? " " : "",
                                     item_value(item, i));
    }
    return text;
}

/* "step 487: epoch 3 of 10, step 17 of 235" */
static const char *position_text(const checkpoint *c, char *text, size_t size)
{
    const char *of = fmd_fingerprint_text(&c->contents, "epochs");
    const int64_t steps = c->epochs > 0 ? ((int64_t)c->info.step - c->step) / c->epochs : 0;
    int n = snprintf(text, size, "step %" PRIu64 ": ", c->info.step);
    if (c->step == 0)
        n += snprintf(text + n, size - (size_t)n, "%" PRId64, c->epochs);
    else
        n += snprintf(text + n, size - (size_t)n, "epoch %" PRId64, c->epochs + 1);
    if (of != NULL)
        n += snprintf(text + n, size - (size_t)n, " of %.32s", of);
    if (c->step == 0)
        snprintf(text + n, size - (size_t)n, " epochs done");
    else if (steps > 0)
        snprintf(text + n, size - (size_t)n, ", step %" PRId64 " of %" PRId64, c->step, steps);
    else
        snprintf(text + n, size - (size_t)n, ", step %" PRId64, c->step);
    return text;
}

static void print_metric(int width, double value)
{
    if (isnan(value)) /* not measured */
        fmd_print("  %*s", width, "-");
    else
        fmd_print("  %*.*g", width, 6, value);
}

static void print_history(const checkpoint *c)
{
    if (c->epochs == 0)
        return;
    fmd_print("\nhistory\n");
    fmd_print("  epoch    accuracy        loss  val_accuracy    val_loss  learning_rate");
    const char *column;
    for (size_t k = 5; (column = fmd_metrics_column(&c->metrics, k)) != NULL; k++)
        fmd_print("  %10s", column);
    fmd_print("\n");
    for (int64_t i = 0; i < c->epochs; i++) {
        fmd_metrics m = epoch_of(c, i);
        fmd_print("  %5" PRId64, i + 1);
        print_metric(10, m.accuracy);
        print_metric(10, m.loss);
        print_metric(12, m.val_accuracy);
        print_metric(10, m.val_loss);
        print_metric(13, m.learning_rate);
        for (size_t k = 5; (column = fmd_metrics_column(&c->metrics, k)) != NULL; k++)
            print_metric(strlen(column) > 10 ? (int)strlen(column) : 10, *fmd_metrics_at(&m, k));
        putchar('\n');
    }
}

static void print_view(const view *v)
{
    double min = (double)v->values[0], max = min, sum = 0;
    for (size_t i = 0; i < v->count; i++) {
        const double x = (double)v->values[i];
        min = x < min ? x : min;
        max = x > max ? x : max;
        sum += x;
    }
    char shape[FMD_SHAPE_TEXT], hash[FMD_HASH_TEXT];
    fmd_hash_text(fmd_hash_bytes(v->values, v->count * sizeof *v->values), hash);
    fmd_print("  %-24s %-10s %10.4g %10.4g %10.4g  %.8s\n", v->name,
              fmd_shape_text(v->shape, 0, shape), min, sum / (double)v->count, max, hash);
}

static void print_file(const checkpoint *c, const char *verdict)
{
    char bytes[32];
    fmd_print("file     %s\n", c->path);
    fmd_print("size     %s bytes, %s\n", fmd_format_count((size_t)c->bytes, bytes), verdict);
}

static void print_checkpoint(const checkpoint *c)
{
    char text[512], hash[FMD_HASH_TEXT], name[FMD_MODEL_NAME], title[FMD_MODEL_TITLE];
    print_file(c, "valid");
    fmd_print("written  by fmnist-dist %s\n", c->contents.program_version);
    fmd_print("at       %s\n", position_text(c, text, sizeof text));
    fmd_print("model    %s: %s\n", fmd_model_kind(c->model),
              fmd_model_title(fmd_model_name_of(c->path, name), fmd_model_spec(c->model), title));
    fmd_print("images   %s, pixels %s\n", fmd_shape_text(c->info.in, 0, text),
              c->info.normalize ? "divided by 255" : "0 to 255");
    fmd_print("weights  xxh3:%s\n", fmd_hash_text(fmd_model_hash(c->model), hash));
    fmd_print("\nfingerprint\n");
    for (size_t i = 0; i < c->contents.n_fingerprint; i++)
        fmd_print("  %-28s %s\n", c->contents.fingerprint[i].name, c->contents.fingerprint[i].text);
    print_history(c);
    fmd_print("\nstate\n");
    for (size_t i = 0; i < c->contents.n_entries; i++)
        fmd_print("  %-28s %s\n", c->contents.entries[i].name,
                  entry_text(&c->contents.entries[i], text, sizeof text));
    fmd_print("\n%-26s %-10s %10s %10s %10s  %s\n", "tensors", "shape", "min", "mean", "max",
              "xxh3");
    for (size_t i = 0; i < n_views(c); i++) {
        const view v = view_at(c, i);
        print_view(&v);
    }
}

/* `what` collects the kinds of difference for the last line. */
typedef struct comparison {
    const checkpoint *a, *b;
    char what[128];
} comparison;

/* Not ==: NaN equals itself here, and the two zeros differ. */
static bool same_bits(const void *a, const void *b, size_t bytes)
{
    return memcmp(a, b, bytes) == 0;
}

static void note(comparison *d, const char *what)
{
    if (strstr(d->what, what) != NULL)
        return;
    const size_t used = strlen(d->what);
    snprintf(d->what + used, sizeof d->what - used, "%s%s", used > 0 ? ", " : "", what);
}

static void compare_fingerprints(comparison *d)
{
    static const char none[] = "none";
    for (size_t i = 0; i < d->a->contents.n_fingerprint; i++) {
        const fmd_fingerprint_entry *t = &d->a->contents.fingerprint[i];
        const char *other = fmd_fingerprint_text(&d->b->contents, t->name);
        if (other != NULL && strcmp(other, t->text) == 0)
            continue;
        fmd_print("fingerprint %s: %s | %s\n", t->name, t->text, other != NULL ? other : none);
        note(d, "fingerprint");
    }
    for (size_t i = 0; i < d->b->contents.n_fingerprint; i++) {
        const fmd_fingerprint_entry *t = &d->b->contents.fingerprint[i];
        if (fmd_fingerprint_text(&d->a->contents, t->name) != NULL)
            continue;
        fmd_print("fingerprint %s: %s | %s\n", t->name, none, t->text);
        note(d, "fingerprint");
    }
}

static void compare_progress(comparison *d)
{
    const checkpoint *a = d->a, *b = d->b;
    const int64_t both = a->epochs < b->epochs ? a->epochs : b->epochs;
    int64_t same = 0;
    if (a->info.step != b->info.step || a->epochs != b->epochs || a->step != b->step) {
        fmd_print("step     %" PRIu64 " | %" PRIu64 "\n", a->info.step, b->info.step);
        note(d, "step");
    }
    while (same < both && a->columns == b->columns &&
           same_bits(&a->history[(size_t)same * a->columns], &b->history[(size_t)same * b->columns],
                     a->columns * sizeof *a->history))
        same++;
    if (same < both) {
        const fmd_metrics x = epoch_of(a, same), y = epoch_of(b, same);
        fmd_print("history  differs from epoch %" PRId64 ": loss %.9g | %.9g, accuracy %.9g | "
                  "%.9g\n",
                  same + 1, x.loss, y.loss, x.accuracy, y.accuracy);
        note(d, "history");
    } else if (a->epochs != b->epochs) {
        fmd_print("history  %" PRId64 " | %" PRId64 " epochs, the first %" PRId64 " are equal\n",
                  a->epochs, b->epochs, both);
        note(d, "history");
    }
}

/* Entries of the state, but for position and history, which compare_progress has. */
static void compare_entries(comparison *d)
{
    static const char *const known[] = {"epoch", "step", "history"};
    const checkpoint *const sides[] = {d->a, d->b};
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < sides[side]->contents.n_entries; i++) {
            const fmd_state_entry *x = &sides[side]->contents.entries[i];
            const fmd_state_entry *y = find_entry(sides[1 - side], x->name, x->kind);
            char mine[256], other[256] = "none";
            bool skip = side == 1 && y != NULL; /* compared from the other side */
            for (size_t k = 0; k < sizeof known / sizeof *known; k++)
                skip = skip || strcmp(x->name, known[k]) == 0;
            if (skip || (y != NULL && y->count == x->count &&
                         memcmp(x->data, y->data, fmd_state_entry_bytes(x)) == 0))
                continue;
            entry_text(x, mine, sizeof mine);
            if (y != NULL)
                entry_text(y, other, sizeof other);
            fmd_print("state    %s: %s | %s\n", x->name, side == 0 ? mine : other,
                      side == 0 ? other : mine);
            note(d, "state");
        }
}

static void compare_values(comparison *d, const view *x, const view *y)
{
    double most = 0;
    size_t n = 0;
    for (size_t i = 0; i < x->count; i++) {
        const double apart = (double)x->values[i] - (double)y->values[i];
        most = apart > most ? apart : -apart > most ? -apart : most;
        n += !same_bits(&x->values[i], &y->values[i], sizeof *x->values);
    }
    if (n == 0)
        return;
    fmd_print("tensor   %s: %zu of %zu values differ, by up to %.6g\n", x->name, n, x->count, most);
    note(d, "tensors");
}

static void compare_tensors(comparison *d)
{
    const checkpoint *const sides[] = {d->a, d->b};
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < n_views(sides[side]); i++) {
            const view x = view_at(sides[side], i);
            view y;
            char shape[FMD_SHAPE_TEXT];
            if (find_view(sides[1 - side], &x, &y)) {
                if (side == 0)
                    compare_values(d, &x, &y);
                continue;
            }
            fmd_print("tensor   %s %s: only in the %s\n", x.name, fmd_shape_text(x.shape, 0, shape),
                      side == 0 ? "first" : "second");
            note(d, "tensors");
        }
}

static fmd_status compare(const checkpoint *a, const checkpoint *b)
{
    const checkpoint *const sides[] = {a, b};
    comparison d = {.a = a, .b = b};
    char text[256];
    for (int i = 0; i < 2; i++)
        fmd_print("%-8s %s · %s\n", i == 0 ? "first" : "second", sides[i]->path,
                  position_text(sides[i], text, sizeof text));
    if (strcmp(a->contents.program_version, b->contents.program_version) != 0) {
        fmd_print("version  %s | %s\n", a->contents.program_version, b->contents.program_version);
        note(&d, "version");
    }
    if (a->info.normalize != b->info.normalize ||
        memcmp(&a->info.in, &b->info.in, sizeof a->info.in) != 0) {
        fmd_print("images   differ in shape, or in the division of pixels by 255\n");
        note(&d, "images");
    }
    compare_fingerprints(&d);
    compare_progress(&d);
    compare_entries(&d);
    compare_tensors(&d);
    if (*d.what == '\0') {
        fmd_print("equal\n");
        return FMD_OK;
    }
    fmd_print("different: %s\n", d.what);
    return FMD_FAIL_SILENTLY(FMD_EDIFFER);
}

static fmd_status run_inspect(fmd_comm *c, const fmd_config *config)
{
    (void)c;
    checkpoint *a = NULL, *b = NULL;
    const bool two = *config->model.against != '\0';
    FMD_TRY(fmd_alloc(&a, 1, sizeof *a, "the checkpoint"));
    fmd_status st = fmd_alloc(&b, 1, sizeof *b, "the checkpoint");
    if (st != FMD_OK) {
        free(a);
        return st;
    }
    st = fmd_weights_advise(open_checkpoint(a, config->model.weights), config->model.weights,
                            a->path);
    if (st == FMD_OK && two)
        st = fmd_weights_advise(open_checkpoint(b, config->model.against), config->model.against,
                                b->path);
    if (st == FMD_OK && two)
        st = compare(a, b);
    else if (st == FMD_OK)
        print_checkpoint(a);
    else if (st == FMD_EDATA && !two) /* the error line says why */
        print_file(a, "not valid");
    close_checkpoint(a);
    close_checkpoint(b);
    return st;
}

const fmd_command fmd_command_inspect = {
    .name = "inspect",
    .usage = "RUN_DIR|FILE [RUN_DIR|FILE] [OPTIONS]",
    .help = "shows the contents of a checkpoint, or the differences between two",
    .section = FMD_TO_LOOK,
    .example = "runs/20260131-120000",
    .groups = "weights|comparison",
    .words = "weights|against",
    .run = run_inspect,
};
