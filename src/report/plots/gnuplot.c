#include "report/plots/gnuplot.h"

#include "base/log.h"
#include "base/system/subprocess.h"
#include "base/utf8.h"
#include "io/atomic_file.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The head of each script; no text of others is in it. Colours: Okabe and Ito, "Color Universal Design",
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
    "set format \"%%h\"\n";

static const char loop[] =
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

/* The parts between the apostrophes are strings in single quotes, and each run of apostrophes one in
 * double quotes: gnuplot 5.4 takes '' for an apostrophe, but not where two of them follow. */
void fmd_gnuplot_string(FILE *out, const char *text)
{
    if (*text == '\0')
        fputs("\"\"", out);
    for (const char *dot = ""; *text != '\0'; dot = ".") {
        const size_t apostrophes = strspn(text, "'");
        if (apostrophes > 0) {
            fprintf(out, "%s\"%.*s\"", dot, (int)apostrophes, text);
            text += apostrophes;
            continue;
        }
        fprintf(out, "%s'", dot);
        while (*text != '\0' && *text != '\'') {
            uint32_t character;
            const size_t n = fmd_utf8_decode(text, &character);
            if (n == 0 || !fmd_utf8_is_shown(character))
                fputc('?', out);
            else if (strncmp(text, "]]>", 3) ==
                     0) /* gnuplot leaves it in SVG files, where it is no XML */
                fputs("] ", out);
            else
                fwrite(text, 1, n, out);
            text += n > 0 ? n : 1;
        }
        fputc('\'', out);
    }
}

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
    fprintf(out, preamble, p->name);
    fputs(p->strings, out);
    fprintf(out, loop, p->name, p->formats, p->width, p->height);
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

/* The line that names the fault: gnuplot echoes the command and points at it before, and may print
 * more behind. */
static const char *last_fault(char *text)
{
    const char *found = "it gives no reason";
    char *rest = text;
    for (const char *line; (line = strsep(&rest, "\n")) != NULL;)
        if (strstr(line, "line ") != NULL || (*found != '"' && line[strspn(line, " \t^")] != '\0'))
            found = line;
    return found;
}

/* Removes pictures that may be half drawn. */
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
    fmd_command_line c = {.n = 0};
    char *said;
    int code;
    FMD_TRY(fmd_command_line_split(&c, "gnuplot --default-settings"));
    FMD_TRY(fmd_command_line_add(&c, "%s.gp", p->name));
    const fmd_status st = fmd_subprocess_capture(p->folder, &c, 2, &said, &code);
    if (st == FMD_EUSAGE && access(p->folder, X_OK) == 0) {
        fmd_warn("gnuplot is not installed: '%s' is not drawn. On a machine with gnuplot, run in "
                 "that folder: gnuplot %s.gp",
                 p->folder, p->name);
        return FMD_OK;
    }
    if (st != FMD_OK)
        return st;
    *drawn = code == 0;
    const fmd_status end = code == 0 ? FMD_OK : fail(p, said);
    free(said);
    return end;
}

/* gnuplot itself writes the pictures: it would wait at a FIFO, and write to a device. */
static fmd_status check_picture(const fmd_gnuplot *p, const char *extension)
{
    char path[PATH_MAX];
    struct stat s;
    if (strstr(p->formats, extension) != NULL && stat(path_of(p, extension, path), &s) == 0 &&
        !S_ISREG(s.st_mode) && !S_ISDIR(s.st_mode))
        return FMD_FAIL(FMD_EIO, "cannot write '%s': it is no regular file", path);
    return FMD_OK;
}

fmd_status fmd_gnuplot_draw(const fmd_gnuplot *p, bool *drawn)
{
    char path[PATH_MAX];
    *drawn = false;
    FMD_TRY(check_picture(p, "svg"));
    FMD_TRY(check_picture(p, "png"));
    FMD_TRY(fmd_atomic_file_write(path_of(p, "csv", path), p->data, strlen(p->data)));
    FMD_TRY(write_script(p));
    return run(p, drawn);
}
