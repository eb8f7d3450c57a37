/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * conf.h - bascule.conf, read and checked (libconfuse behind it, see conf.c).
 *
 * The manual page bascule.conf(5) describes the file.  Nothing is guessed: an
 * unknown key, a bad value, a missing file or a name used twice is an error with
 * file, line and what is allowed. */
#ifndef BSC_CONF_H
#define BSC_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CONF_PATH BSC_SYSCONFDIR "/bascule/bascule.conf"
#define CONF_MAX_NODES 16
#define CONF_MAX_SERVICES 64
#define CONF_MAX_ADDRESSES 8
#define CONF_MAX_ARGS 64
#define CONF_MAX_GROUPS 32
#define CONF_MAX_PROBES 64
#define CONF_NAME_LEN 32 /* of a cluster, node or service: [a-z0-9-], with the NUL */

enum conf_policy { CONF_COMMIT, CONF_REPLAY, CONF_WARM, CONF_COLD, CONF_NPOLICIES };

enum conf_failback { CONF_FAILBACK_NONE, CONF_FAILBACK_AUTO };
enum conf_placement { CONF_PLACEMENT_FIXED, CONF_PLACEMENT_BALANCE };

#define CONF_MAX_STATE 8 /* state folders of a service */

enum conf_storage { CONF_STORAGE_REPLICATED, CONF_STORAGE_SHARED };

enum conf_children { CONF_CHILDREN_AUTO, CONF_CHILDREN_KEPT, CONF_CHILDREN_LOST };

#define CONF_MAX_NAMES 16 /* in one list of nodes or services */

struct conf_names { /* of nodes or services */
    char v[CONF_MAX_NAMES][CONF_NAME_LEN];
    unsigned n;
};

struct conf_address {
    int family;        /* AF_INET or AF_INET6 */
    uint8_t bytes[16]; /* network order; 4 or 16 used */
    unsigned prefix;   /* of the network it lives in, bits */
    char text[64];     /* as written, without the prefix */
};

struct conf_node {
    char name[CONF_NAME_LEN];
    unsigned id;      /* 1.., unique; also Corosync's nodeid */
    char address[64]; /* numeric, in the cluster network */
    char snmp[96];    /* where its snmpd answers: udp:ADDRESS:161 by default */
};

struct conf_service {
    char name[CONF_NAME_LEN];
    unsigned index; /* place in the file, from 0: ports and rows derive from it */
    struct conf_address addresses[CONF_MAX_ADDRESSES];
    unsigned naddresses; /* >= 1 */
    char device[16];     /* of the node, where the virtual addresses live */
    char gateway[64];    /* default router of the virtual network; "": none */
    char *command[CONF_MAX_ARGS + 1]; /* owned; NULL-terminated; >= 1 */
    char user[CONF_NAME_LEN];         /* "" = nobody is asked for: root is refused */
    uid_t uid;                        /* resolved from user */
    gid_t gid;
    gid_t groups[CONF_MAX_GROUPS];
    unsigned ngroups;
    char directory[256];             /* working directory; default "/" */
    char log[256];                   /* its stdout and stderr; default
                                        /var/log/bascule/NAME.log */
    char state[CONF_MAX_STATE][256]; /* absolute paths of its state folders */
    unsigned nstate;
    enum conf_storage storage;   /* ... are kept alike on all nodes, or are one */
    enum conf_children children; /* auto: kept if it had some when it was attached */
    enum conf_policy policy;
    unsigned interval_ms;  /* checkpoint at the latest; 5..60000; default 20, 100 for
                              policies that do not wait for it */
    unsigned spacing_ms;   /* checkpoint at the soonest; 1..interval, default 2 */
    bool stop_when_alone;  /* without any standby: deliver nothing, instead of serving
                              on unprotected */
    unsigned max_pause_ms; /* a larger pause is reported; 1..10000, default 50 */
    unsigned log_mib;      /* of the packet log; a power of two, default 64 */
    char preferred[CONF_NAME_LEN]; /* node to start on; "": lowest id */
    struct conf_names never;       /* nodes that must not run it */
    struct conf_names together;    /* services it wants to be on one node with */
    struct conf_names apart;       /* services it does not want to be with */
    enum conf_failback failback;
    unsigned failback_delay_s; /* 0..86400, default 60 */
    enum conf_placement placement;
    unsigned load; /* permille of a node, 1..1000; 0: as measured */
    unsigned
        fail_limit; /* failures that hold a node back; 0..200, default 3, 0: none */
    unsigned hold_off_s; /* ... for so long; 1..86400, default 600 */
};

#define CONF_WEIGHT 100 /* of a reading that has no section */
#define CONF_MAX_READINGS 32
#define CONF_MAX_FENCES 64
#define CONF_MAX_OPTIONS 16

struct conf_reading {
    char name[CONF_NAME_LEN]; /* of a driver or a probe */
    unsigned weight;          /* 0..1000: what it adds to the score when critical */
};

struct conf_fence { /* one way to fence one node */
    char name[CONF_NAME_LEN];
    char node[CONF_NAME_LEN];
    char agent[256]; /* absolute path, or a name in /usr/sbin */
    unsigned level;  /* 1..9: a level is tried when all of the one before failed */
    char options[CONF_MAX_OPTIONS][128]; /* "NAME=VALUE", as the agent reads them */
    unsigned noptions;
    char secret_file[256];  /* one line, given as .secret_option; "": none */
    char secret_option[64]; /* default "password" */
    unsigned timeout_s;     /* 1..600, default 20 */
};

enum conf_place { CONF_ON_NODE, CONF_IN_CELL };

struct conf_probe { /* a check with the interface of the monitoring plugins */
    char name[CONF_NAME_LEN];
    char service[CONF_NAME_LEN];
    char *command[CONF_MAX_ARGS + 1]; /* owned; NULL-terminated; >= 1 */
    enum conf_place place;
    unsigned period_ms;  /* 500..3600000, default 10000 */
    unsigned timeout_ms; /* 100..60000, default 5000 */
    unsigned attempts;   /* results in a row for a change; 1..10, default 3 */
};

struct conf {
    char path[256]; /* of the file */
    char cluster[CONF_NAME_LEN];
    char secret_file[256];         /* 32..4096 bytes, owner only; /etc/bascule/secret */
    char snmp_user[CONF_NAME_LEN]; /* of the poller: SNMPv3 authPriv, read-only */
    char snmp_secret_file[256];    /* its pass phrase, 8..64 bytes, one line */
    char operator_user[CONF_NAME_LEN]; /* may SET; "" = nobody */
    char multicast[64];      /* group of the packet logs; "": to each node by itself */
    unsigned behind_ms;      /* a standby that owes an answer so long is reported; 50 */
    unsigned port;           /* first of two UDP+TCP ports a service; default 7810 */
    unsigned lease_ms;       /* 50..10000, default 200 */
    unsigned heartbeat_ms;   /* 5..lease/3, default 40 */
    unsigned cpu_latency_us; /* that a processor may need to wake; default 0 */
    unsigned poll_ms;        /* MIBs of all nodes are read this often; 250..60000 */
    unsigned health_degraded; /* score from which a node or service is degraded; 40 */
    unsigned health_failed;   /* ... failed; 100 */
    unsigned health_margin;   /* below it by so much to be better again; 10 */
    unsigned health_fall;     /* readings in a row to be worse; 1..100, 2 */
    unsigned health_rise;     /* ... better; 1..100, 3 */
    unsigned balance_interval_s; /* between two moves to even out load; default 60 */
    unsigned balance_margin;     /* permille that a move must gain; default 100 */
    unsigned device_ms; /* of the quorum device, as corosync.conf has it; 0: none */
    struct conf_node nodes[CONF_MAX_NODES];
    unsigned nnodes; /* 0: the file has none (lab generates them) */
    struct conf_service services[CONF_MAX_SERVICES];
    unsigned nservices;
    struct conf_probe probes[CONF_MAX_PROBES];
    unsigned nprobes;
    struct conf_reading readings[CONF_MAX_READINGS];
    unsigned nreadings;
    struct conf_fence
        fences[CONF_MAX_FENCES]; /* as in the file: order within a level */
    unsigned nfences;
};

#define CONF_ERROR_LEN 1024

/* conf_load - read and check @path.
 *
 * @out    new value, only if true is returned; conf_free() ends it
 * @error  CONF_ERROR_LEN bytes; "FILE:LINE: what is wrong; what is allowed" lines,
 *         only if false is returned */
bool conf_load(const char *path, struct conf **out, char *error);
void conf_free(struct conf *conf); /* NULL is legal */

const struct conf_service *conf_service(const struct conf *conf, const char *name);
const struct conf_probe *conf_probe(const struct conf *conf, const char *name);
const struct conf_node *conf_node(const struct conf *conf, const char *name);
const struct conf_node *conf_node_by_id(const struct conf *conf, unsigned id);
const char *conf_policy_name(enum conf_policy policy); /* "commit", ... */

/* conf_policy_by_name - false: no such policy, *policy is untouched. */
bool conf_policy_by_name(const char *name, enum conf_policy *policy);

/* conf_device_decides - whether Corosync's quorum device decides which of two nodes
 * goes on: it is configured, and not both nodes can be fenced. */
bool conf_device_decides(const struct conf *conf);

/* conf_self - the node whose name is this host's (uname); NULL if there is none. */
const struct conf_node *conf_self(const struct conf *conf);

#endif
