/* Characters of UTF-8 text. The text may come from a file and need not be valid. */
#ifndef FMD_BASE_UTF8_H
#define FMD_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Local. Decodes the character at `text` and returns its length in bytes; 0 if the bytes are not UTF-8
 * (RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF). The terminating NUL counts as a
 * character of one byte. */
size_t fmd_utf8_decode(const char *text, uint32_t *character);

/* Local. Whether the character is visible: neither a control character nor invisible, and without
 * effect on the direction of the text. */
bool fmd_utf8_is_shown(uint32_t character);

#endif
