/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lab.h - a cluster on one machine: what is known of it, and what can be done to it.
 *
 * Each host of the lab is a set of namespaces (network, mount, pid, uts, ipc) held by
 * a process of its own, which is pid 1 there; the two switches are hosts too.  Nothing
 * else holds them: when that process is gone, so is the host.  What is on its disk is
 * in the lab's directory.
 *
 *     client    n1  n2  n3      10.77.1.254, 10.77.1.1 .. on eth0 (a bridge on nodes)
 *       |       |   |   |       fd77:1::254, fd77:1::1 ..
 *       +---- outside ----+
 *               n1  n2  n3      10.77.2.1 .. on eth1
 *               +- cluster -+
 *
 * The product does not know that it runs in a lab. */
#ifndef BSC_LAB_H
#define BSC_LAB_H

#include "lib/conf.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define LAB_ROOT "/var/lib/bascule-lab"
#define LAB_NAME_LEN 24
#define LAB_TOKEN_MS 70 /* the least with which Corosync starts as configured */
#define LAB_MAX_HOSTS (CONF_MAX_NODES + 3)

enum lab_kind { LAB_OUTSIDE, LAB_CLUSTER, LAB_CLIENT, LAB_NODE };
enum lab_state { LAB_RUNNING, LAB_HUNG, LAB_CRASHED };
enum lab_net { LAB_NET_OUTSIDE, LAB_NET_CLUSTER, LAB_NETS };

struct lab_host {
    char name[16]; /* "outside", "cluster", "client", "n1", ... */
    enum lab_kind kind;
    unsigned number; /* of a node, from 1 */
    enum lab_state state;
    pid_t pid;      /* its pid 1, as seen from here; 0: none */
    uint64_t start; /* of that process, in clock ticks since boot */
    bool cut[LAB_NETS];
    unsigned loss; /* percent of what reaches it, see lab_net_loss() */
};

struct lab {
    char name[LAB_NAME_LEN];
    char dir[128]; /* LAB_ROOT/NAME */
    char bin[256]; /* where the programs are; "": where they are installed */
    unsigned nnodes;
    unsigned token_ms;                    /* of Corosync; lab_init() says 70 */
    struct lab_host hosts[LAB_MAX_HOSTS]; /* outside, cluster, client, n1, ... */
    unsigned nhosts;
    bool device; /* a quorum device: corosync-qnetd on the client's host */
    bool apart[CONF_MAX_NODES + 1][CONF_MAX_NODES + 1]; /* cut NODE NODE; by number */
};

/* ---- what is known: lab.c ---- */

/* lab_init - a lab that does not exist yet; false: @name is not a name. */
bool lab_init(struct lab *lab, const char *name, unsigned nnodes);

/* lab_load, lab_save - from and to its directory.  0 or -errno (-ENOENT: there is no
 * such lab). */
int lab_load(struct lab *lab, const char *name);
int lab_save(const struct lab *lab);

/* lab_lock - one command at a time changes a lab.  A descriptor, or -errno. */
int lab_lock(const struct lab *lab);

struct lab_host *lab_host(struct lab *lab, const char *name); /* or NULL */
struct lab_host *lab_node(struct lab *lab, const char *name); /* or NULL */
const char *lab_state_name(enum lab_state state);

/* lab_path - DIR/HOST/REST into @out (size 256). */
const char *lab_path(
    char out[256], const struct lab *lab, const char *host, const char *rest);

/* ---- its hosts: lab_host.c ---- */

/* lab_host_start - make the namespaces of @host, its network, its mounts and start its
 * programs.  0, or -errno after a message. */
int lab_host_start(struct lab *lab, struct lab_host *host);

/* lab_host_kill - links down, then everything of it killed; returns when it is gone. */
void lab_host_kill(struct lab *lab, struct lab_host *host);

/* lab_host_alive - its pid 1 is the recorded process. */
bool lab_host_alive(const struct lab_host *host);

/* lab_host_main - what runs as pid 1 of the host (a hidden mode of the program). */
int lab_host_main(int argc, char **argv);

/* ---- its processes: lab_procs.c ---- */

struct lab_proc {
    pid_t pid; /* as seen from here */
    char name[16];
};

uint64_t lab_start_time(pid_t pid); /* 0: no such process, or dead */

/* lab_procs - every process of the host, nested namespaces included.  How many. */
size_t lab_procs(const struct lab_host *host, struct lab_proc *out, size_t max);

/* lab_freeze - stop all processes of the host at once, or let them go on.  0/-errno. */
int lab_freeze(const struct lab *lab, const struct lab_host *host, bool frozen);

/* lab_group_* - the host's control group, where the machine has cgroup v2: all of a
 * host is stopped or killed in one store.  Without it, signals do. */
int lab_group_make(const struct lab *lab, const struct lab_host *host);
int lab_group_open(const struct lab *lab, const struct lab_host *host); /* or -errno */
void lab_group_join(int group, pid_t pid); /* @group: of lab_group_open() */
void lab_group_kill(const struct lab *lab, const struct lab_host *host);
void lab_group_remove(const struct lab *lab, const struct lab_host *host);

/* ---- its networks: lab_net.c ---- */

int lab_net_make(struct lab *lab, struct lab_host *host); /* 0 or -errno + message */
void lab_net_link(struct lab *lab, struct lab_host *host, enum lab_net net, bool up);
int lab_net_apart(struct lab *lab, struct lab_host *a, struct lab_host *b, bool apart);

/* lab_net_loss - from now on @percent of the packets that reach @host are lost: of the
 * cluster network for a node, of the outside network for the client.  0 or -errno. */
int lab_net_loss(struct lab_host *host, unsigned percent);

/* ---- its files: lab_files.c ---- */

int lab_files_make(struct lab *lab, const char *conf_path); /* once: 0 or -errno */
int lab_files_remove(const struct lab *lab);

/* ---- commands: each returns an exit code of the program ---- */

struct cli;
int lab_cmd(const struct cli *cli, int argc, char **argv); /* bascule lab ... */
int lab_up_cmd(struct lab *lab, const char *conf, const char *bin, int timeout_s);
int lab_down_cmd(const char *name);
int lab_exec_cmd(struct lab *lab, const char *host, char **command);
int lab_status_cmd(struct lab *lab, bool json);
int lab_fault_usage(int argc, char **argv); /* CLI_OK, or CLI_USAGE after a message */
int lab_fault_cmd(struct lab *lab, int argc, char **argv); /* usage was checked */

#endif
