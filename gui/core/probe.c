/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gui/core/probe.h"

#include <string.h>

/* Where the number goes is filled in: msgID and request-id. */
static const uint8_t message[] = { 0x30, 0x3e, 0x02, 0x01, 0x03,      /* version 3 */
    0x30, 0x11, 0x02, 0x04, 0, 0, 0, 0, 0x02, 0x03, 0x00, 0xff, 0xe3, /* largest */
    0x04, 0x01, 0x04, 0x02, 0x01, 0x03, /* reportable; user-based security */
    0x04, 0x10, 0x30, 0x0e, 0x04, 0x00, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00, 0x04, 0x00,
    0x04, 0x00, 0x04, 0x00, /* engine, boots, time, user, keys: none */
    0x30, 0x14, 0x04, 0x00, 0x04, 0x00, 0xa0, 0x0e, 0x02, 0x04, 0, 0, 0, 0, 0x02, 0x01,
    0x00, 0x02, 0x01, 0x00, 0x30, 0x00 };

_Static_assert(sizeof message == PROBE_SIZE, "the lengths in it are right");

static void
put32(uint8_t *at, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(v >> (24 - 8 * i));
}

size_t
probe_request(uint8_t out[PROBE_SIZE], uint32_t number)
{
    memcpy(out, message, sizeof message);
    put32(out + 9, number);
    put32(out + 52, number);
    return sizeof message;
}

/* One element: its tag must be @tag; *@in is moved behind its head. */
static bool
element(const uint8_t **in, const uint8_t *end, uint8_t tag, size_t *size)
{
    size_t n;

    if (end - *in < 2 || (*in)[0] != tag)
        return false;
    n = (*in)[1];
    *in += 2;
    if (n & 0x80) {
        unsigned octets = n & 0x7f;

        if (octets > 2 || end - *in < (ptrdiff_t)octets)
            return false;
        for (n = 0; octets > 0; octets--)
            n = n << 8 | *(*in)++;
    }
    *size = n;
    return n <= (size_t)(end - *in);
}

bool
probe_answer(const uint8_t *in, size_t n, uint32_t number, uint8_t engine[PROBE_ENGINE],
    size_t *size)
{
    const uint8_t *end = in + n, *header;
    uint32_t got = 0;
    size_t len, head;

    if (!element(&in, end, 0x30, &len) || !element(&in, end, 0x02, &len) || len != 1 ||
        *in++ != 3 || !element(&in, end, 0x30, &head))
        return false;
    header = in;
    if (!element(&in, header + head, 0x02, &len) || len > 4)
        return false;
    for (size_t i = 0; i < len; i++)
        got = got << 8 | in[i];
    in = header + head;
    if (got != number || !element(&in, end, 0x04, &len))
        return false;
    end = in + len; /* the security parameters */
    if (!element(&in, end, 0x30, &len) || !element(&in, end, 0x04, &len) || len == 0 ||
        len > PROBE_ENGINE)
        return false;
    memcpy(engine, in, len);
    *size = len;
    return true;
}
