/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/options.h"

#include "lib/conf.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define RUN_DIR "/run/bascule"
#define STATE_DIR "/var/lib/bascule" /* where the journal is */

static const struct option long_options[] = {
    { "agentx", required_argument, NULL, 'x' },
    { "run-dir", required_argument, NULL, 'r' },
    { "state-dir", required_argument, NULL, 's' },
    { "sys", required_argument, NULL, 'y' },
    { "user", required_argument, NULL, 'u' },
    { "help", no_argument, NULL, 'h' },
    { 0 },
};

static void
usage(FILE *to)
{
    fputs(
        "usage: bascule-agent [-c FILE] [--agentx SOCKET] [--run-dir FOLDER]\n"
        "                     [--state-dir FOLDER] [--sys FOLDER] [--user NAME] [-v]\n"
        "  -c FILE            configuration (" CONF_PATH ")\n"
        "  --agentx SOCKET    of snmpd, unix:PATH (net-snmp's own)\n"
        "  --run-dir FOLDER   where basculed and sockmigd listen (" RUN_DIR ")\n"
        "  --state-dir FOLDER where the journal is (" STATE_DIR ")\n"
        "  --sys FOLDER       where sysfs is (/sys)\n"
        "  --user NAME        whom to run as when started by root (bascule)\n"
        "  -v                 say more\n",
        to);
}

void
options_parse(int argc, char **argv, struct options *o)
{
    int c;

    *o = (struct options){ .conf = CONF_PATH,
        .run_dir = RUN_DIR,
        .state_dir = STATE_DIR,
        .sys = "/sys",
        .user = "bascule",
        .level = LOG_LEVEL_INFO };
    while ((c = getopt_long(argc, argv, "c:vh", long_options, NULL)) != -1) {
        switch (c) {
        case 'c':
            o->conf = optarg;
            break;
        case 'x':
            o->agentx = optarg;
            break;
        case 'r':
            o->run_dir = optarg;
            break;
        case 's':
            o->state_dir = optarg;
            break;
        case 'y':
            o->sys = optarg;
            break;
        case 'u':
            o->user = optarg;
            break;
        case 'v':
            o->level = LOG_LEVEL_DEBUG;
            break;
        case 'h':
            usage(stdout);
            exit(0);
        default:
            usage(stderr);
            exit(2);
        }
    }
    if (optind < argc) {
        usage(stderr);
        exit(2);
    }
}
