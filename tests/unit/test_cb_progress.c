/* What the progress display writes, byte for byte, into a file and onto a terminal. */
#include "support/fmd_test.h"

#include "base/log.h"
#include "train/callbacks/callbacks.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

/* Where stdout goes during a test. */
typedef struct screen {
    int stdout_before;
    int read_fd, write_fd;
    char text[16384];
} screen;

static void redirect(screen *s)
{
    fflush(stdout);
    s->stdout_before = dup(STDOUT_FILENO);
    assert_true(s->stdout_before >= 0);
    assert_int_equal(dup2(s->write_fd, STDOUT_FILENO), STDOUT_FILENO);
}

static void open_file(screen *s)
{
    int fds[2];
    assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
    s->read_fd = fds[0];
    s->write_fd = fds[1];
}

static void open_terminal(screen *s)
{
    s->read_fd = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
    assert_true(s->read_fd >= 0);
    assert_int_equal(grantpt(s->read_fd), 0);
    assert_int_equal(unlockpt(s->read_fd), 0);
    s->write_fd = open(ptsname(s->read_fd), O_RDWR | O_NOCTTY);
    assert_true(s->write_fd >= 0);
    /* Without this "\n" would come out as "\r\n". */
    struct termios raw;
    assert_int_equal(tcgetattr(s->write_fd, &raw), 0);
    cfmakeraw(&raw);
    assert_int_equal(tcsetattr(s->write_fd, TCSANOW, &raw), 0);
}

/* What has been written; stdout is as before. */
static const char *restore(screen *s)
{
    fflush(stdout);
    dup2(s->stdout_before, STDOUT_FILENO);
    close(s->stdout_before);
    size_t used = 0;
    ssize_t n;
    while (used < sizeof s->text - 1 &&
           (n = read(s->read_fd, s->text + used, sizeof s->text - 1 - used)) > 0)
        used += (size_t)n;
    s->text[used] = '\0';
    close(s->write_fd);
    close(s->read_fd);
    return s->text;
}

static int set_environment(void **state)
{
    (void)state;
    unsetenv("NO_COLOR");
    unsetenv("OMPI_COMM_WORLD_RANK");
    setenv("LC_ALL", "C.UTF-8", 1);
    return setenv("TERM", "xterm", 1);
}

static const double none = (double)NAN;

static fmd_event event_at(uint64_t step, double seconds)
{
    return (fmd_event){.epoch = 0,
                       .epochs = 5,
                       .step = step,
                       .steps = 235,
                       .samples = step == 235 ? 60000 : 256 * step,
                       .seconds = seconds,
                       .metrics = {.accuracy = 0.81234,
                                   .loss = 0.53214,
                                   .val_accuracy = none,
                                   .val_loss = none,
                                   .learning_rate = 0.001}};
}

static void batch_end(fmd_callback *c, uint64_t step, double seconds)
{
    fmd_event e = event_at(step, seconds);
    fmd_control control = {.stop = false};
    if (c->ops->batch_end != NULL)
        c->ops->batch_end(c, &e, &control);
}

static void epoch_begin(fmd_callback *c)
{
    fmd_event e = event_at(0, 0);
    if (c->ops->epoch_begin != NULL)
        c->ops->epoch_begin(c, &e);
}

static void epoch_end(fmd_callback *c, double seconds, fmd_metrics m)
{
    fmd_event e = event_at(235, seconds);
    e.metrics = m;
    fmd_control control = {.stop = false};
    if (c->ops->epoch_end != NULL)
        assert_int_equal(c->ops->epoch_end(c, &e, &control), FMD_OK);
}

/* An epoch with a slow first step and two more that are shown. */
static void train_one_epoch(fmd_callback *c, fmd_metrics m)
{
    epoch_begin(c);
    batch_end(c, 1, 0.2);
    batch_end(c, 118, 0.6);
    batch_end(c, 235, 1.0);
    epoch_end(c, 1.25, m);
}

static const fmd_metrics trained = {.accuracy = 0.81234,
                                    .loss = 0.53214,
                                    .val_accuracy = none,
                                    .val_loss = none,
                                    .learning_rate = 0.001};
static const fmd_metrics validated = {.accuracy = 0.81234,
                                      .loss = 0.53214,
                                      .val_accuracy = 0.83014,
                                      .val_loss = 0.47114,
                                      .learning_rate = 0.001};

/* The output of one epoch. */
static const char *show_epoch(screen *s, fmd_progress kind, fmd_metrics m)
{
    fmd_callback *c;
    redirect(s);
    fmd_status status = fmd_cb_progress_create(&c, kind);
    if (status == FMD_OK) {
        train_one_epoch(c, m);
        c->ops->destroy(c);
    }
    const char *text = restore(s);
    assert_int_equal(status, FMD_OK);
    return text;
}

#define LINE        "Epoch 1/5 - 1s - 4ms/step - accuracy: 0.8123 - loss: 0.5321"
#define VALIDATION  " - val_accuracy: 0.8301 - val_loss: 0.4711"
#define BOLD(text)  "\033[1m" text "\033[0m"
#define GREEN(text) "\033[32m" text "\033[0m"
#define WHITE(text) "\033[37m" text "\033[0m"
#define FIVE        "━━━━━"
#define METRICS     " - accuracy: 0.8123 - loss: 0.5321"

static void a_file_gets_one_line_an_epoch(void **state)
{
    (void)state;
    screen s;
    open_file(&s);
    assert_string_equal(show_epoch(&s, FMD_PROGRESS_AUTO, validated),
                        LINE VALIDATION " - 60k samples/s\n");
}

static void without_validation_the_line_has_no_val_metrics(void **state)
{
    (void)state;
    screen s;
    open_file(&s);
    assert_string_equal(show_epoch(&s, FMD_PROGRESS_LINE, trained), LINE " - 60k samples/s\n");
}

static void nothing_is_shown_where_nothing_is_asked_for(void **state)
{
    (void)state;
    screen s;
    open_file(&s);
    assert_string_equal(show_epoch(&s, FMD_PROGRESS_NONE, validated), "");
}

static void small_values_have_an_exponent(void **state)
{
    (void)state;
    screen s;
    open_file(&s);
    assert_non_null(
        strstr(show_epoch(&s, FMD_PROGRESS_LINE,
                          (fmd_metrics){.accuracy = 0.00101,
                                        .loss = 0.001,
                                        .val_accuracy = 0,
                                        .val_loss = 1.25e-5,
                                        .learning_rate = 0.001}),
               " - accuracy: 0.0010 - loss: 1.0000e-03 - val_accuracy: 0.0000e+00 - val_loss: "
               "1.2500e-05"));
}

static void a_terminal_gets_the_bar_of_keras(void **state)
{
    (void)state;
    screen s;
    open_terminal(&s);
    assert_string_equal(
        show_epoch(&s, FMD_PROGRESS_AUTO, validated),
        "Epoch 1/5\n"
        "\r" BOLD("  1/235") " " WHITE(FIVE FIVE FIVE FIVE) " " BOLD(
            "46s") " 200ms/step" METRICS "\r" BOLD("118/235") " " GREEN(FIVE FIVE)
            WHITE(FIVE FIVE) " " BOLD(
                "0s") " 3ms/step" METRICS "   "
                      "\r" BOLD("235/235") " " GREEN(FIVE FIVE FIVE FIVE) " " BOLD(
                          "0s") " 3ms/step" METRICS
                                "\r" BOLD("235/235") " " GREEN(FIVE FIVE FIVE FIVE) " " BOLD(
                                    "1s") " 4ms/step" METRICS VALIDATION " - 60k samples/s\n");
}

static void no_color_leaves_a_bar_without_escape_sequences(void **state)
{
    (void)state;
    screen s;
    open_terminal(&s);
    setenv("NO_COLOR", "1", 1);
    const char *text = show_epoch(&s, FMD_PROGRESS_AUTO, trained);
    assert_null(strchr(text, '\033'));
    assert_non_null(strstr(text, "\r118/235 " FIVE FIVE "────────── 0s 3ms/step" METRICS "   \r"));
    assert_non_null(
        strstr(text, "\r235/235 " FIVE FIVE FIVE FIVE " 1s 4ms/step" METRICS " - 60k samples/s\n"));
}

static void a_bar_fits_a_narrow_terminal_until_its_epoch_ends(void **state)
{
    (void)state;
    screen s;
    open_terminal(&s);
    setenv("NO_COLOR", "1", 1);
    const struct winsize narrow = {.ws_row = 24, .ws_col = 40};
    assert_int_equal(ioctl(s.write_fd, TIOCSWINSZ, &narrow), 0);
    const char *text = show_epoch(&s, FMD_PROGRESS_AUTO, trained);
    assert_non_null(strstr(text, "\r118/235 " FIVE FIVE "────────── 0s 3ms/ste\r"));
    assert_non_null(
        strstr(text, "\r235/235 " FIVE FIVE FIVE FIVE " 1s 4ms/step" METRICS " - 60k samples/s\n"));
}

static void without_utf8_the_bar_is_ascii(void **state)
{
    (void)state;
    screen s;
    open_terminal(&s);
    setenv("NO_COLOR", "1", 1);
    setenv("LC_ALL", "C", 1);
    const char *text = show_epoch(&s, FMD_PROGRESS_AUTO, trained);
    assert_non_null(strstr(text, "\r118/235 ##########---------- 0s 3ms/step"));
    for (const char *c = text; *c != '\0'; c++)
        assert_true((unsigned char)*c < 0x80);
}

static void an_empty_no_color_means_colors(void **state)
{
    (void)state;
    screen s;
    open_terminal(&s);
    setenv("NO_COLOR", "", 1);
    assert_non_null(strchr(show_epoch(&s, FMD_PROGRESS_AUTO, trained), '\033'));
}

static void a_bar_asked_for_in_a_file_has_no_escape_sequences(void **state)
{
    (void)state;
    screen s;
    open_file(&s);
    const char *text = show_epoch(&s, FMD_PROGRESS_BAR, trained);
    assert_null(strchr(text, '\033'));
    assert_non_null(strstr(text, "\r235/235 " FIVE FIVE FIVE FIVE " 1s 4ms/step"));
}

static void a_dumb_terminal_gets_lines(void **state)
{
    (void)state;
    screen s;
    open_terminal(&s);
    setenv("TERM", "dumb", 1);
    assert_string_equal(show_epoch(&s, FMD_PROGRESS_AUTO, trained), LINE " - 60k samples/s\n");
    open_terminal(&s);
    unsetenv("TERM");
    assert_string_equal(show_epoch(&s, FMD_PROGRESS_AUTO, trained), LINE " - 60k samples/s\n");
}

/* What a rank writes to the terminal that mpirun made for it, when mpirun's own stdout is `own`. */
static const char *show_epoch_under_mpirun(screen *own, screen *made)
{
    setenv("OMPI_COMM_WORLD_RANK", "0", 1);
    open_terminal(made);
    redirect(own);
    pid_t pid = fork();
    if (pid == 0) {
        fmd_callback *c;
        dup2(made->write_fd, STDOUT_FILENO);
        if (fmd_cb_progress_create(&c, FMD_PROGRESS_AUTO) != FMD_OK)
            _exit(1);
        train_one_epoch(c, trained);
        c->ops->destroy(c);
        _exit(0);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    restore(own);
    redirect(made);
    restore(made);
    assert_true(pid > 0);
    assert_int_equal(status, 0);
    return made->text;
}

static void under_mpirun_what_counts_is_where_mpirun_writes_to(void **state)
{
    (void)state;
    screen own, made;
    open_file(&own);
    assert_string_equal(show_epoch_under_mpirun(&own, &made), LINE " - 60k samples/s\n");
    open_terminal(&own);
    assert_memory_equal(show_epoch_under_mpirun(&own, &made), "Epoch 1/5\n\r\033[1m", 15);
}

static void the_bar_is_drawn_at_most_every_twentieth_of_a_second(void **state)
{
    (void)state;
    screen s;
    fmd_callback *c;
    open_file(&s);
    redirect(&s);
    fmd_status status = fmd_cb_progress_create(&c, FMD_PROGRESS_BAR);
    epoch_begin(c);
    batch_end(c, 1, 0.010);
    batch_end(c, 2, 0.059);
    batch_end(c, 3, 0.061);
    batch_end(c, 4, 0.110);
    c->ops->destroy(c);
    const char *text = restore(&s);
    assert_int_equal(status, FMD_OK);
    assert_non_null(strstr(text, "\r  1/235"));
    assert_null(strstr(text, "\r  2/235"));
    assert_non_null(strstr(text, "\r  3/235"));
    assert_null(strstr(text, "\r  4/235"));
}

static void a_run_that_fails_within_an_epoch_ends_its_line(void **state)
{
    (void)state;
    screen s;
    fmd_callback *c;
    open_file(&s);
    redirect(&s);
    fmd_status status = fmd_cb_progress_create(&c, FMD_PROGRESS_BAR);
    epoch_begin(c);
    batch_end(c, 1, 0.2);
    c->ops->destroy(c);
    const char *text = restore(&s);
    assert_int_equal(status, FMD_OK);
    assert_non_null(strstr(text, "loss: 0.5321\n"));
}

/* Shows an unfinished line of the bar, and what `interrupt` writes then. */
static const char *show_interrupted(screen *s, void (*interrupt)(fmd_callback *c))
{
    fmd_callback *c;
    const fmd_event e = {.epochs = 5};
    open_file(s);
    redirect(s);
    const fmd_status status = fmd_cb_progress_create(&c, FMD_PROGRESS_BAR);
    const fmd_status begun = status == FMD_OK ? c->ops->train_begin(c, &e) : status;
    epoch_begin(c);
    batch_end(c, 1, 0.2);
    interrupt(c);
    c->ops->destroy(c);
    const char *text = restore(s);
    assert_int_equal(begun, FMD_OK);
    return text;
}

static void warn(fmd_callback *c)
{
    (void)c;
    dup2(STDOUT_FILENO, STDERR_FILENO);
    fmd_log_open(FMD_LOG_WARNING, 0);
    fmd_warn("the disk is full");
    fflush(stderr);
}

static void stop(fmd_callback *c)
{
    c->ops->fit_end(c);
    printf("Stopped\n");
}

static void a_message_within_an_epoch_has_a_line_of_its_own(void **state)
{
    (void)state;
    screen s;
    const int err = dup(STDERR_FILENO);
    const char *text = show_interrupted(&s, warn);
    dup2(err, STDERR_FILENO);
    close(err);
    assert_non_null(strstr(text, "loss: 0.5321\nfmnist-dist: warning: the disk is full\n"));
    assert_non_null(strstr(show_interrupted(&s, stop), "loss: 0.5321\nStopped\n"));
}

static void each_epoch_starts_afresh(void **state)
{
    (void)state;
    screen s;
    fmd_callback *c;
    open_file(&s);
    redirect(&s);
    fmd_status status = fmd_cb_progress_create(&c, FMD_PROGRESS_BAR);
    train_one_epoch(c, trained);
    train_one_epoch(c, trained);
    c->ops->destroy(c);
    const char *text = restore(&s);
    assert_int_equal(status, FMD_OK);
    size_t half = strlen(text) / 2;
    assert_int_equal(strlen(text), 2 * half);
    assert_memory_equal(text, text + half, half);
}

/* The time left and the time of a step after two steps of which the second took `seconds`. */
static void assert_times(double seconds, const char *expected)
{
    screen s;
    fmd_callback *c;
    open_file(&s);
    redirect(&s);
    fmd_status status = fmd_cb_progress_create(&c, FMD_PROGRESS_BAR);
    epoch_begin(c);
    batch_end(c, 1, 0);
    batch_end(c, 2, seconds);
    c->ops->destroy(c);
    const char *text = restore(&s);
    assert_int_equal(status, FMD_OK);
    if (strstr(text, expected) == NULL)
        fail_msg("no '%s' in '%s'", expected, text);
}

static void times_have_the_forms_of_keras(void **state)
{
    (void)state;
    assert_times(0.1, " 23s 100ms/step ");
    assert_times(60.0 / 233, " 60s 258ms/step ");
    assert_times(0.5, " 1:56 500ms/step ");
    assert_times(15.5, " 1:00:11 16s/step ");
    assert_times(100, " 6:28:20 100s/step ");
}

static void a_bar_that_missed_the_first_step_shows_the_mean(void **state)
{
    (void)state;
    screen s;
    fmd_callback *c;
    open_file(&s);
    redirect(&s);
    fmd_status status = fmd_cb_progress_create(&c, FMD_PROGRESS_BAR);
    epoch_begin(c);
    batch_end(c, 2, 0.3);
    c->ops->destroy(c);
    const char *text = restore(&s);
    assert_int_equal(status, FMD_OK);
    assert_non_null(strstr(text, " 150ms/step "));
}

static void steps_below_a_millisecond_are_in_microseconds(void **state)
{
    (void)state;
    screen s;
    fmd_callback *c;
    open_file(&s);
    redirect(&s);
    fmd_status status = fmd_cb_progress_create(&c, FMD_PROGRESS_LINE);
    epoch_begin(c);
    batch_end(c, 1, 0.0005);
    batch_end(c, 235, 0.0005 + 234 * 0.0005);
    epoch_end(c, 0.0005 + 234 * 0.0005, trained);
    c->ops->destroy(c);
    const char *text = restore(&s);
    assert_int_equal(status, FMD_OK);
    assert_non_null(strstr(text, " - 0s - 500us/step - "));
}

static void assert_rate(double seconds, const char *expected)
{
    screen s;
    fmd_callback *c;
    open_file(&s);
    redirect(&s);
    fmd_status status = fmd_cb_progress_create(&c, FMD_PROGRESS_LINE);
    epoch_begin(c);
    batch_end(c, 235, seconds);
    epoch_end(c, seconds + 10, trained);
    c->ops->destroy(c);
    const char *text = restore(&s);
    assert_int_equal(status, FMD_OK);
    if (strstr(text, expected) == NULL)
        fail_msg("no '%s' in '%s'", expected, text);
}

static void the_rate_is_that_of_training_without_validation(void **state)
{
    (void)state;
    assert_rate(60000.0 / 950, " - 950 samples/s\n");
    assert_rate(60000.0 / 999.6, " - 1.0k samples/s\n");
    assert_rate(60000.0 / 1234, " - 1.2k samples/s\n");
    assert_rate(60000.0 / 9960, " - 10k samples/s\n");
    assert_rate(60000.0 / 61234, " - 61k samples/s\n");
    assert_rate(60000.0 / 1.24e6, " - 1.2M samples/s\n");
}

static void a_value_of_any_size_fits(void **state)
{
    (void)state;
    screen s;
    open_file(&s);
    double huge = 1e308;
    const char *text = show_epoch(&s, FMD_PROGRESS_LINE,
                                  (fmd_metrics){.accuracy = huge,
                                                .loss = huge,
                                                .val_accuracy = huge,
                                                .val_loss = huge,
                                                .learning_rate = 0.001});
    assert_int_equal(strlen(text), 1024);
}

#define in_environment(test) cmocka_unit_test_setup(test, set_environment)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_environment(a_file_gets_one_line_an_epoch),
        in_environment(without_validation_the_line_has_no_val_metrics),
        in_environment(nothing_is_shown_where_nothing_is_asked_for),
        in_environment(small_values_have_an_exponent),
        in_environment(a_terminal_gets_the_bar_of_keras),
        in_environment(no_color_leaves_a_bar_without_escape_sequences),
        in_environment(a_bar_fits_a_narrow_terminal_until_its_epoch_ends),
        in_environment(without_utf8_the_bar_is_ascii),
        in_environment(an_empty_no_color_means_colors),
        in_environment(a_bar_asked_for_in_a_file_has_no_escape_sequences),
        in_environment(a_dumb_terminal_gets_lines),
        in_environment(under_mpirun_what_counts_is_where_mpirun_writes_to),
        in_environment(the_bar_is_drawn_at_most_every_twentieth_of_a_second),
        in_environment(a_run_that_fails_within_an_epoch_ends_its_line),
        in_environment(a_message_within_an_epoch_has_a_line_of_its_own),
        in_environment(each_epoch_starts_afresh),
        in_environment(times_have_the_forms_of_keras),
        in_environment(a_bar_that_missed_the_first_step_shows_the_mean),
        in_environment(steps_below_a_millisecond_are_in_microseconds),
        in_environment(the_rate_is_that_of_training_without_validation),
        in_environment(a_value_of_any_size_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
