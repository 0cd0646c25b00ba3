#include "base/system/print.h"

#include "base/system/terminal.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* ASCII replacements for the program's own symbols. */
static char ascii_of(uint32_t character)
{
    return character == 0xb7 ? '-' /* middle dot */ : '?';
}

char *fmd_printable(char *text)
{
    const bool utf8 = fmd_is_utf8();
    char *to = text;
    for (const char *from = text; *from != '\0';) {
        uint32_t character = 0;
        const size_t n = fmd_utf8_decode(from, &character);
        if (n == 0 || !fmd_utf8_is_shown(character))
            *to++ = '?';
        else if (n == 1 || utf8)
            for (size_t i = 0; i < n; i++)
                *to++ = from[i];
        else
            *to++ = ascii_of(character);
        from += n > 0 ? n : 1;
    }
    *to = '\0';
    return text;
}

/* Prints `text` with the leading and trailing newlines of `format`, in one write: lines of several
 * ranks on stderr must not mix. */
static void print_lines(FILE *out, const char *format, char *text)
{
    const size_t before = strspn(format, "\n");
    size_t length = strlen(text), after = 0;
    for (size_t n = strlen(format); n > before && format[n - 1] == '\n' && length > before; n--) {
        if (text[length - 1] != '\n') /* truncated for lack of memory */
            break;
        text[--length] = '\0';
        after++;
    }
    length = strlen(fmd_printable(text + before)) + before;
    memset(text + length, '\n', after);
    text[length + after] = '\0';
    fputs(text, out);
}

__attribute__((format(printf, 2, 0))) static void print(FILE *out, const char *format, va_list args)
{
    char buffer[1024], *text = buffer;
    va_list again;
    va_copy(again, args);
    const int n = vsnprintf(buffer, sizeof buffer, format, args);
    if (n >= (int)sizeof buffer && (text = malloc((size_t)n + 1)) != NULL)
        vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    if (n >= 0)
        print_lines(out, format, text != NULL ? text : buffer);
    if (text != buffer)
        free(text);
}

void fmd_print(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print(stdout, format, args);
    va_end(args);
}

void fmd_print_to(FILE *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print(out, format, args);
    va_end(args);
}

void fmd_print_fact(int *at, const char *format, ...)
{
    enum { WIDTH = 80, SEPARATOR_COLUMNS = 3 };
    char fact[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(fact, sizeof fact, format, args);
    va_end(args);
    const int columns = fmd_columns(fmd_printable(fact));
    if (*at > FMD_LABEL_COLUMNS && *at + SEPARATOR_COLUMNS + columns > WIDTH) {
        printf("\n%*s", FMD_LABEL_COLUMNS, "");
        *at = FMD_LABEL_COLUMNS;
    }
    if (*at > FMD_LABEL_COLUMNS) {
        fmd_print(" · ");
        *at += SEPARATOR_COLUMNS;
    }
    fputs(fact, stdout);
    *at += columns;
}

int fmd_columns(const char *text)
{
    int n = 0;
    for (const char *c = text; *c != '\0'; c++)
        n += ((unsigned char)*c & 0xC0) != 0x80;
    return n;
}

int fmd_bytes_in_columns(const char *text, int columns)
{
    int n = 0;
    for (; text[n] != '\0'; n++)
        if (((unsigned char)text[n] & 0xC0) != 0x80 && columns-- == 0)
            break;
    return n;
}

void fmd_print_padded(const char *text, int width)
{
    char shown[1024];
    snprintf(shown, sizeof shown, "%s", text);
    const int pad = abs(width) - fmd_columns(fmd_printable(shown));
    printf("%*s%s%*s", width < 0 && pad > 0 ? pad : 0, "", shown, width > 0 && pad > 0 ? pad : 0,
           "");
}
