/* watch: follows a run through the files in its folder, on this machine or another one. */
#include "base/system/keyboard.h"
#include "base/system/print.h"
#include "base/system/terminal.h"
#include "cli/commands.h"
#include "io/run_names.h"
#include "run/follow.h"
#include "run/reader/model_title.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BAR_WIDTH = 20, SPARKS = 40, SHORT_TEXT = 64 };

typedef struct watch {
    fmd_follow run;
    fmd_terminal terminal;
    int drawn;       /* lines of the panel on the screen */
    double told;     /* epochs that have a line */
    bool was_silent; /* after the line that says so */
} watch;

static double real(const fmd_json *line, const char *key)
{
    return line != NULL ? fmd_json_get_real(line, NULL, key) : (double)NAN;
}

static double setting(const watch *w, const char *key)
{
    return w->run.head != NULL ? fmd_json_get_real(w->run.head, FMD_KEY_CONFIG, key) : (double)NAN;
}

static bool is_over(const watch *w)
{
    return w->run.state == FMD_FOLLOW_DIED || w->run.state == FMD_FOLLOW_ENDED;
}

/* "21 s", "3:05", "1:03:05" */
static const char *time_text(double seconds, char text[SHORT_TEXT])
{
    const long s = lrint(fmin(fmax(seconds, 0), 1e9));
    if (s >= 3600)
        snprintf(text, SHORT_TEXT, "%ld:%02ld:%02ld", s / 3600, s % 3600 / 60, s % 60);
    else if (s >= 60)
        snprintf(text, SHORT_TEXT, "%ld:%02ld", s / 60, s % 60);
    else
        snprintf(text, SHORT_TEXT, "%ld s", s);
    return text;
}

/* "850", "12.3k", "1.2M" */
static const char *rate_text(double rate, char text[SHORT_TEXT])
{
    if (rate < 999.5)
        snprintf(text, SHORT_TEXT, "%.0f", rate);
    else if (rate < 99950)
        snprintf(text, SHORT_TEXT, "%.1fk", rate / 1e3);
    else if (rate < 999500)
        snprintf(text, SHORT_TEXT, "%.0fk", rate / 1e3);
    else
        snprintf(text, SHORT_TEXT, "%.1fM", rate / 1e6);
    return text;
}

static void print_run(const watch *w, FILE *out)
{
    const fmd_json *head = w->run.head;
    const double ranks = real(head, "ranks"), nodes = real(head, "nodes");
    char title[FMD_MODEL_TITLE];
    fmd_print_to(out, "run     %s", w->run.folder);
    if (head == NULL) {
        fmd_print_to(out, " · training has not begun\n");
        return;
    }
    fmd_print_to(out, " · %.0f rank%s on %.0f node%s (%s%s)\n", ranks, ranks == 1 ? "" : "s", nodes,
                 nodes == 1 ? "" : "s", fmd_json_get_item(head, NULL, FMD_KEY_HOSTS, 0),
                 nodes > 1 ? ", ..." : "");
    const char *layers = fmd_json_get_text(head, FMD_KEY_CONFIG, FMD_KEY_LAYERS);
    fmd_print_to(out, "model   %s\n",
                 fmd_model_title(fmd_json_get_text(head, FMD_KEY_CONFIG, FMD_KEY_MODEL),
                                 layers != NULL ? layers : "unknown", title));
    fmd_print_to(out, "train   %s · batch %.0f · %s %s\n",
                 fmd_json_get_text(head, FMD_KEY_CONFIG, FMD_KEY_DATASET),
                 setting(w, FMD_KEY_BATCH_SIZE),
                 fmd_json_get_text(head, FMD_KEY_CONFIG, FMD_KEY_OPTIMIZER),
                 fmd_json_get_text(head, FMD_KEY_CONFIG, "lr_schedule"));
}

/* A bar for the whole run, and the time left. */
static void print_progress(const watch *w, FILE *out)
{
    char text[SHORT_TEXT];
    const fmd_json *now = w->run.place != NULL ? w->run.place : w->run.head;
    const double epochs = setting(w, FMD_KEY_EPOCHS), steps = setting(w, "steps_per_epoch");
    const bool died = w->run.state == FMD_FOLLOW_DIED;
    const double logged = real(now, "global_step"), all = epochs * steps;
    const double done = died ? fmax(logged, w->run.saved_step) : logged;
    const double rate = real(w->run.place, "samples_per_s");
    if (!(all > 0) || isnan(done))
        return;
    const int filled = (int)(BAR_WIDTH * fmin(done / all, 1));
    const bool ended = w->run.state == FMD_FOLLOW_ENDED;
    fmd_print_to(out, "epoch   %.0f/%.0f ",
                 ended ? ceil(done / steps) : fmin(floor(done / steps) + 1, epochs), epochs);
    for (int i = 0; i < BAR_WIDTH; i++)
        fputs(w->terminal.utf8 ? (i < filled ? "━" : "─") : (i < filled ? "#" : "-"), out);
    fmd_print_to(out, " %.0f %%", floor(100 * done / all));
    if (rate > 0 && w->run.state == FMD_FOLLOW_RUNS && done < all)
        fmd_print_to(out, " · about %s left",
                     time_text((all - done) * setting(w, FMD_KEY_BATCH_SIZE) / rate, text));
    fmd_print_to(out, " · step %.0f of %.0f\n", done, all);
}

static void print_now(const watch *w, FILE *out)
{
    char text[SHORT_TEXT];
    const fmd_json *now = w->run.place;
    if (now == NULL)
        return;
    fmd_print_to(out, "now     loss %.4f · accuracy %.4f · learning rate %.3g", real(now, "loss"),
                 real(now, "accuracy"), real(now, "learning_rate"));
    if (real(now, "samples_per_s") > 0)
        fmd_print_to(out, " · %s samples/s", rate_text(real(now, "samples_per_s"), text));
    fputc('\n', out);
}

/* The course of the loss: means over up to SPARKS spans. */
static void print_losses(const watch *w, FILE *out)
{
    static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const marks[] = {"_", ".", "-", "~", "=", "+", "*", "#"};
    const size_t n = w->run.n_losses, spans = n < SPARKS ? n : SPARKS;
    double means[SPARKS], least = (double)INFINITY, most = -(double)INFINITY;
    if (n < 2)
        return;
    for (size_t i = 0; i < spans; i++) {
        const size_t from = i * n / spans, to = (i + 1) * n / spans;
        double sum = 0;
        for (size_t k = from; k < to; k++)
            sum += w->run.losses[k].loss;
        means[i] = sum / (double)(to - from);
        least = fmin(least, means[i]);
        most = fmax(most, means[i]);
    }
    fmd_print_to(out, "loss    ");
    for (size_t i = 0; i < spans; i++) {
        const double height = most > least ? (means[i] - least) / (most - least) : 0;
        const int level = isnan(height) ? 0 : (int)fmin(height * 8, 7);
        fputs((w->terminal.utf8 ? blocks : marks)[level], out);
    }
    fmd_print_to(out, " %.4f to %.4f\n", w->run.losses[0].loss, w->run.losses[n - 1].loss);
}

static void print_table(const watch *w, FILE *out)
{
    const size_t n = w->run.n_epochs;
    char text[SHORT_TEXT];
    if (n == 0)
        return;
    const bool validation = !isnan(real(w->run.epoch, "val_loss"));
    fmd_print_to(out, "\n  epoch  accuracy    loss%s  learning rate   time  samples/s\n",
                 validation ? "  val_accuracy  val_loss" : "");
    for (size_t i = n > FMD_FOLLOW_ROWS ? n - FMD_FOLLOW_ROWS : 0; i < n; i++) {
        const fmd_json *e = w->run.epochs[i];
        fmd_print_to(out, "  %5.0f  %8.4f  %6.4f", real(e, "epoch") + 1, real(e, "accuracy"),
                     real(e, "loss"));
        if (validation)
            fmd_print_to(out, "  %12.4f  %8.4f", real(e, "val_accuracy"), real(e, "val_loss"));
        fmd_print_to(out, "  %13.3g", real(e, "learning_rate"));
        fmd_print_to(out, "  %5s", time_text(real(e, "seconds"), text));
        fmd_print_to(out, "  %9s\n", rate_text(real(e, "samples_per_s"), text));
    }
    fputc('\n', out);
}

/* The breakdown of the time of the last epoch, and the slowest rank. */
static void print_times(const watch *w, FILE *out)
{
    const fmd_json *e = w->run.epoch;
    double all = 0;
    if (e == NULL)
        return;
    for (size_t i = 0; i < FMD_PHASES; i++)
        all += fmd_json_get_real(e, fmd_phase_names[i], FMD_KEY_MEAN);
    if (all > 0) {
        fmd_print_to(out, "time    ");
        for (size_t i = 0; i < FMD_PHASES; i++)
            fmd_print_to(out, "%s%s %.0f %%", i > 0 ? " · " : "", fmd_phase_names[i],
                         100 * fmd_json_get_real(e, fmd_phase_names[i], FMD_KEY_MEAN) / all);
        fputc('\n', out);
    }
    if (real(w->run.head, "ranks") > 1)
        fmd_print_to(out, "slow    rank %.0f on %s: %.3g s of computing, %.0f %% above the mean\n",
                     fmd_json_get_real(e, FMD_KEY_SLOWEST, FMD_KEY_RANK),
                     fmd_json_get_text(e, FMD_KEY_SLOWEST, FMD_KEY_HOST),
                     fmd_json_get_real(e, FMD_KEY_SLOWEST, FMD_KEY_COMPUTE_SECONDS),
                     100 * fmd_json_get_real(e, FMD_KEY_SLOWEST, FMD_KEY_ABOVE_MEAN));
}

static void print_saved(const watch *w, FILE *out)
{
    char text[SHORT_TEXT];
    if (*w->run.saved != '\0')
        fmd_print_to(out, "saved   " FMD_FILE_CHECKPOINTS "/%s, %s ago\n", w->run.saved,
                     time_text(difftime(time(NULL), w->run.saved_time), text));
}

static void print_remedy(const watch *w, FILE *out)
{
    if (w->run.state == FMD_FOLLOW_DIED)
        fmd_print_to(out, "        to resume, repeat the command with --run-dir %s\n",
                     w->run.folder);
}

static void print_panel(const watch *w, FILE *out)
{
    print_run(w, out);
    if (w->run.head != NULL) {
        print_progress(w, out);
        print_now(w, out);
        print_losses(w, out);
        print_table(w, out);
        print_times(w, out);
        print_saved(w, out);
    }
    const bool keys = w->terminal.terminal && !is_over(w);
    fmd_print_to(out, "state   %s%s\n", w->run.verdict, keys ? " · q quits" : "");
    print_remedy(w, out);
}

/* Bytes of a line that fit into `columns`. */
static int fitting(const char *line, int length, int columns)
{
    int n = 0, used = 0;
    while (n < length) {
        if (((unsigned char)line[n] & 0xc0) != 0x80 && ++used > columns)
            break;
        n++;
    }
    return n;
}

/* Prints the panel over the previous one. Long lines are cut, not wrapped. */
static fmd_status draw(watch *w)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    if (out == NULL)
        return FMD_FAIL(FMD_ENOMEM, "out of memory: the panel");
    print_panel(w, out);
    if (fclose(out) != 0) {
        free(text);
        return FMD_FAIL(FMD_ENOMEM, "out of memory: the panel");
    }
    const bool redraw = w->terminal.terminal;
    const int columns = redraw && w->terminal.columns > 0 ? w->terminal.columns - 1 : 10000;
    if (w->drawn > 0)
        printf("\033[%dA", w->drawn);
    w->drawn = 0;
    for (const char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        printf("%.*s%s\n", fitting(line, (int)(end - line), columns), line, redraw ? "\033[K" : "");
        w->drawn++;
    }
    if (redraw)
        printf("\033[J");
    fflush(stdout);
    free(text);
    return FMD_OK;
}

/* The metrics of --metrics. */
static void print_extra(const watch *w, const fmd_json *e)
{
    const char *name;
    for (size_t i = 0;
         (name = fmd_json_get_item(w->run.head, FMD_KEY_CONFIG, "metrics", i)) != NULL; i++)
        if (!isnan(real(e, name)))
            fmd_print(" - %s: %.4f", name, real(e, name));
}

/* Without a terminal: prints a line for each new epoch. */
static void tell(watch *w)
{
    char text[SHORT_TEXT];
    for (size_t i = 0; i < w->run.n_epochs; i++) {
        const fmd_json *e = w->run.epochs[i];
        if (real(e, "epoch") < w->told)
            continue;
        w->told = real(e, "epoch") + 1;
        fmd_print("Epoch %.0f/%.0f - %.0fs - accuracy: %.4f - loss: %.4f", w->told,
                  setting(w, FMD_KEY_EPOCHS), real(e, "seconds"), real(e, "accuracy"),
                  real(e, "loss"));
        if (!isnan(real(e, "val_loss")))
            fmd_print(" - val_accuracy: %.4f - val_loss: %.4f", real(e, "val_accuracy"),
                      real(e, "val_loss"));
        print_extra(w, e);
        fmd_print(" - %s samples/s\n", rate_text(real(e, "samples_per_s"), text));
    }
    const bool silent = w->run.state == FMD_FOLLOW_IS_SILENT;
    if (silent && !w->was_silent)
        fmd_print("state   %s\n", w->run.verdict);
    w->was_silent = silent;
    fflush(stdout);
}

/* Keys are for those who see the panel. */
static int wait_for_key(const watch *w, double interval)
{
    const struct timespec nap = {.tv_sec = (time_t)interval,
                                 .tv_nsec = (long)(fmod(interval, 1) * 1e9)};
    if (w->terminal.terminal)
        return fmd_keyboard_wait(interval);
    nanosleep(&nap, NULL);
    return 0;
}

static fmd_status follow(watch *w, double interval)
{
    FMD_TRY(fmd_follow_read(&w->run));
    if (!w->terminal.terminal)
        print_run(w, stdout);
    for (;;) {
        if (w->terminal.terminal) {
            w->terminal = fmd_terminal_of_stdout(); /* its size may have changed */
            FMD_TRY(draw(w));
        } else {
            tell(w);
        }
        if (is_over(w))
            break;
        if (ferror(stdout)) /* a closed pipe */
            return FMD_FAIL(FMD_EIO, "cannot write to stdout: %s", strerror(errno));
        if (wait_for_key(w, interval) == 'q')
            break;
        FMD_TRY(fmd_follow_read(&w->run));
    }
    if (!w->terminal.terminal) {
        fmd_print("state   %s\n", w->run.verdict);
        print_remedy(w, stdout);
    }
    return FMD_OK;
}

static fmd_status run_watch(fmd_comm *c, const fmd_config *config)
{
    (void)c;
    watch w = {.terminal = fmd_terminal_of_stdout()};
    if (*config->watch.run == '\0')
        FMD_TRY(fmd_follow_newest(w.run.folder));
    else
        memcpy(w.run.folder, config->watch.run, sizeof w.run.folder);
    fmd_status st = FMD_OK;
    if (config->watch.once) {
        w.terminal.terminal = false;
        st = fmd_follow_read(&w.run);
        if (st == FMD_OK)
            st = draw(&w);
    } else {
        st = follow(&w, config->watch.interval);
        fmd_keyboard_close();
    }
    fmd_follow_free(&w.run);
    return st;
}

const fmd_command fmd_command_watch = {
    .name = "watch",
    .usage = "[RUN_DIR] [OPTIONS]",
    .help = "follows a run: progress, loss, rates, slowest rank; q quits",
    .section = FMD_TO_LOOK,
    .example = "runs/20260131-120000 --interval 5",
    .groups = "watching",
    .words = "run",
    .run = run_watch,
};
