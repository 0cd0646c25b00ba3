#include "base/option.h"

#include "support/fmd_test.h"

#include <math.h>
#include <string.h>

typedef struct values {
    bool on;
    int64_t count;
    double rate, seconds;
    char name[8];
    int colour;
    fmd_shape size, shape;
    fmd_numbers range;
} values;

#define FIELD(f) .offset = offsetof(values, f), .size = sizeof((values *)0)->f

static const fmd_option table[] = {
    {.name = "count", .kind = FMD_OPTION_INT, FIELD(count), .min = 1, .max = 100, .unset = "auto"},
    {.name = "colour",
     .kind = FMD_OPTION_CHOICE,
     FIELD(colour),
     .initial = "red",
     .choices = "red|green|blue|"},
    {.name = "rate", .kind = FMD_OPTION_FLOAT, FIELD(rate), .initial = "0.5", .min = 0, .max = 1},
    {.name = "on", .kind = FMD_OPTION_BOOL, FIELD(on), .initial = "true"},
    {.name = "max-time", .kind = FMD_OPTION_DURATION, FIELD(seconds), .initial = "1h30m"},
    {.name = "name", .kind = FMD_OPTION_TEXT, FIELD(name), .initial = "x"},
    {.name = "size",
     .kind = FMD_OPTION_DIMS,
     .offset = offsetof(values, size),
     .size = 2,
     .initial = "3",
     .min = 1,
     .max = 100},
    {.name = "shape",
     .kind = FMD_OPTION_DIMS,
     .offset = offsetof(values, shape),
     .initial = "1",
     .min = -1,
     .max = 1000},
    {.name = "range",
     .kind = FMD_OPTION_NUMBERS,
     .offset = offsetof(values, range),
     .initial = "0x0.5",
     .min = -1,
     .max = 1},
};
enum { COUNT, COLOUR, RATE, ON, TIME, NAME, SIZE, SHAPE, RANGE, N };

static values v;

static int setup(void **state)
{
    (void)state;
    memset(&v, 0, sizeof v);
    return fmd_options_reset(table, N, &v);
}

static void test_option__defaults_are_set(void **state)
{
    (void)state;
    assert_int_equal(v.colour, 0);
    assert_true(v.rate == 0.5);
    assert_true(v.on);
    assert_true(v.seconds == 5400);
    assert_string_equal(v.name, "x");
}

static void test_option__integers_are_whole_and_in_range(void **state)
{
    (void)state;
    assert_ok(fmd_option_set(&table[COUNT], &v, "--count", "100"));
    assert_int_equal(v.count, 100);
    static const char *const bad[] = {"0", "101", "12x", "1.5",
                                      "",  " 3",  "1e2", "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(fmd_option_set(&table[COUNT], &v, "--count", bad[i]), FMD_EUSAGE);
    assert_int_equal(v.count, 100);
    assert_fails(fmd_option_set(&table[COUNT], &v, "--count", "12x"), FMD_EUSAGE,
                 "--count: '12x' is not an integer from 1 to 100, or auto");
}

static void test_option__numbers_are_finite_and_in_range(void **state)
{
    (void)state;
    assert_ok(fmd_option_set(&table[RATE], &v, "--rate", "1e-3"));
    assert_true(v.rate == 1e-3);
    static const char *const bad[] = {"nan", "inf", "1.5", "-0.1", "", "0.5 ", "half"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(fmd_option_set(&table[RATE], &v, "--rate", bad[i]), FMD_EUSAGE);
}

static void test_option__dims_are_numbers_with_an_x_between(void **state)
{
    (void)state;
    char text[FMD_OPTION_TEXT_BYTES];
    static const struct {
        int option;
        const char *in, *out;
        fmd_shape value;
    } good[] = {
        {SIZE, "5", "5", {2, {5, 5}}},
        {SIZE, "5x5", "5", {2, {5, 5}}},
        {SIZE, "3x5", "3x5", {2, {3, 5}}},
        {SHAPE, "7", "7", {1, {7}}},
        {SHAPE, "7x-1x16", "7x-1x16", {3, {7, -1, 16}}},
        {SHAPE, "2x2", "2x2", {2, {2, 2}}},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        const fmd_option *o = &table[good[i].option];
        assert_ok(fmd_option_set(o, &v, "--dims", good[i].in));
        assert_true(fmd_shape_equal(o == &table[SIZE] ? v.size : v.shape, good[i].value));
        assert_string_equal(fmd_option_text(o, &v, text), good[i].out);
    }
    static const char *const bad[] = {"",    "x",   "3x",   "x3",    "3 x5",        "3X5", "0",
                                      "101", "3x0", "3x-1", "3x5x7", "99999999999", "1.5", "3xa"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(fmd_option_set(&table[SIZE], &v, "--dims", bad[i]), FMD_EUSAGE);
    assert_int_equal(fmd_option_set(&table[SHAPE], &v, "--dims", "1x1x1x1x1"), FMD_EUSAGE);
    assert_fails(fmd_option_set(&table[SIZE], &v, "--size", "3x0"), FMD_EUSAGE,
                 "--size: '3x0' is not one number or two such as 3 or 3x5, each from 1 to 100");
    assert_fails(fmd_option_set(&table[SHAPE], &v, "--shape", "a"), FMD_EUSAGE,
                 "--shape: 'a' is not numbers such as 7x7x16, each from -1 to 1000");
}

/* "0x1" is no hexadecimal number. */
static void test_option__numbers_are_one_or_several(void **state)
{
    (void)state;
    static const struct {
        const char *text, *back;
        fmd_numbers value;
    } good[] = {{"0.1", "0.1", {1, {0.1}}},
                {"0x1", "0x1", {2, {0, 1}}},
                {"-0.25x1e-3x1", "-0.25x0.001x1", {3, {-0.25, 0.001, 1}}},
                {"0.33333333333333331", "0.3333333333333333", {1, {1.0 / 3}}}};
    char text[FMD_OPTION_TEXT_BYTES];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_ok(fmd_option_set(&table[RANGE], &v, "--range", good[i].text));
        assert_string_equal(fmd_option_text(&table[RANGE], &v, text), good[i].back);
        assert_int_equal(v.range.n, good[i].value.n);
        assert_memory_equal(v.range.at, good[i].value.at, (size_t)v.range.n * sizeof v.range.at[0]);
    }
    static const char *const bad[] = {"",
                                      "x",
                                      "0.1x",
                                      "x0.1",
                                      "0.1x2",
                                      "0.1 x0.2",
                                      "nan",
                                      "0xff",
                                      "inf",
                                      "0.1,1",
                                      "0x0x0x0x0x0x0x0x0"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(fmd_option_set(&table[RANGE], &v, "--range", bad[i]), FMD_EUSAGE);
    assert_fails(fmd_option_set(&table[RANGE], &v, "--range", "2"), FMD_EUSAGE,
                 "--range: '2' is not one number or several such as 0.1x0.5, each from -1 to 1");
}

static void test_option__an_unknown_choice_names_the_nearest(void **state)
{
    (void)state;
    assert_ok(fmd_option_set(&table[COLOUR], &v, "--colour", "blue"));
    assert_int_equal(v.colour, 2);
    assert_fails(fmd_option_set(&table[COLOUR], &v, "--colour", "gren"), FMD_EUSAGE,
                 "--colour: 'gren' is not one of red|green|blue (did you mean 'green'?)");
    assert_fails(fmd_option_set(&table[COLOUR], &v, "--colour", "xyzzyx"), FMD_EUSAGE,
                 "--colour: 'xyzzyx' is not one of red|green|blue");
}

static void test_option__durations_have_units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double seconds;
    } good[] = {{"90", 90}, {"90s", 90}, {"15m", 900}, {"1h30m", 5400}, {"2d1h", 176400}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_ok(fmd_option_set(&table[TIME], &v, "--max-time", good[i].text));
        assert_true(v.seconds == good[i].seconds);
    }
    static const char *const bad[] = {"", "1x", "30m1h", "h", "1h1h", "1h30", "1e308d"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(fmd_option_set(&table[TIME], &v, "--max-time", bad[i]), FMD_EUSAGE);
}

static void test_option__text_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    assert_ok(fmd_option_set(&table[NAME], &v, "--name", "1234567"));
    assert_fails(fmd_option_set(&table[NAME], &v, "--name", "12345678"), FMD_EUSAGE,
                 "--name: longer than 7 characters");
}

static void test_option__text_forms_read_back_as_the_same_value(void **state)
{
    (void)state;
    char text[FMD_OPTION_TEXT_BYTES];
    v = (values){.on = false,
                 .count = FMD_UNSET_INT,
                 .rate = 1.0 / 3,
                 .seconds = 0.1,
                 .colour = 1,
                 .size = {2, {4, 4}},
                 .shape = {3, {4, -1, 4}},
                 .range = {2, {-1, 0.1}}};
    values copy = v;
    for (size_t i = 0; i < N; i++)
        assert_ok(fmd_option_set(&table[i], &copy, "copy", fmd_option_text(&table[i], &v, text)));
    assert_memory_equal(&copy, &v, sizeof v);
    assert_string_equal(fmd_option_text(&table[COUNT], &v, text), "auto");
}

static void test_option__dashes_and_underscores_are_the_same(void **state)
{
    (void)state;
    assert_ptr_equal(fmd_option_find(table, N, "max_time"), &table[TIME]);
    assert_ptr_equal(fmd_option_find(table, N, "max-time"), &table[TIME]);
    assert_null(fmd_option_find(table, N, "max-tim"));
    assert_null(fmd_option_find(table, N, "max-time-"));
}

static void test_option__arguments_of_a_spec_find_their_option(void **state)
{
    (void)state;
    assert_ok(fmd_options_parse_args(table, N, &v, "dense", "7:blue:noon:rate=0.25"));
    assert_int_equal(v.count, 7);
    assert_int_equal(v.colour, 2);
    assert_false(v.on);
    assert_true(v.rate == 0.25);
    assert_ok(fmd_options_parse_args(table, N, &v, "dense", "green:3"));
    assert_int_equal(v.count, 3);
    assert_int_equal(v.colour, 1);
}

static void test_option__arguments_of_a_spec_are_checked(void **state)
{
    (void)state;
    assert_fails(fmd_options_parse_args(table, N, &v, "dense", "7:purple"), FMD_EUSAGE,
                 "dense: does not understand 'purple'; it takes count, colour, rate, [no]on, "
                 "max-time, name, size, shape, range");
    assert_fails(fmd_options_parse_args(table, N, &v, "dense", "7:rate=2"), FMD_EUSAGE,
                 "dense: rate: '2' is not a number from 0 to 1");
    assert_fails(fmd_options_parse_args(table, N, &v, "dense", "7:on:noon"), FMD_EUSAGE,
                 "dense: on is given twice");
    assert_fails(fmd_options_parse_args(table, N, &v, "dense", "blue"), FMD_EUSAGE,
                 "dense: needs count; it takes count, colour, rate, [no]on, max-time, name, size, "
                 "shape, range");
    assert_int_equal(fmd_options_parse_args(table, N, &v, "dense", "7::blue"), FMD_EUSAGE);
}

#define TEST(name) cmocka_unit_test_setup(test_option__##name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(defaults_are_set),
        TEST(integers_are_whole_and_in_range),
        TEST(numbers_are_finite_and_in_range),
        TEST(dims_are_numbers_with_an_x_between),
        TEST(an_unknown_choice_names_the_nearest),
        TEST(durations_have_units),
        TEST(text_that_does_not_fit_is_refused),
        TEST(text_forms_read_back_as_the_same_value),
        TEST(numbers_are_one_or_several),
        TEST(dashes_and_underscores_are_the_same),
        TEST(arguments_of_a_spec_find_their_option),
        TEST(arguments_of_a_spec_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
