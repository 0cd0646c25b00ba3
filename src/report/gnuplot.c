#include "report/gnuplot.h"

#include "base/log.h"
#include "io/atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* What comes before the commands of a picture. Colours: Okabe and Ito, "Color Universal Design",
 * 2008; every line type has its own point and dash too, for those who print in grey. */
static const char preamble[] =
    "# Drawn by fmnist-dist. Edit it, then run in this folder: gnuplot %1$s.gp\n"
    "data = \"%1$s.csv\"\n"
    "set datafile separator comma\n"
    "set encoding utf8\n"
    "set linetype 1 lc rgb \"#0072B2\" lw 2 pt 7 dt 1\n"
    "set linetype 2 lc rgb \"#D55E00\" lw 2 pt 5 dt (8,3)\n"
    "set linetype 3 lc rgb \"#009E73\" lw 2 pt 9 dt (2,3)\n"
    "set linetype 4 lc rgb \"#CC79A7\" lw 2 pt 11 dt (8,3,2,3)\n"
    "set linetype 5 lc rgb \"#56B4E9\" lw 2 pt 13 dt 1\n"
    "set linetype 6 lc rgb \"#E69F00\" lw 2 pt 6 dt (8,3)\n"
    "set linetype 7 lc rgb \"#000000\" lw 2 pt 4 dt (2,3)\n"
    "set linetype 8 lc rgb \"#777777\" lw 2 pt 8 dt (8,3,2,3)\n"
    "set border 3 lc rgb \"#555555\"\n"
    "set tics nomirror out scale 0.6\n"
    "do for [format in \"%2$s\"] {\n"
    "    if (format eq \"svg\") {\n"
    "        set terminal svg size %3$d,%4$d dynamic noenhanced "
    "font \"Arial,14\" background rgb \"white\"\n"
    "    } else {\n"
    "        set terminal pngcairo size 2*%3$d,2*%4$d noenhanced fontscale 2 linewidth 2 "
    "pointscale 2 "
    "font \"Sans,10.5\"\n"
    "    }\n"
    "    set output \"%1$s.\".format\n";

/* "FOLDER/NAME.EXTENSION" */
static const char *path_of(const fmd_gnuplot *p, const char *extension, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/%s.%s", p->folder, p->name, extension);
    return path;
}

static fmd_status write_script(const fmd_gnuplot *p)
{
    char path[PATH_MAX], *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    if (out == NULL)
        return FMD_FAIL(FMD_ENOMEM, "out of memory: the script of gnuplot");
    fprintf(out, preamble, p->name, p->formats, p->width, p->height);
    for (const char *line = p->commands; *line != '\0';) {
        const int n = (int)strcspn(line, "\n");
        fprintf(out, n > 0 ? "    %.*s\n" : "\n", n, line);
        line += n + (line[n] == '\n');
    }
    fprintf(out, "    unset output\n}\n");
    if (fclose(out) != 0) {
        free(text);
        return FMD_FAIL(FMD_ENOMEM, "out of memory: the script of gnuplot");
    }
    const fmd_status st = fmd_atomic_file_write(path_of(p, "gp", path), text, bytes);
    free(text);
    return st;
}

/* Starts gnuplot in the folder with its stderr into `pipe_end`. Returns errno. */
static int start(const fmd_gnuplot *p, int pipe_end, pid_t *child)
{
    char script[NAME_MAX + 1];
    char *arguments[] = {"gnuplot", "--default-settings", script, NULL};
    posix_spawn_file_actions_t actions;
    snprintf(script, sizeof script, "%s.gp", p->name);
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0)
        return error;
    if ((error = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)) == 0 &&
        (error = posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)) == 0 &&
        (error = posix_spawn_file_actions_adddup2(&actions, pipe_end, 2)) == 0 &&
        (error = posix_spawn_file_actions_addchdir_np(&actions, p->folder)) == 0)
        error = posix_spawnp(child, "gnuplot", &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

/* All that the child says, as far as it fits; to its end, so that it is never stuck. */
static void read_all(int fd, char *text, size_t size)
{
    char rest[512];
    size_t used = 0;
    for (;;) {
        const bool room = used + 1 < size;
        const ssize_t n =
            room ? read(fd, text + used, size - used - 1) : read(fd, rest, sizeof rest);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        used += room ? (size_t)n : 0;
    }
    text[used] = '\0';
}

/* The line that names the fault: gnuplot echoes the command and points at it before, and may say
 * more behind. */
static const char *last_fault(char *text)
{
    const char *found = "it says nothing of why";
    char *rest = text;
    for (const char *line; (line = strsep(&rest, "\n")) != NULL;)
        if (strstr(line, "line ") != NULL || (*found != '"' && line[strspn(line, " \t^")] != '\0'))
            found = line;
    return found;
}

/* What is half drawn is no picture. */
static fmd_status fail(const fmd_gnuplot *p, char *said)
{
    char path[PATH_MAX];
    if (strstr(p->formats, "svg") != NULL)
        unlink(path_of(p, "svg", path));
    if (strstr(p->formats, "png") != NULL)
        unlink(path_of(p, "png", path));
    return FMD_FAIL(FMD_EIO, "gnuplot cannot draw '%s': %s", path_of(p, "gp", path),
                    last_fault(said));
}

static fmd_status run(const fmd_gnuplot *p, bool *drawn)
{
    char said[4096];
    int ends[2], status = 0;
    pid_t child;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return FMD_FAIL(FMD_EIO, "cannot start gnuplot: %s", strerror(errno));
    const int error = start(p, ends[1], &child);
    close(ends[1]);
    if (error == ENOENT && access(p->folder, X_OK) == 0) {
        close(ends[0]);
        fmd_warn("gnuplot is not installed: '%s' is not drawn; where it is, run in that folder: "
                 "gnuplot %s.gp",
                 p->folder, p->name);
        return FMD_OK;
    }
    if (error != 0) {
        close(ends[0]);
        return FMD_FAIL(FMD_EIO, "cannot start gnuplot: %s", strerror(error));
    }
    read_all(ends[0], said, sizeof said);
    close(ends[0]);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return fail(p, said);
    *drawn = true;
    return FMD_OK;
}

fmd_status fmd_gnuplot_draw(const fmd_gnuplot *p, bool *drawn)
{
    char path[PATH_MAX];
    *drawn = false;
    FMD_TRY(fmd_atomic_file_write(path_of(p, "csv", path), p->data, strlen(p->data)));
    FMD_TRY(write_script(p));
    return run(p, drawn);
}
