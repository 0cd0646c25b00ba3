#include "base/system/print.h"

#include "support/fmd_test.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int use_utf8(void **state)
{
    (void)state;
    return setenv("LC_ALL", "C.UTF-8", 1);
}

static int use_ascii(void **state)
{
    (void)state;
    return setenv("LC_ALL", "C", 1);
}

/* `text` between two letters, which stay. */
static void assert_printable(const char *text, const char *expected)
{
    char found[64], wanted[64];
    snprintf(found, sizeof found, "a%sb", text);
    snprintf(wanted, sizeof wanted, "a%sb", expected);
    assert_string_equal(fmd_printable(found), wanted);
}

static size_t encode(uint32_t c, char text[5])
{
    const size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n; i-- > 1; c >>= 6)
        text[i] = (char)(0x80 | (c & 0x3f));
    text[0] = (char)(lead[n] | c);
    text[n] = '\0';
    return n;
}

static void test_print__of_all_bytes_only_printable_ascii_passes(void **state)
{
    (void)state;
    for (int byte = 1; byte < 256; byte++) {
        const char text[] = {(char)byte, '\0'};
        assert_printable(text, byte >= ' ' && byte < 0x7f ? text : "?");
    }
}

static void test_print__of_all_characters_no_control_and_no_bidi_passes(void **state)
{
    (void)state;
    for (uint32_t c = 0x80; c <= 0x10ffff; c++) {
        if (c >= 0xd800 && c <= 0xdfff)
            continue;
        char text[5];
        encode(c, text);
        const bool hidden = c < 0xa0 || c == 0xad || c == 0x61c || c == 0x180e ||
                            (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
                            (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
                            (c >= 0xfff0 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe0fff);
        assert_printable(text, hidden ? "?" : text);
    }
}

static void test_print__malformed_utf8_does_not_pass(void **state)
{
    (void)state;
    assert_printable("\xc3", "?");
    assert_printable("\xc0\x9b", "??");                  /* ESC's neighbour in two bytes */
    assert_printable("\xe0\x82\x9b", "???");             /* C1 in three */
    assert_printable("\xed\xa0\x80", "???");             /* half of a surrogate pair */
    assert_printable("\xf4\x90\x80\x80", "????");        /* above the last character */
    assert_printable("\xe2\x80", "??");                  /* cut short */
    assert_printable("\xc3\xa9\x9b[2J", "\xc3\xa9?[2J"); /* é and a raw C1 */
}

static void test_print__without_utf8_all_is_ascii(void **state)
{
    (void)state;
    assert_printable("1 rank \xc2\xb7 caf\xc3\xa9 \xe6\x9b\xb2", "1 rank - caf? ?");
    for (int byte = 0x80; byte < 256; byte++) {
        const char text[] = {(char)byte, '\0'};
        assert_printable(text, "?");
    }
}

__attribute__((format(printf, 2, 3))) static void assert_prints(const char *expected,
                                                                const char *format, ...)
{
    char *text = NULL;
    size_t bytes;
    va_list args;
    char *name;
    va_start(args, format);
    assert_true(vasprintf(&name, format, args) >= 0);
    va_end(args);
    FILE *out = open_memstream(&text, &bytes);
    fmd_print_to(out, "\n\nname: %s\n", name);
    fclose(out);
    assert_string_equal(text, expected);
    free(text);
    free(name);
}

static void test_print__newlines_of_the_format_only(void **state)
{
    (void)state;
    assert_prints("\n\nname: plain\n", "plain");
    assert_prints("\n\nname: \n", "%s", "");
    assert_prints("\n\nname: ?state   done?\n", "%s", "\nstate   done\n");
    assert_prints("\n\nname: ?[2J?%s\n", "%s", "\033[2J\r%s");
}

static void test_print__long_text_is_whole(void **state)
{
    (void)state;
    char longer[5000], *text = NULL;
    size_t bytes;
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    FILE *out = open_memstream(&text, &bytes);
    fmd_print_to(out, "%s\n", longer);
    fclose(out);
    assert_int_equal(bytes, sizeof longer);
    assert_memory_equal(text, longer, sizeof longer - 1);
    free(text);
}

int main(void)
{
    const struct CMUnitTest utf8[] = {
        cmocka_unit_test(test_print__of_all_bytes_only_printable_ascii_passes),
        cmocka_unit_test(test_print__of_all_characters_no_control_and_no_bidi_passes),
        cmocka_unit_test(test_print__malformed_utf8_does_not_pass),
        cmocka_unit_test(test_print__newlines_of_the_format_only),
        cmocka_unit_test(test_print__long_text_is_whole),
    };
    const struct CMUnitTest ascii[] = {
        cmocka_unit_test(test_print__of_all_bytes_only_printable_ascii_passes),
        cmocka_unit_test(test_print__without_utf8_all_is_ascii),
    };
    return cmocka_run_group_tests_name("print in UTF-8", utf8, use_utf8, NULL) +
           cmocka_run_group_tests_name("print in ASCII", ascii, use_ascii, NULL);
}
