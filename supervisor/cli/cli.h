/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * cli.h - what the commands of `bascule` share.  Exit codes: bascule(8). */
#ifndef BSC_CLI_H
#define BSC_CLI_H

#include "lib/jv.h"

#include <stdbool.h>

enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,      /* it was tried and came to nothing */
    CLI_USAGE = 2,       /* the command line is wrong */
    CLI_UNREACHABLE = 3, /* the supervisor, or the lab, does not answer */
    CLI_REFUSED = 4,     /* the supervisor says no, and why */
};

struct cli {
    const char *run_dir; /* of this node: control sockets */
    bool json;
};

/* cli_error - one line to standard error, starting with the program's name. */
void cli_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* cli_usage - as cli_error, and where help is; always CLI_USAGE. */
int cli_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* cli_ask - one request to basculed.
 *
 * @request  taken
 * @reply    out: new value, if CLI_OK is returned
 *
 * CLI_OK, or an exit code after a message. */
int cli_ask(const struct cli *cli, struct jv *request, struct jv **reply);

/* cli_options_begin - before the getopt_long() of a command: main() has read its own,
 * and the C library would go on as it did there, with options before the first word
 * only. */
void cli_options_begin(void);

/* cli_number - a whole number of @least to @most, and nothing after it; else false. */
bool cli_number(const char *text, long least, long most, long *out);

void cli_print_json(const struct jv *j);

int status_cmd(const struct cli *cli, int argc, char **argv);
int services_cmd(const struct cli *cli, int argc, char **argv);
int nodes_cmd(const struct cli *cli, int argc, char **argv);
int order_cmd(const struct cli *cli, int argc, char **argv); /* all that give orders */
int simulate_cmd(const struct cli *cli, int argc, char **argv);
int orders_cmd(const struct cli *cli, int argc, char **argv);
int journal_cmd(const struct cli *cli, int argc, char **argv);
int check_cmd(const struct cli *cli, int argc, char **argv);
int demo_cmd(const struct cli *cli, int argc, char **argv);

#endif
