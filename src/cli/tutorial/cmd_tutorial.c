/* tutorial: runs the lessons of the Keras tutorial on all ranks and compares the results. */
#include "base/system/print.h"
#include "base/timer.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/run_command.h"
#include "cli/train/train.h"
#include "cli/tutorial/lessons.h"
#include "data/source.h"
#include "io/json/json_object.h"
#include "run/job.h"

#include <ctype.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const fmd_lesson fmd_lessons[] = {
#define LESSON(NAME, TITLE, ...) {.name = NAME, .title = TITLE, __VA_ARGS__},
#include "cli/tutorial/lessons.def"
#undef LESSON
};

const int fmd_lessons_length = sizeof fmd_lessons / sizeof *fmd_lessons;

enum { MAX_WORDS = 24, LINE_BYTES = 1024, TEXT_COLUMN = 9, HERE_COLUMN = 48, THERE_COLUMN = 66 };

static const char run_prefix[] = "tutorial-", trained_by[] = "train";

/* The same on every rank, but for `root` and the result. */
typedef struct session {
    fmd_comm *comm;
    bool root;
    char run[FMD_PATH_BYTES]; /* folder of the tutorial's own training, or empty */
    fmd_outcome trained;      /* its result */
    int done, skipped;
} session;

/* Chooses the folder of a new training, the RUN of the commands. The step train leaves
 * "tutorial-<date>", which other lessons find; any other leaves "tutorial-<lesson>-<date>". */
static void name_run(session *s, const fmd_lesson *l)
{
    const bool own = strcmp(l->name, trained_by) != 0;
    char date[32];
    const time_t now = time(NULL);
    struct tm local;
    strftime(date, sizeof date, "%Y%m%d-%H%M%S", localtime_r(&now, &local));
    snprintf(s->run, sizeof s->run, "runs/%s%s%s%s", run_prefix, own ? l->name : "", own ? "-" : "",
             date);
    fmd_comm_bcast(s->comm, s->run, sizeof s->run);
}

/* Rank 0. Reads the result of a training from run.json; false: there is none. */
static bool read_outcome(const char *run, fmd_outcome *out)
{
    char path[FMD_PATH_BYTES + 16];
    fmd_json *j;
    snprintf(path, sizeof path, "%s/run.json", run);
    if (fmd_json_read(&j, path) != FMD_OK)
        return false;
    out->result.metrics.loss = fmd_json_get_real(j, "result", "loss");
    out->result.metrics.accuracy = fmd_json_get_real(j, "result", "accuracy");
    out->test.loss = fmd_json_get_real(j, "result", "test_loss");
    out->test.accuracy = fmd_json_get_real(j, "result", "test_accuracy");
    fmd_json_destroy(j);
    return isfinite(out->test.accuracy);
}

/* Finds the newest training of an earlier tutorial; without one `run` stays empty. */
static void find_run(session *s)
{
    DIR *folder = s->root ? opendir("runs") : NULL;
    char path[FMD_PATH_BYTES];
    fmd_outcome outcome = {.result = {.epochs = 0}};
    for (const struct dirent *e; folder != NULL && (e = readdir(folder)) != NULL;) {
        if (strncmp(e->d_name, run_prefix, strlen(run_prefix)) != 0 ||
            !isdigit((unsigned char)e->d_name[strlen(run_prefix)]))
            continue;
        snprintf(path, sizeof path, "runs/%s", e->d_name);
        if (strcmp(path, s->run) <= 0 || !read_outcome(path, &outcome))
            continue;
        memcpy(s->run, path, sizeof path);
        s->trained = outcome;
    }
    if (folder != NULL)
        closedir(folder);
    fmd_comm_bcast(s->comm, s->run, sizeof s->run);
}

/* Splits a command at blanks; single quotes hold a word together. Returns the number of words. */
static int split(char *line, char *words[MAX_WORDS])
{
    int n = 0;
    while (*line != '\0' && n < MAX_WORDS) {
        const bool quoted = *line == '\'';
        line += quoted;
        words[n++] = line;
        line += strcspn(line, quoted ? "'" : " ");
        if (*line != '\0')
            *line++ = '\0';
        line += strspn(line, " ");
    }
    return n;
}

static bool has_word(const char *command, const char *word)
{
    const char *at = strstr(command, word);
    return at != NULL && (at[strlen(word)] == ' ' || at[strlen(word)] == '\0');
}

/* Rank 0. Prints the command as typed into a shell. */
static void print_command(const session *s, const fmd_command *command, const char *text)
{
    const char *run = strstr(text, "RUN");
    fmd_print("\n$ ");
    if (command->needs_mpi && fmd_comm_size(s->comm) > 1)
        fmd_print("mpirun -np %d ", fmd_comm_size(s->comm));
    if (run != NULL)
        fmd_print("fmnist-dist %.*s%s%s\n", (int)(run - text), text, s->run, run + strlen("RUN"));
    else
        fmd_print("fmnist-dist %s\n", text);
    fflush(stdout);
}

/* Collective. Runs one command; *out is the result of a training. */
static fmd_status run_command(session *s, const char *text, fmd_outcome *out)
{
    char line[LINE_BYTES], *words[MAX_WORDS] = {line};
    const fmd_command *command;
    fmd_config config;
    snprintf(line, sizeof line, "%s", text);
    const int n = split(line, words);
    for (int i = 0; i < n; i++)
        if (strcmp(words[i], "RUN") == 0)
            words[i] = s->run;
    FMD_TRY(fmd_command_find(&command, words[0]));
    if (s->root)
        print_command(s, command, text);
    fmd_status st = FMD_OK;
    if (!command->needs_mpi) {
        if (s->root)
            st = fmd_command_configure(command, NULL, n - 1, words + 1, &config);
        if (s->root && st == FMD_OK)
            st = command->run(NULL, &config);
        return fmd_comm_agree(s->comm, st);
    }
    FMD_TRY(fmd_command_configure(command, s->comm, n - 1, words + 1, &config));
    if (command == fmd_commands[0])
        st = fmd_train(s->comm, &config, NULL, out);
    else
        st = command->run(s->comm, &config);
    fmd_comm_unshare_all(s->comm);
    return st;
}

/* The text of a named value of a training; NULL: unknown name. */
static const char *value_text(const fmd_outcome *o, const char *name, size_t length, char text[32])
{
    const fmd_fit_result *r = &o->result;
    const struct {
        const char *name;
        int digits;
        double value;
    } values[] = {{"loss", 4, r->metrics.loss},
                  {"accuracy", 4, r->metrics.accuracy},
                  {"first_loss", 4, r->first.loss},
                  {"test_loss", 4, o->test.loss},
                  {"test_accuracy", 4, o->test.accuracy},
                  {"epochs", 0, r->epochs},
                  {"us", 1, 1e6 * r->seconds / fmax((double)r->samples, 1)}};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (strlen(values[i].name) == length && strncmp(values[i].name, name, length) == 0) {
            snprintf(text, 32, "%.*f", values[i].digits, values[i].value);
            return text;
        }
    return NULL;
}

/* Replaces {name}, and {2:name} by that of the second command. */
static void fill(const char *pattern, const fmd_outcome *outcomes, char out[LINE_BYTES])
{
    size_t used = 0;
    while (*pattern != '\0' && used + 32 < LINE_BYTES) {
        const size_t length = strcspn(pattern, "}");
        if (*pattern != '{' || pattern[length] == '\0') {
            out[used++] = *pattern++;
            continue;
        }
        const bool numbered = pattern[1] > '0' && pattern[1] <= '0' + FMD_LESSON_COMMANDS;
        const int command = numbered ? pattern[1] - '1' : 0;
        const size_t begin = numbered ? 3 : 1;
        char text[32];
        const char *value = value_text(&outcomes[command], pattern + begin, length - begin, text);
        used += (size_t)snprintf(out + used, 32, "%s", value != NULL ? value : "?");
        pattern += length + 1;
    }
    out[used] = '\0';
}

static const char *heading(const fmd_lesson *l)
{
    return *l->name >= '1' && *l->name <= '9' ? "exercise" : "step";
}

static void print_intro(const fmd_lesson *l)
{
    fmd_print("\n---- %s %s: %s ----\n", heading(l), l->name, l->title);
    fmd_print_text(printf("Keras"), TEXT_COLUMN, l->keras);
    fmd_print_text(printf("here"), TEXT_COLUMN, l->text);
    fflush(stdout);
}

static void print_rows(const fmd_lesson *l, const fmd_outcome *outcomes)
{
    char here[LINE_BYTES];
    fmd_print("\n");
    for (int i = 0; i < FMD_LESSON_ROWS && l->rows[i].what != NULL; i++) {
        if (i == 0)
            fmd_print("%*s%-*s%s\n", HERE_COLUMN, "", THERE_COLUMN - HERE_COLUMN, "here",
                      "in the tutorial");
        fill(l->rows[i].here, outcomes, here);
        fmd_print("%*s%-*s%-*s%s\n", TEXT_COLUMN, "", HERE_COLUMN - TEXT_COLUMN, l->rows[i].what,
                  *l->rows[i].tutorial != '\0' ? THERE_COLUMN - HERE_COLUMN : 0, here,
                  l->rows[i].tutorial);
    }
    if (l->look != NULL)
        fmd_print_text(printf("result"), TEXT_COLUMN, l->look);
    fflush(stdout);
}

/* Collective. Whether MNIST is installed; the command of the lesson reports a broken copy. */
static bool has_mnist(session *s)
{
    fmd_source *source = NULL;
    bool there = true;
    if (s->root) {
        there = fmd_source_open(&source, "mnist", "") != FMD_ENOINPUT;
        fmd_source_close(source);
    }
    fmd_comm_bcast(s->comm, &there, sizeof there);
    return there;
}

static fmd_status teach(session *s, const fmd_lesson *l);

/* Collective. Provides the training or the MNIST that a lesson needs. *possible is false where it
 * cannot, after a message. */
static fmd_status provide(session *s, const fmd_lesson *l, bool *possible)
{
    const char *first = l->commands[0];
    const bool trains = strncmp(first, "train ", 6) == 0;
    *possible = strstr(first, "--dataset mnist") == NULL || has_mnist(s);
    if (!*possible && s->root)
        fmd_print("\nskipped: MNIST is not installed; get it with: fmnist-dist data get mnist\n");
    if (!*possible || !has_word(first, "RUN"))
        return FMD_OK;
    if (trains) {
        name_run(s, l);
        return FMD_OK;
    }
    if (*s->run == '\0')
        find_run(s);
    for (int i = 0; *s->run == '\0' && i < fmd_lessons_length; i++)
        if (strcmp(fmd_lessons[i].name, trained_by) == 0)
            return teach(s, &fmd_lessons[i]);
    return FMD_OK;
}

/* Collective. Runs a lesson; some are about an error. */
static fmd_status teach(session *s, const fmd_lesson *l)
{
    fmd_outcome outcomes[FMD_LESSON_COMMANDS] = {{.result = {.epochs = 0}}};
    bool possible;
    if (s->root)
        print_intro(l);
    FMD_TRY(provide(s, l, &possible));
    s->done += possible;
    s->skipped += !possible;
    if (!possible)
        return FMD_OK;
    outcomes[0] = s->trained;
    for (int i = 0; i < FMD_LESSON_COMMANDS && l->commands[i] != NULL; i++) {
        const fmd_status st = run_command(s, l->commands[i], &outcomes[i]);
        if (l->fails && st == FMD_OK)
            return FMD_FAIL(FMD_EINTERNAL, "'%s' should have failed", l->commands[i]);
        if (st != (l->fails ? FMD_EUSAGE : FMD_OK))
            return st;
        if (l->fails && s->root) {
            fmd_print("fmnist-dist: error: %s\n", fmd_error_message());
            fmd_print("(exit code %d)\n", (int)st);
        }
        if (has_word(l->commands[i], "--run-dir RUN"))
            s->trained = outcomes[i];
    }
    if (s->root)
        print_rows(l, outcomes);
    return FMD_OK;
}

static void print_list(void)
{
    fmd_print("The Keras tutorial on Fashion-MNIST: fmnist-dist tutorial all, or a lesson:\n\n");
    for (int i = 0; i < fmd_lessons_length; i++)
        fmd_print_text(printf("  %s", fmd_lessons[i].name), 2 * TEXT_COLUMN - 2,
                       fmd_lessons[i].title);
    fmd_print("\nNumbers are those of the tutorial's exercises.\n");
    fmd_print("On several ranks: mpirun -np 2 fmnist-dist tutorial all\n");
}

static fmd_status find_lesson(const fmd_lesson **out, const char *name)
{
    char names[512] = "list|all", hint[FMD_OPTION_TEXT_BYTES];
    size_t used = strlen(names);
    for (int i = 0; i < fmd_lessons_length; i++) {
        *out = &fmd_lessons[i];
        if (strcmp((*out)->name, name) == 0)
            return FMD_OK;
        used += (size_t)snprintf(names + used, sizeof names - used, "|%s", (*out)->name);
    }
    return FMD_FAIL(FMD_EUSAGE, "lesson: '%s' is not one of %s%s", name, names,
                    fmd_did_you_mean(names, name, hint));
}

static fmd_status run_tutorial(fmd_comm *c, const fmd_config *config)
{
    session s = {.comm = c, .root = fmd_comm_rank(c) == 0};
    const double start = fmd_now();
    if (strcmp(config->tool.lesson, "list") == 0) {
        if (s.root)
            print_list();
        return FMD_OK;
    }
    if (strcmp(config->tool.lesson, "all") != 0) {
        const fmd_lesson *lesson;
        FMD_TRY(find_lesson(&lesson, config->tool.lesson));
        return teach(&s, lesson);
    }
    for (int i = 0; i < fmd_lessons_length; i++)
        FMD_TRY(teach(&s, &fmd_lessons[i]));
    if (s.root && s.skipped > 0)
        fmd_print("\n%d lessons in %.0f s, %d skipped\n", s.done, fmd_now() - start, s.skipped);
    else if (s.root)
        fmd_print("\n%d lessons in %.0f s\n", s.done, fmd_now() - start);
    return FMD_OK;
}

const fmd_command fmd_command_tutorial = {
    .name = "tutorial",
    .usage = "[list|all|LESSON]",
    .help = "runs and explains the steps and exercises of the Keras tutorial",
    .example = "all",
    .groups = "tutorial",
    .words = "lesson",
    .needs_mpi = true,
    .trains = true,
    .run = run_tutorial,
};
