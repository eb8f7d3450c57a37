/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/cmdline.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_TEXT 256 /* behind all letters */

static void
fill(struct option *longs, const struct cmdline *c)
{
    static const struct option common[] = { { "config", required_argument, NULL, 'c' },
        { "verbose", no_argument, NULL, 'v' }, { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'V' } };
    unsigned n = 0;

    for (; n < sizeof common / sizeof common[0]; n++)
        longs[n] = common[n];
    for (int i = 0; i < CMDLINE_TEXTS && c->texts[i].name; i++)
        longs[n++] = (struct option){ c->texts[i].name, required_argument, NULL,
            FIRST_TEXT + i };
    longs[n] = (struct option){ 0 };
}

static void
refuse(const struct cmdline *c)
{
    fputs(c->usage, stderr);
    exit(2);
}

static void
take(struct cmdline *c, int letter)
{
    if (letter >= FIRST_TEXT)
        *c->texts[letter - FIRST_TEXT].to = optarg;
    else if (letter == 'c')
        c->config = optarg;
    else if (letter == 'v')
        c->level = LOG_LEVEL_DEBUG;
    else if (letter == 'h')
        fputs(c->usage, stdout);
    else if (letter == 'V')
        printf("%s %s\n", c->program, PACKAGE_VERSION);
    else
        refuse(c);
    if (letter == 'h' || letter == 'V')
        exit(0);
}

void
cmdline_read(int argc, char **argv, struct cmdline *c)
{
    struct option longs[CMDLINE_TEXTS + 5];
    int letter;

    fill(longs, c);
    c->level = LOG_LEVEL_INFO;
    while ((letter = getopt_long(argc, argv, "c:vh", longs, NULL)) >= 0)
        take(c, letter);
    if (optind < argc)
        refuse(c);
}

void
cmdline_error(const char *program, const char *fmt, va_list ap)
{
    char text[1200];

    vsnprintf(text, sizeof text, fmt, ap);
    fflush(stdout); /* in the order in which it was said */
    fprintf(stderr, "%s: %s\n", program, text);
}
