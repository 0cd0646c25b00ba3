#include "math/openblas.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static fmd_openblas loaded; /* sgemm NULL: not loaded yet */

static void *find_library(void)
{
    void *library = dlopen(FMD_OPENBLAS_DIR "/libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    return library != NULL ? library : dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
}

static fmd_status load(void)
{
    const struct {
        const char *name;
        void *function;
    } functions[] = {{"openblas_set_num_threads", &loaded.set_num_threads},
                     {"openblas_get_corename", &loaded.get_corename},
                     {"openblas_get_config", &loaded.get_config},
                     {"cblas_sgemm", &loaded.sgemm}};
    void *library = find_library();
    if (library == NULL)
        return FMD_FAIL(FMD_EINTERNAL, "cannot load OpenBLAS: %s; --gemm own does without it",
                        dlerror());
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        void *at = dlsym(library, functions[i].name);
        if (at == NULL)
            return FMD_FAIL(FMD_EINTERNAL, "OpenBLAS lacks a function: %s", dlerror());
        memcpy(functions[i].function, &at, sizeof at);
    }
    return FMD_OK;
}

fmd_status fmd_openblas_load(const fmd_openblas **out, int threads)
{
    char number[16];
    snprintf(number, sizeof number, "%d", threads);
    setenv("OPENBLAS_NUM_THREADS", number, 1); /* threads that OpenBLAS starts */
    if (loaded.sgemm == NULL)
        FMD_TRY(load());
    loaded.set_num_threads(threads);
    *out = &loaded;
    return FMD_OK;
}
