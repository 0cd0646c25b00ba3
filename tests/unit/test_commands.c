/* The table of commands, and the help that is made of it. */
#include "cli/completion/completion.h"
#include "cli/help.h"

#include "support/fmd_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What `print` writes to stdout for a command. */
static char *capture(void (*print)(const fmd_command *command), const fmd_command *command)
{
    static char text[1 << 20];
    FILE *file = tmpfile();
    assert_non_null(file);
    fflush(stdout);
    const int before = dup(STDOUT_FILENO);
    dup2(fileno(file), STDOUT_FILENO);
    print(command);
    fflush(stdout);
    dup2(before, STDOUT_FILENO);
    close(before);
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

static void print_overview(const fmd_command *command)
{
    (void)command;
    fmd_help_overview();
}

/* No line is wider than 80 columns, but an example to be copied. */
static void assert_fits(char *text, const char *of)
{
    for (char *line; (line = strsep(&text, "\n")) != NULL;)
        if (strlen(line) > 80 && strncmp(line, "  fmnist-dist ", 14) != 0)
            fail_msg("%s: wider than 80 columns: %s", of, line);
}

static void test_commands__each_is_found_by_its_name_alone(void **state)
{
    (void)state;
    const fmd_command *found = NULL;
    for (size_t i = 0; i < fmd_commands_length; i++) {
        assert_ok(fmd_command_find(&found, fmd_commands[i]->name));
        assert_ptr_equal(found, fmd_commands[i]);
    }
    assert_string_equal(fmd_commands[0]->name, "train"); /* the default */
    assert_fails(fmd_command_find(&found, "trian"), FMD_EUSAGE,
                 "'trian' is not a command (did you mean 'train'?); see fmnist-dist --help");
}

static void test_commands__groups_and_words_are_those_of_the_options(void **state)
{
    (void)state;
    for (size_t i = 0; i < fmd_commands_length; i++) {
        char groups[512], *rest = groups;
        snprintf(groups, sizeof groups, "%s", fmd_commands[i]->groups);
        for (const char *group; (group = strsep(&rest, "|")) != NULL;) {
            bool known = false;
            for (size_t k = 0; k < fmd_config_table_length; k++)
                known = known || strcmp(fmd_config_table[k].group, group) == 0;
            if (!known)
                fail_msg("%s: there is no group '%s'", fmd_commands[i]->name, group);
        }
        const fmd_option *o;
        for (int k = 0; (o = fmd_completion_positional(fmd_commands[i], k)) != NULL; k++)
            assert_true(fmd_command_takes(fmd_commands[i], o));
    }
}

static void test_commands__no_option_is_without_a_command(void **state)
{
    (void)state;
    for (size_t k = 0; k < fmd_config_table_length; k++) {
        bool taken = false;
        for (size_t i = 0; i < fmd_commands_length; i++)
            taken = taken || fmd_command_takes(fmd_commands[i], &fmd_config_table[k]);
        if (!taken)
            fail_msg("no command takes --%s", fmd_config_table[k].name);
    }
}

static void test_help__all_of_it_fits_80_columns_and_has_each_option(void **state)
{
    (void)state;
    assert_fits(capture(print_overview, NULL), "overview");
    for (size_t i = 0; i < fmd_commands_length; i++) {
        char *text = capture(fmd_help_command, fmd_commands[i]);
        for (size_t k = 0; k < fmd_config_table_length; k++) {
            char name[FMD_OPTION_TEXT_BYTES], line[FMD_OPTION_TEXT_BYTES + 8];
            const fmd_option *o = &fmd_config_table[k];
            snprintf(line, sizeof line, "\n  --%.1000s", fmd_completion_name(o, name));
            if (fmd_command_takes(fmd_commands[i], o) && strstr(text, line) == NULL)
                fail_msg("the help of %s lacks --%s", fmd_commands[i]->name, name);
        }
        assert_fits(text, fmd_commands[i]->name);
    }
}

static void test_completion__words_are_choices_names_files_and_folders(void **state)
{
    (void)state;
    static const char *const expected[][2] = {
        {"reduce", "exact|native"},
        {"optimizer", "adam|sgd|rmsprop|adamw|nadam|adamax|adagrad|adadelta|ftrl|lion|lamb|lars"},
        {"data-dir", "DIR"},
        {"resume", "auto|none|FILE"},
        {"epochs", ""},
        {"learning-rate", "auto"},
        {"format", "svg|png"},
        {"index", ""},
        {"images", "FILE"},
        {"run", "DIR"},
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        char words[FMD_WORDS_BYTES];
        const fmd_option *o =
            fmd_option_find(fmd_config_table, fmd_config_table_length, expected[i][0]);
        assert_non_null(o);
        fmd_completion_words(o, words);
        assert_string_equal(words, expected[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands__each_is_found_by_its_name_alone),
        cmocka_unit_test(test_commands__groups_and_words_are_those_of_the_options),
        cmocka_unit_test(test_commands__no_option_is_without_a_command),
        cmocka_unit_test(test_help__all_of_it_fits_80_columns_and_has_each_option),
        cmocka_unit_test(test_completion__words_are_choices_names_files_and_folders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
