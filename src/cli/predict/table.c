#include "cli/predict/table.h"
#include "base/format.h"
#include "base/system/print.h"
#include "base/system/terminal.h"
#include "io/json/json_object.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_TOP = 3,      /* classes of an image */
    VALUE_COLUMNS = 6, /* " 0.996" */
    BAR_COLUMNS = 5,
    NAME_COLUMNS = 24, /* of a file, the most */
    FILE_COLUMNS = 80, /* where stdout is no terminal */
};

static const float *row_of(const fmd_told *t, size_t image)
{
    return t->prediction->probabilities + image * t->prediction->classes;
}

static const fmd_dataset_info *data_of(const fmd_told *t)
{
    return &t->trained->data.info;
}

static bool is_wrong(const fmd_told *t, size_t image)
{
    return t->labels != NULL && t->labels[image] != t->prediction->predicted[image];
}

/* The table. */

/* Columns of each part, and how many classes of an image fit beside one another. */
typedef struct layout {
    int image, class;
    size_t top;
} layout;

static const char *image_text(const fmd_told *t, size_t image, char text[FMD_PICTURE_NAME])
{
    if (t->names != NULL)
        return t->names[image];
    snprintf(text, FMD_PICTURE_NAME, "%zu", image);
    return text;
}

/* The same, of a long name the end. */
static const char *short_image_text(const fmd_told *t, size_t image, char text[FMD_PICTURE_NAME])
{
    const char *whole = image_text(t, image, text);
    if (fmd_columns(whole) <= NAME_COLUMNS)
        return whole;
    const char *end = whole + strlen(whole) - (NAME_COLUMNS - 3);
    while (((unsigned char)*end & 0xC0) == 0x80) /* within a character */
        end++;
    char cut[NAME_COLUMNS + 1];
    snprintf(cut, sizeof cut, "...%s", end);
    memcpy(text, cut, sizeof cut);
    return text;
}

static layout measure(const fmd_told *t, const fmd_terminal *terminal)
{
    layout l = {.image = fmd_columns("image"), .class = fmd_columns("label"), .top = 1};
    char text[FMD_PICTURE_NAME], class[FMD_CLASS_TEXT];
    for (size_t i = 0; i < t->n; i++) {
        const int n = fmd_columns(short_image_text(t, t->index[i], text));
        l.image = n > l.image ? n : l.image;
    }
    for (size_t k = 0; k < t->prediction->classes; k++) {
        const int n = fmd_columns(fmd_class_text(data_of(t), (int)k, class));
        l.class = n > l.class ? n : l.class;
    }
    const int screen = terminal->columns > 0 ? terminal->columns : FILE_COLUMNS;
    const int label = t->labels != NULL ? 2 + l.class + 2 : 0;
    int used = l.image + label + 1 + l.class + VALUE_COLUMNS + 1 + BAR_COLUMNS;
    while (l.top < MOST_TOP && (used += 2 + l.class + VALUE_COLUMNS) <= screen)
        l.top++;
    return l;
}

/* In eighths of a column where there is UTF-8. */
static void print_bar(float share, const fmd_terminal *terminal)
{
    static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    char text[4 * BAR_COLUMNS + 4] = "";
    size_t used = 0;
    const int parts = (int)((double)share * BAR_COLUMNS * 8 + 0.5);
    const int whole = terminal->utf8 ? parts / 8 : (parts + 4) / 8;
    for (int i = 0; i < whole; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s", terminal->utf8 ? "█" : "#");
    if (terminal->utf8)
        snprintf(text + used, sizeof text - used, "%s", eighths[parts % 8]);
    fmd_print_padded(text, BAR_COLUMNS);
}

static void print_row(const fmd_told *t, size_t image, const layout *l,
                      const fmd_terminal *terminal)
{
    char text[FMD_PICTURE_NAME], class[FMD_CLASS_TEXT];
    size_t top[MOST_TOP];
    const size_t n = fmd_top_classes(t->prediction, image, top, l->top);
    const bool wrong = is_wrong(t, image);
    fmd_print_padded(short_image_text(t, image, text), t->names != NULL ? l->image : -l->image);
    if (t->labels != NULL) {
        fmd_print("  ");
        fmd_print_padded(fmd_class_text(data_of(t), t->labels[image], class), l->class);
        fmd_print(" %s", wrong ? (terminal->utf8 ? "≠" : "x") : " ");
    }
    for (size_t i = 0; i < n; i++) {
        const float share = row_of(t, image)[top[i]];
        fmd_print(i == 0 ? " " : "  ");
        if (i == 0)
            fmd_print_style(terminal, wrong ? "1;33" : "1;36");
        fmd_print_padded(fmd_class_text(data_of(t), (int)top[i], class), l->class);
        fmd_print(" %5.3f", (double)share);
        if (i == 0) {
            fmd_print(" ");
            print_bar(share, terminal);
            fmd_print_style(terminal, "0");
        }
    }
    fmd_print("\n");
}

void fmd_prediction_table(const fmd_told *t)
{
    const fmd_terminal terminal = fmd_terminal_of_stdout();
    const layout l = measure(t, &terminal);
    fmd_print_padded("image", t->names != NULL ? l.image : -l.image);
    if (t->labels != NULL) {
        fmd_print("  ");
        fmd_print_padded("label", l.class + 2);
    }
    fmd_print(" ");
    fmd_print_padded("predicted", l.top > 1 ? l.class + VALUE_COLUMNS + 1 + BAR_COLUMNS + 2 : 0);
    fmd_print(l.top > 1 ? "next\n" : "\n");
    for (size_t i = 0; i < t->n; i++)
        print_row(t, t->index[i], &l, &terminal);
}

/* CSV (RFC 4180, lines end as in Unix). A terminal is no reader of data: there text is printable. */

static void print_field(const char *name, bool terminal)
{
    char text[FMD_PICTURE_NAME];
    snprintf(text, sizeof text, "%s", name);
    if (terminal)
        fmd_printable(text);
    if (strpbrk(text, ",\"\n\r") == NULL) {
        printf("%s", text);
        return;
    }
    putchar('"');
    for (const char *c = text; *c != '\0'; c++)
        printf(*c == '"' ? "\"\"" : "%c", *c);
    putchar('"');
}

void fmd_prediction_csv(const fmd_told *t)
{
    const bool terminal = fmd_terminal_of_stdout().terminal;
    char text[FMD_PICTURE_NAME];
    printf("image,label,label_name,predicted,predicted_name,confidence");
    for (size_t k = 0; k < t->prediction->classes; k++)
        printf(",p%zu", k);
    printf("\n");
    for (size_t i = 0; i < t->n; i++) {
        const size_t image = t->index[i];
        print_field(image_text(t, image, text), terminal);
        if (t->labels != NULL) {
            printf(",%d,", t->labels[image]);
            print_field(fmd_class_name(data_of(t), t->labels[image]), terminal);
        } else {
            printf(",,");
        }
        printf(",%d,", t->prediction->predicted[image]);
        print_field(fmd_class_name(data_of(t), t->prediction->predicted[image]), terminal);
        printf(",%s", fmd_format_float(fmd_confidence(t->prediction, image), text));
        for (size_t k = 0; k < t->prediction->classes; k++)
            printf(",%s", fmd_format_float(row_of(t, image)[k], text));
        printf("\n");
    }
}

/* JSON. */

static fmd_status add_image(fmd_json *j, const fmd_told *t, size_t image)
{
    fmd_json *one;
    FMD_TRY(fmd_json_create(&one));
    if (t->names != NULL)
        fmd_json_text(one, NULL, "image", t->names[image]);
    else
        fmd_json_int(one, NULL, "image", (long long)image);
    if (t->labels != NULL)
        fmd_json_int(one, NULL, "label", t->labels[image]);
    fmd_json_int(one, NULL, "predicted", t->prediction->predicted[image]);
    fmd_json_floats(one, "probabilities", row_of(t, image), t->prediction->classes);
    fmd_json_append_object(j, "predictions", one);
    fmd_json_destroy(one);
    return FMD_OK;
}

fmd_status fmd_prediction_json(const fmd_told *t)
{
    const fmd_loaded_model *trained = t->trained;
    char hash[FMD_HASH_TEXT];
    fmd_json *j;
    FMD_TRY(fmd_json_create(&j));
    fmd_json_text(j, "model", "file", trained->file.path);
    fmd_json_text(j, "model", "layers", fmd_model_spec(trained->model));
    fmd_json_text(j, "model", "weights_xxh3", fmd_hash_text(fmd_model_hash(trained->model), hash));
    fmd_json_text(j, "data", "name", data_of(t)->name);
    if (t->names == NULL)
        fmd_json_text(j, "data", "split", trained->half);
    for (size_t k = 0; k < t->prediction->classes; k++)
        fmd_json_append(j, NULL, "classes", fmd_class_name(data_of(t), (int)k));
    fmd_status st = FMD_OK;
    for (size_t i = 0; i < t->n && st == FMD_OK; i++)
        st = add_image(j, t, t->index[i]);
    if (st == FMD_OK)
        st = fmd_print_json(j);
    fmd_json_destroy(j);
    return st;
}
