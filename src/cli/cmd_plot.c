/* plot: draws pictures of a run, and writes their data and gnuplot scripts. */
#include "cli/commands.h"
#include "cli/predict/index_list.h"
#include "cli/predict/user_images.h"
#include "report/plots/plots.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* In the order of --what, which has "all" before them. */
static const struct picture {
    const char *name;
    fmd_view_needs needs;
    fmd_status (*draw)(const fmd_plot_target *t, const fmd_run_view *v);
} pictures[] = {
    {"curves", FMD_VIEW_FILES, fmd_plot_curves},
    {"confusion", FMD_VIEW_DATA, fmd_plot_confusion},
    {"predictions", FMD_VIEW_DATA, fmd_plot_predictions},
    {"weights", FMD_VIEW_MODEL, fmd_plot_weights},
    {"features", FMD_VIEW_DATA, fmd_plot_features},
};

enum { N_PICTURES = sizeof pictures / sizeof *pictures };

/* "svg,png" as "svg png". */
static fmd_status parse_formats(const char *given, char formats[16])
{
    char copy[64], *rest = copy;
    snprintf(copy, sizeof copy, "%s", given);
    bool svg = false, png = false;
    for (const char *word; (word = strsep(&rest, ",")) != NULL;) {
        if (strcmp(word, "svg") != 0 && strcmp(word, "png") != 0)
            return FMD_FAIL(FMD_EUSAGE, "--format: '%s' is neither svg nor png", word);
        svg = svg || *word == 's';
        png = png || *word == 'p';
    }
    snprintf(formats, 16, "%s%s%s", svg ? "svg" : "", svg && png ? " " : "", png ? "png" : "");
    return FMD_OK;
}

/* A picture asked for by name must be possible; --what all draws the possible ones. */
static fmd_status draw(const fmd_plot_target *t, const fmd_run_view *v, int what)
{
    int drawn = 0;
    for (int i = 0; i < N_PICTURES; i++) {
        const struct picture *p = &pictures[i];
        const fmd_absence *absent = p->needs == FMD_VIEW_FILES   ? &v->no_history
                                    : p->needs == FMD_VIEW_MODEL ? &v->no_model
                                                                 : &v->no_data;
        if (what != 0 && what != i + 1)
            continue;
        if (what == 0 && p->draw == fmd_plot_features &&
            (absent->status != FMD_OK || !fmd_plot_has_features(v)))
            continue;
        fmd_status st = absent->status;
        if (st != FMD_OK)
            st = FMD_FAIL(st, "no picture of the %s: %.900s", p->name, absent->why);
        else
            st = p->draw(t, v);
        const bool impossible = absent->status != FMD_OK || st == FMD_EDATA;
        if (st == FMD_OK)
            drawn++;
        else if (what == 0 && impossible)
            fmd_warn("%s", fmd_error_message());
        else
            return st;
    }
    return drawn > 0 ? FMD_OK
                     : FMD_FAIL(FMD_ENOINPUT, "'%s' has no data for any picture yet", v->path);
}

static fmd_status choose_image(const char *index, size_t n, size_t *image)
{
    fmd_index_list list;
    FMD_TRY(fmd_index_list_create(&list, index, 1, n, "test images"));
    const size_t images = list.n;
    *image = list.at[0];
    fmd_index_list_free(&list);
    return images == 1 ? FMD_OK
                       : FMD_FAIL(FMD_EUSAGE, "--index: feature maps are drawn of one image");
}

/* Rank 0. */
static fmd_status plot(const fmd_run_view *v, const fmd_user_images *own, const fmd_config *config,
                       const char *formats)
{
    char folder[FMD_RUN_PATH_BYTES];
    struct stat s;
    if (*config->output.path != '\0')
        snprintf(folder, sizeof folder, "%s", config->output.path);
    else
        snprintf(folder, sizeof folder, "%s/plots", v->path);
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return FMD_FAIL(FMD_EIO, "cannot create the folder '%s': %s", folder, strerror(errno));
    if (*config->output.path != '\0' && (stat(folder, &s) != 0 || !S_ISDIR(s.st_mode)))
        return FMD_FAIL(FMD_EUSAGE, "--output: '%s' is a file: name a folder for the pictures",
                        folder);
    size_t image = 0;
    if (v->no_data.status == FMD_OK && *config->view.index != '\0')
        FMD_TRY(choose_image(config->view.index, v->trained.split.n, &image));
    return draw(&(fmd_plot_target){.folder = folder,
                                   .formats = formats,
                                   .image = image,
                                   .own = own->split.images,
                                   .own_name = own->names != NULL ? own->names[0] : NULL},
                v, config->output.what);
}

/* Collective. The one image of the user. */
static fmd_status read_own(fmd_user_images *own, fmd_comm *c, const fmd_run_view *v,
                           const fmd_config *config)
{
    if (v->no_model.status != FMD_OK)
        return FMD_FAIL(v->no_model.status, "no picture of the features: %.900s", v->no_model.why);
    FMD_TRY(fmd_user_images_read(own, c, config->view.images, fmd_model_in(v->trained.model),
                                 fmd_invert_of(config, &v->trained.data.info)));
    return own->split.n == 1
               ? FMD_OK
               : FMD_FAIL(FMD_EUSAGE, "--images: feature maps are drawn of one image");
}

static fmd_status run_plot(fmd_comm *c, const fmd_config *config)
{
    fmd_run_view *v = NULL;
    char formats[16];
    fmd_view_needs needs = FMD_VIEW_DATA;
    fmd_user_images own = {.names = NULL};
    FMD_TRY(parse_formats(config->output.format, formats));
    if (config->output.what > 0)
        needs = pictures[config->output.what - 1].needs;
    const bool features =
        config->output.what > 0 && pictures[config->output.what - 1].draw == fmd_plot_features;
    if (*config->view.index != '\0' && config->output.what > 0 && !features)
        return FMD_FAIL(FMD_EUSAGE, "--index has no effect without --what features");
    if (*config->view.images != '\0' && !features)
        return FMD_FAIL(FMD_EUSAGE, "'%.200s': an image needs --what features",
                        config->view.images);
    if (*config->view.images != '\0' && *config->view.index != '\0')
        return FMD_FAIL(FMD_EUSAGE, "--index and --images exclude each other");
    fmd_status st = fmd_run_view_open(c, &v, config, needs);
    if (st == FMD_OK && features && *config->view.images != '\0')
        st = read_own(&own, c, v, config);
    if (st == FMD_OK)
        st = fmd_comm_agree(c, fmd_comm_rank(c) == 0 ? plot(v, &own, config, formats) : FMD_OK);
    fmd_user_images_free(&own);
    fmd_run_view_close(v);
    return st;
}

const fmd_command fmd_command_plot = {
    .name = "plot",
    .usage = "RUN_DIR [IMAGE] [OPTIONS]",
    .help = "draws a run: curves, confusions, predictions, weights, features",
    .section = FMD_TO_LOOK,
    .example = "runs/20260131-120000 --what curves --format svg",
    .groups = "data|weights|pictures|format|selection|own images|file",
    .words = "weights|images",
    .needs_mpi = true,
    .run = run_plot,
};
