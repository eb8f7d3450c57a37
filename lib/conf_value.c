/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * conf_value.c - the keys of cluster, node and probe, what each may hold, and what the
 * keys of all sections share. */
#include "lib/conf_value.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

bool
conf_take_number(
    const char *value, unsigned min, unsigned max, unsigned *out, char *why)
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

bool
conf_take_path(struct conf_draft *draft, const char *value, char *why)
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
conf_take_word(char **command, const char *value, char *why)
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

const char *
conf_unusable(int family, const uint8_t *b)
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

    if (!conf_take_number(value, 1, 63, &id, why))
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
    bad = conf_unusable(family, bytes);
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

/* ---- probe ---- */

/* It must be said where a program is that runs again and again. */
static bool
take_probe_argument(struct conf_draft *draft, const char *value, char *why)
{
    struct conf_probe *probe = draft->target;

    if (!probe->command[0] && *value != '/')
        return conf_because(why, "not an absolute path");
    return conf_take_word(probe->command, value, why);
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

static const struct conf_key cluster_keys[] = {
    { "secret-file", CONF_PATH_ALLOWED, conf_take_path,
        CONF_TEXT(struct conf, secret_file) },
    { "snmp-user", "the name of an SNMPv3 user, 1 to 31 bytes", take_user_name,
        CONF_TEXT(struct conf, snmp_user) },
    { "snmp-secret-file", CONF_PATH_ALLOWED, conf_take_path,
        CONF_TEXT(struct conf, snmp_secret_file) },
    { "operator", "the name of an SNMPv3 user, 1 to 31 bytes", take_user_name,
        CONF_TEXT(struct conf, operator_user) },
    { "multicast", "a group of 239.0.0.0/8 or ff00::/8; \"\" for none", take_multicast,
        CONF_TEXT(struct conf, multicast) },
    { "standby-limit", "20 to 10000 (ms)", NULL,
        CONF_NUMBER(struct conf, behind_ms, 20, 10000) },
    { "port", "1024 to 65400", NULL, CONF_NUMBER(struct conf, port, 1024, 65400) },
    { "lease", "50 to 10000 (ms)", NULL,
        CONF_NUMBER(struct conf, lease_ms, 50, 10000) },
    { "quorum-device", "400 to 60000 (ms)", NULL,
        CONF_NUMBER(struct conf, device_ms, 400, 60000) },
    { "heartbeat", "5 (ms) to a third of the lease", NULL,
        CONF_NUMBER(struct conf, heartbeat_ms, 5, 3333) },
    { "cpu-latency", "0 to 10000 (us)", NULL,
        CONF_NUMBER(struct conf, cpu_latency_us, 0, 10000) },
    { "poll", "250 to 60000 (ms)", NULL,
        CONF_NUMBER(struct conf, poll_ms, 250, 60000) },
    { "health-degraded", "1 to 10000", NULL,
        CONF_NUMBER(struct conf, health_degraded, 1, 10000) },
    { "health-failed", "1 to 10000", NULL,
        CONF_NUMBER(struct conf, health_failed, 1, 10000) },
    { "health-margin", "0 to 10000", NULL,
        CONF_NUMBER(struct conf, health_margin, 0, 10000) },
    { "health-fall", "1 to 100", NULL, CONF_NUMBER(struct conf, health_fall, 1, 100) },
    { "health-rise", "1 to 100", NULL, CONF_NUMBER(struct conf, health_rise, 1, 100) },
    { "balance-interval", "1 to 86400 (s)", NULL,
        CONF_NUMBER(struct conf, balance_interval_s, 1, 86400) },
    { "balance-margin", "1 to 1000 (permille)", NULL,
        CONF_NUMBER(struct conf, balance_margin, 1, 1000) },
    { 0 },
};

static const struct conf_key node_keys[] = {
    { "id", "1 to 63, another for each node", take_id, .required = true },
    { "address", "a numeric IPv4 or IPv6 address of the node in the cluster network",
        take_node_address, .required = true },
    { "snmp", "udp:ADDRESS:PORT, udp6:[ADDRESS]:PORT, tcp:... or tcp6:...", take_snmp,
        CONF_TEXT(struct conf_node, snmp) },
    { 0 },
};

static const struct conf_key probe_keys[] = {
    { "service", "the name of a service section", take_probe_service,
        CONF_TEXT(struct conf_probe, service), .required = true },
    { "command", "{ \"/PATH/OF/PLUGIN\", \"ARGUMENT\", ... }: 1 to 64 words",
        take_probe_argument, .list = true, .required = true },
    { "place", "\"node\" (as a client) or \"cell\" (within the service's cell)",
        take_place, .list = false },
    { "period", "500 to 3600000 (ms)", NULL,
        CONF_NUMBER(struct conf_probe, period_ms, 500, 3600000) },
    { "timeout", "100 to 60000 (ms)", NULL,
        CONF_NUMBER(struct conf_probe, timeout_ms, 100, 60000) },
    { "attempts", "1 to 10", NULL, CONF_NUMBER(struct conf_probe, attempts, 1, 10) },
    { 0 },
};

static const struct {
    const char *name;
    const struct conf_key *keys;
} sections[CONF_NSECTIONS] = {
    [CONF_CLUSTER] = { "cluster", cluster_keys },
    [CONF_NODE] = { "node", node_keys },
    [CONF_SERVICE] = { "service", conf_service_keys },
    [CONF_PROBE] = { "probe", probe_keys },
    [CONF_READING] = { "reading", conf_reading_keys },
    [CONF_FENCE] = { "fence", conf_fence_keys },
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
        ok = conf_take_number(
            value, key->min, key->max, (unsigned *)(void *)field, what);
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
