/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_agent_plugin.c - what monitoring plugins say, and what others say. */
#include "agent/core/plugin.h"
#include "tests/suite.h"

#include <stdlib.h>
#include <string.h>

/* clang-format off */
static const struct {
    const char *claim;
    int status;
    const char *text;
    enum plugin_state state;
    const char *output;
    unsigned ndata;
    struct plugin_datum first;
} rows[] = {
    { "a plugin that is well", 0, "TCP OK - 0.001 second response time on port 80|time=0.000641s;;;0.000000;10.000000\n",
        PLUGIN_OK, "TCP OK - 0.001 second response time on port 80", 1,
        { "time", "0.000641", "s", "", "", "0.000000", "10.000000" } },
    { "one that warns, with ranges", 1, "WARN | 'free space'=12%;@10:20;~:5;0;100 b=1", PLUGIN_WARNING, "WARN", 2,
        { "free space", "12", "%", "@10:20", "~:5", "0", "100" } },
    { "one that is critical, without data", 2, "down\n", PLUGIN_CRITICAL, "down", 0, { .label = "" } },
    { "one that does not know", 3, "timeout", PLUGIN_UNKNOWN, "timeout", 0, { .label = "" } },
    { "data behind the longer text", 0, "OK | a=1\nmore\nand more | b=2\nc=3\n", PLUGIN_OK, "OK", 3,
        { "a", "1", "", "", "", "", "" } },
    { "a quote in a label", 0, "OK|'it''s'=5", PLUGIN_OK, "OK", 1, { "it's", "5", "", "", "", "", "" } },
    { "a value that is not known", 0, "OK|x=U", PLUGIN_OK, "OK", 1, { "x", "U", "", "", "", "", "" } },
    { "a negative one with an exponent", 0, "OK|x=-1.5e-3ms;1", PLUGIN_OK, "OK", 1, { "x", "-1.5e-3", "ms", "1", "", "", "" } },
    { "another status is no plugin", 4, "fine", PLUGIN_UNKNOWN, "ended with a status that no monitoring plugin has", 0, { .label = "" } },
    { "nor a shell that found nothing", 127, "", PLUGIN_UNKNOWN, "ended with a status that no monitoring plugin has", 0, { .label = "" } },
    { "one that was killed", -1, "OK", PLUGIN_UNKNOWN, "did not end in time and was killed", 0, { .label = "" } },
    { "no output", 0, "", PLUGIN_OK, "(no output)", 0, { .label = "" } },
    { "control characters", 0, "a\x01" "b\x1b[31m", PLUGIN_OK, "a?b?[31m", 0, { .label = "" } },
    { "a datum without a value is left out, the next is not", 0, "OK|a= b=2", PLUGIN_OK, "OK", 1, { "b", "2", "", "", "", "", "" } },
    { "nor one without a label", 0, "OK|=1 b=2", PLUGIN_OK, "OK", 1, { "b", "2", "", "", "", "", "" } },
    { "nor a word", 0, "OK|nonsense b=2", PLUGIN_OK, "OK", 1, { "b", "2", "", "", "", "", "" } },
    { "a quote that does not end", 0, "OK|'a=1", PLUGIN_OK, "OK", 0, { .label = "" } },
    { "only bars", 0, "||||", PLUGIN_OK, "(no output)", 0, { .label = "" } },
    { "too many semicolons", 0, "OK|a=1;;;;;;;; b=2", PLUGIN_OK, "OK", 2, { "a", "1", "", "", "", "", "" } },
};
/* clang-format on */

START_TEST(result)
{
    static struct plugin_result r;
    const struct plugin_datum *want = &rows[_i].first, *d = &r.data[0];

    plugin_read(rows[_i].status, rows[_i].text, strlen(rows[_i].text), &r);
    ck_assert_msg(r.state == rows[_i].state, "%s: state %d", rows[_i].claim, r.state);
    ck_assert_msg(
        strcmp(r.output, rows[_i].output) == 0, "%s: \"%s\"", rows[_i].claim, r.output);
    ck_assert_msg(r.ndata == rows[_i].ndata, "%s: %u data", rows[_i].claim, r.ndata);
    if (!r.ndata)
        return;
    ck_assert_str_eq(d->label, want->label);
    ck_assert_str_eq(d->value, want->value);
    ck_assert_str_eq(d->unit, want->unit);
    ck_assert_str_eq(d->warning, want->warning);
    ck_assert_str_eq(d->critical, want->critical);
    ck_assert_str_eq(d->minimum, want->minimum);
    ck_assert_str_eq(d->maximum, want->maximum);
}
END_TEST

/* Whatever a program prints: texts end, and hold nothing that is not printable. */
START_TEST(noise)
{
    static const char letters[] = "|='; \n\t%a1.U\x80\xff\x01-e";
    static struct plugin_result r;
    char text[200];
    uint32_t state = (uint32_t)_i * 7919 + 1;

    for (size_t i = 0; i < sizeof text; i++) {
        state = state * 1664525u + 1013904223u;
        text[i] = letters[(state >> 16) % (sizeof letters - 1)];
    }
    plugin_read(_i % 6 - 1, text, state % sizeof text, &r);
    ck_assert_uint_le(r.ndata, PLUGIN_DATA);
    ck_assert_ptr_nonnull(memchr(r.output, '\0', sizeof r.output));
    for (unsigned i = 0; i < r.ndata; i++) {
        ck_assert(r.data[i].label[0] && r.data[i].value[0]);
        for (const char *c = r.data[i].label; *c; c++)
            ck_assert((unsigned char)*c >= 0x20);
    }
}
END_TEST

START_TEST(many_data_are_cut)
{
    static struct plugin_result r;
    char text[400] = "OK|";

    for (int i = 0; i < PLUGIN_DATA + 9; i++)
        strcat(text, "a=1 ");
    plugin_read(0, text, strlen(text), &r);
    ck_assert_uint_eq(r.ndata, PLUGIN_DATA);
}
END_TEST

int
main(void)
{
    TCase *tc = tcase_create("plugin");

    ADD_ROWS(tc, result, rows);
    tcase_add_loop_test(tc, noise, 0, 500);
    tcase_add_test(tc, many_data_are_cut);
    return suite_run("agent-plugin", tc, NULL);
}
