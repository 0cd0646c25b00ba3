/* Reads a file of Keras in a child process first. */
#include "run/probe.h"
#include "base/mem.h"

#include "run/weights_file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* CPU seconds; enough for a file of gigabytes. */
enum { MOST_SECONDS = 20 };

/* Reads the file as a command would. If the file does not describe its layers, they depend on the
 * data: the MNIST shape and number of classes stand in. */
static fmd_status read_all(const char *path, const fmd_config *config)
{
    const fmd_shape image = FMD_MNIST_IMAGE;
    fmd_weights_file f = {.path = ""};
    fmd_model *m = NULL;
    fmd_model_size size;
    FMD_TRY(fmd_weights_read_info(path, &f.info));
    FMD_TRY(fmd_weights_file_measure(&size, &f, config, image, 10));
    FMD_TRY(fmd_mem_check(fmd_model_size_bytes(&size, 1), "the model", ""));
    FMD_TRY(fmd_weights_file_model(&m, &f, config, image, 10, 1));
    return fmd_weights_read_params(path, m);
}

/* Any exit code means that the reader did not crash. */
static void try_all(const char *path, const fmd_config *config)
{
    const struct rlimit seconds = {MOST_SECONDS, MOST_SECONDS}, no_core = {0, 0};
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    setrlimit(RLIMIT_CPU, &seconds);
    setrlimit(RLIMIT_CORE, &no_core);
    dup2(nowhere, STDERR_FILENO); /* the C library prints a message for a damaged heap */
    const fmd_status st = read_all(path, config);
    (void)st;
    _exit(0);
}

fmd_status fmd_weights_probe(const fmd_config *config)
{
    char path[FMD_WEIGHTS_PATH_BYTES];
    int status = 0;
    if (*config->model.weights == '\0' || fmd_weights_path(config->model.weights, path) != FMD_OK ||
        !fmd_weights_is_keras(path))
        return FMD_OK;
    const pid_t child = fork();
    if (child < 0)
        return FMD_OK;
    if (child == 0)
        try_all(path, config);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (status == 0)
        return FMD_OK;
    return FMD_FAIL(FMD_EDATA, "'%s' is damaged: reading it %s", path,
                    WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? "takes too long"
                                                                       : "ends in a crash");
}
