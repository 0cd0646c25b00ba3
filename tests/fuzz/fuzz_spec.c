/* The grammars of the command line: layers, optimizers, learning rates, conditions to stop, times of
 * checkpoints. The first byte says which. */
#include "fuzz/fuzz.h"
#include "nn/model.h"
#include "nn/optimizers/optimizer.h"
#include "nn/schedule.h"
#include "train/callbacks/callbacks.h"
#include "train/checkpoints/checkpointer.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DIGITS = 3, MOST_BYTES = 1 << 24 };

size_t fuzz_seed(size_t i, uint8_t out[FUZZ_BYTES])
{
    static const char *const seeds[] = {
        "lflatten,dense:128:relu,dense:10:softmax",
        "lflatten, dense:units=8:init=he_normal:nobias, dropout:0.25, activation:gelu",
        "lleaky_re_lu:negative_slope=0.1,dense:5:tanh:bias",
        ("ldense:4@a,batch_normalization:0.9,relu,dense:4,add:a@b,from:a,concatenate:b:input:axis="
         "1,"
         "reshape:2x-1,softmax"),
        "oadam:0.9:0.999:1e-07",
        "osgd:momentum=0.9:nesterov",
        "ormsprop:rho=0.5:momentum=0.1:centered",
        "rcosine:alpha=0.1:decay_steps=100",
        "rexponential:0.96:decay_steps=auto:staircase",
        "rstep:boundaries=10,20:values=0.1,0.01,0.001",
        "rpolynomial:0.0001:2:cycle",
        "rplateau:factor=0.5:patience=2:monitor=val_loss:mode=min",
        "saccuracy>0.99,loss<0.4, val_loss <= 1e-3",
        "fauto",
        "f1h30m",
        "f500",
    };
    return fuzz_text_seed(seeds, sizeof seeds / sizeof *seeds, i, out);
}

/* Few digits make small layers. */
static bool is_small(const char *text)
{
    size_t digits = 0;
    for (; *text != '\0' && digits <= MOST_DIGITS; text++)
        digits = isdigit((unsigned char)*text) ? digits + 1 : 0;
    return digits <= MOST_DIGITS;
}

/* What the model says of itself makes the same model. */
static void try_layers(const char *text)
{
    const fmd_shape in = {.rank = 2, .dim = {3, 4}};
    fmd_model *m, *again;
    fmd_model_size size;
    if (!is_small(text))
        return;
    const fmd_status st = fmd_model_measure(&size, text, in);
    fuzz_check_status(st, FMD_EUSAGE, FMD_EUSAGE);
    if (st != FMD_OK || fmd_model_size_bytes(&size, 1) > MOST_BYTES)
        return;
    if (fmd_model_create(&m, text, in, 1) != FMD_OK)
        abort();
    if (fmd_model_create(&again, fmd_model_spec(m), in, 1) != FMD_OK ||
        fmd_model_n_params(again) != fmd_model_n_params(m))
        abort();
    fmd_model_destroy(again);
    fmd_model_destroy(m);
}

static void try_optimizer(const char *text)
{
    fmd_optimizer *o = NULL;
    fuzz_check_status(fmd_optimizer_create(&o, text, 4), FMD_EUSAGE, FMD_EUSAGE);
    fmd_optimizer_destroy(o);
}

static void try_schedule(const char *text)
{
    const fmd_schedule_plan plan = {
        .learning_rate = 0.01, .scale = 2, .warmup_epochs = 1, .epoch_steps = 10, .epochs = 5};
    fmd_schedule s;
    const fmd_status st = fmd_schedule_create(&s, text, &plan);
    fuzz_check_status(st, FMD_EUSAGE, FMD_EUSAGE);
    for (uint64_t step = 0; st == FMD_OK && step < 60; step++)
        if (isnan(fmd_schedule_rate(&s, step)))
            abort();
}

static void try_conditions(const char *text)
{
    fmd_callback *c;
    const fmd_status st = fmd_cb_stop_when_create(&c, text, NULL, true);
    fuzz_check_status(st, FMD_EUSAGE, FMD_EUSAGE);
    if (st == FMD_OK)
        c->ops->destroy(c);
}

static void try_frequency(const char *text)
{
    fmd_save_kind kind;
    double every;
    const fmd_status st = fmd_save_freq_parse(text, &kind, &every);
    fuzz_check_status(st, FMD_EUSAGE, FMD_EUSAGE);
    if (st == FMD_OK && (kind == FMD_SAVE_STEPS || kind == FMD_SAVE_SECONDS) && !(every > 0))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    char *text = strndup((const char *)data + 1, size - 1);
    if (text == NULL)
        return 0;
    switch (data[0]) {
    case 'l': try_layers(text); break;
    case 'o': try_optimizer(text); break;
    case 'r': try_schedule(text); break;
    case 's': try_conditions(text); break;
    case 'f': try_frequency(text); break;
    }
    free(text);
    return 0;
}
