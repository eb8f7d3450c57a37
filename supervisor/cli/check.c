/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check.c - `bascule check`: the configuration, and what this host lacks for it. */
#include "supervisor/cli/check.h"

#include "lib/conf.h"
#include "lib/fd.h"
#include "lib/seal.h"
#include "lib/secret.h"
#include "sockmig/gate_check.h"
#include "supervisor/cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const level_names[] = { "ok", "warn", "MISSING" };

void
check_say(
    struct check *c, enum check_level level, const char *what, const char *fmt, ...)
{
    struct jv *row = jv_object();
    char text[CONF_ERROR_LEN];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (!c->json)
        printf("%-8s %-24s %s\n", level_names[level], what, text);
    jv_set_str(row, "level", level == CHECK_MISSING ? "missing" : level_names[level]);
    jv_set_str(row, "what", what);
    jv_set_str(row, "text", text);
    jv_push(c->rows, row);
    if (level == CHECK_MISSING)
        c->missing++;
}

/* ---- the cluster ---- */

static bool
all_fenced(const struct conf *conf)
{
    for (unsigned i = 0; i < conf->nnodes; i++) {
        bool found = false;

        for (unsigned k = 0; k < conf->nfences; k++)
            found |= !strcmp(conf->fences[k].node, conf->nodes[i].name);
        if (!found)
            return false;
    }
    return true;
}

static void
check_device(struct check *c, const struct conf *conf)
{
    char text[16384] = "";
    ssize_t n = file_read("/etc/corosync/corosync.conf", text, sizeof text - 1);

    if (access("/usr/sbin/corosync-qdevice", X_OK) < 0)
        check_say(c, CHECK_MISSING, "quorum device",
            "corosync-qdevice is missing: apt-get install corosync-qdevice");
    else if (n < 0 || !strstr(text, "device {") || !strstr(text, "ffsplit"))
        check_say(c, CHECK_MISSING, "quorum device",
            "corosync.conf has no quorum device with algorithm ffsplit: "
            "corosync-qdevice(8), and the sample in /usr/share/doc/bascule/examples");
    else
        check_say(c, CHECK_OK, "quorum device",
            "decides which of two nodes goes on, some %u ms after one is lost",
            4 * conf->device_ms + 2600);
}

static void
check_nodes(struct check *c, const struct conf *conf)
{
    const struct conf_node *self = conf_self(conf);
    char name[65] = "?";

    gethostname(name, sizeof name - 1);
    if (conf->nnodes == 0)
        check_say(c, CHECK_WARN, "nodes",
            "there are no node sections: good for `bascule lab up` only");
    else if (!self)
        check_say(c, CHECK_MISSING, "nodes",
            "this host is \"%s\": no node section has this name", name);
    else
        check_say(c, CHECK_OK, "nodes", "%u nodes, this one is %s (id %u)",
            conf->nnodes, self->name, self->id);
    if (conf->nnodes == 1)
        check_say(c, CHECK_WARN, "takeover", "one node protects nothing: add others");
    if (conf_device_decides(conf))
        check_device(c, conf);
    else if (conf->device_ms)
        check_say(c, CHECK_WARN, "quorum device",
            "not used: it decides between two nodes that cannot fence each other");
    if (conf->nnodes == 2 && !all_fenced(conf) && !conf->device_ms)
        check_say(c, CHECK_WARN, "takeover",
            "two nodes: when one fails the other has no majority, and there is NO "
            "AUTOMATIC TAKEOVER; add a third node, a fence section for each, or a "
            "quorum device (quorum-device in bascule.conf)");
}

static void
check_fences(struct check *c, const struct conf *conf)
{
    for (unsigned i = 0; i < conf->nfences; i++) {
        const struct conf_fence *f = &conf->fences[i];
        char name[80], secret[512], error[SECRET_ERROR_LEN];

        snprintf(name, sizeof name, "fence %s", f->name);
        if (access(f->agent, X_OK) < 0)
            check_say(c, CHECK_MISSING, name, "%s: %s; apt-get install fence-agents",
                f->agent, strerror(errno));
        else if (f->secret_file[0] &&
                 !secret_line(f->secret_file, secret, sizeof secret, error))
            check_say(c, CHECK_MISSING, name, "%s", error);
        else
            check_say(c, CHECK_OK, name, "%s switches %s off", f->agent, f->node);
        explicit_bzero(secret, sizeof secret);
    }
}

static void
check_secrets(struct check *c, const struct conf *conf)
{
    struct seal_secret secret;
    char error[SEAL_ERROR_LEN];
    struct stat st;

    if (seal_secret_read(conf->secret_file, &secret, error))
        check_say(c, CHECK_OK, "secret", "%s", conf->secret_file);
    else
        check_say(c, CHECK_MISSING, "secret", "%s", error);
    explicit_bzero(&secret, sizeof secret);
    if (stat(conf->snmp_secret_file, &st) < 0)
        check_say(c, CHECK_MISSING, "snmp secret",
            "%s: %s; it holds the pass phrase of "
            "the SNMPv3 user %s, 8 to 64 bytes",
            conf->snmp_secret_file, strerror(errno), conf->snmp_user);
    else if (st.st_mode & 07)
        check_say(c, CHECK_MISSING, "snmp secret",
            "%s can be read by everybody: chown root:bascule, chmod 0640",
            conf->snmp_secret_file);
    else
        check_say(c, CHECK_OK, "snmp secret", "%s", conf->snmp_secret_file);
}

static void
check_operator(struct check *c, const struct conf *conf)
{
    if (conf->operator_user[0])
        check_say(c, CHECK_OK, "operator", "SNMP user %s may give orders",
            conf->operator_user);
    else
        check_say(c, CHECK_WARN, "operator",
            "nobody may give orders by SNMP: name an SNMPv3 user with operator = "
            "\"...\"");
}

/* ---- services ---- */

static bool
find_program(const char *name, char *out, size_t size)
{
    char path[1024], *dir, *save = NULL;

    snprintf(path, sizeof path, "%s",
        getenv("PATH") ? getenv("PATH") : "/usr/sbin:/usr/bin");
    snprintf(out, size, "%s", name);
    if (strchr(name, '/'))
        return access(name, X_OK) == 0;
    for (dir = strtok_r(path, ":", &save); dir; dir = strtok_r(NULL, ":", &save)) {
        snprintf(out, size, "%s/%s", dir, name);
        if (access(out, X_OK) == 0)
            return true;
    }
    snprintf(out, size, "%s", name);
    return false;
}

static void
check_state(struct check *c, const struct conf_service *s, const char *path)
{
    bool shared = s->storage == CONF_STORAGE_SHARED;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    char what[64];

    snprintf(what, sizeof what, "state of %s", s->name);
    if (fd < 0)
        check_say(c, errno == ENOENT && !shared ? CHECK_WARN : CHECK_MISSING, what,
            "%s: %s; %s", path, strerror(errno),
            shared ? "mount the shared storage there"
                   : "it is made when the service's engine starts, if the folder it is "
                     "in is there");
    else if (!shared && fd_is_remote(fd))
        check_say(c, CHECK_MISSING, what,
            "%s is on a network file system: use a local one, or storage = \"shared\"",
            path);
    else
        check_say(c, CHECK_OK, what, "%s, %s", path,
            shared ? "shared by all nodes" : "kept alike on all nodes");
    fd_close(fd);
}

static void
check_service(struct check *c, const struct conf_service *s)
{
    char what[64], path[512];

    snprintf(what, sizeof what, "service %s", s->name);
    if (!find_program(s->command[0], path, sizeof path))
        check_say(c, CHECK_MISSING, what, "the command %s is not on this host", path);
    for (unsigned i = 0; i < s->nstate; i++)
        check_state(c, s, s->state[i]);
    snprintf(path, sizeof path, "/sys/class/net/%s", s->device);
    if (access(path, F_OK) < 0) {
        check_say(c, CHECK_MISSING, what, "there is no interface %s", s->device);
        return;
    }
    snprintf(path, sizeof path, "/sys/class/net/%s/bridge", s->device);
    if (access(path, F_OK) < 0)
        check_say(c, CHECK_MISSING, what,
            "%s is not a bridge: make one (ip link add br0 type bridge), put %s into "
            "it, "
            "move its addresses there, and name it as device",
            s->device, s->device);
    else
        check_say(c, CHECK_OK, what, "%u address%s on %s, as user %s", s->naddresses,
            s->naddresses == 1 ? "" : "es", s->device, s->user);
}

static void
check_conf(struct check *c, const char *path)
{
    char error[CONF_ERROR_LEN];
    struct conf *conf = NULL;

    if (!conf_load(path, &conf, error)) {
        check_say(c, CHECK_MISSING, "configuration", "%s", error);
        return;
    }
    check_say(c, CHECK_OK, "configuration", "%s: %u service%s", path, conf->nservices,
        conf->nservices == 1 ? "" : "s");
    check_nodes(c, conf);
    if (conf->nnodes) {
        check_secrets(c, conf);
        check_fences(c, conf);
        check_operator(c, conf);
        for (unsigned i = 0; i < conf->nservices; i++)
            check_service(c, &conf->services[i]);
    }
    conf_free(conf);
}

/* ---- this host ---- */

static void
check_programs(struct check *c)
{
    static const struct {
        const char *name, *package, *what_for;
    } programs[] = {
        { "corosync", "corosync", "membership and quorum" },
        { "snmpd", "snmpd", "the master agent of the MIB" },
        { "iptables-restore", "iptables", "the rules of the gates" },
    };
    char path[512];

    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++)
        if (find_program(programs[i].name, path, sizeof path))
            check_say(c, CHECK_OK, programs[i].name, "%s", path);
        else
            check_say(c, CHECK_MISSING, programs[i].name, "%s: apt-get install %s",
                programs[i].what_for, programs[i].package);
}

static void
check_user(struct check *c)
{
    if (getpwnam("bascule") && getgrnam("bascule"))
        check_say(c, CHECK_OK, "user bascule", "supervisor and agent run as it");
    else
        check_say(c, CHECK_MISSING, "user bascule",
            "supervisor and agent run as it: useradd --system --user-group "
            "--no-create-home "
            "bascule");
}

static void
on_gate_part(enum gate_found found, const char *what, const char *text, void *arg)
{
    char name[64];

    snprintf(name, sizeof name, "gate: %s", what);
    check_say(arg,
        found == GATE_WORKS     ? CHECK_OK
        : found == GATE_LIMITED ? CHECK_WARN
                                : CHECK_MISSING,
        name, "%s", text);
}

static void
check_host(struct check *c)
{
    check_programs(c);
    check_user(c);
    if (geteuid() != 0) {
        check_say(c, CHECK_WARN, "kernel",
            "not tried: only root can; run `bascule check` as root");
        return;
    }
    check_kernel(c);
    gate_check(on_gate_part, c);
}

static bool
read_options(int argc, char **argv, bool *json)
{
    static const struct option options[] = { { "json", no_argument, NULL, 'j' },
        { 0 } };
    int ch;

    cli_options_begin();
    while ((ch = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (ch != 'j')
            return false;
        *json = true;
    }
    return argc - optind <= 1;
}

int
check_cmd(const struct cli *cli, int argc, char **argv)
{
    struct check c = { .json = cli->json };
    const char *path;

    if (!read_options(argc, argv, &c.json))
        return cli_usage("check [--json] [CONF]");
    path = optind < argc ? argv[optind] : CONF_PATH;
    c.rows = jv_array();
    check_conf(&c, path);
    check_host(&c);
    if (c.json)
        cli_print_json(c.rows);
    else if (c.missing)
        printf("\n%u missing\n", c.missing);
    jv_free(c.rows);
    return c.missing ? CLI_FAILED : CLI_OK;
}
