/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * main.c - sockmig: the engine alone, without a cluster; see sockmig(8). */
#include "sockmig/alone/alone.h"

#include "lib/cmdline.h"
#include "lib/jv.h"
#include "lib/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *usage, *help;
} commands[] = {
    { "inspect", alone_inspect, "inspect PID [--json]",
        "what a process and its descendants hold, and what of it cannot be moved" },
    { "dump", alone_dump, "dump PID DIR [--keep-running]",
        "take an image of a process and its descendants, and end them" },
    { "restore", alone_restore, "restore DIR [--reset-connections]",
        "let the processes of an image run again, here" },
    { "run", alone_run,
        "run [--address ADDRESS/BITS --device DEVICE]... [--name NAME] [--log FILE] "
        "[--directory DIR] COMMAND [ARGUMENT...]",
        "start a command in a cell, with process ids that are free anywhere" },
    { "move", alone_move,
        "move PID HOST[:PORT] [--address ADDRESS]... [--secret FILE] [--limit-ms N]",
        "a running process and its descendants, with their connections, to HOST" },
    { "receive", alone_receive,
        "receive [--device DEVICE] [--secret FILE] [--listen ADDRESS] [--port N] "
        "[--once]",
        "wait for what sockmig move brings here" },
    { "show", alone_show, "show IMAGE [--json]", "what is in an image" },
};

#define NCOMMANDS (sizeof commands / sizeof commands[0])

static void
print_help(FILE *to)
{
    fprintf(to, "Usage: sockmig COMMAND [ARGUMENT...]\n\n");
    for (size_t i = 0; i < NCOMMANDS; i++)
        fprintf(to, "  %-36s %s\n", commands[i].usage, commands[i].help);
    fprintf(to,
        "\n"
        "  --keep-running       the processes run on after the dump\n"
        "  --reset-connections  TCP connections come back as ones whose peer is gone\n"
        "  --json               for programs\n"
        "\n"
        "Exit: 0 done, 1 failed, 2 wrong usage, 3 no such process or no permission,\n"
        "4 refused: something in the process cannot be moved; it is named.\n"
        "Needs root.  See sockmig(8).\n");
}

void
alone_error(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    cmdline_error("sockmig", fmt, ap);
    va_end(ap);
}

int
alone_usage(const char *command)
{
    for (size_t i = 0; i < NCOMMANDS; i++)
        if (!strcmp(commands[i].name, command))
            alone_error("usage: sockmig %s (see sockmig --help)", commands[i].usage);
    return ALONE_USAGE;
}

void
alone_refusals(const struct refusals *why)
{
    for (unsigned i = 0; i < why->n && i < REFUSALS_MAX; i++) {
        const struct refusal *r = &why->v[i];
        char fd[32] = "";

        if (r->fd >= 0)
            snprintf(fd, sizeof fd, " descriptor %d", r->fd);
        alone_error("process %d%s: %s; cure: %s", r->pid, fd, r->what, r->cure);
    }
    if (why->n > REFUSALS_MAX)
        alone_error("and %u more: see sockmig inspect", why->n - REFUSALS_MAX);
}

int
alone_pid(const char *text)
{
    char *end;
    long pid = strtol(text, &end, 10);

    return *text && !*end && pid > 0 && pid <= 4194304 ? (int)pid : 0;
}

void
alone_print(struct jv *taken)
{
    char *text = jv_text(taken, true);

    if (text)
        puts(text);
    free(text);
    jv_free(taken);
}

int
main(int argc, char **argv)
{
    log_init("sockmig", LOG_LEVEL_WARN);
    if (argc >= 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help"))) {
        print_help(stdout);
        return ALONE_DONE;
    }
    if (argc == 2 && !strcmp(argv[1], "--version")) {
        puts("sockmig " VERSION);
        return ALONE_DONE;
    }
    for (size_t i = 0; argc >= 2 && i < NCOMMANDS; i++) {
        if (strcmp(argv[1], commands[i].name) != 0)
            continue;
        if (argc == 3 && !strcmp(argv[2], "--help")) {
            printf("Usage: sockmig %s\n\n%s; see sockmig(8)\n", commands[i].usage,
                commands[i].help);
            return ALONE_DONE;
        }
        return commands[i].run(argc - 1, argv + 1);
    }
    if (argc >= 2)
        alone_error("there is no command \"%s\" (see sockmig --help)", argv[1]);
    else
        print_help(stderr);
    return ALONE_USAGE;
}
