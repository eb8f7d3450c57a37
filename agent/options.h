/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * options.h - the command line of bascule-agent. */
#ifndef BSC_AGENT_OPTIONS_H
#define BSC_AGENT_OPTIONS_H

#include "lib/log.h"

struct options { /* all borrowed from argv, or static */
    const char *conf, *agentx, *run_dir, *state_dir, *sys, *user;
    enum log_level level;
};

/* options_parse - ends the program for --help (0) and for wrong usage (2). */
void options_parse(int argc, char **argv, struct options *o);

#endif
