#include "base/system/subprocess.h"

#include "base/system/print.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { GRACE_SECONDS = 10 }; /* between SIGTERM and SIGKILL */

fmd_status fmd_command_line_add(fmd_command_line *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(c->text + c->used, sizeof c->text - c->used, format, args);
    va_end(args);
    if (n < 0 || c->n == FMD_SUBPROCESS_ARGS || c->used + (size_t)n + 1 > sizeof c->text)
        return FMD_FAIL(FMD_EUSAGE, "a command of more than %d words or %zu bytes",
                        FMD_SUBPROCESS_ARGS, sizeof c->text);
    c->argv[c->n++] = c->text + c->used;
    c->argv[c->n] = NULL;
    c->used += (size_t)n + 1;
    return FMD_OK;
}

fmd_status fmd_command_line_split(fmd_command_line *c, const char *words)
{
    for (words += strspn(words, " "); *words != '\0'; words += strspn(words, " ")) {
        const size_t n = strcspn(words, " ");
        FMD_TRY(fmd_command_line_add(c, "%.*s", (int)n, words));
        words += n;
    }
    return FMD_OK;
}

void fmd_shell_word(FILE *out, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "-_=+./,:@%";
    if (*word != '\0' && word[strspn(word, plain)] == '\0') {
        fputs(word, out);
        return;
    }
    fputc('\'', out);
    for (; *word != '\0'; word++)
        fputs(*word == '\'' ? "'\\''" : (char[]){*word, '\0'}, out);
    fputc('\'', out);
}

/* Prints a word with control characters in bash's $'' form. */
static void print_hostile(const char *word)
{
    fputs("$'", stdout);
    for (; *word != '\0'; word++)
        if ((unsigned char)*word < ' ' || (unsigned char)*word >= 0x7f || *word == '\'' ||
            *word == '\\')
            printf("\\x%02x", (unsigned char)*word);
        else
            putchar(*word);
    putchar('\'');
}

void fmd_command_line_print(const fmd_command_line *c)
{
    for (int i = 0; i < c->n; i++) {
        char shown[FMD_SUBPROCESS_TEXT];
        snprintf(shown, sizeof shown, "%s", c->argv[i]);
        if (i > 0)
            putchar(' ');
        if (strcmp(fmd_printable(shown), c->argv[i]) != 0)
            print_hostile(c->argv[i]);
        else
            fmd_shell_word(stdout, c->argv[i]);
    }
}

/* Starts a process in its own group, so that only this process receives the terminal's Ctrl-C.
 * Returns errno. */
static int start(const fmd_command_line *c, const char *out, const char *err, const sigset_t *mask,
                 pid_t *child)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    int error = posix_spawn_file_actions_init(&files);
    if (error != 0)
        return error;
    if ((error = posix_spawnattr_init(&attributes)) != 0) {
        posix_spawn_file_actions_destroy(&files);
        return error;
    }
    const int how = O_WRONLY | O_CREAT | O_TRUNC;
    if ((error = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0)) == 0 &&
        (error = posix_spawn_file_actions_addopen(&files, 1, out, how, 0666)) == 0 &&
        (error = posix_spawn_file_actions_addopen(&files, 2, err, how, 0666)) == 0 &&
        (error = posix_spawnattr_setflags(&attributes,
                                          POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK)) == 0 &&
        (error = posix_spawnattr_setpgroup(&attributes, 0)) == 0 &&
        (error = posix_spawnattr_setsigmask(&attributes, mask)) == 0)
        error = posix_spawnp(child, c->argv[0], &files, &attributes, c->argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return error;
}

static int exit_code(int status)
{
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static fmd_status cannot_start(const char *program, int error)
{
    if (error == ENOENT)
        return FMD_FAIL(FMD_EUSAGE, "%s is not installed, or not on the PATH", program);
    return FMD_FAIL(FMD_EIO, "cannot start %s: %s", program, strerror(error));
}

/* Waits for the child while the signals of `watched` are blocked. Returns the signal that asked this
 * process to stop; 0: none. */
static int await(pid_t child, const sigset_t *watched, int *status)
{
    const struct timespec grace = {.tv_sec = GRACE_SECONDS}, second = {.tv_sec = 1};
    int asked = 0;
    while (waitpid(child, status, WNOHANG) == 0) {
        const int signal = sigtimedwait(watched, NULL, asked != 0 ? &grace : &second);
        if (signal < 0 && errno == EAGAIN && asked != 0)
            kill(child, SIGKILL);
        if (signal <= 0 || signal == SIGCHLD)
            continue;
        asked = signal;
        kill(child, SIGTERM);
    }
    return asked;
}

fmd_status fmd_subprocess_run(const fmd_command_line *c, const char *out, const char *err,
                              int *code)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGCHLD};
    sigset_t watched, before;
    sigemptyset(&watched);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaddset(&watched, signals[i]);
    sigprocmask(SIG_BLOCK, &watched, &before);
    pid_t child;
    int status = 0, asked = 0;
    const int error = start(c, out, err, &before, &child);
    if (error == 0)
        asked = await(child, &watched, &status);
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (error != 0)
        return cannot_start(c->argv[0], error);
    *code = exit_code(status);
    if (asked != 0)
        return FMD_FAIL(FMD_ESTOPPED, "stopped by signal %d", asked);
    return FMD_OK;
}

/* Returns errno. */
static int start_piped(const char *folder, const fmd_command_line *c, int stream, int pipe_end,
                       pid_t *child)
{
    posix_spawn_file_actions_t files;
    int error = posix_spawn_file_actions_init(&files);
    if (error != 0)
        return error;
    if ((error = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0)) == 0 &&
        (error = posix_spawn_file_actions_addopen(&files, 3 - stream, "/dev/null", O_WRONLY, 0)) ==
            0 &&
        (error = posix_spawn_file_actions_adddup2(&files, pipe_end, stream)) == 0 &&
        (folder == NULL || (error = posix_spawn_file_actions_addchdir_np(&files, folder)) == 0))
        error = posix_spawnp(child, c->argv[0], &files, NULL, c->argv, environ);
    posix_spawn_file_actions_destroy(&files);
    return error;
}

/* Reads to the end, so that the child never blocks on a full pipe. False if out of memory. */
static bool read_all(int fd, char **text)
{
    char part[4096];
    size_t bytes = 0;
    FILE *out = open_memstream(text, &bytes);
    for (;;) {
        const ssize_t n = read(fd, part, sizeof part);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        if (out != NULL)
            fwrite(part, 1, (size_t)n, out);
    }
    return out != NULL && fclose(out) == 0;
}

fmd_status fmd_subprocess_capture(const char *folder, const fmd_command_line *c, int stream,
                                  char **text, int *code)
{
    int ends[2], status = 0;
    pid_t child;
    *text = NULL;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return FMD_FAIL(FMD_EIO, "cannot start %s: %s", c->argv[0], strerror(errno));
    const int error = start_piped(folder, c, stream, ends[1], &child);
    close(ends[1]);
    const bool whole = error != 0 || read_all(ends[0], text);
    close(ends[0]);
    if (error != 0)
        return cannot_start(c->argv[0], error);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    *code = exit_code(status);
    if (whole)
        return FMD_OK;
    free(*text);
    *text = NULL;
    return FMD_FAIL(FMD_ENOMEM, "out of memory: the answer of %s", c->argv[0]);
}
