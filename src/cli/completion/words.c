#include "cli/completion/completion.h"
#include "cli/preset/preset.h"
#include "cli/tutorial/lessons.h"
#include "nn/layer.h"
#include "nn/metrics/metric.h"
#include "nn/optimizers/optimizer.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static void add(char text[FMD_WORDS_BYTES], const char *word, size_t length)
{
    const size_t used = strlen(text);
    if (length > 0)
        snprintf(text + used, FMD_WORDS_BYTES - used, "%s%.*s", used > 0 ? "|" : "", (int)length,
                 word);
}

static void add_word(char text[FMD_WORDS_BYTES], const char *word)
{
    add(text, word, strlen(word));
}

/* Names of which the program has a table. */
static void add_names(char text[FMD_WORDS_BYTES], const char *option)
{
    const fmd_option *args;
    const char *name;
    size_t n;
    if (strcmp(option, "layers") == 0)
        for (size_t i = 0; fmd_layer_ops_at(i) != NULL; i++)
            add_word(text, fmd_layer_ops_at(i)->name);
    if (strcmp(option, "optimizer") == 0)
        for (size_t i = 0; fmd_optimizer_ops_at(i) != NULL; i++)
            add_word(text, fmd_optimizer_ops_at(i)->name);
    if (strcmp(option, "loss") == 0)
        for (size_t i = 0; fmd_loss_ops_at(i) != NULL; i++)
            add_word(text, fmd_loss_ops_at(i)->name);
    if (strcmp(option, "metrics") == 0) {
        add_word(text, "accuracy");
        for (size_t i = 0; fmd_metric_ops_at(i) != NULL; i++)
            add_word(text, fmd_metric_ops_at(i)->name);
    }
    if (strcmp(option, "lr-schedule") == 0)
        for (size_t i = 0; (name = fmd_schedule_at(i, &args, &n)) != NULL; i++)
            add_word(text, name);
    if (strcmp(option, "model") == 0) {
        char names[FMD_OPTION_TEXT_BYTES];
        fmd_preset_names(names);
        add_word(text, names);
        add_word(text, "FILE");
    }
    if (strcmp(option, "lesson") == 0) {
        add_word(text, "list|all");
        for (int i = 0; i < fmd_lessons_length; i++)
            add_word(text, fmd_lessons[i].name);
    }
    if (strcmp(option, "monitor") == 0)
        add_word(text, "auto|accuracy|loss|val_accuracy|val_loss");
    if (strcmp(option, "save-freq") == 0)
        add_word(text, "auto|epoch");
    if (strcmp(option, "format") == 0)
        add_word(text, "svg|png");
}

/* "fashion-mnist|mnist|DIR", "FILE ...", "N": of placeholders only files and folders count. */
static void add_placeholders(char text[FMD_WORDS_BYTES], const char *value)
{
    for (const char *at = value; *at != '\0'; at += *at == '|') {
        const size_t n = strcspn(at, "|");
        if (islower((unsigned char)*at))
            add(text, at, n);
        else if (strncmp(at, "FILE", 4) == 0)
            add_word(text, "FILE");
        else if (n >= 3 && strncmp(at + n - 3, "DIR", 3) == 0)
            add_word(text, "DIR");
        at += n;
    }
}

const char *fmd_completion_words(const fmd_option *o, char text[FMD_WORDS_BYTES])
{
    text[0] = '\0';
    add_names(text, o->name);
    if (*text == '\0' && o->kind == FMD_OPTION_CHOICE)
        add(text, o->choices, strlen(o->choices));
    else if (*text == '\0' && o->value != NULL)
        add_placeholders(text, o->value);
    if (o->unset != NULL)
        add_word(text, o->unset);
    return text;
}

bool fmd_completion_next(const char **at, char word[FMD_OPTION_TEXT_BYTES])
{
    if (**at == '\0')
        return false;
    const size_t n = strcspn(*at, "|");
    snprintf(word, FMD_OPTION_TEXT_BYTES, "%.*s", (int)n, *at);
    *at += n + ((*at)[n] == '|');
    return true;
}

const fmd_option *fmd_completion_positional(const fmd_command *command, int index)
{
    char name[FMD_OPTION_TEXT_BYTES];
    const char *at = command->words != NULL ? command->words : "";
    for (int i = 0; fmd_completion_next(&at, name); i++)
        if (i == index)
            return fmd_option_find(fmd_config_table, fmd_config_table_length, name);
    return NULL;
}

const char *fmd_completion_name(const fmd_option *o, char text[FMD_OPTION_TEXT_BYTES])
{
    const bool on = o->kind == FMD_OPTION_BOOL && strcmp(o->initial, "true") == 0;
    snprintf(text, FMD_OPTION_TEXT_BYTES, "%s%s", on ? "no-" : "", o->name);
    return text;
}
