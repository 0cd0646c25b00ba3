#include "run/start.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

extern char **environ;

/* The sum does not depend on the order of the variables. */
static fmd_hash hash_variables(void)
{
    static const char prefix[] = "FMNIST_DIST_";
    fmd_hash sum = {0, 0};
    for (char **v = environ; *v != NULL; v++) {
        if (strncmp(*v, prefix, sizeof prefix - 1) != 0)
            continue;
        const fmd_hash one = fmd_hash_bytes(*v, strlen(*v));
        sum.high += one.high;
        sum.low += one.low;
    }
    return sum;
}

static fmd_status hash_arguments(fmd_hash *out, int argc, char **argv)
{
    size_t bytes = 0, used = 0;
    char *text;
    for (int i = 0; i < argc; i++)
        bytes += strlen(argv[i]) + 1;
    FMD_TRY(fmd_alloc(&text, bytes + 1, 1, "the arguments"));
    for (int i = 0; i < argc; i++) {
        memcpy(text + used, argv[i], strlen(argv[i]) + 1);
        used += strlen(argv[i]) + 1;
    }
    *out = fmd_hash_bytes(text, bytes);
    free(text);
    return FMD_OK;
}

fmd_status fmd_start_compare(fmd_comm *c, const char *command, int argc, char **argv)
{
    fmd_hash words = {0, 0};
    const fmd_hash name = fmd_hash_bytes(command, strlen(command)), variables = hash_variables();
    FMD_TRY(fmd_comm_agree(c, hash_arguments(&words, argc, argv)));
    if (fmd_comm_same(c, &name, sizeof name, "their command") != FMD_OK)
        return FMD_FAIL(FMD_EUSAGE,
                        "the ranks were started with different commands, rank 0 with %s", command);
    if (fmd_comm_same(c, &words, sizeof words, "their arguments") != FMD_OK ||
        fmd_comm_same(c, &variables, sizeof variables, "their FMNIST_DIST_ variables") != FMD_OK)
        fmd_warn("%s: all ranks use the values of rank 0", fmd_error_message());
    return FMD_OK;
}
