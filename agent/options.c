/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/options.h"

#include "lib/cmdline.h"
#include "lib/conf.h"

#define RUN_DIR "/run/bascule"
#define STATE_DIR "/var/lib/bascule" /* where the journal is */

static const char usage[] =
    "usage: bascule-agent [-c FILE] [--agentx SOCKET] [--run-dir FOLDER]\n"
    "                     [--state-dir FOLDER] [--sys FOLDER] [--user NAME] [-v]\n"
    "  -c FILE            configuration (" CONF_PATH ")\n"
    "  --agentx SOCKET    of snmpd, unix:PATH (net-snmp's own)\n"
    "  --run-dir FOLDER   where basculed and sockmigd listen (" RUN_DIR ")\n"
    "  --state-dir FOLDER where the journal is (" STATE_DIR ")\n"
    "  --sys FOLDER       where sysfs is (/sys)\n"
    "  --user NAME        whom to run as when started by root (bascule)\n"
    "  -v                 say more\n"
    "  --version          the version\n";

void
options_parse(int argc, char **argv, struct options *o)
{
    struct cmdline line = { .program = "bascule-agent",
        .usage = usage,
        .config = CONF_PATH,
        .texts = { { "agentx", &o->agentx }, { "run-dir", &o->run_dir },
            { "state-dir", &o->state_dir }, { "sys", &o->sys },
            { "user", &o->user } } };

    *o = (struct options){
        .run_dir = RUN_DIR, .state_dir = STATE_DIR, .sys = "/sys", .user = "bascule"
    };
    cmdline_read(argc, argv, &line);
    o->conf = line.config;
    o->level = line.level;
}
