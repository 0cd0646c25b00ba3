#include "cli/parse.h"

#include "support/temp_folder.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_WORDS = 16 };

static fmd_config config;

/* Parses the words of `line` as the arguments of a command. */
static fmd_status parse(const char *command, const char *line)
{
    static char text[1024];
    char *words[MOST_WORDS], *rest = text;
    const fmd_command *found = NULL;
    int n = 0;
    snprintf(text, sizeof text, "%s", line);
    for (char *word; (word = strsep(&rest, " ")) != NULL;)
        if (*word != '\0') {
            assert_true(n < MOST_WORDS);
            words[n++] = word;
        }
    assert_ok(fmd_command_find(&found, command));
    return fmd_config_parse(&config, found, n, words);
}

/* The path of a configuration file with this text. */
static const char *write_config(const char *text)
{
    temp_put(temp_folder, "/config.json", text);
    return temp_path("config.json");
}

static int forget_environment(void **state)
{
    (void)state;
    unsetenv("FMNIST_DIST_CONFIG");
    unsetenv("FMNIST_DIST_EPOCHS");
    unsetenv("FMNIST_DIST_HIDDEN");
    unsetenv("FMNIST_DIST_LAYERS");
    return 0;
}

static void test_parse__a_flag_overrides_the_environment_and_that_the_file(void **state)
{
    (void)state;
    assert_ok(parse("train", ""));
    assert_int_equal(config.training.epochs, 10);
    setenv("FMNIST_DIST_CONFIG", write_config("{\"epochs\": 3}"), 1);
    assert_ok(parse("train", ""));
    assert_int_equal(config.training.epochs, 3);
    setenv("FMNIST_DIST_EPOCHS", "4", 1);
    assert_ok(parse("train", ""));
    assert_int_equal(config.training.epochs, 4);
    assert_ok(parse("train", "--epochs 5"));
    assert_int_equal(config.training.epochs, 5);
    assert_ok(parse("train", "--epochs 5 --epochs=6"));
    assert_int_equal(config.training.epochs, 6);
}

static void test_parse__config_on_the_line_overrides_the_one_in_the_environment(void **state)
{
    (void)state;
    char line[600];
    setenv("FMNIST_DIST_CONFIG", temp_path("missing.json"), 1);
    snprintf(line, sizeof line, "--config=%s", write_config("{\"seed\": 7}"));
    assert_ok(parse("train", line));
    assert_int_equal(config.training.seed, 7);
    assert_int_equal(parse("train", ""), FMD_ENOINPUT);
    assert_fails(parse("train", "--config"), FMD_EUSAGE, "--config: needs a value");
}

static void test_parse__explicit_settings_are_known_even_if_equal_to_the_default(void **state)
{
    (void)state;
    assert_ok(parse("train", "--epochs 10"));
    assert_true(fmd_config_gives(&config, "epochs"));
    assert_false(fmd_config_gives(&config, "batch-size"));
}

static void test_parse__the_stronger_source_of_alternatives_wins(void **state)
{
    (void)state;
    char line[600];
    snprintf(line, sizeof line, "--config %s", write_config("{\"layers\": \"flatten\"}"));
    assert_ok(parse("train", line));
    assert_string_equal(config.model.layers, "flatten");
    setenv("FMNIST_DIST_HIDDEN", "7", 1);
    assert_ok(parse("train", line));
    assert_string_equal(config.model.layers, "");
    assert_string_equal(config.model.hidden, "7");
    assert_ok(parse("train", "--layers flatten"));
    assert_string_equal(config.model.layers, "flatten");
    setenv("FMNIST_DIST_LAYERS", "flatten", 1);
    assert_fails(parse("train", ""), FMD_EUSAGE, "--layers and --hidden exclude each other");
}

static void test_parse__alternatives_of_one_source_exclude_each_other(void **state)
{
    (void)state;
    assert_fails(parse("train", "--validation-split 0.1 --validation-data test"), FMD_EUSAGE,
                 "--validation-data and --validation-split exclude each other");
    assert_fails(parse("train", "--batch-size 8 --batch-size-per-rank 8"), FMD_EUSAGE,
                 "--batch-size-per-rank and --batch-size exclude each other");
}

static void test_parse__words_go_to_the_options_of_the_command_in_turn(void **state)
{
    (void)state;
    assert_ok(parse("inspect", "a b"));
    assert_string_equal(config.model.weights, "a");
    assert_string_equal(config.model.against, "b");
    assert_ok(parse("inspect", "--weights a b"));
    assert_string_equal(config.model.against, "b");
    assert_ok(parse("predict", "a 1.png --limit 3 2.png"));
    assert_string_equal(config.model.weights, "a");
    assert_string_equal(config.view.images, "1.png,2.png");
    assert_fails(parse("inspect", "a b c"), FMD_EUSAGE,
                 "'c': unexpected argument; see fmnist-dist inspect --help");
    assert_fails(parse("train", "a"), FMD_EUSAGE,
                 "'a': unexpected argument; see fmnist-dist train --help");
}

static void test_parse__switches_have_two_forms_and_a_value(void **state)
{
    (void)state;
    assert_ok(parse("train", "--no-shuffle --save-best"));
    assert_false(config.training.shuffle);
    assert_true(config.checkpoints.save_best);
    assert_ok(parse("train", "--shuffle=false --save-best=0"));
    assert_false(config.training.shuffle);
    assert_false(config.checkpoints.save_best);
    assert_fails(parse("train", "--no-epochs"), FMD_EUSAGE,
                 "--no-epochs: unknown option (did you mean '--epochs'?)");
}

static void test_parse__names_of_other_programs_are_answered(void **state)
{
    (void)state;
    assert_ok(parse("train", "--lr 0.1"));
    assert_true(config.training.learning_rate == 0.1);
    assert_ok(parse("train", "--batch_size 8"));
    assert_int_equal(config.training.batch_size, 8);
    assert_fails(parse("train", "--nproc_per_node=2"), FMD_EUSAGE,
                 "--nproc_per_node: mpirun sets the number of ranks: mpirun -np 2 fmnist-dist ...");
    assert_fails(parse("show", "--epochs 3"), FMD_EUSAGE,
                 "--epochs: not an option of 'show'; see fmnist-dist show --help");
}

int main(void)
{
#define TEST(NAME) cmocka_unit_test_setup(NAME, forget_environment)
    const struct CMUnitTest tests[] = {
        TEST(test_parse__a_flag_overrides_the_environment_and_that_the_file),
        TEST(test_parse__config_on_the_line_overrides_the_one_in_the_environment),
        TEST(test_parse__explicit_settings_are_known_even_if_equal_to_the_default),
        TEST(test_parse__the_stronger_source_of_alternatives_wins),
        TEST(test_parse__alternatives_of_one_source_exclude_each_other),
        TEST(test_parse__words_go_to_the_options_of_the_command_in_turn),
        TEST(test_parse__switches_have_two_forms_and_a_value),
        TEST(test_parse__names_of_other_programs_are_answered),
    };
    return cmocka_run_group_tests(tests, temp_folder_make, temp_folder_remove);
}
