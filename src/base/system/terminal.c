#include "base/system/terminal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* The value of an environment variable; NULL if unset or empty. */
static const char *setting(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && *value != '\0' ? value : NULL;
}

static bool has(const char *value, const char *part)
{
    return value != NULL && strcasestr(value, part) != NULL;
}

bool fmd_is_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = setting(names[i]);
        if (value != NULL)
            return has(value, "UTF-8") || has(value, "utf8");
    }
    return false;
}

static pid_t parent_of(pid_t pid)
{
    char path[64];
    int parent = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return 0;
    /* The second field is the program's name in parentheses. */
    if (fscanf(file, "%*d (%*[^)]) %*c %d", &parent) != 1)
        parent = 0;
    fclose(file);
    return parent;
}

/* Open MPI's mpirun gives every rank a terminal as stdout even if its own stdout is a file. Opens the
 * stdout of the nearest ancestor whose stdout differs from ours. -1: failed. */
static int open_launchers_stdout(void)
{
    struct stat own, other;
    if (fstat(STDOUT_FILENO, &own) != 0)
        return -1;
    for (pid_t pid = getppid(); pid > 1; pid = parent_of(pid)) {
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/fd/1", (int)pid);
        if (stat(path, &other) != 0)
            return -1;
        if (other.st_dev != own.st_dev || other.st_ino != own.st_ino)
            return open(path, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    }
    return -1;
}

/* Whether `fd` is a terminal, and its width. */
static void look_at(int fd, fmd_terminal *t)
{
    struct winsize size = {0};
    const char *name = setting("TERM");
    t->terminal = fd >= 0 && isatty(fd) == 1 && name != NULL && strcmp(name, "dumb") != 0;
    if (t->terminal && ioctl(fd, TIOCGWINSZ, &size) == 0)
        t->columns = size.ws_col;
}

static fmd_colour colours(bool terminal)
{
    const char *forced = setting("CLICOLOR_FORCE"), *name = getenv("TERM");
    const char *depth = getenv("COLORTERM");
    if (setting("NO_COLOR") != NULL)
        return FMD_COLOUR_NONE;
    if (!terminal && (forced == NULL || strcmp(forced, "0") == 0))
        return FMD_COLOUR_NONE;
    if (has(depth, "truecolor") || has(depth, "24bit") || has(name, "direct"))
        return FMD_COLOUR_TRUE;
    return has(name, "256color") ? FMD_COLOUR_256 : FMD_COLOUR_16;
}

fmd_terminal fmd_terminal_of_stdout(void)
{
    fmd_terminal t = {.utf8 = fmd_is_utf8()};
    look_at(STDOUT_FILENO, &t);
    if (t.terminal && getenv("OMPI_COMM_WORLD_RANK") != NULL) {
        const int fd = open_launchers_stdout();
        look_at(fd, &t);
        if (fd >= 0)
            close(fd);
    }
    t.colour = colours(t.terminal);
    return t;
}

void fmd_print_style(const fmd_terminal *t, const char *code)
{
    if (t->colour != FMD_COLOUR_NONE)
        printf("\033[%sm", code);
}
