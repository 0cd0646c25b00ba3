/* summary: Keras' table of a model's layers. */
#include "app/config.h"
#include "app/weights.h"

#include <stdio.h>
#include <string.h>

/* Without data at hand, the images of the MNIST family. */
static const fmd_shape mnist_image = {.rank = 2, .dim = {28, 28}};

enum { NAME_WIDTH = 32, SHAPE_WIDTH = 24, COUNT_WIDTH = 14 };

static void print_rule(const char *left, const char *line, const char *cross, const char *right)
{
    static const int widths[] = {NAME_WIDTH, SHAPE_WIDTH, COUNT_WIDTH};
    for (int i = 0; i < 3; i++) {
        printf("%s", i == 0 ? left : cross);
        for (int k = 0; k < widths[i] + 2; k++)
            printf("%s", line);
    }
    printf("%s\n", right);
}

static size_t params_of(const fmd_model *m, const fmd_layer *l)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n_tensors; i++)
        n += fmd_model_tensor(m, l->first_tensor + i)->count;
    return n;
}

static void print_table(const fmd_model *m)
{
    printf("Model: \"sequential\"\n");
    print_rule("┏", "━", "┳", "┓");
    printf("┃ %-*s ┃ %-*s ┃ %*s ┃\n", NAME_WIDTH, "Layer (type)", SHAPE_WIDTH, "Output Shape",
           COUNT_WIDTH, "Param #");
    print_rule("┡", "━", "╇", "┩");
    for (size_t i = 0; i < fmd_model_n_layers(m); i++) {
        const fmd_layer *l = fmd_model_layer(m, i);
        char name[128], shape[FMD_SHAPE_TEXT];
        snprintf(name, sizeof name, "%s (%s)", l->name, l->ops->keras_class);
        if (i > 0)
            print_rule("├", "─", "┼", "┤");
        printf("│ %-*s │ %-*s │ %*zu │\n", NAME_WIDTH, name, SHAPE_WIDTH,
               fmd_shape_text(l->out, 1, shape), COUNT_WIDTH, params_of(m, l));
    }
    print_rule("└", "─", "┴", "┘");
    const size_t n = fmd_model_n_params(m);
    printf(" Total params: %zu (%.2f KB)\n", n, (double)n * sizeof(float) / 1024);
}

fmd_status fmd_cmd_summary(fmd_comm *c, const fmd_config *config)
{
    (void)c;
    fmd_model *model = NULL;
    fmd_status st = FMD_OK;
    fmd_weights_file file = {.path = ""};
    if (*config->weights != '\0')
        FMD_TRY(fmd_weights_file_open(NULL, &file, config->weights));
    FMD_TRY(fmd_weights_file_model(&model, &file, config, mnist_image, 10, 1));
    if (*file.path != '\0')
        st = fmd_weights_read_params(file.path, model);
    if (st == FMD_OK)
        print_table(model);
    fmd_model_destroy(model);
    return st;
}
