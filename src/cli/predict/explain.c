#include "cli/predict/explain.h"

#include "base/mem.h"
#include "base/system/print.h"
#include "cli/show/drawing.h"
#include "report/explain/strip.h"
#include "run/run_folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { MOST = 12, GAP = 2, FILE_COLUMNS = 120, TITLE_COLUMNS = 60 };

static const uint8_t *image_at(const fmd_told *t, size_t i)
{
    return t->images + t->index[i] * fmd_shape_count(fmd_model_in(t->trained->model));
}

/* "test image 7", or the name of a file. */
static const char *image_name(const fmd_told *t, size_t i, char text[FMD_PICTURE_NAME])
{
    if (t->names != NULL)
        return t->names[t->index[i]];
    snprintf(text, FMD_PICTURE_NAME, "%s image %u", t->trained->half, t->index[i]);
    return text;
}

static void draw(const fmd_told *t, fmd_drawing *drawings, char (*names)[FMD_PICTURE_NAME])
{
    const fmd_terminal terminal = fmd_terminal_of_stdout();
    const fmd_shape shape = fmd_explain_shape(fmd_model_in(t->trained->model));
    const int screen = terminal.columns > 0 ? terminal.columns : FILE_COLUMNS;
    int columns = 1;
    for (size_t i = 0; i < t->n; i++) {
        drawings[i] = fmd_drawing_of(shape, image_at(t, i), image_name(t, i, names[i]));
        const int own = fmd_drawing_columns(&drawings[i], &terminal) + GAP;
        columns = own > columns ? own : columns;
    }
    const size_t fit = screen + GAP > columns ? (size_t)((screen + GAP) / columns) : 1;
    for (size_t i = 0; i < t->n; i += fit) {
        fmd_drawing_print(drawings + i, t->n - i < fit ? t->n - i : fit, columns, &terminal);
        fmd_print("\n");
    }
}

fmd_status fmd_prediction_show_input(const fmd_told *t)
{
    fmd_drawing *drawings;
    char(*names)[FMD_PICTURE_NAME] = NULL;
    FMD_TRY(fmd_alloc(&drawings, t->n, sizeof *drawings, "the drawings"));
    const fmd_status st = fmd_alloc(&names, t->n, sizeof *names, "the drawings");
    if (st == FMD_OK)
        draw(t, drawings, names);
    free(drawings);
    free(names);
    return st;
}

/* "shirt.png: predicted 6 Shirt, 0.83"; of an image of the data set also the class. */
static void describe(fmd_explained *e, const fmd_told *t, size_t i)
{
    const fmd_dataset_info *data = &t->trained->data.info;
    const size_t image = t->index[i];
    char name[FMD_PICTURE_NAME], label[FMD_CLASS_TEXT + 2] = "", class[FMD_CLASS_TEXT];
    char predicted[FMD_CLASS_TEXT];
    if (t->labels != NULL)
        snprintf(label, sizeof label, "%s, ", fmd_class_text(data, t->labels[image], class));
    *e = (fmd_explained){.image = image_at(t, i), .predicted = t->prediction->predicted[image]};
    const char *title = image_name(t, i, name);
    snprintf(e->title, sizeof e->title, "%.*s: %spredicted %s, %.3f",
             fmd_bytes_in_columns(title, TITLE_COLUMNS), title, label,
             fmd_class_text(data, (int)e->predicted, predicted),
             (double)fmd_confidence(t->prediction, image));
}

fmd_status fmd_prediction_explain(const fmd_told *t, const char *folder)
{
    fmd_explained explained[MOST];
    fmd_neighbours near[MOST];
    const uint8_t *images[MOST];
    const size_t n = t->n < MOST ? t->n : MOST;
    size_t searched;
    struct stat s;
    fmd_explainer *e;
    if (n == 0)
        return FMD_OK;
    if (stat(folder, &s) == 0 && !S_ISDIR(s.st_mode))
        return FMD_FAIL(FMD_EUSAGE, "--explain: '%s' is a file: name a folder", folder);
    FMD_TRY(fmd_make_folders(folder, "folder of --explain"));
    FMD_TRY(fmd_explainer_create(&e, t->trained));
    for (size_t i = 0; i < n; i++) {
        describe(&explained[i], t, i);
        images[i] = explained[i].image;
    }
    fmd_status st = fmd_explainer_neighbours(e, images, n, near, &searched);
    for (size_t i = 0; i < n && st == FMD_OK; i++)
        explained[i].near = near[i];
    if (st == FMD_OK)
        st = fmd_explain_draw(&(fmd_plot_target){.folder = folder, .formats = "svg png"}, e,
                              explained, n, searched);
    if (st == FMD_OK && n < t->n)
        fmd_print("explained: the first %zu of %zu images\n", n, t->n);
    fmd_explainer_destroy(e);
    return st;
}
