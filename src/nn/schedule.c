/* Formulas, names and defaults are those of keras.optimizers.schedules, 3.15, or of PyTorch where Keras
 * has none; decay_steps, which Keras requires, is `auto` by default. */
#include "nn/schedule.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fmd_schedule_ops {
    const char *name;
    const fmd_option *args; /* fields of fmd_schedule */
    size_t n_args;
    bool by_epoch; /* decay_steps auto: an epoch; otherwise all steps after the warm-up */
    double (*rate)(const fmd_schedule *s, double step); /* counted from the end of the warm-up */
};

#define FIELD(f) .offset = offsetof(fmd_schedule, f), .size = sizeof((fmd_schedule *)0)->f
#define DECAY_STEPS                                                                                \
    {                                                                                              \
        .name = "decay_steps", .kind = FMD_OPTION_INT, FIELD(decay_steps), .initial = "auto",      \
        .unset = "auto", .min = 1, .max = 9007199254740991.0                                       \
    }
#define ROW(NAME, ARGS, ...)                                                                       \
    {                                                                                              \
        .name = #NAME, .args = (ARGS), .n_args = sizeof(ARGS) / sizeof *(ARGS), .rate = NAME,      \
        __VA_ARGS__                                                                                \
    }

/* The step, limited to the end of the decay. */
static double at_most(double step, double end)
{
    return step < end ? step : end;
}

static double constant(const fmd_schedule *s, double step)
{
    (void)step;
    return s->base;
}

/* Keras' PiecewiseConstantDecay: a boundary is the last step of its piece. */
static const fmd_option step_args[] = {
    {.name = "boundaries", .kind = FMD_OPTION_TEXT, FIELD(boundaries)},
    {.name = "values", .kind = FMD_OPTION_TEXT, FIELD(values)},
};
static double step(const fmd_schedule *s, double step)
{
    int piece = 0;
    while (piece < s->n_boundaries && step > s->boundary[piece])
        piece++;
    return s->value[piece];
}

static const fmd_option exponential_args[] = {
    {.name = "decay_rate", .kind = FMD_OPTION_FLOAT, FIELD(decay_rate), .min = 1e-12, .max = 1},
    DECAY_STEPS,
    {.name = "staircase", .kind = FMD_OPTION_BOOL, FIELD(staircase), .initial = "false"},
};
static double exponential(const fmd_schedule *s, double step)
{
    const double p = step / (double)s->decay_steps;
    return s->base * pow(s->decay_rate, s->staircase ? floor(p) : p);
}

/* Loshchilov and Hutter, "SGDR", ICLR 2017, without restarts. */
static const fmd_option cosine_args[] = {
    {.name = "alpha", .kind = FMD_OPTION_FLOAT, FIELD(alpha), .initial = "0", .min = 0, .max = 1},
    DECAY_STEPS,
};
static double cosine(const fmd_schedule *s, double step)
{
    const double n = (double)s->decay_steps, done = at_most(step, n) / n;
    return s->base * ((1 - s->alpha) * 0.5 * (1 + cos(M_PI * done)) + s->alpha);
}

/* Keras' InverseTimeDecay. */
static const fmd_option inverse_time_args[] = {
    {.name = "decay_rate", .kind = FMD_OPTION_FLOAT, FIELD(decay_rate), .min = 1e-12, .max = 1e6},
    DECAY_STEPS,
    {.name = "staircase", .kind = FMD_OPTION_BOOL, FIELD(staircase), .initial = "false"},
};
static double inverse_time(const fmd_schedule *s, double step)
{
    const double p = step / (double)s->decay_steps;
    return s->base / (1 + s->decay_rate * (s->staircase ? floor(p) : p));
}

/* Loshchilov and Hutter, "SGDR", ICLR 2017: each cosine is t_mul times as long as the one before, and
 * begins at m_mul times its rate. */
static const fmd_option cosine_restarts_args[] = {
    {.name = "first_decay_steps",
     .kind = FMD_OPTION_INT,
     FIELD(decay_steps),
     .initial = "auto",
     .unset = "auto",
     .min = 1,
     .max = 9007199254740991.0},
    {.name = "t_mul", .kind = FMD_OPTION_FLOAT, FIELD(t_mul), .initial = "2", .min = 1, .max = 100},
    {.name = "m_mul", .kind = FMD_OPTION_FLOAT, FIELD(m_mul), .initial = "1", .min = 0, .max = 1},
    {.name = "alpha", .kind = FMD_OPTION_FLOAT, FIELD(alpha), .initial = "0", .min = 0, .max = 1},
};
static double cosine_restarts(const fmd_schedule *s, double step)
{
    double n = (double)s->decay_steps, height = 1;
    if (s->t_mul == 1) { /* all are alike, so a long training has many */
        height = pow(s->m_mul, floor(step / n));
        step = fmod(step, n);
    }
    while (step >= n) {
        step -= n;
        n *= s->t_mul;
        height *= s->m_mul;
    }
    return s->base * ((1 - s->alpha) * 0.5 * height * (1 + cos(M_PI * step / n)) + s->alpha);
}

/* Smith and Topin, "Super-convergence", 2017, as PyTorch's OneCycleLR: half a cosine up to the
 * learning rate, and half a cosine down to the end. */
static const fmd_option one_cycle_args[] = {
    {.name = "pct_start",
     .kind = FMD_OPTION_FLOAT,
     FIELD(pct_start),
     .initial = "0.3",
     .min = 0,
     .max = 1},
    {.name = "div_factor",
     .kind = FMD_OPTION_FLOAT,
     FIELD(div_factor),
     .initial = "25",
     .min = 1,
     .max = 1e9},
    {.name = "final_div_factor",
     .kind = FMD_OPTION_FLOAT,
     FIELD(final_div_factor),
     .initial = "10000",
     .min = 1,
     .max = 1e9},
    DECAY_STEPS,
};
static double one_cycle(const fmd_schedule *s, double step)
{
    const double last = (double)s->decay_steps - 1;
    const double top = fmax(0, s->pct_start * (double)s->decay_steps - 1);
    const double first_rate = s->base / s->div_factor, last_rate = first_rate / s->final_div_factor;
    const bool rises = step < top;
    const double from = rises ? first_rate : s->base, to = rises ? s->base : last_rate;
    const double steps = rises ? top : last - top, at = rises ? step : at_most(step, last) - top;
    return to + (from - to) * 0.5 * (1 + cos(M_PI * (steps > 0 ? at / steps : 1)));
}

static const fmd_option polynomial_args[] = {
    {.name = "end_learning_rate",
     .kind = FMD_OPTION_FLOAT,
     FIELD(end_learning_rate),
     .initial = "0.0001",
     .min = 0,
     .max = 1000},
    {.name = "power", .kind = FMD_OPTION_FLOAT, FIELD(power), .initial = "1", .min = 0, .max = 100},
    DECAY_STEPS,
    {.name = "cycle", .kind = FMD_OPTION_BOOL, FIELD(cycle), .initial = "false"},
};
static double polynomial(const fmd_schedule *s, double step)
{
    double n = (double)s->decay_steps;
    if (s->cycle)
        n *= fmax(1, ceil(step / n));
    const double left = 1 - at_most(step, n) / n;
    return (s->base - s->end_learning_rate) * pow(left, s->power) + s->end_learning_rate;
}

static const fmd_option plateau_args[] = {
    {.name = "factor",
     .kind = FMD_OPTION_FLOAT,
     FIELD(plateau.factor),
     .initial = "0.1",
     .min = 1e-12,
     .max = 0.999999},
    {.name = "patience",
     .kind = FMD_OPTION_INT,
     FIELD(plateau.patience),
     .initial = "10",
     .min = 0,
     .max = 100000},
    {.name = "min_delta",
     .kind = FMD_OPTION_FLOAT,
     FIELD(plateau.min_delta),
     .initial = "0.0001",
     .min = 0,
     .max = 1e9},
    {.name = "cooldown",
     .kind = FMD_OPTION_INT,
     FIELD(plateau.cooldown),
     .initial = "0",
     .min = 0,
     .max = 100000},
    {.name = "min_lr",
     .kind = FMD_OPTION_FLOAT,
     FIELD(plateau.min_lr),
     .initial = "0",
     .min = 0,
     .max = 1000},
    {.name = "monitor", .kind = FMD_OPTION_TEXT, FIELD(plateau.monitor), .initial = "auto"},
    {.name = "mode",
     .kind = FMD_OPTION_CHOICE,
     FIELD(plateau.mode),
     .initial = "auto",
     .choices = "auto|min|max"},
};
/* The reduced rate becomes the base. */
static double plateau(const fmd_schedule *s, double step)
{
    return constant(s, step);
}

static const fmd_schedule_ops registry[] = {
    {.name = "constant", .rate = constant},
    ROW(step, step_args),
    ROW(exponential, exponential_args, .by_epoch = true),
    ROW(cosine, cosine_args),
    ROW(cosine_restarts, cosine_restarts_args, .by_epoch = true),
    ROW(polynomial, polynomial_args),
    ROW(inverse_time, inverse_time_args, .by_epoch = true),
    ROW(one_cycle, one_cycle_args),
    ROW(plateau, plateau_args),
};

const char *fmd_schedule_at(size_t index, const fmd_option **args, size_t *n_args)
{
    if (index >= sizeof registry / sizeof *registry)
        return NULL;
    *args = registry[index].args;
    *n_args = registry[index].n_args;
    return registry[index].name;
}

static fmd_status find_ops(const fmd_schedule_ops **out, const char *name)
{
    char names[256] = "", hint[FMD_OPTION_TEXT_BYTES];
    size_t used = 0;
    for (size_t i = 0; i < sizeof registry / sizeof *registry; i++) {
        *out = &registry[i];
        if (strcmp(name, registry[i].name) == 0)
            return FMD_OK;
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? "|" : "",
                                 registry[i].name);
    }
    return FMD_FAIL(FMD_EUSAGE, "--lr-schedule: '%.100s' is not one of %s%s", name, names,
                    fmd_did_you_mean(names, name, hint));
}

/* Numbers with commas between; returns how many, -1: something else. */
static int read_list(const char *text, double *out, int max)
{
    for (int n = 0; n < max; n++) {
        char *end;
        out[n] = strtod(text, &end);
        if (end == text || !isfinite(out[n]) || out[n] < 0)
            return -1;
        if (*end == '\0')
            return n + 1;
        if (*end != ',')
            return -1;
        text = end + 1;
    }
    return -1;
}

static fmd_status read_pieces(fmd_schedule *s)
{
    static const char label[] = "--lr-schedule step";
    s->n_boundaries = read_list(s->boundaries, s->boundary, FMD_SCHEDULE_PIECES - 1);
    const int n_values = read_list(s->values, s->value, FMD_SCHEDULE_PIECES);
    for (int i = 0; i < s->n_boundaries; i++)
        if (s->boundary[i] != floor(s->boundary[i]) ||
            (i > 0 && s->boundary[i] <= s->boundary[i - 1]))
            s->n_boundaries = -1;
    if (s->n_boundaries < 0)
        return FMD_FAIL(FMD_EUSAGE,
                        "%s: boundaries: '%s' is not a list of up to %d rising steps "
                        "such as 1000,2000",
                        label, s->boundaries, FMD_SCHEDULE_PIECES - 1);
    if (n_values < 0)
        return FMD_FAIL(FMD_EUSAGE,
                        "%s: values: '%s' is not a list of up to %d rates such as "
                        "0.01,0.005",
                        label, s->values, FMD_SCHEDULE_PIECES);
    if (n_values != s->n_boundaries + 1)
        return FMD_FAIL(FMD_EUSAGE, "%s: %d boundaries need %d values, not %d", label,
                        s->n_boundaries, s->n_boundaries + 1, n_values);
    return FMD_OK;
}

/* From the base batch to the batch in use. */
static void scale_rates(fmd_schedule *s, double scale)
{
    s->base *= scale;
    s->end_learning_rate *= scale;
    s->plateau.min_lr *= scale;
    for (int i = 0; i <= s->n_boundaries; i++)
        s->value[i] *= scale;
}

static fmd_status set_warmup(fmd_schedule *s, const fmd_schedule_plan *plan)
{
    if (plan->warmup_epochs >= (double)plan->epochs)
        return FMD_FAIL(FMD_EUSAGE, "--warmup-epochs %g: there are %llu epochs in all",
                        plan->warmup_epochs, (unsigned long long)plan->epochs);
    s->start = plan->scale > 1 ? s->base / plan->scale : 0;
    s->warmup = (uint64_t)ceil(plan->warmup_epochs * (double)plan->epoch_steps);
    return FMD_OK;
}

fmd_status fmd_schedule_create(fmd_schedule *out, const char *spec, const fmd_schedule_plan *plan)
{
    fmd_schedule s = {.base = plan->learning_rate};
    char name[sizeof s.spec], label[sizeof s.spec + 16];
    if (strlen(spec) >= sizeof s.spec)
        return FMD_FAIL(FMD_EUSAGE, "--lr-schedule: longer than %zu characters", sizeof s.spec - 1);
    memcpy(s.spec, spec, strlen(spec) + 1);
    snprintf(name, sizeof name, "%.*s", (int)strcspn(spec, ":"), spec);
    FMD_TRY(find_ops(&s.ops, name));
    snprintf(label, sizeof label, "--lr-schedule %s", name);
    const char *args = spec + strlen(name) + (spec[strlen(name)] == ':');
    FMD_TRY(fmd_options_parse_args(s.ops->args, s.ops->n_args, &s, label, args));
    if (s.ops->rate == step) {
        FMD_TRY(read_pieces(&s));
        s.base = s.value[0];
    }
    scale_rates(&s, plan->scale);
    FMD_TRY(set_warmup(&s, plan));
    const uint64_t total = plan->epochs * plan->epoch_steps;
    if (s.decay_steps == FMD_UNSET_INT && s.ops->by_epoch)
        s.decay_steps = (int64_t)plan->epoch_steps;
    else if (s.decay_steps == FMD_UNSET_INT)
        s.decay_steps = total > s.warmup ? (int64_t)(total - s.warmup) : 1;
    *out = s;
    return FMD_OK;
}

double fmd_schedule_rate(const fmd_schedule *s, uint64_t at)
{
    double rate;
    if (at < s->warmup)
        rate = s->start + (s->base - s->start) * (double)at / (double)s->warmup;
    else
        rate = s->ops->rate(s, (double)(at - s->warmup));
    return (double)(float)rate;
}

bool fmd_schedule_has_rates(const char *spec)
{
    return strcmp(spec, "step") == 0 || strncmp(spec, "step:", 5) == 0;
}

const fmd_plateau_args *fmd_schedule_plateau(const fmd_schedule *s)
{
    return s->ops->rate == plateau ? &s->plateau : NULL;
}
