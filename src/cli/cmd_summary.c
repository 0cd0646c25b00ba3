/* summary: Keras' table of a model's layers, its parameters, arithmetic and memory. */
#include "base/format.h"
#include "base/system/print.h"
#include "base/system/terminal.h"
#include "cli/commands.h"
#include "data/source.h"
#include "io/json/json_object.h"
#include "run/job.h"
#include "run/weights_file.h"
#include "train/batch_plan.h"
#include "train/evaluation/evaluate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Columns and widths as Keras has them on a terminal of 80 columns. The table of a chain of layers
 * has no last column. A cell may have several lines. */
enum { NAME, SHAPE, COUNT, INPUTS, COLUMNS, CELL_BYTES = 2048 };
static const int chain_widths[COLUMNS] = {31, 22, 13, 0};
static const int graph_widths[COLUMNS] = {19, 17, 10, 17};

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

typedef struct table {
    const fmd_model *model;
    const frame *frame;
    int columns, widths[COLUMNS];
} table;

typedef char row[COLUMNS][CELL_BYTES];

/* Values of a layer's tensors. */
static size_t params_of(const fmd_model *m, const fmd_layer *l, bool trainable_only)
{
    size_t n = 0;
    for (size_t i = 0; i < (trainable_only ? l->n_tensors : fmd_layer_n_variables(l)); i++)
        n += fmd_model_tensor(m, fmd_layer_variable(l, i))->count;
    return n;
}

static const char *input_name(const fmd_model *m, const fmd_layer *l, int i)
{
    return l->inputs[i] == FMD_MODEL_INPUT ? "input_layer"
                                           : fmd_model_layer(m, (size_t)l->inputs[i])->name;
}

/* "(None, 784)": the batch may be of any size. */
static void put_shape(char text[CELL_BYTES], fmd_shape s)
{
    size_t used = (size_t)snprintf(text, CELL_BYTES, "(None");
    for (int i = 0; i < s.rank; i++)
        used += (size_t)snprintf(text + used, CELL_BYTES - used, ", %d", s.dim[i]);
    snprintf(text + used, CELL_BYTES - used, ")");
}

/* "dense_1 (Dense)", in two lines where one is too narrow. */
static void put_name(const table *t, char text[CELL_BYTES], const char *name, const char *class)
{
    const int length = snprintf(text, CELL_BYTES, "%s (%s)", name, class);
    if (length > t->widths[NAME])
        text[strlen(name)] = '\n';
}

static void fill_row(const table *t, row r, const fmd_layer *l)
{
    size_t used = 0;
    char count[32];
    put_name(t, r[NAME], l->name, l->ops->keras_class);
    put_shape(r[SHAPE], l->out);
    snprintf(r[COUNT], CELL_BYTES, "%s", fmd_format_count(params_of(t->model, l, false), count));
    for (int i = 0; i < l->n_inputs && used < CELL_BYTES; i++)
        used += (size_t)snprintf(r[INPUTS] + used, CELL_BYTES - used, "%s[0][0]%s",
                                 input_name(t->model, l, i), i + 1 < l->n_inputs ? ",\n" : "");
}

static void print_rule(const table *t, const char *const rule[4])
{
    for (int i = 0; i < t->columns; i++) {
        fmd_print("%s", rule[i == 0 ? 0 : 2]);
        for (int k = 0; k < t->widths[i] + 2; k++)
            fmd_print("%s", rule[1]);
    }
    fmd_print("%s\n", rule[3]);
}

/* Prints the lines of a row. */
static void print_row(const table *t, const char *bar, row r)
{
    const char *at[COLUMNS] = {r[NAME], r[SHAPE], r[COUNT], r[INPUTS]};
    for (bool more = true; more;) {
        more = false;
        for (int i = 0; i < t->columns; i++) {
            const int length = (int)strcspn(at[i], "\n");
            fmd_print("%s %*s%.*s%*s ", bar, i == COUNT ? t->widths[i] - length : 0, "", length,
                      at[i], i == COUNT ? 0 : t->widths[i] - length, "");
            at[i] += length + (at[i][length] == '\n');
            more |= *at[i] != '\0';
        }
        fmd_print("%s\n", bar);
    }
}

/* Longer lines widen their columns. */
static void widen(table *t, row r)
{
    for (int i = 0; i < t->columns; i++)
        for (const char *at = r[i]; *at != '\0'; at += strspn(at, "\n")) {
            const int length = (int)strcspn(at, "\n");
            t->widths[i] = length > t->widths[i] ? length : t->widths[i];
            at += length;
        }
}

static void print_layers(table *t)
{
    static row head = {"Layer (type)", "Output Shape", "Param #", "Connected to"};
    static row first = {"", "", "0", "-"};
    static row r;
    const size_t n = fmd_model_n_layers(t->model);
    put_name(t, first[NAME], "input_layer", "InputLayer");
    put_shape(first[SHAPE], fmd_model_in(t->model));
    for (size_t i = 0; i < n; i++) {
        fill_row(t, r, fmd_model_layer(t->model, i));
        widen(t, r);
    }
    print_rule(t, t->frame->top);
    print_row(t, t->frame->head_bar, head);
    print_rule(t, t->frame->below_head);
    if (t->columns > INPUTS) {
        print_row(t, t->frame->bar, first);
        print_rule(t, t->frame->between);
    }
    for (size_t i = 0; i < n; i++) {
        fill_row(t, r, fmd_model_layer(t->model, i));
        print_row(t, t->frame->bar, r);
        print_rule(t, i + 1 < n ? t->frame->between : t->frame->bottom);
    }
}

static void print_total(const char *what, size_t params)
{
    char count[32], size[32];
    fmd_print(" %s: %s (%s)\n", what, fmd_format_count(params, count),
              fmd_format_bytes(params * sizeof(float), size));
}

static const char *flop_text(double flops, char text[32])
{
    static const char *const units[] = {"FLOP", "kFLOP", "MFLOP", "GFLOP"};
    int unit = 0;
    for (; flops >= 1000 && unit < 3; unit++)
        flops /= 1000;
    snprintf(text, 32, unit == 0 ? "%.0f %s" : "%.2f %s", flops, units[unit]);
    return text;
}

static void print_table(const fmd_model *m, const fmd_model_size *size)
{
    const fmd_terminal terminal = fmd_terminal_of_stdout();
    const bool chain = strcmp(fmd_model_kind(m), "sequential") == 0;
    table t = {.model = m, .frame = terminal.utf8 ? &box : &ascii};
    char forward[32], backward[32], sample[32], fixed[32];
    t.columns = chain ? INPUTS : COLUMNS;
    memcpy(t.widths, chain ? chain_widths : graph_widths, sizeof t.widths);
    fmd_print("Model: \"%s\"\n", fmd_model_kind(m));
    print_layers(&t);
    print_total("Total params", fmd_model_n_params(m));
    print_total("Trainable params", fmd_model_n_trainable_params(m));
    print_total("Non-trainable params", fmd_model_n_params(m) - fmd_model_n_trainable_params(m));
    const fmd_cost cost = fmd_model_cost(m, 1);
    fmd_print(" Arithmetic per image: %s forward, %s backward\n",
              flop_text(cost.forward_flops, forward), flop_text(cost.backward_flops, backward));
    fmd_print(" Training memory: %s per image of a group, %s fixed\n",
              fmd_format_bytes(size->sample_bytes, sample),
              fmd_format_bytes(size->fixed_bytes, fixed));
}

/* The numbers of --ranks. */
enum { RANKS_MAX = 32 };
typedef struct rank_list {
    int n, of[RANKS_MAX];
} rank_list;

static fmd_status parse_ranks(rank_list *out, const char *text)
{
    out->n = 0;
    if (strcmp(text, "auto") == 0)
        return FMD_OK;
    for (const char *at = text;; at++) {
        char *end;
        const long ranks = strtol(at, &end, 10);
        if (end == at || ranks < 1 || ranks > 100000 || out->n == RANKS_MAX ||
            (*end != ',' && *end != '\0'))
            return FMD_FAIL(FMD_EUSAGE,
                            "--ranks: '%s' is not a list of up to %d numbers of ranks, e.g. 1,2,4",
                            text, RANKS_MAX);
        out->of[out->n++] = (int)ranks;
        at = end;
        if (*at == '\0')
            return FMD_OK;
    }
}

/* What a training with this number of ranks on a node needs; the batch is divided. */
static fmd_status predict(fmd_node_memory *m, const fmd_config *config, const fmd_model_size *size,
                          int ranks)
{
    const size_t batch = (size_t)config->training.batch_size, n = (size_t)ranks;
    const size_t microbatch =
        fmd_microbatch_size(config->distribution.microbatch_size, batch, size->batch_statistics);
    const size_t microbatches = (batch + microbatch - 1) / microbatch;
    const size_t mine = (microbatches + n - 1) / n * microbatch;
    const size_t evaluated =
        fmd_model_size_group(size, FMD_EVALUATE_MICROBATCH, FMD_EVALUATE_SAMPLES);
    const size_t trained = fmd_model_size_group(size, microbatch, mine);
    return fmd_job_predict_memory(m, config, size, ranks,
                                  trained > evaluated ? trained : evaluated);
}

static fmd_status print_ranks(const rank_list *r, const fmd_config *config,
                              const fmd_model_size *size)
{
    if (r->n > 0) {
        fmd_print("\n");
        fmd_print(" Memory of a node, without data, with %s and batches of %d:\n",
                  config->training.optimizer, (int)config->training.batch_size);
        fmd_print(" %6s %10s %10s %10s %11s  %s\n", "ranks", "per rank", "once", "total",
                  "checkpoint", "parameters");
    }
    for (int i = 0; i < r->n; i++) {
        fmd_node_memory m;
        char rank[32], once[32], total[32], file[32];
        FMD_TRY(predict(&m, config, size, r->of[i]));
        fmd_print(" %6d %10s %10s %10s %11s  %s\n", r->of[i],
                  fmd_format_bytes((size_t)m.rank_bytes, rank),
                  fmd_format_bytes((size_t)m.node_bytes, once),
                  fmd_format_bytes((size_t)fmd_job_memory_sum(&m, r->of[i]), total),
                  fmd_format_bytes((size_t)m.file_bytes, file),
                  m.sharded ? "once per node" : "once per rank");
    }
    return FMD_OK;
}

static fmd_status add_ranks(fmd_json *j, const rank_list *r, const fmd_config *config,
                            const fmd_model_size *size)
{
    for (int i = 0; i < r->n; i++) {
        fmd_node_memory m;
        fmd_json *one;
        FMD_TRY(predict(&m, config, size, r->of[i]));
        FMD_TRY(fmd_json_create(&one));
        fmd_json_int(one, NULL, "ranks", r->of[i]);
        fmd_json_real(one, NULL, "rank_bytes", m.rank_bytes);
        fmd_json_real(one, NULL, "node_bytes", m.node_bytes);
        fmd_json_real(one, NULL, "total_bytes", fmd_job_memory_sum(&m, r->of[i]));
        fmd_json_real(one, NULL, "checkpoint_bytes", m.file_bytes);
        fmd_json_bool(one, NULL, "sharded", m.sharded);
        fmd_json_append_object(j, "memory", one);
        fmd_json_destroy(one);
    }
    return FMD_OK;
}

static void add_params(fmd_json *j, size_t all, size_t trainable)
{
    fmd_json_int(j, NULL, "params", (long long)all);
    fmd_json_int(j, NULL, "trainable_params", (long long)trainable);
    fmd_json_int(j, NULL, "non_trainable_params", (long long)(all - trainable));
}

static void add_cost(fmd_json *j, const fmd_cost *cost)
{
    fmd_json_real(j, NULL, "forward_flops", cost->forward_flops);
    fmd_json_real(j, NULL, "backward_flops", cost->backward_flops);
}

static fmd_status add_layer(fmd_json *j, const fmd_model *m, const fmd_layer *l)
{
    fmd_json *one;
    const fmd_cost cost = fmd_layer_cost(l, 1);
    FMD_TRY(fmd_json_create(&one));
    fmd_json_text(one, NULL, "name", l->name);
    fmd_json_text(one, NULL, "class", l->ops->keras_class);
    for (int i = 0; i < l->n_inputs; i++)
        fmd_json_append(one, NULL, "inputs", input_name(m, l, i));
    for (int i = 0; i < l->out.rank; i++)
        fmd_json_append_int(one, NULL, "output_shape", l->out.dim[i]);
    add_params(one, params_of(m, l, false), params_of(m, l, true));
    add_cost(one, &cost);
    fmd_json_append_object(j, "layers", one);
    fmd_json_destroy(one);
    return FMD_OK;
}

static fmd_status print_json(const fmd_model *m, const fmd_model_size *size,
                             const fmd_config *config, const rank_list *r)
{
    fmd_json *j;
    fmd_status st = FMD_OK;
    const fmd_cost cost = fmd_model_cost(m, 1);
    FMD_TRY(fmd_json_create(&j));
    fmd_json_text(j, NULL, "spec", fmd_model_spec(m));
    fmd_json_text(j, NULL, "kind", fmd_model_kind(m));
    for (int i = 0; i < fmd_model_in(m).rank; i++)
        fmd_json_append_int(j, NULL, "input_shape", fmd_model_in(m).dim[i]);
    for (size_t i = 0; i < fmd_model_n_layers(m) && st == FMD_OK; i++)
        st = add_layer(j, m, fmd_model_layer(m, i));
    add_params(j, fmd_model_n_params(m), fmd_model_n_trainable_params(m));
    fmd_json_int(j, NULL, "bytes", 4 * (long long)fmd_model_n_params(m));
    add_cost(j, &cost);
    fmd_json_int(j, NULL, "sample_bytes", (long long)size->sample_bytes);
    fmd_json_int(j, NULL, "fixed_bytes", (long long)size->fixed_bytes);
    if (st == FMD_OK)
        st = add_ranks(j, r, config, size);
    if (st == FMD_OK)
        st = fmd_print_json(j);
    fmd_json_destroy(j);
    return st;
}

/* The images that a model without weights is for: those of --dataset, those of the Keras file of
 * --model, or else those of the MNIST family. */
static fmd_status choose_images(const fmd_config *config, fmd_shape *image, int *classes)
{
    fmd_dataset data;
    void *memory = NULL;
    *image = config->model.in.rank > 0 ? config->model.in : FMD_MNIST_IMAGE;
    *classes = 10;
    if (!fmd_config_gives(config, "dataset"))
        return FMD_OK;
    const fmd_status st = fmd_source_read(&data, &memory, config->data.dataset, config->data.dir);
    free(memory);
    if (st != FMD_OK)
        return st;
    *image = data.info.image;
    *classes = data.info.classes;
    return FMD_OK;
}

static fmd_status run_summary(fmd_comm *c, const fmd_config *config)
{
    (void)c;
    fmd_model *model = NULL;
    fmd_model_size size;
    fmd_shape image;
    int classes;
    rank_list r;
    FMD_TRY(parse_ranks(&r, config->study.ranks));
    fmd_weights_file file = {.path = ""};
    if (*config->model.weights != '\0')
        FMD_TRY(fmd_weights_file_open(NULL, &file, config->model.weights));
    FMD_TRY(choose_images(config, &image, &classes));
    FMD_TRY(fmd_weights_file_model(&model, &file, config, image, classes, 1));
    fmd_status st = fmd_model_measure(&size, fmd_model_spec(model), fmd_model_in(model));
    if (st == FMD_OK && *file.path != '\0')
        st = fmd_weights_read_params(file.path, model);
    if (st == FMD_OK && config->view.json)
        st = print_json(model, &size, config, &r);
    else if (st == FMD_OK) {
        print_table(model, &size);
        st = print_ranks(&r, config, &size);
    }
    fmd_model_destroy(model);
    return st;
}

const fmd_command fmd_command_summary = {
    .name = "summary",
    .usage = "[RUN_DIR|FILE] [OPTIONS]",
    .help = "lists a model's layers: shapes, parameters, arithmetic, memory",
    .section = FMD_TO_LOOK,
    .example = "--layers 'conv2d:8:3:relu,max_pooling2d,flatten,dense:10:softmax'",
    .groups = "data|model|weights|ranks|json",
    .words = "weights",
    .run = run_summary,
};
