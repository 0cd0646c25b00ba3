/* Characters of UTF-8 text, which may be a name from a file. */
#ifndef FMD_BASE_UTF8_H
#define FMD_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Local. Bytes of the character at `text`, and its code point; 0 where the bytes are not UTF-8 (RFC
 * 3629: no overlong form, no surrogate, nothing above U+10FFFF). The end of the text is a character
 * of one byte. */
size_t fmd_utf8_decode(const char *text, uint32_t *character);

/* Local. Whether a reader sees the character: it is no control character, not invisible, and does not
 * reverse the direction of the text around it. */
bool fmd_utf8_is_shown(uint32_t character);

#endif
