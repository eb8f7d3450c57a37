/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * main.c - sockmig: the engine alone, without a cluster; see sockmig(8). */
#include "sockmig/alone/alone.h"

#include "lib/log.h"

#include <stdio.h>
#include <string.h>

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *usage, *help;
    const char *more; /* its options */
} commands[] = {
    { "inspect", alone_inspect, "inspect PID [--json]",
        "what a process and its descendants hold, and what of it cannot be moved",
        "  --json               one JSON object\n" },
    { "dump", alone_dump, "dump PID DIR [--keep-running]",
        "take an image of a process and its descendants, and end them",
        "  DIR                  is made if need be; the image is DIR/image\n"
        "  --keep-running       do not end them: the image is a copy\n" },
    { "restore", alone_restore, "restore DIR [--reset-connections]",
        "let the processes of an image run again, here",
        "  --reset-connections  TCP connections come back as ones whose peer is "
        "gone\n" },
    { "run", alone_run,
        "run [--address ADDRESS/BITS]... [--device DEVICE] [--name NAME] [--log FILE] "
        "[--directory DIR] COMMAND [ARGUMENT...]",
        "start a command in a cell, with process ids that are free anywhere",
        "  --address A/BITS     put this address on DEVICE first, and announce it\n"
        "  --device DEVICE      where\n"
        "  --name NAME          host name of the cell (the command's)\n"
        "  --log FILE           what it writes is appended there (/dev/null)\n"
        "  --directory DIR      where it starts (/)\n" },
    { "move", alone_move,
        "move PID HOST[:PORT] [--address ADDRESS]... [--secret FILE] [--limit-ms N]",
        "a running process and its descendants, with their connections, to HOST",
        "  HOST                 where \"sockmig receive\" waits; [HOST]:PORT for IPv6\n"
        "  --address ADDRESS    an address of this host that moves along\n"
        "  --secret FILE        the same 32 to 4096 bytes on both hosts "
        "(" ALONE_SECRET ")\n"
        "  --limit-ms N         how long they may stand still before they run on here "
        "(5000)\n" },
    { "receive", alone_receive,
        "receive [--device DEVICE | --route [--table N]] [--secret FILE] "
        "[--listen ADDRESS] [--port N] [--once]",
        "wait for what sockmig move brings here",
        "  --device DEVICE      where addresses are put that come along\n"
        "  --route              or get host routes, for BIRD or FRR to announce\n"
        "  --table N            which are written to this table (main)\n"
        "  --secret FILE        as for move\n"
        "  --listen ADDRESS     where to listen (everywhere)\n"
        "  --port N             at which port (4780)\n"
        "  --once               end when something has come\n" },
    { "rebind", alone_rebind,
        "rebind ADDRESS[/BITS] DEVICE [--via GATEWAY] [--route [--table N]] "
        "[--wait SECONDS] [--no-probe]",
        "an address of this host, with its connections, to another device or network",
        "  --via GATEWAY        what it sends to other networks leaves by this one\n"
        "  --route              DEVICE is in another segment: a host route is "
        "written,\n"
        "                       for BIRD or FRR to announce\n"
        "  --table N            to this table (main)\n"
        "  --wait SECONDS       until the old place ends (0, with --route 5)\n"
        "  --no-probe           do not ask whether somebody has the address there\n" },
    { "show", alone_show, "show IMAGE [--json]", "what is in an image",
        "  IMAGE                the file, or the folder it is in\n"
        "  --json               one JSON object\n" },
};

#define NCOMMANDS (sizeof commands / sizeof commands[0])

static void
print_help(FILE *to)
{
    fprintf(to, "Usage: sockmig COMMAND [ARGUMENT...]\n\n");
    for (size_t i = 0; i < NCOMMANDS; i++)
        fprintf(to, "  %-9s %s\n", commands[i].name, commands[i].help);
    fprintf(to,
        "\n"
        "sockmig COMMAND --help says more of one.\n"
        "Exit: 0 done, 1 failed, 2 wrong usage, 3 no such process or no permission,\n"
        "4 refused: something in the process or of this host; it is named.\n"
        "Needs root.  See sockmig(8).\n");
}

int
alone_usage(const char *command)
{
    for (size_t i = 0; i < NCOMMANDS; i++)
        if (!strcmp(commands[i].name, command))
            alone_error("usage: sockmig %s (see sockmig %s --help)", commands[i].usage,
                command);
    return ALONE_USAGE;
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
            printf("Usage: sockmig %s\n\n%s; see sockmig(8)\n\n%s", commands[i].usage,
                commands[i].help, commands[i].more);
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
