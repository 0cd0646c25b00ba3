/* learning-rate find: raises the rate from step to step, and suggests one. Writes no run. */
#include "base/mem.h"
#include "base/system/print.h"
#include "cli/commands.h"
#include "io/json/json_object.h"
#include "measure/rate_test.h"
#include "report/plots/rate_plot.h"
#include "run/job.h"
#include "run/reader/model_title.h"
#include "train/loader.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHART_ROWS = 12, CHART_COLUMNS = 64 };

/* Rank 0's record of the steps. */
typedef struct recorder {
    fmd_callback base;
    fmd_rate_test *test;
    double sum; /* of the losses of the epoch so far */
    uint64_t samples;
} recorder;

static void begin_epoch(fmd_callback *c, const fmd_event *e)
{
    recorder *r = (recorder *)c;
    (void)e;
    r->sum = 0;
    r->samples = 0;
}

/* The loss of the step, from the running means before and after it. A request to stop takes effect
 * after the next step. */
static void end_batch(fmd_callback *c, const fmd_event *e, fmd_control *control)
{
    recorder *r = (recorder *)c;
    const double sum = e->metrics.loss * (double)e->samples;
    if (e->samples > r->samples && r->test->n < r->test->planned) {
        const double loss = (sum - r->sum) / (double)(e->samples - r->samples);
        if (fmd_rate_test_add(r->test, e->metrics.learning_rate, loss))
            fmd_control_stop(control, "the loss has risen");
    }
    if (r->test->n + 1 >= r->test->planned)
        fmd_control_stop(control, "all steps are done");
    r->sum = sum;
    r->samples = e->samples;
}

static void destroy(fmd_callback *c)
{
    free(c);
}

static const fmd_callback_ops ops = {
    .name = "rate test", .epoch_begin = begin_epoch, .batch_end = end_batch, .destroy = destroy};

static fmd_status check(const fmd_config *config)
{
    static const char *const names[] = {"learning-rate", "lr-schedule",   "lr-scaling",
                                        "lr-base-batch", "warmup-epochs", "epochs"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const fmd_option *o = fmd_option_find(fmd_config_table, fmd_config_table_length, names[i]);
        char text[FMD_OPTION_TEXT_BYTES];
        if (fmd_config_gives(config, names[i]) &&
            strcmp(fmd_option_text(o, config, text), o->initial) != 0)
            return FMD_FAIL(FMD_EUSAGE,
                            "--%s has no effect: the rate of this test goes from --from to --to in "
                            "--steps steps",
                            names[i]);
    }
    if (config->rate_test.from >= config->rate_test.to)
        return FMD_FAIL(FMD_EUSAGE, "--from %g is not below --to %g", config->rate_test.from,
                        config->rate_test.to);
    if (config->bench.steps < 10)
        return FMD_FAIL(FMD_EUSAGE, "--steps: a test needs 10 steps or more");
    return *config->output.path != '\0' ? fmd_rate_plot_check(config->output.path) : FMD_OK;
}

/* Local. An exponential schedule that rises. */
static fmd_status plan(fmd_job *j)
{
    const fmd_config *c = j->config;
    const size_t steps = (j->fit.train.n + j->fit.batch_size - 1) / j->fit.batch_size;
    const size_t planned = (size_t)c->bench.steps;
    char spec[64];
    j->fit.epochs = (int)((planned + steps - 1) / steps);
    j->fit.validation.n = 0;
    snprintf(spec, sizeof spec, "exponential:decay_rate=1:decay_steps=%zu", planned - 1);
    FMD_TRY(fmd_schedule_create(&j->fit.schedule, spec,
                                &(fmd_schedule_plan){.learning_rate = c->rate_test.from,
                                                     .scale = 1,
                                                     .epoch_steps = steps,
                                                     .epochs = (uint64_t)j->fit.epochs}));
    j->fit.schedule.decay_rate = c->rate_test.to / c->rate_test.from;
    return FMD_OK;
}

static fmd_status add_recorder(fmd_job *j, fmd_rate_test *t)
{
    const size_t n = (size_t)j->config->bench.steps;
    recorder *r;
    t->planned = n;
    FMD_TRY(fmd_alloc(&t->rate, n, sizeof *t->rate, "the steps"));
    FMD_TRY(fmd_alloc(&t->loss, n, sizeof *t->loss, "the steps"));
    FMD_TRY(fmd_alloc(&t->smooth, n, sizeof *t->smooth, "the steps"));
    FMD_TRY(fmd_alloc(&r, 1, sizeof *r, "the steps"));
    *r = (recorder){.base.ops = &ops, .test = t};
    j->callbacks[j->fit.n_callbacks++] = &r->base;
    return FMD_OK;
}

/* Collective. */
static fmd_status prepare(fmd_job *j, fmd_rate_test *t)
{
    const fmd_config *c = j->config;
    fmd_weights_file weights = {.path = ""};
    FMD_TRY(fmd_comm_agree(j->comm, check(c)));
    FMD_TRY(fmd_loader_read(j->comm, c->data.dataset, c->data.dir, &j->data));
    if (*c->model.weights != '\0')
        FMD_TRY(fmd_weights_file_open(j->comm, &weights, c->model.weights));
    FMD_TRY(fmd_job_build(j, &weights));
    if (*c->model.weights != '\0')
        FMD_TRY(fmd_weights_file_load(j->comm, &weights, j->model));
    fmd_status st = plan(j);
    if (st == FMD_OK && fmd_comm_rank(j->comm) == 0)
        st = add_recorder(j, t);
    return fmd_comm_agree(j->comm, st);
}

/* The smoothed loss over the logarithm of the rate, in characters. */
static void print_chart(const fmd_rate_test *t)
{
    double low = t->smooth[0], high = low;
    for (size_t i = 0; i < t->n; i++) {
        low = fmin(low, t->smooth[i]);
        high = fmax(high, t->smooth[i]);
    }
    high = fmin(high, 1.3 * t->smooth[0]);
    if (!(high > low))
        return;
    for (int row = 0; row < CHART_ROWS; row++) {
        char line[CHART_COLUMNS + 1];
        memset(line, ' ', CHART_COLUMNS);
        line[CHART_COLUMNS] = '\0';
        for (size_t i = 0; i < t->n; i++) {
            const double height = (high - t->smooth[i]) / (high - low) * (CHART_ROWS - 1);
            const size_t column = i * (CHART_COLUMNS - 1) / (t->planned - 1);
            if (lrint(height) == row)
                line[column] = '*';
        }
        fmd_print("%8.3f |%s\n", high - (high - low) * row / (CHART_ROWS - 1), line);
    }
    fmd_print("%8s  %-*.2g%.2g\n", "", CHART_COLUMNS - 6, t->rate[0],
              t->rate[0] * pow(t->rate[t->n - 1] / t->rate[0],
                               (double)(t->planned - 1) / (double)(t->n - 1)));
}

static void print_text(const fmd_job *j, const fmd_rate_test *t, bool chosen)
{
    const fmd_config *c = j->config;
    char title[FMD_MODEL_TITLE];
    fmd_print("model  %s\n", fmd_model_title(c->model.name, fmd_model_spec(j->model), title));
    fmd_print("test   %zu of %zu steps, batch %zu, %s, learning rate %g to %g\n\n", t->n,
              t->planned, j->fit.batch_size, fmd_optimizer_spec(j->optimizer), c->rate_test.from,
              c->rate_test.to);
    if (t->n > 1)
        print_chart(t);
    if (!chosen) {
        fmd_print(
            "\nno suggestion: the loss does not fall; try a lower --from, a higher --to or more "
            "--steps\n");
        return;
    }
    fmd_print("\nlowest loss at %.2g, steepest descent at %.2g\n", t->lowest, t->steepest);
    fmd_print("suggestion: --learning-rate %.2g\n", t->suggestion);
}

static fmd_status print_json(const fmd_rate_test *t, bool chosen)
{
    const double none = (double)NAN;
    fmd_json *out;
    FMD_TRY(fmd_json_create(&out));
    fmd_json_real(out, NULL, "suggestion", chosen ? t->suggestion : none);
    fmd_json_real(out, NULL, "lowest", chosen ? t->lowest : none);
    fmd_json_real(out, NULL, "steepest", chosen ? t->steepest : none);
    for (size_t i = 0; i < t->n; i++) {
        fmd_json_row(out, "steps");
        fmd_json_real(out, "steps", "learning_rate", t->rate[i]);
        fmd_json_real(out, "steps", "loss", t->loss[i]);
        fmd_json_real(out, "steps", "smoothed", t->smooth[i]);
    }
    const fmd_status st = fmd_print_json(out);
    fmd_json_destroy(out);
    return st;
}

/* Rank 0. */
static fmd_status tell(const fmd_job *j, fmd_rate_test *t)
{
    const char *picture = j->config->output.path;
    const bool chosen = fmd_rate_test_choose(t);
    bool drawn = false;
    if (!chosen)
        t->suggestion = (double)NAN;
    if (*picture != '\0' && t->n > 0)
        FMD_TRY(fmd_rate_plot(t, picture, &drawn));
    if (j->config->view.json)
        return print_json(t, chosen);
    print_text(j, t, chosen);
    if (drawn)
        fmd_print("picture %s\n", picture);
    return FMD_OK;
}

/* Collective. A loss that is not finite ends the test as a loss that rises does. */
static fmd_status test(fmd_job *j, fmd_rate_test *t)
{
    FMD_TRY(prepare(j, t));
    const fmd_status st = fmd_fit(j->comm, j->model, j->optimizer, &j->fit, &j->result);
    if (fmd_watchdog_signal(j->fit.watchdog) != 0)
        return FMD_FAIL(FMD_ESTOPPED, "stopped by signal %d", fmd_watchdog_signal(j->fit.watchdog));
    if (st != FMD_OK && st != FMD_EDIVERGED)
        return st;
    return fmd_comm_agree(j->comm, fmd_comm_rank(j->comm) == 0 ? tell(j, t) : FMD_OK);
}

static fmd_status run_learning_rate(fmd_comm *c, const fmd_config *config)
{
    fmd_job *j;
    fmd_rate_test t = {.n = 0};
    FMD_TRY(fmd_comm_agree(c, fmd_alloc(&j, 1, sizeof *j, "the test")));
    j->comm = c;
    j->config = config;
    j->fit.callbacks = j->callbacks;
    fmd_status st =
        fmd_comm_agree(c, fmd_watchdog_start(&j->fit.watchdog, fmd_comm_rank(c), fmd_comm_host(c),
                                             config->checkpoints.hang_timeout));
    if (st == FMD_OK)
        st = test(j, &t);
    for (int i = 0; i < j->fit.n_callbacks; i++)
        j->callbacks[i]->ops->destroy(j->callbacks[i]);
    fmd_watchdog_stop(j->fit.watchdog);
    fmd_optimizer_destroy(j->optimizer);
    fmd_model_destroy(j->model);
    free(t.rate);
    free(t.loss);
    free(t.smooth);
    free(j);
    return st;
}

const fmd_command fmd_command_learning_rate = {
    .name = "learning-rate",
    .usage = "[find] [OPTIONS]",
    .help = "finds a learning rate by raising it from step to step",
    .section = FMD_TO_TRAIN,
    .example = "find --model convnet --output rate.png",
    .groups = "rate test|steps|data|training data|amount|model|weights|training|distribution|file|"
              "json",
    .words = "task",
    .needs_mpi = true,
    .trains = true,
    .run = run_learning_rate,
};
