/* The folder of a study, which belongs to one set of options. */
#include "base/mem.h"
#include "base/system/print.h"
#include "io/json/json_file.h"
#include "measure/engine.h"
#include "run/run_folder.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool belongs(const fmd_option *o, const char *groups, const char *without)
{
    return fmd_config_has(groups, o) && !fmd_word_is_among(without, o->name);
}

/* Refuses a folder whose study has other options. */
static fmd_status compare(const fmd_config *config, const char *folder, const char *path,
                          const char *groups, const char *without)
{
    fmd_config *before = NULL;
    FMD_TRY(fmd_alloc(&before, 1, sizeof *before, "the options of a study"));
    fmd_status st = fmd_options_reset(fmd_config_table, fmd_config_table_length, before);
    if (st == FMD_OK)
        st = fmd_options_read_json(path, fmd_config_table, fmd_config_table_length, before,
                                   before->given);
    for (size_t i = 0; i < fmd_config_table_length && st == FMD_OK; i++) {
        const fmd_option *o = &fmd_config_table[i];
        char there[FMD_OPTION_TEXT_BYTES], here[FMD_OPTION_TEXT_BYTES];
        const char *a = fmd_option_text(o, before, there), *b = fmd_option_text(o, config, here);
        if (belongs(o, groups, without) && strcmp(a, b) != 0)
            st = FMD_FAIL(FMD_EBUSY,
                          "'%s' holds another study: %s is %.200s there, %.200s here: "
                          "name another --study-dir",
                          folder, o->name, a, b);
    }
    free(before);
    return st;
}

static fmd_status write_config(const fmd_config *config, const char *path, const char *groups,
                               const char *without)
{
    fmd_option *table = NULL;
    size_t n = 0;
    FMD_TRY(fmd_alloc(&table, fmd_config_table_length, sizeof *table, "the options of a study"));
    for (size_t i = 0; i < fmd_config_table_length; i++)
        if (belongs(&fmd_config_table[i], groups, without))
            table[n++] = fmd_config_table[i];
    const fmd_status st = fmd_options_write_json(path, table, n, config);
    free(table);
    return st;
}

fmd_status fmd_engine_claim(fmd_engine *e, const char *folder, const char *outputs,
                            const char *groups, const char *without)
{
    char path[FMD_ENGINE_FOLDER];
    const bool prints = e->config->study.launcher == FMD_LAUNCH_DRY;
    snprintf(e->folder, sizeof e->folder, "%s/%s", folder, outputs);
    if (!prints)
        FMD_TRY(fmd_make_folders(e->folder, "folder"));
    snprintf(path, sizeof path, "%s/config.json", folder);
    if (access(path, F_OK) == 0)
        return compare(e->config, folder, path, groups, without);
    return prints ? FMD_OK : write_config(e->config, path, groups, without);
}
