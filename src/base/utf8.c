#include "base/utf8.h"

size_t fmd_utf8_decode(const char *text, uint32_t *character)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *s = (const unsigned char *)text;
    size_t n = 0;
    if (s[0] < 0x80)
        n = 1;
    else if ((s[0] & 0xe0) == 0xc0)
        n = 2;
    else if ((s[0] & 0xf0) == 0xe0)
        n = 3;
    else if ((s[0] & 0xf8) == 0xf0)
        n = 4;
    *character = n < 2 ? s[0] : s[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        *character = *character << 6 | (s[i] & 0x3fu);
    }
    if (n > 1 && (*character < least[n] || *character > 0x10ffff ||
                  (*character >= 0xd800 && *character <= 0xdfff)))
        return 0;
    return n;
}

bool fmd_utf8_is_shown(uint32_t character)
{
    static const uint32_t hidden[][2] = {
        {0, 0x1f},          {0x7f, 0x9f},     /* C0, DEL, C1 */
        {0xad, 0xad},       {0x61c, 0x61c},   /* soft hyphen, Arabic letter mark */
        {0x180e, 0x180e},   {0x200b, 0x200f}, /* zero width; direction marks */
        {0x2028, 0x202e},   {0x2060, 0x206f}, /* separators, overrides and isolates */
        {0xfeff, 0xfeff},   {0xfff0, 0xfffb}, /* byte order mark, annotations */
        {0xe0000, 0xe0fff},                   /* tags */
    };
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        if (character >= hidden[i][0] && character <= hidden[i][1])
            return false;
    return true;
}
