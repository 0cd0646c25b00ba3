/* predict: classifies images of the data set, or of PNG and IDX files. */
#include "base/system/print.h"
#include "cli/commands.h"
#include "cli/predict/explain.h"
#include "cli/predict/index_list.h"
#include "cli/predict/table.h"
#include "run/loaded_model.h"

#include <stdio.h>
#include <string.h>

/* Rows of a table without --limit. */
enum { TABLE_ROWS = 20 };

static const char orders[] = "auto|index|confidence|doubt";

/* Rank 0. Applies --misclassified and --sort to the list. */
static void narrow(fmd_index_list *list, const fmd_told *told, const fmd_config *config)
{
    size_t n = 0;
    for (size_t i = 0; i < list->n; i++)
        if (!config->view.misclassified ||
            told->prediction->predicted[list->at[i]] != told->labels[list->at[i]])
            list->at[n++] = list->at[i];
    list->n = n;
    const bool surest_first = strcmp(config->view.sort, "confidence") == 0;
    if (surest_first || strcmp(config->view.sort, "doubt") == 0)
        fmd_sort_by_confidence(told->prediction, list->at, n, surest_first);
}

/* Rank 0. The number of mistakes, and of rows that the table leaves out. */
static void print_rest(const fmd_told *told, size_t chosen, size_t all, const fmd_config *config)
{
    if (config->view.misclassified)
        fmd_print("%zu of %zu image%s misclassified\n", chosen, all, all == 1 ? "" : "s");
    if (told->n < chosen)
        fmd_print("%zu of %zu shown: --limit %zu shows all\n", told->n, chosen, chosen);
}

/* Rank 0. */
static fmd_status tell(fmd_told *told, const fmd_config *config)
{
    fmd_index_list list;
    char what[32];
    snprintf(what, sizeof what, told->names != NULL ? "images" : "%s images", told->trained->half);
    FMD_TRY(fmd_index_list_create(&list, config->view.index, told->prediction->n,
                                  told->prediction->n, what));
    const size_t all = list.n;
    narrow(&list, told, config);
    const bool table = !config->view.csv && !config->view.json;
    size_t most = table && *config->view.index == '\0' && told->names == NULL ? TABLE_ROWS : list.n;
    if (config->data.limit != FMD_UNSET_INT)
        most = (size_t)config->data.limit;
    told->index = list.at;
    told->n = list.n < most ? list.n : most;
    fmd_status st = FMD_OK;
    if (config->view.show_input)
        st = fmd_prediction_show_input(told);
    if (st == FMD_OK && *config->view.explain != '\0')
        st = fmd_prediction_explain(told, config->view.explain);
    if (st != FMD_OK)
        goto out;
    if (config->view.json)
        st = fmd_prediction_json(told);
    else if (config->view.csv)
        fmd_prediction_csv(told);
    else
        fmd_prediction_table(told);
    if (table)
        print_rest(told, list.n, all, config);
out:
    fmd_index_list_free(&list);
    return st;
}

static fmd_status check_options(const fmd_config *config)
{
    char hint[FMD_OPTION_TEXT_BYTES];
    if (!fmd_word_is_among(orders, config->view.sort))
        return FMD_FAIL(FMD_EUSAGE, "--sort: '%s' is not one of %s%s", config->view.sort, orders,
                        fmd_did_you_mean(orders, config->view.sort, hint));
    if (*config->view.images != '\0' &&
        strspn(config->view.images, "0123456789,-") == strlen(config->view.images))
        return FMD_FAIL(FMD_EUSAGE,
                        "--images: '%s' are numbers, not files; for images of the data set give "
                        "--index %s",
                        config->view.images, config->view.images);
    if (config->view.misclassified && *config->view.images != '\0')
        return FMD_FAIL(FMD_EUSAGE, "--misclassified needs labels, and --images have none");
    if (fmd_config_gives(config, "invert") && *config->view.images == '\0')
        return FMD_FAIL(FMD_EUSAGE, "--invert has no effect without --images");
    if (config->view.show_input && (config->view.csv || config->view.json))
        return FMD_FAIL(FMD_EUSAGE, "--show-input draws beside a table, not with --csv or --json");
    if (*config->view.explain != '\0' && (config->view.csv || config->view.json))
        return FMD_FAIL(FMD_EUSAGE, "--explain goes with a table, not with --csv or --json");
    if (config->view.csv && config->view.json)
        return FMD_FAIL(FMD_EUSAGE, "--csv and --json exclude each other");
    return FMD_OK;
}

/* Collective. The images of --images, or of the data set. */
static fmd_status find_images(fmd_split *split, fmd_user_images *own, fmd_comm *c,
                              const fmd_loaded_model *t, const fmd_config *config)
{
    *split = t->split;
    if (*config->view.images == '\0')
        return FMD_OK;
    FMD_TRY(fmd_user_images_read(own, c, config->view.images, fmd_model_in(t->model),
                                 fmd_invert_of(config, &t->data.info)));
    *split = own->split;
    return FMD_OK;
}

static fmd_status run_predict(fmd_comm *c, const fmd_config *config)
{
    fmd_loaded_model t;
    fmd_split split;
    fmd_user_images own = {.names = NULL};
    fmd_prediction p = {.n = 0};
    FMD_TRY(check_options(config));
    const bool data = *config->view.images == '\0' || *config->view.explain != '\0';
    FMD_TRY(fmd_loaded_model_open(&t, c, config, data ? FMD_NEEDS_IMAGES : FMD_NEEDS_CLASS_NAMES));
    fmd_status st = find_images(&split, &own, c, &t, config);
    if (st == FMD_OK)
        st = fmd_predict(c, t.model, &split, t.divisor, &p);
    if (st == FMD_OK && fmd_comm_rank(c) == 0) {
        fmd_told told = {.trained = &t,
                         .prediction = &p,
                         .images = split.images,
                         .labels = split.labels,
                         .names = own.names};
        st = tell(&told, config);
    }
    st = fmd_comm_agree(c, st);
    fmd_prediction_free(&p);
    fmd_user_images_free(&own);
    fmd_loaded_model_close(&t);
    return st;
}

const fmd_command fmd_command_predict = {
    .name = "predict",
    .usage = "RUN_DIR|FILE [IMAGES ...] [OPTIONS]",
    .help = "classifies test images, or PNG, JPEG and IDX files",
    .section = FMD_TO_TRAIN,
    .example = "runs/20260131-120000 --misclassified --sort confidence",
    .groups = "data|model|weights|images|selection|own images|predictions|order|amount|json|output",
    .words = "weights|images",
    .needs_mpi = true,
    .run = run_predict,
};
