#include "report/html.h"
#include "fmd/version.h"

#include "base/utf8.h"
#include "io/atomic_file.h"
#include "report/html_style.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_COLUMNS = 64, MOST_ON_A_PHONE = 3 };

/* The contents and the body grow side by side, and meet when the page is written. */
struct fmd_html {
    FILE *contents, *body;
    char *contents_text, *body_text, *title;
    size_t contents_bytes, body_bytes, contents_at; /* bytes of the body before the contents */
    const char *policy, *style;
    bool in_section, failed;
    int n_columns;
    bool numeric[MAX_COLUMNS];
};

/* The bytes of the character at `text`; 0: it is not UTF-8, or not to be shown. */
static size_t character_bytes(const char *text)
{
    uint32_t character;
    const size_t n = fmd_utf8_decode(text, &character);
    return fmd_utf8_is_shown(character) || character == '\n' || character == '\t' ? n : 0;
}

static void put_escaped(FILE *out, const char *text)
{
    for (const char *c = text; *c != '\0';) {
        const size_t n = character_bytes(c);
        switch (*c) {
        case '&': fputs("&amp;", out); break;
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '"': fputs("&quot;", out); break;
        case '\'': fputs("&#39;", out); break;
        default:
            if (n == 0)
                fputs("\xef\xbf\xbd", out); /* U+FFFD, the replacement character */
            else
                fwrite(c, 1, n, out);
        }
        c += n > 0 ? n : 1;
    }
}

__attribute__((format(printf, 2, 0))) static void put_formatted(fmd_html *h, const char *format,
                                                                va_list args)
{
    char *text = NULL;
    if (vasprintf(&text, format, args) < 0) {
        h->failed = true;
        return;
    }
    put_escaped(h->body, text);
    free(text);
}

fmd_status fmd_html_create(fmd_html **out, const char *title)
{
    fmd_html *h = calloc(1, sizeof *h);
    if (h != NULL) {
        h->policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
                    "base-uri 'none'; form-action 'none'";
        h->style = "";
        h->title = strdup(title);
        h->contents = open_memstream(&h->contents_text, &h->contents_bytes);
        h->body = open_memstream(&h->body_text, &h->body_bytes);
    }
    if (h == NULL || h->title == NULL || h->contents == NULL || h->body == NULL) {
        fmd_html_destroy(h);
        return FMD_FAIL(FMD_ENOMEM, "out of memory: an HTML page");
    }
    *out = h;
    return FMD_OK;
}

void fmd_html_destroy(fmd_html *h)
{
    if (h == NULL)
        return;
    if (h->contents != NULL)
        fclose(h->contents);
    if (h->body != NULL)
        fclose(h->body);
    free(h->contents_text);
    free(h->body_text);
    free(h->title);
    free(h);
}

void fmd_html_markup(fmd_html *h, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(h->body, format, args);
    va_end(args);
}

void fmd_html_text(fmd_html *h, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    put_formatted(h, format, args);
    va_end(args);
}

void fmd_html_paragraph(fmd_html *h, const char *kind, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(h->body, *kind != '\0' ? "<p class=\"%s\">" : "<p>", kind);
    put_formatted(h, format, args);
    fputs("</p>\n", h->body);
    va_end(args);
}

void fmd_html_figure(fmd_html *h, const char *figure, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fmd_html_markup(h, "<p class=\"figure\"><strong>");
    put_escaped(h->body, figure);
    fmd_html_markup(h, "</strong> <span>");
    put_formatted(h, format, args);
    fmd_html_markup(h, "</span></p>\n");
    va_end(args);
}

void fmd_html_facts_begin(fmd_html *h)
{
    fputs("<dl class=\"key\">\n", h->body);
}

void fmd_html_fact(fmd_html *h, const char *name, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("<div><dt>", h->body);
    put_escaped(h->body, name);
    fputs("</dt><dd>", h->body);
    put_formatted(h, format, args);
    fputs("</dd></div>\n", h->body);
    va_end(args);
}

void fmd_html_facts_end(fmd_html *h)
{
    fputs("</dl>\n", h->body);
}

void fmd_html_contents(fmd_html *h)
{
    fflush(h->body);
    h->contents_at = h->body_bytes;
}

static void end_section(fmd_html *h)
{
    if (h->in_section)
        fputs("</section>\n", h->body);
    h->in_section = false;
}

void fmd_html_section(fmd_html *h, const char *id, const char *title)
{
    end_section(h);
    h->in_section = true;
    fprintf(h->contents, "<li><a href=\"#%s\">", id);
    put_escaped(h->contents, title);
    fputs("</a></li>\n", h->contents);
    fprintf(h->body, "<section id=\"%s\" aria-labelledby=\"%s-title\">\n<h2 id=\"%s-title\">", id,
            id, id);
    put_escaped(h->body, title);
    fputs("</h2>\n", h->body);
}

/* A table wider than the window scrolls by itself, by keyboard too; its caption stays in view. */
void fmd_html_table_begin(fmd_html *h, const char *id, const char *caption, const char *columns)
{
    int n_columns = 1;
    for (const char *c = columns; *c != '\0'; c++)
        n_columns += *c == '|';
    fputs("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"", h->body);
    put_escaped(h->body, caption);
    fprintf(h->body, "\"><table id=\"%s\"><caption><span>", id);
    put_escaped(h->body, caption);
    if (n_columns > MOST_ON_A_PHONE)
        fputs("<span class=\"more\">. This table scrolls sideways \u2192</span>", h->body);
    fputs("</span></caption>\n<thead><tr>", h->body);
    h->n_columns = 0;
    for (const char *c = columns; h->n_columns < MAX_COLUMNS;) {
        const int n = (int)strcspn(c, "|");
        const bool numeric = *c == '#';
        char name[128];
        snprintf(name, sizeof name, "%.*s", n - numeric, c + numeric);
        h->numeric[h->n_columns++] = numeric;
        fprintf(h->body, "<th scope=\"col\"%s>", numeric ? " class=\"n\"" : "");
        put_escaped(h->body, name);
        fputs("</th>", h->body);
        if (c[n] == '\0')
            break;
        c += n + 1;
    }
    fputs("</tr></thead>\n<tbody>\n", h->body);
}

void fmd_html_row(fmd_html *h, const char *const *cells)
{
    fputs("<tr>", h->body);
    for (int i = 0; i < h->n_columns; i++) {
        const char *class = h->numeric[i] ? " class=\"n\"" : "";
        fprintf(h->body, i == 0 ? "<th scope=\"row\"%s>" : "<td%s>", class);
        put_escaped(h->body, cells[i]);
        fputs(i == 0 ? "</th>" : "</td>", h->body);
    }
    fputs("</tr>\n", h->body);
}

void fmd_html_table_end(fmd_html *h)
{
    fputs("</tbody></table></div>\n", h->body);
}

static void put_base64(FILE *out, const unsigned char *data, size_t bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes; i += 3) {
        const size_t left = bytes - i;
        const uint32_t v = (uint32_t)data[i] << 16 | (left > 1 ? (uint32_t)data[i + 1] << 8 : 0) |
                           (left > 2 ? (uint32_t)data[i + 2] : 0);
        fputc(digits[v >> 18], out);
        fputc(digits[v >> 12 & 63], out);
        fputc(left > 1 ? digits[v >> 6 & 63] : '=', out);
        fputc(left > 2 ? digits[v & 63] : '=', out);
    }
}

void fmd_html_png(fmd_html *h, const void *png, size_t bytes, int width, int height,
                  fmd_html_scaling scaling, bool on_white, const char *alt)
{
    if (scaling ==
        FMD_HTML_SMOOTH) /* on a phone the picture scrolls, since its text would be tiny */
        fputs("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"picture\">",
              h->body);
    fprintf(h->body, "<img class=\"%s%s\" width=\"%d\" height=\"%d\" alt=\"",
            scaling == FMD_HTML_PIXELS ? "pixels" : "smooth", on_white ? " white" : "", width,
            height);
    put_escaped(h->body, alt);
    fputs("\" src=\"data:image/png;base64,", h->body);
    put_base64(h->body, png, bytes);
    fputs(scaling == FMD_HTML_SMOOTH ? "\"></div>\n" : "\">", h->body);
}

/* "<" would end the script where a string says "</script>". */
void fmd_html_data(fmd_html *h, const char *id, const fmd_json *data)
{
    char *text;
    if (fmd_json_print_text(data, &text) != FMD_OK) {
        h->failed = true;
        return;
    }
    fprintf(h->body, "<script type=\"application/json\" id=\"%s\">\n", id);
    for (const char *c = text; *c != '\0'; c++)
        if (*c == '<')
            fputs("\\u003c", h->body);
        else
            fputc(*c, h->body);
    fputs("\n</script>\n", h->body);
    free(text);
}

void fmd_html_base64(fmd_html *h, const char *id, const void *data, size_t bytes)
{
    fprintf(h->body, "<script type=\"application/octet-stream\" id=\"%s\">", id);
    put_base64(h->body, data, bytes);
    fputs("</script>\n", h->body);
}

fmd_status fmd_html_base64_text(char **out, const void *data, size_t bytes)
{
    size_t n = 0;
    char *text = NULL;
    FILE *file = open_memstream(&text, &n);
    if (file != NULL)
        put_base64(file, data, bytes);
    if (file == NULL || fclose(file) != 0) {
        free(text);
        return FMD_FAIL(FMD_ENOMEM, "out of memory: %zu bytes as base64", bytes);
    }
    *out = text;
    return FMD_OK;
}

void fmd_html_scripts(fmd_html *h, const char *policy, const char *style)
{
    h->policy = policy;
    h->style = style;
}

void fmd_html_script(fmd_html *h, const char *id, const char *text)
{
    fprintf(h->body, "<script id=\"%s\">\n%s</script>\n", id, text);
}

static void put_page(FILE *out, const fmd_html *h)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"",
          out);
    fputs(h->policy, out);
    fputs("\">\n<meta name=\"generator\" content=\"fmnist-dist " FMD_VERSION "\">\n"
          "<link rel=\"icon\" href=\"data:,\">\n<title>",
          out);
    put_escaped(out, h->title);
    fprintf(out,
            "</title>\n<style>\n%s%s</style>\n</head>\n<body>\n"
            "<a class=\"skip\" href=\"#main\">Skip to the content</a>\n<header>\n<h1>",
            html_style, h->style);
    put_escaped(out, h->title);
    fprintf(out,
            "</h1>\n</header>\n<main id=\"main\">\n%.*s<nav aria-label=\"Contents\"><ul>\n%s</ul>"
            "</nav>\n%s</main>\n<footer>Made by fmnist-dist " FMD_VERSION
            "</footer>\n</body>\n</html>\n",
            (int)h->contents_at, h->body_text, h->contents_text, h->body_text + h->contents_at);
}

fmd_status fmd_html_print(fmd_html *h, char **out, size_t *bytes)
{
    char *text = NULL;
    end_section(h);
    const bool whole = !h->failed && fflush(h->contents) == 0 && fflush(h->body) == 0 &&
                       !ferror(h->contents) && !ferror(h->body);
    FILE *page = whole ? open_memstream(&text, bytes) : NULL;
    if (page != NULL)
        put_page(page, h);
    if (page == NULL || fclose(page) != 0) {
        free(text);
        return FMD_FAIL(FMD_ENOMEM, "out of memory: an HTML page");
    }
    *out = text;
    return FMD_OK;
}

fmd_status fmd_html_write(fmd_html *h, const char *path)
{
    char *text;
    size_t bytes;
    FMD_TRY(fmd_html_print(h, &text, &bytes));
    const fmd_status st = fmd_atomic_file_write(path, text, bytes);
    free(text);
    return st;
}
