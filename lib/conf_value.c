/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * conf_value.c - the keys, and what each may hold. */
#include "lib/conf_value.h"

#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_ALLOWED "an absolute path of up to 255 bytes"

static const char *const policy_names[CONF_NPOLICIES] = { "commit", "replay", "warm",
    "cold" };

const char *
conf_policy_name(enum conf_policy policy)
{
    return policy < CONF_NPOLICIES ? policy_names[policy] : "?";
}

bool
conf_policy_by_name(const char *name, enum conf_policy *policy)
{
    for (int p = 0; p < CONF_NPOLICIES; p++)
        if (!strcmp(name, policy_names[p])) {
            *policy = (enum conf_policy)p;
            return true;
        }
    return false;
}

/* Always false, so that a check can end with it. */
bool
conf_because(char *why, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, CONF_WHY_LEN, fmt, ap);
    va_end(ap);
    return false;
}

bool
conf_is_name(const char *s)
{
    size_t n = strlen(s);

    return n >= 1 && n < CONF_NAME_LEN && *s >= 'a' && *s <= 'z' &&
           strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

/* ---- values that many keys share ---- */

static bool
take_number(const char *value, unsigned min, unsigned max, unsigned *out, char *why)
{
    char *end;
    unsigned long v;

    errno = 0;
    v = strtoul(value, &end, 10);
    if (*value < '0' || *value > '9' || *end != '\0')
        return conf_because(why, "not a number");
    if (errno || v < min || v > max)
        return conf_because(why, "out of range");
    *out = (unsigned)v;
    return true;
}

static bool
take_path(struct conf_draft *draft, const char *value, char *why)
{
    (void)draft;
    if (*value != '/')
        return conf_because(why, "not an absolute path");
    return true;
}

static bool
take_user_name(struct conf_draft *draft, const char *value, char *why)
{
    size_t n = strlen(value);

    (void)draft;
    if (n < 1 || strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "0123456789_-.") != n)
        return conf_because(why, "not a user name");
    return true;
}

bool
conf_parse_address(const char *text, int *family, uint8_t bytes[16])
{
    memset(bytes, 0, 16);
    if (inet_pton(AF_INET, text, bytes) == 1) {
        *family = AF_INET;
        return true;
    }
    if (inet_pton(AF_INET6, text, bytes) == 1) {
        *family = AF_INET6;
        return true;
    }
    return false;
}

/* For a host's own use: an address that no other host could send packets to. */
static const char *
unusable(int family, const uint8_t *b)
{
    static const uint8_t none[16];

    if (!memcmp(b, none, family == AF_INET ? 4 : 16))
        return "the unspecified address";
    if (family == AF_INET ? b[0] == 127 : !memcmp(b, none, 15) && b[15] == 1)
        return "a loopback address";
    if (family == AF_INET ? b[0] >= 224 : b[0] == 0xff)
        return "a multicast or reserved address";
    if (family == AF_INET6 && b[0] == 0xfe && (b[1] & 0xc0) == 0x80)
        return "a link-local address";
    return NULL;
}

static const struct conf_service *
service_with_address(const struct conf *conf, int family, const uint8_t bytes[16])
{
    for (unsigned i = 0; i < conf->nservices; i++)
        for (unsigned k = 0; k < conf->services[i].naddresses; k++) {
            const struct conf_address *a = &conf->services[i].addresses[k];

            if (a->family == family && !memcmp(a->bytes, bytes, 16))
                return &conf->services[i];
        }
    return NULL;
}

const struct conf_node *
conf_node_with_address(const struct conf *conf, const uint8_t bytes[16])
{
    for (unsigned i = 0; i < conf->nnodes; i++) {
        uint8_t other[16];
        int family;

        if (conf->nodes[i].address[0] &&
            conf_parse_address(conf->nodes[i].address, &family, other) &&
            !memcmp(other, bytes, 16))
            return &conf->nodes[i];
    }
    return NULL;
}

/* ---- cluster ---- */

static bool
take_multicast(struct conf_draft *draft, const char *value, char *why)
{
    uint8_t bytes[16];
    int family;

    (void)draft;
    if (!*value)
        return true;
    if (!conf_parse_address(value, &family, bytes))
        return conf_because(why, "not a numeric address");
    if (family == AF_INET ? bytes[0] != 239 : bytes[0] != 0xff)
        return conf_because(why, "not a multicast address of an organization's own");
    return true;
}

/* ---- node ---- */

static bool
take_id(struct conf_draft *draft, const char *value, char *why)
{
    struct conf_node *node = draft->target;
    unsigned id;

    if (!take_number(value, 1, 63, &id, why))
        return false;
    for (unsigned i = 0; i < draft->conf->nnodes; i++)
        if (draft->conf->nodes[i].id == id)
            return conf_because(
                why, "node %s has it already", draft->conf->nodes[i].name);
    node->id = id;
    return true;
}

static bool
take_node_address(struct conf_draft *draft, const char *value, char *why)
{
    struct conf_node *node = draft->target;
    const struct conf_node *other;
    uint8_t bytes[16];
    const char *bad;
    int family;

    if (!conf_parse_address(value, &family, bytes))
        return conf_because(why, "not a numeric address");
    bad = unusable(family, bytes);
    if (bad)
        return conf_because(why, "%s", bad);
    other = conf_node_with_address(draft->conf, bytes);
    if (other)
        return conf_because(why, "node %s has it already", other->name);
    inet_ntop(family, bytes, node->address, sizeof node->address);
    return true;
}

static bool
take_snmp(struct conf_draft *draft, const char *value, char *why)
{
    static const char *const kinds[] = { "udp:", "udp6:", "tcp:", "tcp6:" };

    (void)draft;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (!strncmp(value, kinds[i], strlen(kinds[i])) && value[strlen(kinds[i])])
            return true;
    return conf_because(why, "not a transport address");
}

/* ---- service ---- */

static bool
take_address(struct conf_draft *draft, const char *value, char *why)
{
    struct conf_service *service = draft->target;
    const struct conf_service *other;
    struct conf_address a = { 0 };
    const char *slash = strchr(value, '/'), *bad;
    char text[64];

    if (service->naddresses == CONF_MAX_ADDRESSES)
        return conf_because(why, "more than %d addresses", CONF_MAX_ADDRESSES);
    if (!slash || slash - value >= (ptrdiff_t)sizeof text)
        return conf_because(why, "the prefix length of its network is missing");
    snprintf(text, sizeof text, "%.*s", (int)(slash - value), value);
    if (!conf_parse_address(text, &a.family, a.bytes))
        return conf_because(why, "not an address");
    if (!take_number(slash + 1, 1, a.family == AF_INET ? 32 : 128, &a.prefix, why))
        return conf_because(why, "not a prefix length");
    bad = unusable(a.family, a.bytes);
    if (bad)
        return conf_because(why, "%s", bad);
    other = service_with_address(draft->conf, a.family, a.bytes);
    if (other)
        return conf_because(why, "service %s has it already", other->name);
    snprintf(a.text, sizeof a.text, "%s", text);
    service->addresses[service->naddresses++] = a;
    return true;
}

static bool
take_device(struct conf_draft *draft, const char *value, char *why)
{
    struct conf_service *service = draft->target;
    size_t n = strlen(value);

    if (n < 1 || n >= sizeof service->device || strpbrk(value, "/ \t\n:"))
        return conf_because(why, "not an interface name");
    return true;
}

static bool
take_gateway(struct conf_draft *draft, const char *value, char *why)
{
    uint8_t bytes[16];
    int family;

    (void)draft;
    if (!conf_parse_address(value, &family, bytes))
        return conf_because(why, "not a numeric address");
    return true;
}

static bool
take_word(char **command, const char *value, char *why)
{
    unsigned n = 0;

    while (command[n])
        n++;
    if (n == CONF_MAX_ARGS)
        return conf_because(why, "more than %d words", CONF_MAX_ARGS);
    if (n == 0 && !*value)
        return conf_because(why, "the program's name is empty");
    command[n] = strdup(value);
    return command[n] || conf_because(why, "no memory");
}

static bool
take_argument(struct conf_draft *draft, const char *value, char *why)
{
    struct conf_service *service = draft->target;

    return take_word(service->command, value, why);
}

static bool
take_user(struct conf_draft *draft, const char *value, char *why)
{
    struct conf_service *service = draft->target;
    const struct passwd *pw = getpwnam(value);
    int n = CONF_MAX_GROUPS;

    if (!pw)
        return conf_because(why, "there is no such user on this host");
    if (pw->pw_uid == 0)
        return conf_because(why, "a service does not run as root");
    service->uid = pw->pw_uid;
    service->gid = pw->pw_gid;
    if (getgrouplist(value, pw->pw_gid, service->groups, &n) < 0)
        return conf_because(why, "in more than %d groups", CONF_MAX_GROUPS);
    service->ngroups = (unsigned)n;
    return true;
}

static bool
take_policy(struct conf_draft *draft, const char *value, char *why)
{
    struct conf_service *service = draft->target;

    return conf_policy_by_name(value, &service->policy) ||
           conf_because(why, "not a policy");
}

static bool
take_when_alone(struct conf_draft *draft, const char *value, char *why)
{
    struct conf_service *service = draft->target;

    service->stop_when_alone = strcmp(value, "stop") == 0;
    return service->stop_when_alone || strcmp(value, "serve") == 0 ||
           conf_because(why, "not a rule");
}

static bool
take_log_size(struct conf_draft *draft, const char *value, char *why)
{
    struct conf_service *service = draft->target;
    unsigned mib;

    if (!take_number(value, 1, 4096, &mib, why))
        return false;
    if (mib & (mib - 1))
        return conf_because(why, "not a power of two");
    service->log_mib = mib;
    return true;
}

static bool
take_preferred(struct conf_draft *draft, const char *value, char *why)
{
    (void)draft;
    return conf_is_name(value) || conf_because(why, "not the name of a node");
}

/* ---- probe ---- */

/* It must be said where a program is that runs again and again. */
static bool
take_probe_argument(struct conf_draft *draft, const char *value, char *why)
{
    struct conf_probe *probe = draft->target;

    if (!probe->command[0] && *value != '/')
        return conf_because(why, "not an absolute path");
    return take_word(probe->command, value, why);
}

static bool
take_probe_service(struct conf_draft *draft, const char *value, char *why)
{
    (void)draft;
    return conf_is_name(value) || conf_because(why, "not the name of a service");
}

static bool
take_place(struct conf_draft *draft, const char *value, char *why)
{
    struct conf_probe *probe = draft->target;

    if (strcmp(value, "node") != 0 && strcmp(value, "cell") != 0)
        return conf_because(why, "not a place");
    probe->place = *value == 'c' ? CONF_IN_CELL : CONF_ON_NODE;
    return true;
}

/* ---- the keys ---- */

#define TEXT(type, field)                                                              \
    .offset = offsetof(type, field), .max = sizeof(((type *)0)->field)
#define NUMBER(type, field, lowest, highest)                                           \
    .offset = offsetof(type, field), .min = (lowest), .max = (highest)

static const struct conf_key cluster_keys[] = {
    { "secret-file", PATH_ALLOWED, take_path, TEXT(struct conf, secret_file) },
    { "snmp-user", "the name of an SNMPv3 user, 1 to 31 bytes", take_user_name,
        TEXT(struct conf, snmp_user) },
    { "snmp-secret-file", PATH_ALLOWED, take_path,
        TEXT(struct conf, snmp_secret_file) },
    { "operator", "the name of an SNMPv3 user, 1 to 31 bytes", take_user_name,
        TEXT(struct conf, operator_user) },
    { "multicast", "a group of 239.0.0.0/8 or ff00::/8; \"\" for none", take_multicast,
        TEXT(struct conf, multicast) },
    { "standby-limit", "20 to 10000 (ms)", NULL,
        NUMBER(struct conf, behind_ms, 20, 10000) },
    { "port", "1024 to 65400", NULL, NUMBER(struct conf, port, 1024, 65400) },
    { "lease", "50 to 10000 (ms)", NULL, NUMBER(struct conf, lease_ms, 50, 10000) },
    { "heartbeat", "5 (ms) to a third of the lease", NULL,
        NUMBER(struct conf, heartbeat_ms, 5, 3333) },
    { "poll", "250 to 60000 (ms)", NULL, NUMBER(struct conf, poll_ms, 250, 60000) },
    { 0 },
};

static const struct conf_key node_keys[] = {
    { "id", "1 to 63, another for each node", take_id, .required = true },
    { "address", "a numeric IPv4 or IPv6 address of the node in the cluster network",
        take_node_address, .required = true },
    { "snmp", "udp:ADDRESS:PORT, udp6:[ADDRESS]:PORT, tcp:... or tcp6:...", take_snmp,
        TEXT(struct conf_node, snmp) },
    { 0 },
};

static const struct conf_key service_keys[] = {
    { "addresses", "{ \"ADDRESS/PREFIX\", ... }: 1 to 8 unicast addresses",
        take_address, .list = true, .required = true },
    { "device", "the name of a bridge of the node, up to 15 bytes", take_device,
        TEXT(struct conf_service, device), .required = true },
    { "gateway", "the numeric address of a router in the service's network",
        take_gateway, TEXT(struct conf_service, gateway) },
    { "command", "{ \"PROGRAM\", \"ARGUMENT\", ... }: 1 to 64 words", take_argument,
        .list = true, .required = true },
    { "user", "an existing user other than root", take_user,
        TEXT(struct conf_service, user), .required = true },
    { "directory", PATH_ALLOWED, take_path, TEXT(struct conf_service, directory) },
    { "log", PATH_ALLOWED, take_path, TEXT(struct conf_service, log) },
    { "policy", "\"commit\", \"replay\", \"warm\" or \"cold\"", take_policy,
        .list = false },
    { "checkpoint-interval", "5 to 60000 (ms)", NULL,
        NUMBER(struct conf_service, interval_ms, 5, 60000) },
    { "checkpoint-spacing", "1 (ms) to the checkpoint-interval", NULL,
        NUMBER(struct conf_service, spacing_ms, 1, 60000) },
    { "when-alone", "\"serve\" or \"stop\"", take_when_alone, .list = false },
    { "max-pause", "1 to 10000 (ms)", NULL,
        NUMBER(struct conf_service, max_pause_ms, 1, 10000) },
    { "packet-log", "1 to 4096 (MiB), a power of two", take_log_size, .list = false },
    { "preferred", "the name of a node section", take_preferred,
        TEXT(struct conf_service, preferred) },
    { 0 },
};

static const struct conf_key probe_keys[] = {
    { "service", "the name of a service section", take_probe_service,
        TEXT(struct conf_probe, service), .required = true },
    { "command", "{ \"/PATH/OF/PLUGIN\", \"ARGUMENT\", ... }: 1 to 64 words",
        take_probe_argument, .list = true, .required = true },
    { "place", "\"node\" (as a client) or \"cell\" (within the service's cell)",
        take_place, .list = false },
    { "period", "500 to 3600000 (ms)", NULL,
        NUMBER(struct conf_probe, period_ms, 500, 3600000) },
    { "timeout", "100 to 60000 (ms)", NULL,
        NUMBER(struct conf_probe, timeout_ms, 100, 60000) },
    { "attempts", "1 to 10", NULL, NUMBER(struct conf_probe, attempts, 1, 10) },
    { 0 },
};

static const struct {
    const char *name;
    const struct conf_key *keys;
} sections[CONF_NSECTIONS] = {
    [CONF_CLUSTER] = { "cluster", cluster_keys },
    [CONF_NODE] = { "node", node_keys },
    [CONF_SERVICE] = { "service", service_keys },
    [CONF_PROBE] = { "probe", probe_keys },
};

const char *
conf_section_name(enum conf_section section)
{
    return sections[section].name;
}

const struct conf_key *
conf_keys(enum conf_section section)
{
    return sections[section].keys;
}

bool
conf_take(struct conf_draft *draft, const struct conf_key *key, const char *value,
    bool first, char *why)
{
    uint64_t bit = UINT64_C(1) << (key - conf_keys(draft->section));
    char *field = (char *)draft->target + key->offset;
    char what[CONF_WHY_LEN / 2] = "";
    bool ok;

    if (first && (draft->seen & bit))
        return conf_because(
            why, "%s is given twice; allowed: once in a section", key->name);
    draft->seen |= bit;
    if (!key->take) {
        ok = take_number(value, key->min, key->max, (unsigned *)(void *)field, what);
    } else {
        ok = key->take(draft, value, what);
        if (ok && key->max && strlen(value) >= key->max)
            ok = conf_because(what, "too long");
        if (ok && key->max)
            memcpy(field, value, strlen(value) + 1);
    }
    return ok || conf_because(why, "%s \"%.80s\": %s; allowed: %s", key->name, value,
                     what, key->allowed);
}
