#include "cli/predict/table.h"
#include "base/format.h"

#include "base/system/terminal.h"
#include "io/json/json_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOP = 3, BAR_COLUMNS = 5 };

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

/* The decimal number nearest to a float that has the fewest digits of those that read back as it. */
static const char *shortest(float value, char text[32])
{
    for (int digits = 1; digits <= 9; digits++) {
        snprintf(text, 32, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value)
            break;
    }
    return text;
}

/* The table. */

/* Columns of each part. */
typedef struct widths {
    int image, class, label;
} widths;

static const char *image_text(const fmd_told *t, size_t image, char text[FMD_PICTURE_NAME])
{
    if (t->names != NULL)
        return t->names[image];
    snprintf(text, FMD_PICTURE_NAME, "%zu", image);
    return text;
}

static widths measure(const fmd_told *t)
{
    widths w = {.image = fmd_columns("image"), .class = fmd_columns("label")};
    char text[FMD_PICTURE_NAME], class[FMD_CLASS_TEXT];
    for (size_t i = 0; i < t->n; i++) {
        const int n = fmd_columns(image_text(t, t->index[i], text));
        w.image = n > w.image ? n : w.image;
    }
    for (size_t k = 0; k < t->prediction->classes; k++) {
        const int n = fmd_columns(fmd_class_text(data_of(t), (int)k, class));
        w.class = n > w.class ? n : w.class;
    }
    return w;
}

/* In eighths of a column where there is UTF-8. */
static void print_bar(float share, bool last, const fmd_terminal *terminal)
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
    fmd_print_padded(text, last ? 0 : BAR_COLUMNS);
}

static void print_row(const fmd_told *t, size_t image, const widths *w,
                      const fmd_terminal *terminal)
{
    char text[FMD_PICTURE_NAME], class[FMD_CLASS_TEXT], style[16];
    size_t top[TOP];
    const size_t n = fmd_top_classes(t->prediction, image, top, TOP);
    const bool wrong = is_wrong(t, image);
    fmd_print_padded(image_text(t, image, text), t->names != NULL ? w->image : -w->image);
    if (t->labels != NULL) {
        printf("  ");
        fmd_print_padded(fmd_class_text(data_of(t), t->labels[image], class), w->class);
        printf(" %s", wrong ? (terminal->utf8 ? "≠" : "x") : " ");
    }
    for (size_t i = 0; i < n; i++) {
        printf("%s", i == 0 ? " " : "  ");
        if (i == 0)
            printf("%s", fmd_style(terminal, wrong ? "1;33" : "1;36", style));
        fmd_print_padded(fmd_class_text(data_of(t), (int)top[i], class), w->class);
        printf(" %5.3f ", (double)row_of(t, image)[top[i]]);
        print_bar(row_of(t, image)[top[i]], i + 1 == n, terminal);
        if (i == 0)
            printf("%s", fmd_style(terminal, "0", style));
    }
    printf("\n");
}

void fmd_prediction_table(const fmd_told *t)
{
    const fmd_terminal terminal = fmd_terminal_of_stdout();
    const widths w = measure(t);
    fmd_print_padded("image", t->names != NULL ? w.image : -w.image);
    if (t->labels != NULL) {
        printf("  ");
        fmd_print_padded("label", w.class + 2);
    }
    printf(" ");
    fmd_print_padded("predicted", w.class + BAR_COLUMNS + 9);
    printf("next\n");
    for (size_t i = 0; i < t->n; i++)
        print_row(t, t->index[i], &w, &terminal);
}

/* CSV (RFC 4180, lines end as in Unix). */

static void print_field(const char *text)
{
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
    char text[FMD_PICTURE_NAME];
    printf("image,label,label_name,predicted,predicted_name,confidence");
    for (size_t k = 0; k < t->prediction->classes; k++)
        printf(",p%zu", k);
    printf("\n");
    for (size_t i = 0; i < t->n; i++) {
        const size_t image = t->index[i];
        print_field(image_text(t, image, text));
        if (t->labels != NULL) {
            printf(",%d,", t->labels[image]);
            print_field(fmd_class_name(data_of(t), t->labels[image]));
        } else {
            printf(",,");
        }
        printf(",%d,", t->prediction->predicted[image]);
        print_field(fmd_class_name(data_of(t), t->prediction->predicted[image]));
        printf(",%s", shortest(fmd_confidence(t->prediction, image), text));
        for (size_t k = 0; k < t->prediction->classes; k++)
            printf(",%s", shortest(row_of(t, image)[k], text));
        printf("\n");
    }
}

/* JSON. */

static fmd_status add_image(fmd_json *j, const fmd_told *t, size_t image)
{
    char text[32];
    fmd_json *one;
    FMD_TRY(fmd_json_create(&one));
    if (t->names != NULL)
        fmd_json_text(one, NULL, "image", t->names[image]);
    else
        fmd_json_int(one, NULL, "image", (long long)image);
    if (t->labels != NULL)
        fmd_json_int(one, NULL, "label", t->labels[image]);
    fmd_json_int(one, NULL, "predicted", t->prediction->predicted[image]);
    for (size_t k = 0; k < t->prediction->classes; k++)
        fmd_json_append_real(one, NULL, "probabilities",
                             strtod(shortest(row_of(t, image)[k], text), NULL));
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
