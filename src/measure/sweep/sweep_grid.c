/* The grid of a sweep: options, values, and the runs that follow from them. */
#include "base/hash.h"
#include "base/mem.h"
#include "base/rng.h"
#include "measure/sweep/sweep.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_TRIES = 100, KEPT_NAME = 70 };

static const char blanks[] = " \t\r\n";

/* What all runs must share, and options that have no part in the result. */
static const char *const refused[][2] = {
    {"validation-split", "all runs must be judged by the same images"},
    {"validation-from", "all runs must be judged by the same images"},
    {"validation-data", "all runs must be judged by the same images"},
    {"limit", "all runs must be judged by the same images"},
    {"dataset", "all runs must be judged by the same images"},
    {"data-dir", "all runs must be judged by the same images"},
};

/* The option whose name the `n` bytes at `name` are, or NULL. */
static const fmd_option *option_at(const char *name, size_t n)
{
    char text[64];
    if (n == 0 || n >= sizeof text)
        return NULL;
    snprintf(text, sizeof text, "%.*s", (int)n, name);
    return fmd_option_find(fmd_config_table, fmd_config_table_length,
                           strcmp(text, "lr") == 0 ? "learning-rate" : text);
}

static fmd_status find_option(const fmd_option **out, const char *name, size_t n)
{
    *out = option_at(name, n);
    if (*out == NULL || !fmd_config_has(FMD_SWEEP_SHARED, *out) ||
        strcmp((*out)->group, "checkpoints") == 0)
        return FMD_FAIL(FMD_EUSAGE,
                        "--grid: '%.*s' is not an option of a training; expected a grid such as "
                        "'learning-rate=1e-3,3e-3 seed=0..4'",
                        (int)(n < 64 ? n : 64), name);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (strcmp((*out)->name, refused[i][0]) == 0)
            return FMD_FAIL(FMD_EUSAGE, "--grid: %s: %s; give --%s for all of them", (*out)->name,
                            refused[i][1], (*out)->name);
    return FMD_OK;
}

/* The end of the values at `text`: a blank, or a comma before the name of another option, where the
 * user has given --grid repeatedly. */
static size_t values_length(const char *text)
{
    const size_t all = strcspn(text, blanks);
    for (size_t i = 0; i < all; i++) {
        const size_t n = text[i] == ',' ? strcspn(text + i + 1, "=,|:@ ") : 0;
        if (n > 0 && text[i + 1 + n] == '=' && option_at(text + i + 1, n) != NULL)
            return i;
    }
    return all;
}

/* Adds a value in the form that the option has in config.json, once. */
static fmd_status add_value(fmd_sweep_axis *a, const char *value)
{
    static fmd_config scratch;
    char label[96], text[FMD_OPTION_TEXT_BYTES];
    snprintf(label, sizeof label, "--grid: %.64s", a->option->name);
    FMD_TRY(fmd_option_set(a->option, &scratch, label, value));
    const char *canonical = fmd_option_text(a->option, &scratch, text);
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->values[i], canonical) == 0)
            return FMD_FAIL(FMD_EUSAGE, "%s: the value %.100s is there twice", label, canonical);
    char **grown = realloc(a->values, (a->n + 1) * sizeof *grown);
    if (grown == NULL || (a->values = grown, grown[a->n] = strdup(canonical)) == NULL)
        return FMD_FAIL(FMD_ENOMEM, "out of memory: the values of a sweep");
    a->n++;
    return FMD_OK;
}

/* An end of a range must be a value of the option. */
static fmd_status check_end(const fmd_sweep_axis *a, const char *text, size_t n)
{
    static fmd_config scratch;
    char label[96], value[64];
    snprintf(label, sizeof label, "--grid: %.64s", a->option->name);
    snprintf(value, sizeof value, "%.*s", (int)n, text);
    return fmd_option_set(a->option, &scratch, label, value);
}

/* "0..4", "1e-4..1e-1": *found. Whole numbers are listed, unless they are to be drawn; seeds always. */
static fmd_status add_range(fmd_sweep_axis *a, const char *value, bool drawn, bool *found)
{
    const fmd_option *o = a->option;
    const char *dots = strstr(value, "..");
    char *end;
    *found = false;
    if (dots == NULL || (o->kind != FMD_OPTION_INT && o->kind != FMD_OPTION_FLOAT))
        return FMD_OK;
    const double low = strtod(value, &end);
    /* strtod reads the first dot of "0..4" too */
    const bool begins = end != value && (end == dots || end == dots + 1);
    const double high = strtod(dots + 2, &end);
    if (!begins || end == dots + 2 || *end != '\0' || !(low <= high))
        return FMD_FAIL(FMD_EUSAGE, "--grid: %s: '%.100s' is not a range such as 0..4", o->name,
                        value);
    *found = true;
    const bool seed = strcmp(o->name, "seed") == 0;
    if (o->kind == FMD_OPTION_FLOAT && !drawn)
        return FMD_FAIL(FMD_EUSAGE,
                        "--grid: %s: the range %.100s of real numbers needs --random N; list the "
                        "values otherwise",
                        o->name, value);
    if (drawn && !seed) {
        if (a->n > 0 || a->range)
            return FMD_FAIL(FMD_EUSAGE, "--grid: %s: give one range, or a list of values", o->name);
        a->range = true;
        a->low = low;
        a->high = high;
        return check_end(a, value, (size_t)(dots - value)) == FMD_OK
                   ? check_end(a, dots + 2, strlen(dots + 2))
                   : FMD_EUSAGE;
    }
    if (high - low >= FMD_SWEEP_RUNS)
        return FMD_FAIL(FMD_EUSAGE, "--grid: %s: more than %d values", o->name, FMD_SWEEP_RUNS);
    for (int i = 0; i <= (int)(high - low); i++) {
        char text[32];
        snprintf(text, sizeof text, "%.0f", low + i);
        FMD_TRY(add_value(a, text));
    }
    return FMD_OK;
}

/* Values with commas, such as layers, are separated by "|". */
static fmd_status add_values(fmd_sweep_axis *a, const char *text, size_t n, bool drawn)
{
    char *copy = strndup(text, n);
    if (copy == NULL)
        return FMD_FAIL(FMD_ENOMEM, "out of memory: the values of a sweep");
    const char *separator = strchr(copy, '|') != NULL ? "|" : ",";
    char *rest = copy;
    fmd_status st = FMD_OK;
    for (const char *value; st == FMD_OK && (value = strsep(&rest, separator)) != NULL;) {
        bool found = false;
        if (*value == '\0')
            st = FMD_FAIL(FMD_EUSAGE, "--grid: %s has an empty value", a->option->name);
        if (st == FMD_OK)
            st = add_range(a, value, drawn, &found);
        if (st == FMD_OK && !found)
            st = a->range ? FMD_FAIL(FMD_EUSAGE, "--grid: %s: give one range, or a list of values",
                                     a->option->name)
                          : add_value(a, value);
    }
    free(copy);
    return st;
}

static fmd_status add_axis(fmd_sweep *s, const char *text, size_t n, bool drawn)
{
    const size_t name = strcspn(text, "=");
    const fmd_option *o;
    FMD_TRY(find_option(&o, text, name < n ? name : n));
    if (name >= n || name + 1 == n)
        return FMD_FAIL(FMD_EUSAGE, "--grid: %s has no values: expected %s=VALUE,VALUE", o->name,
                        o->name);
    for (size_t i = 0; i < s->n_axes; i++)
        if (s->axes[i].option == o)
            return FMD_FAIL(FMD_EUSAGE, "--grid: %s is there twice", o->name);
    if (s->n_axes == FMD_SWEEP_AXES)
        return FMD_FAIL(FMD_EUSAGE, "--grid: more than %d options", FMD_SWEEP_AXES);
    s->axes[s->n_axes] = (fmd_sweep_axis){.option = o};
    return add_values(&s->axes[s->n_axes++], text + name + 1, n - name - 1, drawn);
}

static fmd_status read_axes(fmd_sweep *s, const char *grid, bool drawn)
{
    for (grid += strspn(grid, blanks); *grid != '\0'; grid += strspn(grid, blanks)) {
        const size_t name = strcspn(grid, "= \t\r\n");
        const size_t n = grid[name] == '=' ? name + 1 + values_length(grid + name + 1) : name;
        FMD_TRY(add_axis(s, grid, n, drawn));
        grid += n + (grid[n] == ',');
    }
    if (s->n_axes == 0)
        return FMD_FAIL(FMD_EUSAGE, "--grid: name options and their values, e.g. "
                                    "--grid 'learning-rate=1e-3,3e-3 seed=0..4'");
    s->seed = s->n_axes;
    for (size_t i = 0; i < s->n_axes; i++)
        if (strcmp(s->axes[i].option->name, "seed") == 0)
            s->seed = i;
    return FMD_OK;
}

/* The values as the name of a folder: "learning-rate=0.001_seed=0". Where characters are replaced or
 * cut off, a hash of the whole keeps names apart. */
static fmd_status name_run(const fmd_sweep *s, fmd_sweep_run *r)
{
    char *text = NULL, hash[FMD_HASH_TEXT];
    size_t bytes, n = 0;
    FILE *out = open_memstream(&text, &bytes);
    if (out == NULL)
        return FMD_FAIL(FMD_ENOMEM, "out of memory: the runs of a sweep");
    for (size_t i = 0; i < s->n_axes; i++)
        fprintf(out, "%s%s=%s", i > 0 ? "_" : "", s->axes[i].option->name, r->values[i]);
    if (fclose(out) != 0) {
        free(text);
        return FMD_FAIL(FMD_ENOMEM, "out of memory: the runs of a sweep");
    }
    bool changed = false;
    for (; text[n] != '\0' && n < KEPT_NAME; n++) {
        const bool plain = isalnum((unsigned char)text[n]) || strchr("-_.=+", text[n]) != NULL;
        changed = changed || !plain;
        r->name[n] = (char)(plain ? text[n] : '-');
    }
    r->name[n] = '\0';
    if (changed || text[n] != '\0')
        snprintf(r->name + n, sizeof r->name - n, "-%.8s",
                 fmd_hash_text(fmd_hash_bytes(text, strlen(text)), hash));
    free(text);
    return FMD_OK;
}

static fmd_status add_run(fmd_sweep *s, const char *const values[FMD_SWEEP_AXES])
{
    if (s->n_runs == FMD_SWEEP_RUNS)
        return FMD_FAIL(FMD_EUSAGE,
                        "--grid: more than %d runs: list fewer values, or draw some with --random",
                        FMD_SWEEP_RUNS);
    fmd_sweep_run *r = &s->runs[s->n_runs];
    *r = (fmd_sweep_run){.state = FMD_SWEEP_NEW};
    s->n_runs++;
    for (size_t i = 0; i < s->n_axes; i++)
        if ((r->values[i] = strdup(values[i])) == NULL)
            return FMD_FAIL(FMD_ENOMEM, "out of memory: the runs of a sweep");
    return name_run(s, r);
}

/* The setting with these values of all axes but the seed, with every seed. */
static fmd_status add_seeds(fmd_sweep *s, const char *values[FMD_SWEEP_AXES])
{
    const size_t seeds = s->seed < s->n_axes ? s->axes[s->seed].n : 1;
    fmd_sweep_setting *setting = &s->settings[s->n_settings];
    *setting = (fmd_sweep_setting){.first = s->n_runs, .runs = seeds};
    for (size_t i = 0; i < seeds; i++) {
        if (s->seed < s->n_axes)
            values[s->seed] = s->axes[s->seed].values[i];
        FMD_TRY(add_run(s, values));
        s->runs[s->n_runs - 1].setting = s->n_settings;
    }
    s->n_settings++;
    return FMD_OK;
}

/* All combinations; the last axis varies fastest. */
static fmd_status add_grid(fmd_sweep *s)
{
    size_t at[FMD_SWEEP_AXES] = {0};
    for (;;) {
        const char *values[FMD_SWEEP_AXES] = {NULL};
        for (size_t i = 0; i < s->n_axes; i++)
            values[i] = s->axes[i].values[at[i]];
        FMD_TRY(add_seeds(s, values));
        size_t i = s->n_axes;
        while (i > 0 && (i - 1 == s->seed || ++at[i - 1] == s->axes[i - 1].n))
            at[--i] = 0;
        if (i == 0)
            return FMD_OK;
    }
}

/* A value of an axis. Positive real ranges are drawn on a logarithmic scale. */
static void draw(const fmd_sweep *s, size_t axis, uint64_t number, uint32_t attempt, char text[64])
{
    const fmd_sweep_axis *a = &s->axes[axis];
    const fmd_rng rng = {.seed = (uint64_t)s->config->training.seed,
                         .purpose = FMD_RNG_SWEEP,
                         .stream = (uint32_t)axis,
                         .time = attempt};
    uint32_t random[4];
    fmd_rng_block(&rng, number, random);
    const double u = ((double)random[0] + 0.5) * 0x1p-32;
    if (!a->range)
        snprintf(text, 64, "%zu", (size_t)(u * (double)a->n));
    else if (a->option->kind == FMD_OPTION_INT)
        snprintf(text, 64, "%.0f", a->low + floor(u * (a->high - a->low + 1)));
    else if (a->low > 0)
        snprintf(text, 64, "%.3g", exp(log(a->low) + u * (log(a->high) - log(a->low))));
    else
        snprintf(text, 64, "%.3g", a->low + u * (a->high - a->low));
}

static bool is_known(const fmd_sweep *s, const char *const values[FMD_SWEEP_AXES])
{
    for (size_t k = 0; k < s->n_settings; k++) {
        bool same = true;
        for (size_t i = 0; i < s->n_axes; i++)
            same = same && (i == s->seed ||
                            strcmp(s->runs[s->settings[k].first].values[i], values[i]) == 0);
        if (same)
            return true;
    }
    return false;
}

/* Draws settings; a setting that was drawn before is drawn again. */
static fmd_status add_random(fmd_sweep *s, int64_t n)
{
    static fmd_config scratch;
    for (int64_t number = 0; number < n; number++)
        for (uint32_t attempt = 0; attempt < MOST_TRIES; attempt++) {
            char texts[FMD_SWEEP_AXES][64], canonical[FMD_SWEEP_AXES][FMD_OPTION_TEXT_BYTES];
            const char *values[FMD_SWEEP_AXES] = {NULL};
            for (size_t i = 0; i < s->n_axes; i++) {
                const fmd_sweep_axis *a = &s->axes[i];
                draw(s, i, (uint64_t)number, attempt, texts[i]);
                if (a->range) {
                    FMD_TRY(fmd_option_set(a->option, &scratch, "--grid", texts[i]));
                    values[i] = fmd_option_text(a->option, &scratch, canonical[i]);
                } else {
                    values[i] = a->values[strtoul(texts[i], NULL, 10)];
                }
            }
            if (is_known(s, values))
                continue;
            FMD_TRY(add_seeds(s, values));
            break;
        }
    return FMD_OK;
}

fmd_status fmd_sweep_plan(fmd_sweep *s, const char *grid, int64_t random)
{
    const bool drawn = random != FMD_UNSET_INT;
    FMD_TRY(fmd_alloc(&s->runs, FMD_SWEEP_RUNS, sizeof *s->runs, "the runs of a sweep"));
    FMD_TRY(fmd_alloc(&s->settings, FMD_SWEEP_RUNS, sizeof *s->settings, "the runs of a sweep"));
    FMD_TRY(read_axes(s, grid, drawn));
    return drawn ? add_random(s, random) : add_grid(s);
}

void fmd_sweep_free(fmd_sweep *s)
{
    for (size_t i = 0; i < s->n_axes; i++) {
        for (size_t k = 0; k < s->axes[i].n; k++)
            free(s->axes[i].values[k]);
        free(s->axes[i].values);
    }
    for (size_t i = 0; i < s->n_runs; i++)
        for (size_t k = 0; k < s->n_axes; k++)
            free(s->runs[i].values[k]);
    free(s->runs);
    free(s->settings);
}
