#include "base/system/subprocess.h"

#include "base/system/print.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { GRACE_SECONDS = 10 }; /* between the request to end and the end */

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

/* In single quotes; in bash's $'' where a terminal would obey what is in it. */
static void print_quoted(const char *word)
{
    char shown[FMD_SUBPROCESS_TEXT];
    snprintf(shown, sizeof shown, "%s", word);
    const bool hostile = strcmp(fmd_printable(shown), word) != 0;
    fputs(hostile ? "$'" : "'", stdout);
    for (; *word != '\0'; word++)
        if (hostile && ((unsigned char)*word < ' ' || (unsigned char)*word >= 0x7f ||
                        *word == '\'' || *word == '\\'))
            printf("\\x%02x", (unsigned char)*word);
        else
            fputs(*word == '\'' ? "'\\''" : (char[]){*word, '\0'}, stdout);
    putchar('\'');
}

void fmd_command_line_print(const fmd_command_line *c)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "-_=+./,:@%";
    for (int i = 0; i < c->n; i++) {
        const char *word = c->argv[i];
        if (i > 0)
            putchar(' ');
        if (*word != '\0' && word[strspn(word, plain)] == '\0')
            fputs(word, stdout);
        else
            print_quoted(word);
    }
}

/* In a process group of its own: a terminal's Ctrl-C is ours to pass on. Returns errno. */
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

/* Waits with the signals of `watched` blocked; returns the one that asked this process to end, 0:
 * none. */
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
    if (error == ENOENT)
        return FMD_FAIL(FMD_EUSAGE, "%s is not installed, or not on the PATH", c->argv[0]);
    if (error != 0)
        return FMD_FAIL(FMD_EIO, "cannot start %s: %s", c->argv[0], strerror(error));
    *code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    if (asked != 0)
        return FMD_FAIL(FMD_ESTOPPED, "stopped by signal %d", asked);
    return FMD_OK;
}
