/* summary: Keras' table of a model's layers. */
#include "base/format.h"
#include "base/system/print.h"
#include "base/system/terminal.h"
#include "cli/commands.h"
#include "io/json/json_object.h"
#include "run/weights_file.h"

#include <stdio.h>
#include <string.h>

/* The shape that layers alone do not tell: images of the MNIST family. */

/* Widths as Keras has them on a terminal of 80 columns; a longer name widens its column. */
enum { COLUMNS = 3, NAME_WIDTH = 31, SHAPE_WIDTH = 22, COUNT_WIDTH = 13 };

/* Characters of the table. A rule has a left end, a line, a crossing and a right end. */
typedef struct frame {
    const char *top[4], *below_head[4], *between[4], *bottom[4];
    const char *head_bar, *bar;
} frame;

static const frame box = {.top = {"┏", "━", "┳", "┓"},
                          .below_head = {"┡", "━", "╇", "┩"},
                          .between = {"├", "─", "┼", "┤"},
                          .bottom = {"└", "─", "┴", "┘"},
                          .head_bar = "┃",
                          .bar = "│"};
static const frame ascii = {.top = {"+", "-", "+", "+"},
                            .below_head = {"+", "=", "+", "+"},
                            .between = {"+", "-", "+", "+"},
                            .bottom = {"+", "-", "+", "+"},
                            .head_bar = "|",
                            .bar = "|"};

static void print_rule(const char *const rule[4], const int widths[COLUMNS])
{
    for (int i = 0; i < COLUMNS; i++) {
        fmd_print("%s", rule[i == 0 ? 0 : 2]);
        for (int k = 0; k < widths[i] + 2; k++)
            fmd_print("%s", rule[1]);
    }
    fmd_print("%s\n", rule[3]);
}

static void print_row(const char *bar, const int widths[COLUMNS], const char *name,
                      const char *shape, const char *count)
{
    fmd_print("%s %-*s %s %-*s %s %*s %s\n", bar, widths[0], name, bar, widths[1], shape, bar,
              widths[2], count, bar);
}

static size_t params_of(const fmd_model *m, const fmd_layer *l)
{
    size_t n = 0;
    for (size_t i = 0; i < fmd_layer_n_variables(l); i++)
        n += fmd_model_tensor(m, fmd_layer_variable(l, i))->count;
    return n;
}

/* "dense_1 (Dense)" */
static const char *layer_text(const fmd_layer *l, char text[128])
{
    snprintf(text, 128, "%s (%s)", l->name, l->ops->keras_class);
    return text;
}

/* "(None, 784)": the batch may be of any size. */
static const char *shape_text(fmd_shape s, char text[FMD_SHAPE_TEXT])
{
    size_t used = (size_t)snprintf(text, FMD_SHAPE_TEXT, "(None");
    for (int i = 0; i < s.rank; i++)
        used += (size_t)snprintf(text + used, FMD_SHAPE_TEXT - used, ", %d", s.dim[i]);
    snprintf(text + used, FMD_SHAPE_TEXT - used, ")");
    return text;
}

static void print_total(const char *what, size_t params)
{
    char count[32], size[32];
    fmd_print(" %s: %s (%s)\n", what, fmd_format_count(params, count),
              fmd_format_bytes(params * sizeof(float), size));
}

static void print_table(const fmd_model *m)
{
    const fmd_terminal terminal = fmd_terminal_of_stdout();
    const frame *f = terminal.utf8 ? &box : &ascii;
    char name[128], shape[FMD_SHAPE_TEXT], count[32];
    int widths[COLUMNS] = {NAME_WIDTH, SHAPE_WIDTH, COUNT_WIDTH};
    for (size_t i = 0; i < fmd_model_n_layers(m); i++) {
        const int n = (int)strlen(layer_text(fmd_model_layer(m, i), name));
        widths[0] = n > widths[0] ? n : widths[0];
    }
    fmd_print("Model: \"sequential\"\n");
    print_rule(f->top, widths);
    print_row(f->head_bar, widths, "Layer (type)", "Output Shape", "Param #");
    print_rule(f->below_head, widths);
    for (size_t i = 0; i < fmd_model_n_layers(m); i++) {
        const fmd_layer *l = fmd_model_layer(m, i);
        if (i > 0)
            print_rule(f->between, widths);
        print_row(f->bar, widths, layer_text(l, name), shape_text(l->out, shape),
                  fmd_format_count(params_of(m, l), count));
    }
    print_rule(f->bottom, widths);
    print_total("Total params", fmd_model_n_params(m));
    print_total("Trainable params", fmd_model_n_trainable_params(m));
    print_total("Non-trainable params", fmd_model_n_params(m) - fmd_model_n_trainable_params(m));
}

static fmd_status add_layer(fmd_json *j, const fmd_model *m, const fmd_layer *l)
{
    fmd_json *one;
    FMD_TRY(fmd_json_create(&one));
    fmd_json_text(one, NULL, "name", l->name);
    fmd_json_text(one, NULL, "class", l->ops->keras_class);
    for (int i = 0; i < l->out.rank; i++)
        fmd_json_append_int(one, NULL, "output_shape", l->out.dim[i]);
    fmd_json_int(one, NULL, "params", (long long)params_of(m, l));
    fmd_json_append_object(j, "layers", one);
    fmd_json_destroy(one);
    return FMD_OK;
}

static fmd_status print_json(const fmd_model *m)
{
    fmd_json *j;
    fmd_status st = FMD_OK;
    FMD_TRY(fmd_json_create(&j));
    fmd_json_text(j, NULL, "spec", fmd_model_spec(m));
    for (size_t i = 0; i < fmd_model_n_layers(m) && st == FMD_OK; i++)
        st = add_layer(j, m, fmd_model_layer(m, i));
    fmd_json_int(j, NULL, "params", (long long)fmd_model_n_params(m));
    fmd_json_int(j, NULL, "bytes", 4 * (long long)fmd_model_n_params(m));
    if (st == FMD_OK)
        st = fmd_print_json(j);
    fmd_json_destroy(j);
    return st;
}

static fmd_status run_summary(fmd_comm *c, const fmd_config *config)
{
    (void)c;
    fmd_model *model = NULL;
    fmd_status st = FMD_OK;
    fmd_weights_file file = {.path = ""};
    if (*config->model.weights != '\0')
        FMD_TRY(fmd_weights_file_open(NULL, &file, config->model.weights));
    FMD_TRY(fmd_weights_file_model(&model, &file, config,
                                   config->model.in.rank > 0 ? config->model.in : FMD_MNIST_IMAGE,
                                   10, 1));
    if (*file.path != '\0')
        st = fmd_weights_read_params(file.path, model);
    if (st == FMD_OK && config->view.json)
        st = print_json(model);
    else if (st == FMD_OK)
        print_table(model);
    fmd_model_destroy(model);
    return st;
}

const fmd_command fmd_command_summary = {
    .name = "summary",
    .usage = "[RUN_DIR|FILE] [OPTIONS]",
    .help = "lists the layers of a model with their shapes and parameters",
    .section = FMD_TO_LOOK,
    .example = "--hidden 512,256",
    .groups = "model|weights|json",
    .words = "weights",
    .run = run_summary,
};
