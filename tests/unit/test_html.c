#include "report/html_chart.h"

#include "support/fmd_test.h"
#include "support/temp_folder.h"

#include <math.h>

/* The page as it lies on the disk; released by free(). */
static char *written(fmd_html *h)
{
    char *text = calloc(1, 1 << 17);
    assert_ok(fmd_html_write(h, temp_path("page.html")));
    FILE *file = fopen(temp_path("page.html"), "r");
    assert_non_null(file);
    assert_true(fread(text, 1, (1 << 17) - 1, file) > 0);
    fclose(file);
    fmd_html_destroy(h);
    return text;
}

#define assert_has(page, text)                                                                     \
    do {                                                                                           \
        if (strstr(page, text) == NULL)                                                            \
            fail_msg("the page lacks: %s", text);                                                  \
    } while (0)

static int count(const char *text, const char *what)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
        n++;
    return n;
}

static void test_html__what_users_wrote_is_text_never_markup(void **state)
{
    (void)state;
    fmd_html *h;
    assert_ok(fmd_html_create(&h, "<b>&\"'"));
    fmd_html_text(h, "%s", "a<script>alert(1)</script>\x01 \xff \xc3\xa9 \xed\xa0\x80");
    char *page = written(h);
    assert_has(page, "<title>&lt;b&gt;&amp;&quot;&#39;</title>");
    assert_has(page, "a&lt;script&gt;alert(1)&lt;/script&gt;");
    /* Bytes that are no UTF-8, and a surrogate in three, each become U+FFFD. */
    assert_has(page, "\xef\xbf\xbd \xef\xbf\xbd \xc3\xa9 \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    assert_int_equal(count(page, "<script>"), 0);
    free(page);
}

static void test_html__data_cannot_end_their_script(void **state)
{
    (void)state;
    fmd_html *h;
    fmd_json *j;
    assert_ok(fmd_json_create(&j));
    fmd_json_text(j, NULL, "path", "</script><b>");
    assert_ok(fmd_html_create(&h, "data"));
    fmd_html_data(h, "data", j);
    fmd_json_destroy(j);
    char *page = written(h);
    assert_has(page, "\"path\": \"\\u003c/script>\\u003cb>\"");
    assert_int_equal(count(page, "</script>"), 1);
    free(page);
}

static void test_html__a_table_tells_screen_readers_what_its_headers_are_of(void **state)
{
    (void)state;
    fmd_html *h;
    assert_ok(fmd_html_create(&h, "table"));
    fmd_html_table_begin(h, "t", "Layers", "Layer|#Parameters");
    fmd_html_row(h, (const char *const[]){"dense", "7"});
    fmd_html_table_end(h);
    char *page = written(h);
    assert_has(page, "<caption><span>Layers</span></caption>");
    assert_has(page,
               "<th scope=\"col\">Layer</th><th scope=\"col\" class=\"n\">Parameters</th></tr>");
    assert_has(page, "<tr><th scope=\"row\">dense</th><td class=\"n\">7</td></tr>");
    free(page);
}

static void test_html__sections_are_listed_in_front_and_closed(void **state)
{
    (void)state;
    fmd_html *h;
    assert_ok(fmd_html_create(&h, "sections"));
    fmd_html_section(h, "one", "The first");
    fmd_html_section(h, "two", "The second");
    char *page = written(h);
    assert_has(page, "<li><a href=\"#one\">The first</a></li>\n<li><a href=\"#two\">");
    assert_true(strstr(page, "href=\"#two\"") < strstr(page, "<section "));
    assert_int_equal(count(page, "<section "), 2);
    assert_int_equal(count(page, "</section>"), 2);
    free(page);
}

static void test_html__the_headline_comes_before_the_contents(void **state)
{
    (void)state;
    fmd_html *h;
    assert_ok(fmd_html_create(&h, "headline"));
    fmd_html_figure(h, "87 %", "of <%d>", 10);
    fmd_html_facts_begin(h);
    fmd_html_fact(h, "Data & model", "%s", "<b>");
    fmd_html_facts_end(h);
    fmd_html_contents(h);
    fmd_html_section(h, "one", "The first");
    char *page = written(h);
    assert_has(page, "<p class=\"figure\"><strong>87 %</strong> <span>of &lt;10&gt;</span></p>");
    assert_has(page, "<dt>Data &amp; model</dt><dd>&lt;b&gt;</dd>");
    assert_true(strstr(page, "Data &amp;") < strstr(page, "<nav "));
    assert_true(strstr(page, "<nav ") < strstr(page, "<section "));
    free(page);
}

static void test_html__a_picture_is_in_the_page_as_base64(void **state)
{
    (void)state;
    fmd_html *h;
    assert_ok(fmd_html_create(&h, "pictures"));
    fmd_html_png(h, "Man", 3, 28, 28, FMD_HTML_PIXELS, true, "a \"coat\"");
    fmd_html_png(h, "Ma", 2, 28, 28, FMD_HTML_SMOOTH, false, "");
    fmd_html_png(h, "\xff", 1, 28, 28, FMD_HTML_SMOOTH, false, "");
    char *page = written(h);
    assert_has(page,
               "<img class=\"pixels white\" width=\"28\" height=\"28\" alt=\"a &quot;coat&quot;\" "
               "src=\"data:image/png;base64,TWFu\">");
    assert_has(page, "base64,TWE=\"");
    assert_has(page, "base64,/w==\"");
    free(page);
}

static void test_html__nothing_is_asked_of_the_network(void **state)
{
    (void)state;
    fmd_html *h;
    assert_ok(fmd_html_create(&h, "alone"));
    char *page = written(h);
    assert_int_equal(count(page, "http"), count(page, "http-equiv"));
    assert_has(page, "content=\"default-src 'none'; ");
    assert_int_equal(count(page, "url("), 0);
    assert_int_equal(count(page, "@import"), 0);
    free(page);
}

/* The page with a chart of one line. */
static char *chart_of(const double *y, size_t n)
{
    static const double x[] = {1, 2, 3};
    fmd_html *h;
    assert_ok(fmd_html_create(&h, "chart"));
    fmd_html_chart(h, &(fmd_chart){.id = "loss",
                                   .title = "Loss",
                                   .x_name = "epoch",
                                   .caption = "",
                                   .n = n,
                                   .x = x,
                                   .n_series = 1,
                                   .series = {{"training", y}},
                                   .mark = (double)NAN});
    return written(h);
}

static void test_html__a_chart_says_in_words_what_it_shows(void **state)
{
    (void)state;
    char *page = chart_of((const double[]){0.5, 0.25, 0.125}, 3);
    assert_has(page, "<desc id=\"loss-words\">training: from 0.5 to 0.125. </desc>");
    assert_has(page, "role=\"img\" aria-labelledby=\"loss-title loss-words\"");
    assert_has(page, "<title>epoch 2: training 0.2500</title>");
    /* From the left end to the right one, the largest above the least. */
    assert_has(page, "d=\"M52.0 ");
    assert_has(page, "L466.0 ");
    free(page);
}

static void test_html__a_chart_leaves_out_what_is_no_number(void **state)
{
    (void)state;
    char *page = chart_of((const double[]){0.5, (double)NAN, 0.125}, 3);
    assert_int_equal(count(page, "nan"), 0);
    assert_int_equal(count(page, "epoch 2:"), 0);
    assert_int_equal(count(page, "epoch 3:"), 1);
    free(page);
    page = chart_of((const double[]){0.5}, 1);
    assert_int_equal(count(page, "nan") + count(page, "inf"), 0);
    assert_int_equal(count(page, "epoch 1:"), 1);
    free(page);
    page = chart_of((const double[]){(double)NAN}, 1);
    assert_int_equal(count(page, "<svg"), 0);
    free(page);
}

static void test_html__a_page_that_cannot_be_written_names_its_file(void **state)
{
    (void)state;
    fmd_html *h;
    assert_ok(fmd_html_create(&h, "nowhere"));
    assert_fails(fmd_html_write(h, "/nowhere/page.html"), FMD_EIO,
                 "cannot write '/nowhere/page.html': its folder cannot be opened: No such file or "
                 "directory");
    fmd_html_destroy(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_html__what_users_wrote_is_text_never_markup),
        cmocka_unit_test(test_html__data_cannot_end_their_script),
        cmocka_unit_test(test_html__a_table_tells_screen_readers_what_its_headers_are_of),
        cmocka_unit_test(test_html__sections_are_listed_in_front_and_closed),
        cmocka_unit_test(test_html__the_headline_comes_before_the_contents),
        cmocka_unit_test(test_html__a_picture_is_in_the_page_as_base64),
        cmocka_unit_test(test_html__nothing_is_asked_of_the_network),
        cmocka_unit_test(test_html__a_chart_says_in_words_what_it_shows),
        cmocka_unit_test(test_html__a_chart_leaves_out_what_is_no_number),
        cmocka_unit_test(test_html__a_page_that_cannot_be_written_names_its_file),
    };
    return cmocka_run_group_tests(tests, temp_folder_make, temp_folder_remove);
}
