/* Sections of a report: model, options, how to repeat the run, environment. */
#include "base/format.h"
#include "base/mem.h"
#include "base/system/subprocess.h"
#include "io/run_names.h"
#include "report/page.h"
#include "report/plots/plots.h"
#include "run/job.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Epochs in the data block. */
enum { MOST_EPOCHS = 2000 };

static const char *known(const char *text)
{
    return text != NULL ? text : "unknown";
}

fmd_status fmd_page_picture(fmd_html *h, fmd_picture *p, size_t scale, bool on_white,
                            const char *alt)
{
    void *png = NULL;
    size_t bytes = 0;
    const fmd_status st = fmd_picture_encode(p, &png, &bytes);
    if (st == FMD_OK)
        fmd_html_png(h, png, bytes, (int)(p->width * scale), (int)(p->height * scale),
                     FMD_HTML_PIXELS, on_white, alt);
    free(png);
    fmd_picture_free(p);
    return st;
}

/* The weights of the first layer, as a picture in the page. */
static fmd_status put_weights(fmd_html *h, const fmd_run_view *v)
{
    fmd_picture picture;
    char alt[160];
    fmd_weight_tiles t;
    FMD_TRY(fmd_plot_weight_tiles(v, 1, &picture, &t));
    if (t.units == 0)
        return FMD_OK; /* its weights are no images */
    const char *what =
        t.convolution ? "filters of the first convolution" : "units of the first dense layer";
    snprintf(alt, sizeof alt, "The weights of %d %s as images", t.units, what);
    fmd_html_markup(h, "<figure>");
    FMD_TRY(fmd_page_picture(h, &picture, 2, t.channels == 1, alt));
    fmd_html_markup(h, "<figcaption>");
    fmd_html_text(h, "Weights of %d %s, one image each. ", t.units, what);
    if (t.channels == 3)
        fmd_html_text(h,
                      "A colour: positive weights for red, green and blue add up to it (full shade "
                      "at %.3g); its opposite: negative; grey: 0.",
                      t.limit);
    else
        fmd_html_text(h,
                      "Orange: positive (a bright pixel raises the output), full shade at %.3g; "
                      "blue: negative, full shade at -%.3g; no colour: 0.",
                      t.limit, t.limit);
    fmd_html_markup(h, "</figcaption></figure>\n");
    return FMD_OK;
}

/* The text with blanks that do not break, or a phone would make three lines of a shape. */
static const char *one_line(const char *text, char out[2 * FMD_SHAPE_TEXT])
{
    size_t n = 0;
    for (; *text != '\0'; text++) {
        if (*text == ' ')
            out[n++] = '\xc2';
        out[n++] = (char)(*text == ' ' ? '\xa0' : *text);
    }
    out[n] = '\0';
    return out;
}

fmd_status fmd_page_model(fmd_html *h, const fmd_run_view *v)
{
    fmd_html_section(h, "model", "Model");
    if (v->trained.model == NULL) {
        fmd_html_paragraph(h, "note", "There are no weights: %s.", v->no_model.why);
        if (v->record != NULL)
            fmd_html_paragraph(h, "", "Layers: %s",
                               known(fmd_run_view_text(v, FMD_KEY_MODEL, FMD_KEY_LAYERS)));
        return FMD_OK;
    }
    const size_t all = fmd_model_n_params(v->trained.model);
    const size_t states = all - fmd_model_n_trainable_params(v->trained.model);
    char caption[160], total[32], size[32], untrained[48] = "", count_of_states[32];
    if (states > 0)
        snprintf(untrained, sizeof untrained, ", %s of them not trainable",
                 fmd_format_count(states, count_of_states));
    snprintf(caption, sizeof caption, "A %s model of %s parameters, %s%s",
             fmd_model_kind(v->trained.model), fmd_format_count(all, total),
             fmd_format_bytes(all * sizeof(float), size), untrained);
    fmd_html_table_begin(h, "layers", caption, "Layer|Type|Output shape|#Parameters");
    for (size_t i = 0; i < fmd_model_n_layers(v->trained.model); i++) {
        const fmd_layer *l = fmd_model_layer(v->trained.model, i);
        char shape[FMD_SHAPE_TEXT], line[2 * FMD_SHAPE_TEXT], count[32];
        size_t n = 0;
        for (size_t k = 0; k < fmd_layer_n_variables(l); k++)
            n += fmd_model_tensor(v->trained.model, fmd_layer_variable(l, k))->count;
        fmd_html_row(h, (const char *const[]){l->name, l->ops->keras_class,
                                              one_line(fmd_shape_text(l->out, 1, shape), line),
                                              fmd_format_count(n, count)});
    }
    fmd_html_table_end(h);
    fmd_html_markup(h, "<details><summary>As --layers takes it</summary><pre>");
    fmd_html_text(h, "%s", fmd_model_spec(v->trained.model));
    fmd_html_markup(h, "</pre></details>\n");
    return put_weights(h, v);
}

/* Whether the run used the default; config.json has the learning rate that "auto" stood for. */
static bool is_default(const fmd_run_view *v, const fmd_option *o, const char *value)
{
    if (strcmp(value, o->initial) == 0)
        return true;
    return strcmp(o->name, "learning-rate") == 0 &&
           v->config.training.learning_rate == fmd_job_learning_rate(v->config.training.optimizer);
}

/* The options of train, or only those that differ from the defaults. */
static void put_options(fmd_html *h, const fmd_run_view *v, const char *id, const char *caption,
                        bool changed)
{
    char text[FMD_OPTION_TEXT_BYTES];
    bool any = false;
    for (size_t i = 0; i < fmd_config_table_length; i++) {
        const fmd_option *o = &fmd_config_table[i];
        char name[80];
        const char *value = fmd_option_text(o, &v->config, text);
        if (!fmd_config_has(FMD_TRAIN_GROUPS, o) || (changed && is_default(v, o, value)))
            continue;
        if (!any)
            fmd_html_table_begin(h, id, caption,
                                 changed ? "Option|Value|Default" : "Option|Value|Meaning");
        any = true;
        snprintf(name, sizeof name, "--%s", o->name);
        fmd_html_row(h, (const char *const[]){name, *value != '\0' ? value : "(empty)",
                                              changed ? o->initial : o->help});
    }
    if (any)
        fmd_html_table_end(h);
    else
        fmd_html_paragraph(h, "", "All options have their defaults.");
}

void fmd_page_configuration(fmd_html *h, const fmd_run_view *v)
{
    fmd_html_section(h, "configuration", "Configuration");
    if (v->no_config.status != FMD_OK) {
        fmd_html_paragraph(h, "note", "The options are unknown: %s", v->no_config.why);
        return;
    }
    put_options(h, v, "changed", "Options that differ from the defaults", true);
    fmd_html_markup(h, "<details><summary>All options</summary>\n");
    put_options(h, v, "options", "All options of the run", false);
    fmd_html_markup(h, "</details>\n");
}

fmd_status fmd_page_repeat(fmd_html *h, const fmd_run_view *v)
{
    static const char *const names[FMD_DATASET_FILES] = {"Training images", "Training labels",
                                                         "Test images", "Test labels"};
    const double ranks = fmd_run_view_real(v, NULL, FMD_KEY_RANKS);
    const bool exact = v->config.distribution.reduce == FMD_REDUCE_EXACT;
    char file[FMD_RUN_PATH_BYTES], *word = NULL;
    size_t bytes;
    FILE *shell = open_memstream(&word, &bytes);
    snprintf(file, sizeof file, "%s/config.json", v->path);
    if (shell == NULL)
        return FMD_FAIL(FMD_ENOMEM, "out of memory: the report");
    fmd_shell_word(shell, file);
    fclose(shell);
    fmd_html_section(h, "repeat", "Repeat the run");
    fmd_html_markup(h, "<pre id=\"command\">");
    if (ranks > 1)
        fmd_html_text(h, "mpirun -np %.0f ", ranks);
    fmd_html_text(h, "fmnist-dist --config %s --run-dir again", known(word));
    free(word);
    fmd_html_markup(h, "</pre>\n");
    if (exact)
        fmd_html_paragraph(
            h, "",
            "The run used --reduce exact: the same program, data and kernels give the "
            "same weights on any number of ranks. Compare the hashes.");
    else
        fmd_html_paragraph(
            h, "",
            "The run used --reduce native: only the same number of ranks and the same "
            "MPI give the same weights.");
    fmd_html_table_begin(h, "hashes", "Hashes (XXH3, 128 bits) of the weights and the data",
                         "File|Hash");
    fmd_html_row(
        h, (const char *const[]){"Final weights",
                                 known(fmd_run_view_text(v, FMD_KEY_RESULT, "weights_xxh3"))});
    for (int i = 0; i < FMD_DATASET_FILES; i++)
        fmd_html_row(h, (const char *const[]){names[i], known(fmd_run_view_text(
                                                            v, FMD_KEY_DATA, fmd_dataset_key(i)))});
    fmd_html_table_end(h);
    return FMD_OK;
}

/* "a, b (4 ranks)": hosts come in the order of the ranks. */
static void host_text(const fmd_run_view *v, char *text, size_t size)
{
    const char *host, *before = "";
    size_t n = 0, ranks = 0;
    *text = '\0';
    for (size_t i = 0;; i++, ranks++) {
        host = v->record != NULL ? fmd_json_get_item(v->record, NULL, FMD_KEY_HOSTS, i) : NULL;
        if (host != NULL && strcmp(host, before) == 0)
            continue;
        if (ranks > 0 && n < size)
            n += (size_t)snprintf(text + n, size - n, "%s%s (%zu)", n > 0 ? ", " : "", before,
                                  ranks);
        if (host == NULL || n >= size)
            break;
        before = host;
        ranks = 0;
    }
}

void fmd_page_environment(fmd_html *h, const fmd_run_view *v)
{
    static const struct fact {
        const char *group, *key, *name;
    } facts[] = {{NULL, "version", "fmnist-dist"}, {NULL, "commit", "Commit"},
                 {NULL, "started", "Started"},     {NULL, "mpi", "MPI"},
                 {NULL, "blas", "BLAS"},           {NULL, "blas_core", "Kernels"},
                 {NULL, "compiler", "Compiler"},   {"data", "name", "Data set"},
                 {"data", "path", "Data folder"}};
    char hosts[1024];
    fmd_html_section(h, "environment", "Environment");
    if (v->record == NULL) {
        fmd_html_paragraph(h, "note", "Unknown: %s", v->no_record.why);
        return;
    }
    fmd_html_table_begin(h, "facts", "Program, libraries and machines", "Property|Value");
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        fmd_html_row(
            h, (const char *const[]){facts[i].name,
                                     known(fmd_run_view_text(v, facts[i].group, facts[i].key))});
    host_text(v, hosts, sizeof hosts);
    fmd_html_row(h, (const char *const[]){"Hosts (ranks)", known(hosts)});
    fmd_html_table_end(h);
}

static void add_history(fmd_json *j, const fmd_history *history)
{
    static const char group[] = "history";
    const size_t stride = (history->n + MOST_EPOCHS - 1) / MOST_EPOCHS;
    for (size_t i = 0; i < history->n; i += stride) {
        const fmd_epoch *e = &history->epochs[i];
        fmd_json_append_int(j, group, FMD_KEY_EPOCH, (long long)i);
        fmd_json_append_real(j, group, FMD_KEY_ACCURACY, e->metrics.accuracy);
        fmd_json_append_real(j, group, FMD_KEY_LEARNING_RATE, e->metrics.learning_rate);
        fmd_json_append_real(j, group, FMD_KEY_LOSS, e->metrics.loss);
        if (history->validation) {
            fmd_json_append_real(j, group, FMD_KEY_VAL_ACCURACY, e->metrics.val_accuracy);
            fmd_json_append_real(j, group, FMD_KEY_VAL_LOSS, e->metrics.val_loss);
        }
        for (size_t k = 0; k < history->metrics->n; k++) {
            const fmd_metric *m = &history->metrics->of[k];
            fmd_json_append_real(j, group, fmd_metric_column(m), e->metrics.extra[k]);
            if (history->validation)
                fmd_json_append_real(j, group, m->val_name, e->metrics.val_extra[k]);
        }
        fmd_json_append_real(j, group, FMD_KEY_TIME, e->seconds);
        fmd_json_append_real(j, group, FMD_KEY_SAMPLES_PER_S, e->samples_per_s);
    }
}

static void add_test(fmd_json *j, const fmd_run_view *v)
{
    static const char group[] = "test";
    const fmd_classification *r = &v->classification;
    char name[64];
    fmd_json_int(j, group, "images", (long long)r->n);
    fmd_json_int(j, group, "correct", (long long)r->correct);
    fmd_json_real(j, group, FMD_KEY_ACCURACY, r->accuracy);
    fmd_json_real(j, group, "low", r->low);
    fmd_json_real(j, group, "high", r->high);
    for (size_t k = 0; k < r->classes; k++)
        fmd_json_append(j, group, "classes", fmd_run_view_class(v, k, name));
    for (size_t i = 0; r->classes <= FMD_PAGE_MOST_CLASSES && i < r->classes * r->classes; i++)
        fmd_json_append_int(j, group, "confusion", (long long)r->confusion[i]);
}

fmd_status fmd_page_data(fmd_html *h, const fmd_run_view *v)
{
    fmd_json *j;
    FMD_TRY(fmd_json_create(&j));
    if (v->status != NULL)
        fmd_json_attach(j, "status", v->status);
    if (v->record != NULL)
        fmd_json_attach(j, "run", v->record);
    add_history(j, &v->history);
    if (v->no_data.status == FMD_OK)
        add_test(j, v);
    fmd_html_data(h, "data", j);
    fmd_json_destroy(j);
    return FMD_OK;
}
