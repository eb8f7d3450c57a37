/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gui/core/clean.h"

#include <string.h>

static const char bad[] = "\xef\xbf\xbd";      /* U+FFFD */
static const char ellipsis[] = "\xe2\x80\xa6"; /* U+2026 */

/* Octets of the character at @in, or 0 if it is none (RFC 3629, no surrogates). */
static size_t
character(const unsigned char *in, size_t n)
{
    size_t k;
    unsigned c = in[0];

    if (c < 0x80)
        return 1;
    k = c >= 0xf0 && c <= 0xf4  ? 4
        : c >= 0xe0 && c < 0xf0 ? 3
        : c >= 0xc2 && c < 0xe0 ? 2
                                : 0;
    if (k == 0 || k > n)
        return 0;
    for (size_t i = 1; i < k; i++)
        if ((in[i] & 0xc0) != 0x80)
            return 0;
    if ((c == 0xe0 && in[1] < 0xa0) || (c == 0xed && in[1] > 0x9f) ||
        (c == 0xf0 && in[1] < 0x90) || (c == 0xf4 && in[1] > 0x8f))
        return 0;
    return k;
}

size_t
clean_text(char *out, size_t size, const char *in, size_t n)
{
    size_t used = 0, room = 0; /* room: the last place where an ellipsis still fits */

    for (size_t at = 0; at < n && in[at];) {
        const unsigned char *c = (const unsigned char *)in + at;
        size_t k = character(c, n - at);
        const char *put = k ? in + at : bad;
        size_t len = k ? k : sizeof bad - 1;

        if (k == 1 && (*c < 0x20 || *c == 0x7f))
            put = " ";
        if (k == 2 && c[0] == 0xc2 && c[1] < 0xa0)
            put = " ", len = 1;
        if (used + len >= size) {
            memcpy(out + room, ellipsis, sizeof ellipsis);
            return room + sizeof ellipsis - 1;
        }
        memcpy(out + used, put, len);
        used += len;
        if (used + sizeof ellipsis <= size)
            room = used;
        at += k ? k : 1;
    }
    out[used] = '\0';
    return used;
}
