/* data: lists, describes, verifies, imports and downloads data sets. */
#include "cli/commands.h"
#include "cli/data/data.h"

#include <string.h>

/* Refuses options without effect. */
static fmd_status check_effect(const fmd_config *config)
{
    enum { INFO = 1, IMPORT = 3 };
    for (size_t i = 0; i < fmd_config_table_length; i++) {
        const fmd_option *o = &fmd_config_table[i];
        const bool import = strcmp(o->group, "import") == 0, file = strcmp(o->group, "file") == 0;
        if (config->given[i] &&
            ((import && config->data.action != IMPORT) || (file && config->data.action != INFO)))
            return FMD_FAIL(FMD_EUSAGE, "--%s has no effect: it belongs to 'data %s'", o->name,
                            import ? "import" : "info");
    }
    return FMD_OK;
}

static fmd_status run_data(fmd_comm *c, const fmd_config *config)
{
    static fmd_status (*const actions[])(const fmd_config *) = {
        fmd_data_list, fmd_data_info, fmd_data_verify, fmd_data_import, fmd_data_get};
    (void)c;
    FMD_TRY(check_effect(config));
    return actions[config->data.action](config);
}

const fmd_command fmd_command_data = {
    .name = "data",
    .usage = "[list] | info [SET] | verify [SET] | import SOURCE DEST | get NAME [OPTIONS]",
    .help = "lists, describes, verifies, imports and downloads data sets",
    .example = "import pictures ./mine --size 32x32",
    .groups = "action|data|import|file|json",
    .words = "action|dataset|dest",
    .run = run_data,
};
