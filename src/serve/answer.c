#include "serve/answer.h"

#include "base/mem.h"
#include "io/json/json_images.h"
#include "io/json/json_object.h"
#include "io/pictures/picture.h"

#include <stdlib.h>
#include <string.h>

/* A small file can hold a huge picture; decoded, a pixel takes four bytes. */
enum { MOST_PIXELS = 16000000 };

static bool is_json(const char *body, size_t bytes)
{
    static const char blanks[] = {' ', '\t', '\r', '\n'};
    size_t i = 0;
    while (i < bytes && memchr(blanks, body[i], sizeof blanks) != NULL)
        i++;
    return i < bytes && (body[i] == '{' || body[i] == '[');
}

static fmd_status read_picture(uint8_t **out, const fmd_served *s, const void *body, size_t bytes)
{
    fmd_picture_changes changes = {.scaled = false};
    fmd_picture size;
    uint8_t *pixels;
    FMD_TRY(fmd_picture_examine_bytes(&size, body, bytes, "body"));
    if (size.width > MOST_PIXELS / size.height)
        return FMD_FAIL(FMD_EDATA, "a picture of %zu x %zu pixels: at most %d in all", size.width,
                        size.height, MOST_PIXELS);
    FMD_TRY(fmd_alloc(&pixels, fmd_model_images_bytes(&s->images), 1, "an image"));
    const fmd_status st = fmd_user_picture(&s->images, body, bytes, "body", pixels, &changes);
    if (st == FMD_OK)
        *out = pixels;
    else
        free(pixels);
    return st;
}

fmd_status fmd_ticket_read(fmd_ticket **out, const fmd_served *s, const void *body, size_t bytes)
{
    const fmd_model *m = s->trained->model;
    fmd_ticket *t;
    FMD_TRY(fmd_alloc(&t, 1, sizeof *t, "a request"));
    fmd_status st = FMD_OK;
    t->n = 1;
    if (is_json(body, bytes))
        st = fmd_json_images(&t->pixels, &t->n, body, bytes, fmd_model_in(m),
                             FMD_SERVE_MOST_INSTANCES);
    else
        st = read_picture(&t->pixels, s, body, bytes);
    const size_t classes = (size_t)fmd_model_classes(m);
    if (st == FMD_OK)
        st = fmd_alloc(&t->probabilities, t->n, classes * sizeof *t->probabilities,
                       "the probabilities");
    if (st == FMD_OK)
        st = fmd_alloc(&t->predicted, t->n, 1, "the predicted classes");
    if (st == FMD_OK)
        *out = t;
    else
        fmd_ticket_free(t);
    return st;
}

void fmd_ticket_free(fmd_ticket *t)
{
    if (t == NULL)
        return;
    free(t->pixels);
    free(t->probabilities);
    free(t->predicted);
    free(t);
}

static void add_classes(fmd_json *j, const fmd_served *s)
{
    for (int k = 0; k < fmd_model_classes(s->trained->model); k++)
        fmd_json_append(j, NULL, "classes", fmd_class_name(&s->trained->data.info, k));
}

static fmd_status add_prediction(fmd_json *j, const fmd_ticket *t, size_t i, size_t classes)
{
    fmd_json *one;
    FMD_TRY(fmd_json_create(&one));
    fmd_json_int(one, NULL, "image", (long long)i);
    fmd_json_int(one, NULL, "predicted", t->predicted[i]);
    fmd_json_floats(one, "probabilities", t->probabilities + i * classes, classes);
    fmd_json_append_object(j, "predictions", one);
    fmd_json_destroy(one);
    return FMD_OK;
}

/* Frees the object. */
static fmd_status to_text(char **out, fmd_json *j, fmd_status st)
{
    if (st == FMD_OK)
        st = fmd_json_line(out, j, "answer");
    fmd_json_destroy(j);
    return st;
}

fmd_status fmd_ticket_answer(char **out, const fmd_served *s, const fmd_ticket *t, bool plain)
{
    const size_t classes = (size_t)fmd_model_classes(s->trained->model);
    fmd_json *j;
    FMD_TRY(fmd_json_create(&j));
    fmd_status st = FMD_OK;
    if (!plain)
        add_classes(j, s);
    for (size_t i = 0; i < t->n && st == FMD_OK; i++)
        if (plain)
            fmd_json_append_floats(j, "predictions", t->probabilities + i * classes, classes);
        else
            st = add_prediction(j, t, i, classes);
    return to_text(out, j, st);
}

fmd_status fmd_answer_error(char **out, const char *message)
{
    fmd_json *j;
    FMD_TRY(fmd_json_create(&j));
    fmd_json_text(j, NULL, "error", message);
    return to_text(out, j, FMD_OK);
}

fmd_status fmd_answer_model(char **out, const fmd_served *s)
{
    const fmd_shape in = fmd_model_in(s->trained->model);
    fmd_json *j;
    FMD_TRY(fmd_json_create(&j));
    fmd_json_text(j, "model", "file", s->trained->file.path);
    fmd_json_text(j, "model", "layers", fmd_model_spec(s->trained->model));
    fmd_json_text(j, "model", "weights_xxh3", s->hash);
    for (int i = 0; i < in.rank; i++)
        fmd_json_append_int(j, "model", "input", in.dim[i]);
    fmd_json_text(j, "data", "name", s->trained->data.info.name);
    add_classes(j, s);
    return to_text(out, j, FMD_OK);
}
