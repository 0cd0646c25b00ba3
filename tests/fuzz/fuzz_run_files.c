/* Text files: config.json, Keras' description of a model, and of a run history.csv and events.jsonl.
 * The first byte says which. */
#include "base/log.h"
#include "fuzz/fuzz.h"
#include "io/json/json_file.h"
#include "io/keras/spec.h"
#include "run/follow.h"
#include "run/history.h"
#include "support/idx_files.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t fuzz_seed(size_t i, uint8_t out[FUZZ_BYTES])
{
    static const char *const seeds[] = {
        "c{\"name\": \"x\", \"count\": 12, \"rate\": 0.5, \"time\": \"1h30m\", \"on\": true, "
        "\"kind\": \"two\", \"list\": [\"a\", \"b\"]}",
        "c{\"rate\": null, \"time\": 90, \"list\": \"a,b\"}",
        "k{\"class_name\": \"Sequential\", \"config\": {\"layers\": [{\"class_name\": "
        "\"InputLayer\", \"config\": {\"batch_shape\": [null, 28, 28]}}, {\"class_name\": "
        "\"Flatten\", \"config\": {\"name\": \"flatten\"}}, {\"class_name\": \"Dense\", "
        "\"config\": {\"name\": \"dense\", \"units\": 10, \"activation\": \"softmax\", "
        "\"kernel_initializer\": {\"class_name\": \"GlorotUniform\", \"config\": {}}}}]}}",
        "k{\"class_name\": \"Sequential\", \"config\": [{\"class_name\": \"LeakyReLU\", "
        "\"config\": "
        "{\"name\": \"a\", \"alpha\": 0.1, \"batch_input_shape\": [null, 4], \"dtype\": {}}}]}",
        "hepoch,accuracy,loss,val_loss,time,other\n0,0.5,1.25,NA,3.5,7\n1,nan,1e-3,0.5,4,8\n",
        "e{\"type\":\"start\",\"time\":1,\"epoch\":0,\"step\":0,\"global_step\":0,\"ranks\":2}\n"
        "{\"type\":\"step\",\"global_step\":5,\"loss\":0.75}\n"
        "{\"type\":\"epoch\",\"epoch\":0,\"global_step\":10,\"loss\":0.5}\n"
        "{\"type\":\"checkpoint\",\"global_step\":10,\"file\":\"a\",\"seconds\":0.1}\n"
        "{\"type\":\"resume\",\"time\":2,\"global_step\":5}\n"
        "{\"type\":\"end\",\"state\":\"done\",\"exit_code\":0,\"message\":\"\"}\n",
        "e{\"type\":\"epoch\",\"global_step\":-100.5,\"loss\":0.5}\n",
    };
    return fuzz_text_seed(seeds, sizeof seeds / sizeof *seeds, i, out);
}

typedef struct settings {
    char name[16], list[32];
    int64_t count;
    double rate, time;
    bool on;
    int kind;
} settings;

#define FIELD(f) .offset = offsetof(settings, f), .size = sizeof((settings *)0)->f

static const fmd_option table[] = {
    {.name = "name", .kind = FMD_OPTION_TEXT, FIELD(name)},
    {.name = "list", .kind = FMD_OPTION_TEXT, FIELD(list), .repeats = true},
    {.name = "count", .kind = FMD_OPTION_INT, FIELD(count), .min = 1, .max = 100},
    {.name = "rate", .kind = FMD_OPTION_FLOAT, FIELD(rate), .unset = "auto"},
    {.name = "time", .kind = FMD_OPTION_DURATION, FIELD(time), .min = 1, .max = 1e9},
    {.name = "on", .kind = FMD_OPTION_BOOL, FIELD(on)},
    {.name = "kind", .kind = FMD_OPTION_CHOICE, FIELD(kind), .choices = "one|two"},
};

enum { N_OPTIONS = sizeof table / sizeof *table };

static void try_config(const char *path)
{
    settings s = {.count = 1, .time = 1};
    bool given[N_OPTIONS] = {false};
    const fmd_status st = fmd_options_read_json(path, table, N_OPTIONS, &s, given);
    fuzz_check_status(st, FMD_EUSAGE, FMD_EUSAGE);
    if (s.count < 1 || s.count > 100 || !(s.time >= 1) || s.kind < 0 || s.kind > 1 ||
        memchr(s.name, '\0', sizeof s.name) == NULL || memchr(s.list, '\0', sizeof s.list) == NULL)
        abort();
}

static void try_model(const char *json)
{
    char layers[128];
    fmd_shape in;
    const fmd_status st = fmd_keras_spec("file", json, layers, sizeof layers, &in);
    fuzz_check_status(st, FMD_EDATA, FMD_EDATA);
    if (st == FMD_OK && (*layers == '\0' || in.rank < 1 || in.rank > FMD_SHAPE_MAX))
        abort();
}

static void try_history(const char *path)
{
    fmd_history h;
    const fmd_status st = fmd_history_read(&h, path);
    fuzz_check_status(st, FMD_EDATA, FMD_EDATA);
    if (st == FMD_OK)
        fmd_history_free(&h);
}

static char folder[TEST_PATH_BYTES];

static void leave(void)
{
    remove_folder(folder);
}

/* In two parts, as a run writes them. */
static void try_events(const uint8_t *data, size_t size)
{
    static fmd_follow run;
    if (*folder == '\0') {
        make_folder(folder);
        atexit(leave);
    }
    memset(&run, 0, sizeof run);
    snprintf(run.folder, sizeof run.folder, "%s", folder);
    fmd_status st = FMD_OK;
    for (int part = 1; part <= 2 && st == FMD_OK; part++) {
        write_file(folder, "events.jsonl", data, part == 1 ? size / 2 : size);
        st = fmd_follow_read(&run);
        fuzz_check_status(st, FMD_EDATA, FMD_ENOINPUT);
    }
    fmd_follow_free(&run);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fmd_log_open(FMD_LOG_ERROR, 0);
    if (size == 0)
        return 0;
    char *text = strndup((const char *)data + 1, size - 1);
    if (text == NULL)
        return 0;
    switch (data[0]) {
    case 'c': try_config(fuzz_file(data + 1, size - 1)); break;
    case 'k': try_model(text); break;
    case 'h': try_history(fuzz_file(data + 1, size - 1)); break;
    case 'e': try_events(data + 1, size - 1); break;
    }
    free(text);
    return 0;
}
