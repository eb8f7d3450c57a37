/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * main.c - basculed: options, configuration, user, loop. */
#include "lib/cmdline.h"
#include "lib/log.h"
#include "supervisor/node.h"
#include "supervisor/setup.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define USER "bascule"
#define POLLER BSC_LIBEXECDIR "/bascule/bascule-poller"

struct options {
    struct node_options node;
    const char *user;
    enum log_level level;
};

static const char usage[] =
    "usage: basculed [-c FILE] [--state-dir DIR] [--run-dir DIR] [--user NAME]\n"
    "                [--poller FILE] [-v]\n"
    "\n"
    "Decides which node runs a service of the cluster, and tells sockmigd.\n"
    "\n"
    "  -c FILE          configuration (" CONF_PATH ")\n"
    "  --state-dir DIR  journal (/var/lib/bascule)\n"
    "  --run-dir DIR    sockets (/run/bascule)\n"
    "  --user NAME      run as NAME when started by root (" USER ")\n"
    "  --poller FILE    reader of the MIBs (" POLLER "); \"\": none\n"
    "  -v               say more\n"
    "  --version        the version\n";

static void
parse(int argc, char **argv, struct options *o)
{
    struct cmdline line = { .program = "basculed",
        .usage = usage,
        .config = CONF_PATH,
        .texts = { { "state-dir", &o->node.state_dir }, { "run-dir", &o->node.run_dir },
            { "user", &o->user }, { "poller", &o->node.poller } } };

    cmdline_read(argc, argv, &line);
    o->node.conf_path = line.config;
    o->level = line.level;
    if (o->node.poller && !o->node.poller[0])
        o->node.poller = NULL;
}

/* Root makes the folders and gives them to the user; sockmigd's socket lies in the
 * run folder too, for the group. */
static int
own_directory(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
    if (mkdir(path, mode) < 0 && errno != EEXIST)
        return -errno;
    if (chown(path, uid, gid) < 0 || chmod(path, mode) < 0)
        return -errno;
    return 0;
}

static void
become(const struct options *o)
{
    const struct passwd *pw = getpwnam(o->user);
    int ret;

    if (geteuid() != 0)
        return;
    if (!pw)
        log_fatal("there is no user %s: make it (useradd --system %s) or name another "
                  "with --user",
            o->user, o->user);
    ret = own_directory(o->node.state_dir, 0750, pw->pw_uid, pw->pw_gid);
    if (ret < 0)
        log_fatal("%s: %s", o->node.state_dir, strerror(-ret));
    ret = own_directory(o->node.run_dir, 0770, 0, pw->pw_gid);
    if (ret < 0)
        log_fatal("%s: %s", o->node.run_dir, strerror(-ret));
    if (pw->pw_uid == 0)
        return;
    if (initgroups(pw->pw_name, pw->pw_gid) < 0 || setgid(pw->pw_gid) < 0 ||
        setuid(pw->pw_uid) < 0)
        log_fatal("cannot become user %s: %s", o->user, strerror(errno));
}

static const struct conf_node *
check(const struct conf *conf)
{
    const struct conf_node *self = conf_self(conf);

    if (!self)
        log_fatal("%s: no node has the name of this host; add it, or change the host "
                  "name (hostnamectl)",
            conf->path);
    for (unsigned i = 0; i < conf->nnodes; i++)
        if (conf->nodes[i].id < 1 || conf->nodes[i].id > PEER_MAX_NODE)
            log_fatal("%s: node %s: id %u; allowed are 1..%d", conf->path,
                conf->nodes[i].name, conf->nodes[i].id, PEER_MAX_NODE);
    return self;
}

/* That this program cannot begin is found in its journal too, once it can. */
static void
leave_row(const struct options *o, const char *text)
{
    char name[CONF_NAME_LEN] = "?", error[JOURNAL_ERROR_LEN];
    struct journal_row row = {
        .node = name, .severity = "error", .kind = "configuration", .text = text
    };
    struct journal *journal = journal_open(o->node.state_dir, error);

    if (!journal)
        return;
    gethostname(name, sizeof name - 1);
    if (!journal_last_is(journal, row.kind, text)) /* it is started again and again */
        journal_add(journal, &row);
    journal_close(journal);
}

static void
stop_cb(int signo, void *arg)
{
    log_info("ends: signal %d", signo);
    loop_stop(arg);
}

int
main(int argc, char **argv)
{
    struct options o = { { CONF_PATH, "/var/lib/bascule", "/run/bascule", POLLER },
        USER, LOG_LEVEL_INFO };
    char error[CONF_ERROR_LEN];
    const struct conf_node *self;
    struct loop_signal *term, *interrupt;
    struct conf *conf;
    struct loop *loop;
    struct node *node;

    parse(argc, argv, &o);
    log_init("basculed", o.level);
    signal(SIGPIPE, SIG_IGN);
    if (!conf_load(o.node.conf_path, &conf, error)) {
        become(&o);
        leave_row(&o, error);
        log_fatal("%s", error);
    }
    self = check(conf);
    become(&o);
    if (conf->nnodes == 2 && !setup_automatic(conf))
        log_warn(
            "two nodes without a fence section for each: NO AUTOMATIC TAKEOVER; add "
            "a third node, fences, or a quorum device");
    umask(007);
    loop = loop_new();
    term = loop_signal_new(loop, SIGTERM, stop_cb, loop);
    interrupt = loop_signal_new(loop, SIGINT, stop_cb, loop);
    node = node_new(loop, conf, self, &o.node);
    if (node)
        loop_run(loop);
    node_free(node);
    loop_signal_free(term);
    loop_signal_free(interrupt);
    loop_free(loop);
    conf_free(conf);
    return node ? 0 : 1;
}
