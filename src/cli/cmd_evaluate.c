/* evaluate: loss, accuracy, scores per class and confusion matrix of a trained model. */
#include "base/format.h"
#include "base/system/print.h"
#include "base/system/terminal.h"
#include "cli/commands.h"
#include "dist/comm.h"
#include "io/json/json_object.h"
#include "run/loaded_model.h"
#include "run/reader/model_title.h"
#include "train/evaluation/classification.h"
#include "train/evaluation/evaluate.h"

#include <stdio.h>

enum { NAME_COLUMNS = 20, MOST_PAIRS = 5, FILE_COLUMNS = 100 };

/* The results, on rank 0. */
typedef struct verdict {
    const fmd_loaded_model *model;
    fmd_evaluation means;
    fmd_classification classes;
    size_t k; /* of top_k */
    double top_k;
} verdict;

static void print_head(const verdict *v)
{
    const fmd_loaded_model *t = v->model;
    const fmd_classification *r = &v->classes;
    char hash[FMD_HASH_TEXT], n[32], correct[32], name[FMD_MODEL_NAME], title[FMD_MODEL_TITLE];
    fmd_print("data   %s %s · %s %s image%s%s\n", t->data.info.name, t->data.info.path,
              fmd_format_count(t->split.n, n), t->half, t->split.n == 1 ? "" : "s",
              t->foreign ? ", not the data set of the run" : "");
    fmd_print(
        "model  %s: %s\n", fmd_model_kind(t->model),
        fmd_model_title(fmd_model_name_of(t->file.path, name), fmd_model_spec(t->model), title));
    if (t->file.info.keras)
        fmd_print("input  pixels %s; a Keras file does not tell\n",
                  t->divisor == 1 ? "0 to 255" : "divided by 255 (--no-normalize: 0 to 255)");
    fmd_print("%-6s loss %.4f · accuracy %.4f (%s of %s) · %.2f s\n", t->half, v->means.loss,
              r->accuracy, fmd_format_count(r->correct, correct), fmd_format_count(r->n, n),
              v->means.seconds);
    fmd_print("       accuracy %.4f to %.4f at 95 %% confidence · top-%zu %.4f\n", r->low, r->high,
              v->k, v->top_k);
    const fmd_metric_list *list = &t->objective.metrics;
    for (size_t i = 0; i < list->n; i++)
        fmd_print("%s%s %.4f", i == 0 ? "       " : " · ", fmd_metric_column(&list->of[i]),
                  v->means.extra[i]);
    if (list->n > 0)
        fmd_print("\n");
    fmd_print("weights xxh3:%s\n", fmd_hash_text(fmd_model_hash(t->model), hash));
}

static void print_score(const char *name, const fmd_score *s)
{
    fmd_print_padded(name, NAME_COLUMNS);
    fmd_print("  %9.4f %9.4f %9.4f %9zu\n", s->precision, s->recall, s->f1, s->support);
}

static void print_scores(const verdict *v)
{
    const fmd_classification *r = &v->classes;
    char name[FMD_CLASS_TEXT];
    fmd_print("\n%-*s  %9s %9s %9s %9s\n", NAME_COLUMNS, "class", "precision", "recall", "f1",
              "images");
    for (size_t k = 0; k < r->classes; k++)
        print_score(fmd_class_text(&v->model->data.info, (int)k, name), &r->of_class[k]);
    print_score("mean over classes", &r->macro);
    print_score("mean over images", &r->weighted);
}

static int digits(size_t n)
{
    return snprintf(NULL, 0, "%zu", n);
}

/* Correct predictions stand out, and mistakes that 5 % of the class share. */
static const char *cell_style(const fmd_classification *r, size_t label, size_t predicted)
{
    const size_t n = r->confusion[label * r->classes + predicted];
    if (label == predicted)
        return "1;36";
    if (n == 0)
        return "2";
    return 20 * n >= r->of_class[label].support ? "1;33" : "0";
}

/* Rows are labels, columns are predicted classes. */
static void print_matrix(const verdict *v, const fmd_terminal *t, int width)
{
    const fmd_classification *r = &v->classes;
    char name[FMD_CLASS_TEXT];
    fmd_print("\n%-*s", NAME_COLUMNS, "actual \\ predicted");
    for (size_t k = 0; k < r->classes; k++)
        fmd_print(" %*zu", width, k);
    fmd_print("\n");
    for (size_t label = 0; label < r->classes; label++) {
        fmd_print_padded(fmd_class_text(&v->model->data.info, (int)label, name), NAME_COLUMNS);
        for (size_t k = 0; k < r->classes; k++) {
            const size_t n = r->confusion[label * r->classes + k];
            fmd_print_style(t, cell_style(r, label, k));
            if (n == 0)
                fmd_print(" %*s", width, ".");
            else
                fmd_print(" %*zu", width, n);
            fmd_print_style(t, "0");
        }
        fmd_print("\n");
    }
}

static void print_pairs(const verdict *v)
{
    const fmd_dataset_info *data = &v->model->data.info;
    fmd_confused pairs[MOST_PAIRS];
    const size_t n = fmd_most_confused(&v->classes, pairs, MOST_PAIRS);
    char label[FMD_CLASS_TEXT], predicted[FMD_CLASS_TEXT];
    if (n > 0)
        fmd_print("\nmost frequent confusions\n");
    for (size_t i = 0; i < n; i++)
        fmd_print("%6zu of %zu: %s predicted as %s\n", pairs[i].n,
                  v->classes.of_class[pairs[i].label].support,
                  fmd_class_text(data, (int)pairs[i].label, label),
                  fmd_class_text(data, (int)pairs[i].predicted, predicted));
}

static void print_text(const verdict *v)
{
    const fmd_terminal t = fmd_terminal_of_stdout();
    const fmd_classification *r = &v->classes;
    size_t largest = r->classes - 1;
    for (size_t cell = 0; cell < r->classes * r->classes; cell++)
        largest = r->confusion[cell] > largest ? r->confusion[cell] : largest;
    const int columns = t.columns > 0 ? t.columns : FILE_COLUMNS, width = digits(largest) + 1;
    print_head(v);
    print_scores(v);
    if (NAME_COLUMNS + (int)r->classes * (width + 1) <= columns)
        print_matrix(v, &t, width);
    print_pairs(v);
}

static void add_scores(fmd_json *j, const char *group, const fmd_score *s)
{
    fmd_json_real(j, group, "precision", s->precision);
    fmd_json_real(j, group, "recall", s->recall);
    fmd_json_real(j, group, "f1", s->f1);
    fmd_json_int(j, group, "images", (long long)s->support);
}

static fmd_status add_class(fmd_json *j, const verdict *v, size_t k)
{
    const fmd_classification *r = &v->classes;
    fmd_json *class;
    FMD_TRY(fmd_json_create(&class));
    fmd_json_int(class, NULL, "class", (long long)k);
    fmd_json_text(class, NULL, "name", fmd_class_name(&v->model->data.info, (int)k));
    add_scores(class, NULL, &r->of_class[k]);
    for (size_t i = 0; i < r->classes; i++)
        fmd_json_append_int(class, NULL, "predicted_as",
                            (long long)r->confusion[k * r->classes + i]);
    fmd_json_append_object(j, "classes", class);
    fmd_json_destroy(class);
    return FMD_OK;
}

static fmd_status print_json(const verdict *v)
{
    const fmd_loaded_model *t = v->model;
    const fmd_classification *r = &v->classes;
    char hash[FMD_HASH_TEXT];
    fmd_json *j;
    FMD_TRY(fmd_json_create(&j));
    fmd_json_text(j, "data", "name", t->data.info.name);
    fmd_json_text(j, "data", "path", t->data.info.path);
    fmd_json_text(j, "data", "split", t->half);
    fmd_json_text(j, "model", "file", t->file.path);
    fmd_json_text(j, "model", "layers", fmd_model_spec(t->model));
    fmd_json_text(j, "model", "weights_xxh3", fmd_hash_text(fmd_model_hash(t->model), hash));
    fmd_json_int(j, NULL, "images", (long long)r->n);
    fmd_json_int(j, NULL, "correct", (long long)r->correct);
    fmd_json_real(j, NULL, "loss", v->means.loss);
    fmd_json_real(j, NULL, "accuracy", r->accuracy);
    for (size_t i = 0; i < t->objective.metrics.n; i++)
        fmd_json_real(j, NULL, fmd_metric_column(&t->objective.metrics.of[i]), v->means.extra[i]);
    fmd_json_real(j, NULL, "accuracy_low", r->low);
    fmd_json_real(j, NULL, "accuracy_high", r->high);
    fmd_json_int(j, NULL, "k", (long long)v->k);
    fmd_json_real(j, NULL, "top_k_accuracy", v->top_k);
    add_scores(j, "mean_over_classes", &r->macro);
    add_scores(j, "mean_over_images", &r->weighted);
    fmd_status st = FMD_OK;
    for (size_t k = 0; k < r->classes && st == FMD_OK; k++)
        st = add_class(j, v, k);
    if (st == FMD_OK)
        st = fmd_print_json(j);
    fmd_json_destroy(j);
    return st;
}

/* Rank 0. */
static fmd_status tell(verdict *v, const fmd_prediction *p, const fmd_config *config)
{
    v->k = (size_t)config->view.top_k < p->classes ? (size_t)config->view.top_k : p->classes;
    v->top_k = fmd_top_k(p, v->model->split.labels, v->k);
    FMD_TRY(fmd_classify(&v->classes, p, v->model->split.labels));
    fmd_status st = FMD_OK;
    if (config->view.json)
        st = print_json(v);
    else
        print_text(v);
    fmd_classification_free(&v->classes);
    return st;
}

static fmd_status run_evaluate(fmd_comm *c, const fmd_config *config)
{
    fmd_loaded_model t;
    fmd_prediction p = {.n = 0};
    verdict v = {.model = &t};
    FMD_TRY(fmd_loaded_model_open(&t, c, config, FMD_NEEDS_STREAM));
    fmd_status st = fmd_evaluate(c, t.model, &t.split, t.divisor, &t.objective, NULL, &v.means);
    if (st == FMD_OK)
        st = fmd_predict(c, t.model, &t.split, t.divisor, &p);
    if (st == FMD_OK)
        st = fmd_comm_agree(c, fmd_comm_rank(c) == 0 ? tell(&v, &p, config) : FMD_OK);
    fmd_prediction_free(&p);
    fmd_loaded_model_close(&t);
    return st;
}

const fmd_command fmd_command_evaluate = {
    .name = "evaluate",
    .usage = "RUN_DIR|FILE [OPTIONS]",
    .help = "computes loss, accuracy, scores per class and the confusion matrix",
    .section = FMD_TO_TRAIN,
    .example = "runs/20260131-120000",
    .groups = "data|streaming|model|weights|images|loss and metrics|metrics|json|output",
    .words = "weights",
    .needs_mpi = true,
    .run = run_evaluate,
};
