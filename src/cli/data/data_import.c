#include "base/format.h"
#include "base/mem.h"
#include "base/system/print.h"
#include "base/system/terminal.h"
#include "base/timer.h"
#include "cli/data/data.h"
#include "cli/data/loaded.h"
#include "data/import/import.h"
#include "run/loaded_model.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BAR_COLUMNS = 30, LABEL_COLUMNS = 10 };

/* Set by the handler. */
static volatile sig_atomic_t signalled;

static void take_signal(int number)
{
    signalled = number;
}

static bool is_stopped(void)
{
    return signalled != 0;
}

/* A bar on a terminal. */
typedef struct bar {
    double drawn; /* when */
    bool there;
} bar;

static void draw_bar(void *self, double share)
{
    static const double interval = 0.1;
    bar *b = self;
    const double now = fmd_now();
    if (now - b->drawn < interval)
        return;
    b->drawn = now;
    b->there = true;
    const int full = (int)(share * BAR_COLUMNS);
    printf("\r%3.0f %% [", 100 * share);
    for (int i = 0; i < BAR_COLUMNS; i++)
        putchar(i < full ? '=' : i == full ? '>' : '.');
    printf("]");
    fflush(stdout);
}

static void clear_bar(const bar *b)
{
    if (b->there)
        printf("\r%*s\r", BAR_COLUMNS + 10, "");
}

/* "28x28", height first as in the shapes of images. */
static fmd_status parse_size(fmd_size *size, const char *text)
{
    enum { MOST = 16384 };
    int length = 0;
    *size = (fmd_size){.width = 0};
    if (*text == '\0')
        return FMD_OK;
    if (sscanf(text, "%5zu%*1[xX]%5zu%n", &size->height, &size->width, &length) != 2 ||
        text[length] != '\0' || size->height - 1 >= MOST || size->width - 1 >= MOST)
        return FMD_FAIL(FMD_EUSAGE,
                        "--size: '%s' is not HEIGHTxWIDTH, such as 28x28, each from 1 to %d", text,
                        MOST);
    return FMD_OK;
}

/* The sizes of the smallest and the largest class. */
static void print_balance(const fmd_import_report *r)
{
    size_t least = SIZE_MAX, most = 0;
    for (int i = 0; i < r->info.classes; i++) {
        if (r->count[i] == 0)
            continue;
        least = r->count[i] < least ? r->count[i] : least;
        most = r->count[i] > most ? r->count[i] : most;
    }
    fmd_print("%-*s %d", LABEL_COLUMNS, "classes", r->info.classes);
    if (least == most)
        fmd_print(", each with %zu training image%s", least, least == 1 ? "" : "s");
    else
        fmd_print(", with %zu to %zu training images", least, most);
    if (r->unused > 0)
        fmd_print("; %d label%s no image", r->unused, r->unused == 1 ? " has" : "s have");
    fmd_print("\n");
}

static void print_report(const fmd_import_args *args, const fmd_import_report *r)
{
    const fmd_dataset_info *d = &r->info;
    char shape[FMD_SHAPE_TEXT];
    fmd_print("%-*s %s (%s)\n", LABEL_COLUMNS, "source", args->source, r->kind);
    fmd_print("%-*s %s\n", LABEL_COLUMNS, "data set", args->dest);
    fmd_print("%-*s %zu to train, %zu to test%s, %s\n", LABEL_COLUMNS, "images", d->n_train,
              d->n_test, r->test_split ? " (set aside by --test-split)" : "",
              fmd_format_shape(d->image, shape));
    print_balance(r);
    if (r->resized > 0)
        fmd_print("%-*s %zu image%s had another size (--resize)\n", LABEL_COLUMNS, "resized",
                  r->resized, r->resized == 1 ? "" : "s");
    if (r->converted > 0)
        fmd_print("%-*s %zu image%s had other channels\n", LABEL_COLUMNS, "converted", r->converted,
                  r->converted == 1 ? "" : "s");
    for (int i = 0; i < r->n_drops; i++)
        fmd_print("%-*s %zu: %s: %s\n", LABEL_COLUMNS, "dropped", r->drop[i].n, r->drop[i].reason,
                  r->drop[i].first);
    if (*r->note != '\0')
        fmd_print("%-*s %s\n", LABEL_COLUMNS, "note", r->note);
    fmd_data_print_duplicates(&r->duplicates, LABEL_COLUMNS);
    if (d->classes == 1)
        fmd_print("%-*s all labels are 0: a classifier needs at least two classes\n", LABEL_COLUMNS,
                  "note");
}

static fmd_status add_drop(fmd_json *j, const fmd_import_drop *drop)
{
    fmd_json *row;
    FMD_TRY(fmd_json_create(&row));
    fmd_json_text(row, NULL, "reason", drop->reason);
    fmd_json_int(row, NULL, "images", (long long)drop->n);
    fmd_json_text(row, NULL, "first", drop->first);
    fmd_json_append_object(j, "dropped", row);
    fmd_json_destroy(row);
    return FMD_OK;
}

static fmd_status print_json(const fmd_import_args *args, const fmd_import_report *r)
{
    fmd_json *j;
    FMD_TRY(fmd_json_create(&j));
    fmd_json_text(j, NULL, "source", args->source);
    fmd_json_text(j, NULL, "kind", r->kind);
    fmd_json_text(j, NULL, "path", args->dest);
    fmd_json_int(j, NULL, "train_images", (long long)r->info.n_train);
    fmd_json_int(j, NULL, "test_images", (long long)r->info.n_test);
    for (int i = 0; i < r->info.image.rank; i++)
        fmd_json_append_int(j, NULL, "image", r->info.image.dim[i]);
    fmd_json_int(j, NULL, "classes", r->info.classes);
    fmd_json_int(j, NULL, "unused_labels", r->unused);
    fmd_json_bool(j, NULL, "test_split", r->test_split);
    fmd_json_int(j, NULL, "resized", (long long)r->resized);
    fmd_json_int(j, NULL, "converted", (long long)r->converted);
    fmd_json_int(j, NULL, "dropped_images", (long long)r->dropped);
    fmd_json_int(j, NULL, "repeated_training_images", (long long)r->duplicates.repeated);
    fmd_json_int(j, NULL, "test_images_in_training", (long long)r->duplicates.leaked);
    fmd_json_text(j, NULL, "note", r->note);
    fmd_status st = FMD_OK;
    for (int i = 0; i < r->n_drops && st == FMD_OK; i++)
        st = add_drop(j, &r->drop[i]);
    if (st == FMD_OK)
        st = fmd_print_json(j);
    fmd_json_destroy(j);
    return st;
}

/* Without SA_RESTART a signal ends a system call that waits. */
static void watch_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = take_signal};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaction(signals[i], &action, NULL);
}

static fmd_status import(const fmd_import_args *args, bool json)
{
    fmd_import_report *r;
    FMD_TRY(fmd_alloc(&r, 1, sizeof *r, "the report of an import"));
    watch_signals();
    fmd_status st = fmd_import(args, r);
    clear_bar(args->self);
    if (st == FMD_OK && json)
        st = print_json(args, r);
    else if (st == FMD_OK)
        print_report(args, r);
    free(r);
    return st;
}

fmd_status fmd_data_import(const fmd_config *config)
{
    bar progress = {.there = false};
    fmd_import_args args = {.source = config->data.dataset,
                            .dest = config->import.dest,
                            .dir = config->data.dir,
                            .fit = (fmd_import_fit)config->import.resize,
                            .label = (fmd_import_label)config->import.label,
                            .test_split = config->import.test_split,
                            .self = &progress,
                            .stopped = is_stopped};
    if (!fmd_config_gives(config, "dataset") || *args.dest == '\0')
        return FMD_FAIL(FMD_EUSAGE, "data import: name the source and the new folder: fmnist-dist "
                                    "data import SOURCE DEST");
    FMD_TRY(parse_size(&args.size, config->import.size));
    static const size_t channels[] = {0, 1, 3}; /* auto, 1, 3 */
    args.channels = channels[config->import.channels];
    if (!config->view.json && fmd_terminal_of_stdout().terminal)
        args.progress = draw_bar;
    return import(&args, config->view.json);
}
