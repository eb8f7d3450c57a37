/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lab_files.c - the disks of the lab's hosts: what an administrator would have set up
 * on real ones. */
#include "lib/fd.h"
#include "supervisor/cli/cli.h"
#include "supervisor/cli/lab.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_TEXT (1 << 20)
#define OPERATOR "operator"

/* What all nodes share, made once. */
struct shared {
    char secret[129], snmp[33], operator[33]; /* hex digits */
    uint8_t authkey[128];
    char *conf; /* owned; the whole bascule.conf */
    uid_t uid;  /* of the user bascule */
    gid_t gid;
    bool make_user;     /* the machine has none: the nodes get one */
    unsigned device_ms; /* of the quorum device, on the client's host; 0: none */
    int ret;            /* first failure */
    const struct lab *lab;
};

static void
random_hex(char *out, size_t size)
{
    uint8_t bytes[64];

    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        abort();
    for (size_t i = 0; i + 2 < size; i += 2)
        snprintf(out + i, 3, "%02x", bytes[i / 2]);
}

/* ---- writing below the lab's directory; the first failure is kept in s->ret ---- */

static void
fail(struct shared *s, const char *what, int err)
{
    if (s->ret == 0)
        cli_error("lab %s: %s: %s", s->lab->name, what, strerror(err));
    if (s->ret == 0)
        s->ret = -err;
}

static void
put(struct shared *s, const char *host, const char *name, mode_t mode, uid_t uid,
    gid_t gid, const void *data, size_t size)
{
    char path[256];
    int fd, ret;

    fd = open(lab_path(path, s->lab, host, name),
        O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        fail(s, path, errno);
        return;
    }
    ret = fd_write_all(fd, data, size);
    if (ret < 0)
        fail(s, path, -ret);
    if (fchown(fd, uid, gid) < 0 || fchmod(fd, mode) < 0)
        fail(s, path, errno);
    fd_close(fd);
}

static void
put_text(
    struct shared *s, const char *host, const char *name, mode_t mode, const char *text)
{
    put(s, host, name, mode, 0, 0, text, strlen(text));
}

static void
make_dir(struct shared *s, const char *host, const char *name, mode_t mode, uid_t uid,
    gid_t gid)
{
    char path[256];

    lab_path(path, s->lab, host, name);
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        fail(s, path, errno);
    else if (chown(path, uid, gid) < 0 || chmod(path, mode) < 0)
        fail(s, path, errno);
}

/* Text that grows. */
struct text {
    char *at; /* owned */
    size_t n;
};

static void __attribute__((format(printf, 2, 3)))
add(struct text *t, const char *fmt, ...)
{
    va_list ap;

    if (!t->at && !(t->at = malloc(MAX_TEXT)))
        abort();
    va_start(ap, fmt);
    t->n += (size_t)vsnprintf(t->at + t->n, MAX_TEXT - t->n, fmt, ap);
    va_end(ap);
    if (t->n >= MAX_TEXT)
        abort();
}

/* ---- one file each ---- */

static char *
whole_conf(const struct lab *lab, const struct conf *conf, const char *given)
{
    struct text t = { 0 };

    add(&t, "%s\n", given);
    if (!conf->cluster[0])
        /* A lost node is noticed after 2.2 tokens, and the lease has run out by then:
         * the successor answers a client's first retransmission, 200 ms after the
         * request. */
        add(&t,
            "cluster \"%s\" {\n  operator = \"%s\"\n  lease = 140\n  heartbeat = "
            "20\n}\n",
            lab->name, OPERATOR);
    for (unsigned i = 1; !conf->nnodes && i <= lab->nnodes; i++)
        add(&t, "node \"n%u\" {\n  id = %u\n  address = \"10.77.2.%u\"\n}\n", i, i, i);
    return t.at;
}

static void
put_corosync(struct shared *s, const char *host)
{
    struct text t = { 0 };

    /* The knet values are what keeps a token this short from flapping: knet's threads
     * tick every 200 ms, and the defaults derived from the token are below that.
     * After a message the token goes round at full speed seqno_unchanged_const times
     * before it rests: with the default, 30, three nodes that beat never let it, and
     * corosync, in real time, takes 22 % of a processor on each.  What it takes then,
     * 8 to 10 %, goes with the number of its timers: libqb's loop does not sleep in the
     * last ms before one (token 300: 3 %). */
    add(&t,
        "totem {\n  version: 2\n  cluster_name: %s\n  transport: knet\n"
        "  crypto_cipher: aes256\n  crypto_hash: sha256\n"
        "  token: %u\n  token_coefficient: 0\n"
        "  token_retransmits_before_loss_const: 2\n  seqno_unchanged_const: 2\n"
        "  interface {\n    linknumber: 0\n    knet_ping_interval: 200\n"
        "    knet_ping_timeout: 1000\n    knet_pong_count: 1\n  }\n}\n"
        "logging {\n  to_stderr: yes\n  to_syslog: no\n  timestamp: hires\n}\n"
        "nodelist {\n",
        s->lab->name, s->lab->token_ms);
    for (unsigned i = 1; i <= s->lab->nnodes; i++)
        add(&t,
            "  node {\n    name: n%u\n    nodeid: %u\n    ring0_addr: 10.77.2.%u\n  "
            "}\n",
            i, i, i);
    add(&t, "}\nquorum {\n  provider: corosync_votequorum\n");
    if (s->device_ms)
        add(&t,
            "  device {\n    model: net\n    votes: 1\n    timeout: %u\n"
            "    sync_timeout: %u\n    net {\n      host: 10.77.1.254\n"
            "      algorithm: ffsplit\n      tls: off\n    }\n  }\n",
            s->device_ms, 2 * s->device_ms);
    add(&t, "}\n");
    make_dir(s, host, "etc/corosync", 0755, 0, 0);
    make_dir(s, host, "etc/corosync/uidgid.d", 0755, 0, 0);
    put_text(s, host, "etc/corosync/corosync.conf", 0644, t.at);
    put(s, host, "etc/corosync/authkey", 0400, 0, 0, s->authkey, sizeof s->authkey);
    put_text(s, host, "etc/corosync/uidgid.d/bascule", 0644,
        "uidgid {\n  uid: bascule\n  gid: bascule\n}\n");
    free(t.at);
}

/* A fixed engine id spares managers the probe that blocks while a node is down. */
static void
put_snmpd(struct shared *s, const char *host)
{
    char engine[64] = "", name[32];
    struct text t = { 0 }, users = { 0 };

    snprintf(name, sizeof name, "bascule-%s", host);
    for (size_t i = 0; name[i]; i++)
        snprintf(engine + 2 * i, 3, "%02x", (unsigned char)name[i]);
    add(&t,
        "agentAddress udp:161,udp6:161\nmaster agentx\nagentXSocket "
        "/var/agentx/master\n"
        "agentXPerms 0660 0755 bascule bascule\nagentXTimeout 1\nagentXRetries 1\n"
        "exactEngineID 0x80007ed905%s\n"
        "rouser bascule authPriv\nrwuser " OPERATOR " authPriv\n"
        "sysName %s\nsysLocation lab %s\n",
        engine, host, s->lab->name);
    add(&users,
        "createUser bascule SHA-256 \"%s\" AES \"%s\"\n"
        "createUser " OPERATOR " SHA-256 \"%s\" AES \"%s\"\n",
        s->snmp, s->snmp, s->operator, s->operator);
    make_dir(s, host, "etc/snmp", 0755, 0, 0);
    put_text(s, host, "etc/snmp/snmpd.conf", 0600, t.at);
    make_dir(s, host, "var/lib/snmp", 0755, 0, 0);
    put_text(s, host, "var/lib/snmp/snmpd.conf", 0600, users.at);
    free(t.at);
    free(users.at);
}

static void
put_bascule(struct shared *s, const char *host)
{
    char line[64];

    make_dir(s, host, "etc/bascule", 0755, 0, 0);
    put_text(s, host, "etc/bascule/bascule.conf", 0644, s->conf);
    put_text(s, host, "etc/bascule/secret", 0600, s->secret);
    snprintf(line, sizeof line, "%s\n", s->snmp);
    put(s, host, "etc/bascule/snmp-secret", 0640, 0, s->gid, line, strlen(line));
    snprintf(line, sizeof line, "%s\n", s->operator);
    put_text(s, host, "etc/bascule/operator-secret", 0600, line);
    make_dir(s, host, "var/lib/bascule", 0750, s->uid, s->gid);
    make_dir(s, host, "var/log/bascule", 0755, 0, 0);
}

static void
put_names(struct shared *s, const char *host)
{
    struct text t = { 0 };
    char line[32];

    add(&t,
        "127.0.0.1 localhost\n::1 localhost\n10.77.1.254 client\nfd77:1::254 client\n");
    for (unsigned i = 1; i <= s->lab->nnodes; i++)
        add(&t, "10.77.1.%u n%u\nfd77:1::%u n%u\n", i, i, i, i);
    put_text(s, host, "etc/hosts", 0644, t.at);
    snprintf(line, sizeof line, "%s\n", host);
    put_text(s, host, "etc/hostname", 0644, line);
    free(t.at);
}

static void
append_copy(struct shared *s, const char *host, const char *of, const char *name,
    const char *line)
{
    char *text = malloc(MAX_TEXT);
    ssize_t n = text ? file_read(of, text, MAX_TEXT - 256) : -ENOMEM;

    if (n < 0)
        fail(s, of, (int)-n);
    else
        strcpy(text + n, line);
    if (n >= 0)
        put_text(s, host, name, 0644, text);
    free(text);
}

static void
put_user(struct shared *s, const char *host)
{
    char line[128];

    if (!s->make_user)
        return;
    snprintf(line, sizeof line, "bascule:x:%u:%u::/nonexistent:/usr/sbin/nologin\n",
        (unsigned)s->uid, (unsigned)s->gid);
    append_copy(s, host, "/etc/passwd", "etc/passwd", line);
    snprintf(line, sizeof line, "bascule:x:%u:\n", (unsigned)s->gid);
    append_copy(s, host, "/etc/group", "etc/group", line);
}

/* As after an installation: the directories of packages are there, with their owners,
 * and empty. */
static void
copy_skeleton(struct shared *s, const char *host, const char *of, const char *name)
{
    DIR *dir = opendir(of);
    struct dirent *e;

    while (dir && (e = readdir(dir))) {
        char from[512], to[256], path[300], target[128];
        struct stat st;
        ssize_t n;

        snprintf(from, sizeof from, "%s/%s", of, e->d_name);
        if (e->d_name[0] == '.' || !strcmp(from, LAB_ROOT) || lstat(from, &st) < 0)
            continue;
        if (snprintf(to, sizeof to, "%s/%s", name, e->d_name) >= (int)sizeof to)
            continue;
        if (S_ISDIR(st.st_mode))
            make_dir(s, host, to, st.st_mode & 07777, st.st_uid, st.st_gid);
        n = S_ISLNK(st.st_mode) ? readlink(from, target, sizeof target - 1) : -1;
        if (n < 0)
            continue;
        target[n] = '\0';
        if (symlink(target, lab_path(path, s->lab, host, to)) < 0 && errno != EEXIST)
            fail(s, to, errno);
    }
    if (dir)
        closedir(dir);
}

static void
make_disk(struct shared *s, const char *host)
{
    make_dir(s, host, "", 0755, 0, 0);
    make_dir(s, host, "etc", 0755, 0, 0);
    make_dir(s, host, "work", 0700, 0, 0);
    make_dir(s, host, "var", 0755, 0, 0);
    copy_skeleton(s, host, "/var", "var");
    copy_skeleton(s, host, "/var/lib", "var/lib");
    copy_skeleton(s, host, "/var/log", "var/log");
    make_dir(s, host, "var/agentx", 0755, 0, 0);
    make_dir(s, host, "var/lib/corosync", 0755, 0, 0);
    put_names(s, host);
    put_user(s, host);
    put_corosync(s, host);
    put_snmpd(s, host);
    put_bascule(s, host);
}

static void
find_user(struct shared *s)
{
    const struct passwd *pw = getpwnam("bascule");

    s->make_user = !pw;
    if (pw) {
        s->uid = pw->pw_uid;
        s->gid = pw->pw_gid;
        return;
    }
    for (s->uid = 990; getpwuid(s->uid) || getgrgid(s->uid);)
        s->uid--;
    s->gid = s->uid;
}

/* A file that brings its own nodes must fit the lab's. */
static int
check_nodes(const struct lab *lab, const struct conf *conf)
{
    if (conf->nnodes && conf->nnodes != lab->nnodes) {
        cli_error("%s holds %u node sections: use --nodes %u, or leave them out",
            conf->path, conf->nnodes, conf->nnodes);
        return -EINVAL;
    }
    for (unsigned i = 0; i < conf->nnodes; i++) {
        char name[16];

        snprintf(name, sizeof name, "n%u", i + 1);
        if (!conf_node(conf, name)) {
            cli_error("%s: the nodes of a lab are n1, n2, ...: leave the node sections "
                      "out, or name them so",
                conf->path);
            return -EINVAL;
        }
    }
    if (conf->nservices == 0) {
        cli_error("%s holds no service section: a lab without a service shows nothing",
            conf->path);
        return -EINVAL;
    }
    return 0;
}

static int
read_conf(struct shared *s, const char *path)
{
    char error[CONF_ERROR_LEN], *given = malloc(MAX_TEXT);
    struct conf *conf = NULL, *whole = NULL;
    char generated[256];
    ssize_t n;
    int ret = -EINVAL;

    if (!conf_load(path, &conf, error)) {
        cli_error("%s", error);
        goto out;
    }
    if (check_nodes(s->lab, conf) < 0)
        goto out;
    n = given ? file_read(path, given, MAX_TEXT / 2) : -ENOMEM;
    if (n < 0) {
        cli_error("%s: %s", path, strerror((int)-n));
        goto out;
    }
    s->conf = whole_conf(s->lab, conf, given);
    put_text(s, "bascule.conf", "", 0644, s->conf);
    if (s->ret < 0)
        goto out;
    if (!conf_load(lab_path(generated, s->lab, "bascule.conf", ""), &whole, error)) {
        cli_error("%s", error);
        goto out;
    }
    s->device_ms = whole->device_ms;
    ret = 0;
out:
    conf_free(whole);
    conf_free(conf);
    free(given);
    return ret;
}

int
lab_files_make(struct lab *lab, const char *conf_path)
{
    struct shared s = { .lab = lab };
    char note[256];

    random_hex(s.secret, sizeof s.secret);
    random_hex(s.snmp, sizeof s.snmp);
    random_hex(s.operator, sizeof s.operator);
    if (getrandom(s.authkey, sizeof s.authkey, 0) != (ssize_t)sizeof s.authkey)
        return -EIO;
    find_user(&s);
    s.ret = read_conf(&s, conf_path);
    lab->device = s.device_ms != 0;
    for (unsigned i = 0; i < lab->nhosts && s.ret == 0; i++) {
        const struct lab_host *host = &lab->hosts[i];

        if (host->kind == LAB_NODE)
            make_disk(&s, host->name);
        else
            make_dir(&s, host->name, "", 0755, 0, 0);
    }
    snprintf(note, sizeof note, "%s\n", s.operator);
    if (s.ret == 0)
        put_text(&s, "operator-secret", "", 0600, note);
    free(s.conf);
    return s.ret;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    remove(path);
    return 0;
}

int
lab_files_remove(const struct lab *lab)
{
    nftw(lab->dir, remove_one, 32, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    rmdir(LAB_ROOT); /* if it was the last lab */
    return access(lab->dir, F_OK) == 0 ? -ENOTEMPTY : 0;
}
