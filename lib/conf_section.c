/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * conf_section.c - what holds for a section as a whole, and for the whole file. */
#include "lib/conf_value.h"

#include <stdio.h>
#include <string.h>

#define NAME_ALLOWED                                                                   \
    "1 to 31 of a-z, 0-9 and '-', beginning with a letter (the name goes into "        \
    "host names, files and the MIB)"

static bool
was_seen(const struct conf_draft *draft, const char *key)
{
    const struct conf_key *keys = conf_keys(draft->section);

    for (unsigned i = 0; keys[i].name; i++)
        if (!strcmp(keys[i].name, key))
            return draft->seen >> i & 1;
    return false;
}

void
conf_defaults(struct conf *conf)
{
    strcpy(conf->secret_file, BSC_SYSCONFDIR "/bascule/secret");
    strcpy(conf->snmp_user, "bascule");
    strcpy(conf->snmp_secret_file, BSC_SYSCONFDIR "/bascule/snmp-secret");
    conf->behind_ms = 50;
    conf->port = 7810;
    conf->lease_ms = 200;
    conf->heartbeat_ms = 40;
    conf->poll_ms = 1000;
    conf->health_degraded = 40;
    conf->health_failed = 100;
    conf->health_margin = 10;
    conf->health_fall = 2;
    conf->health_rise = 3;
    conf->balance_interval_s = 60;
    conf->balance_margin = 100;
}

static bool
begin_cluster(struct conf_draft *draft, const char *title, char *why)
{
    struct conf *conf = draft->conf;

    if (conf->cluster[0])
        return conf_because(why,
            "a second cluster section (\"%s\" is there already); "
            "allowed: one",
            conf->cluster);
    strcpy(conf->cluster, title);
    draft->target = conf;
    return true;
}

static bool
begin_node(struct conf_draft *draft, const char *title, char *why)
{
    struct conf *conf = draft->conf;
    struct conf_node *node = &conf->nodes[conf->nnodes];

    if (conf_node(conf, title))
        return conf_because(
            why, "node \"%s\" is there already; allowed: another name", title);
    if (conf->nnodes == CONF_MAX_NODES)
        return conf_because(why, "more than %d nodes", CONF_MAX_NODES);
    conf->nnodes++;
    strcpy(node->name, title);
    draft->target = node;
    return true;
}

static bool
begin_service(struct conf_draft *draft, const char *title, char *why)
{
    struct conf *conf = draft->conf;
    struct conf_service *service = &conf->services[conf->nservices];

    if (conf_service(conf, title))
        return conf_because(
            why, "service \"%s\" is there already; allowed: another name", title);
    if (conf->nservices == CONF_MAX_SERVICES)
        return conf_because(why, "more than %d services", CONF_MAX_SERVICES);
    strcpy(service->name, title);
    service->index = conf->nservices++;
    service->policy = CONF_COMMIT;
    service->max_pause_ms = 50;
    service->log_mib = 64;
    service->failback_delay_s = 60;
    service->fail_limit = 3;
    service->hold_off_s = 600;
    strcpy(service->directory, "/");
    snprintf(service->log, sizeof service->log, "/var/log/bascule/%s.log", title);
    draft->target = service;
    return true;
}

static bool
begin_probe(struct conf_draft *draft, const char *title, char *why)
{
    struct conf *conf = draft->conf;
    struct conf_probe *probe = &conf->probes[conf->nprobes];

    if (conf_probe(conf, title))
        return conf_because(
            why, "probe \"%s\" is there already; allowed: another name", title);
    if (conf->nprobes == CONF_MAX_PROBES)
        return conf_because(why, "more than %d probes", CONF_MAX_PROBES);
    conf->nprobes++;
    strcpy(probe->name, title);
    probe->period_ms = 10000;
    probe->timeout_ms = 5000;
    probe->attempts = 3;
    draft->target = probe;
    return true;
}

bool
conf_begin(
    struct conf_draft *draft, enum conf_section section, const char *title, char *why)
{
    static bool (*const begin[CONF_NSECTIONS])(
        struct conf_draft *, const char *, char *) = { begin_cluster, begin_node,
        begin_service, begin_probe, conf_begin_reading, conf_begin_fence };

    draft->section = section;
    draft->seen = 0;
    if (!conf_is_name(title))
        return conf_because(why, "%s \"%.80s\": not a name; allowed: %s",
            conf_section_name(section), title, NAME_ALLOWED);
    return begin[section](draft, title, why);
}

static bool
same_network(const uint8_t *a, const uint8_t *b, unsigned prefix)
{
    unsigned bytes = prefix / 8, rest = prefix % 8;

    if (memcmp(a, b, bytes) != 0)
        return false;
    return rest == 0 || ((a[bytes] ^ b[bytes]) >> (8 - rest)) == 0;
}

static bool
end_cluster(struct conf_draft *draft, char *why)
{
    struct conf *conf = draft->target;

    if (!was_seen(draft, "heartbeat"))
        conf->heartbeat_ms = conf->lease_ms / 5;
    if (conf->health_failed <= conf->health_degraded)
        return conf_because(why,
            "health-failed %u is not above health-degraded %u; allowed: a larger one",
            conf->health_failed, conf->health_degraded);
    if (conf->heartbeat_ms > conf->lease_ms / 3)
        return conf_because(why,
            "heartbeat %u is too slow for a lease of %u; allowed: 5 to "
            "%u (three beats fit into a lease)",
            conf->heartbeat_ms, conf->lease_ms, conf->lease_ms / 3);
    if (conf->device_ms && conf->lease_ms > conf->device_ms)
        return conf_because(why,
            "lease %u is longer than quorum-device %u; allowed: a shorter one",
            conf->lease_ms, conf->device_ms);
    return true;
}

static bool
end_reading(struct conf_draft *draft, char *why)
{
    (void)draft;
    (void)why;
    return true;
}

static bool
end_node(struct conf_draft *draft, char *why)
{
    struct conf_node *node = draft->target;
    bool v6 = strchr(node->address, ':') != NULL;

    (void)why;
    if (!was_seen(draft, "snmp"))
        snprintf(node->snmp, sizeof node->snmp, v6 ? "udp6:[%s]:161" : "udp:%s:161",
            node->address);
    return true;
}

static bool
end_service(struct conf_draft *draft, char *why)
{
    struct conf_service *service = draft->target;
    uint8_t gateway[16];
    int family;

    if (service->naddresses == 0)
        return conf_because(
            why, "addresses is empty; allowed: %s", conf_keys(CONF_SERVICE)[0].allowed);
    if (!service->command[0])
        return conf_because(
            why, "command is empty; allowed: %s", conf_keys(CONF_SERVICE)[3].allowed);
    if (!was_seen(draft, "checkpoint-interval"))
        service->interval_ms = service->policy == CONF_COMMIT ? 20 : 100;
    if (!was_seen(draft, "checkpoint-spacing"))
        service->spacing_ms = 2;
    if (service->spacing_ms > service->interval_ms)
        return conf_because(why,
            "checkpoint-spacing %u is longer than checkpoint-interval "
            "%u; allowed: 1 to %u",
            service->spacing_ms, service->interval_ms, service->interval_ms);
    if (!service->gateway[0])
        return true;
    conf_parse_address(service->gateway, &family, gateway);
    for (unsigned i = 0; i < service->naddresses; i++) {
        const struct conf_address *a = &service->addresses[i];

        if (a->family == family && same_network(a->bytes, gateway, a->prefix))
            return true;
    }
    return conf_because(why,
        "gateway %s is in no network of the service's addresses; "
        "allowed: %s",
        service->gateway, conf_keys(CONF_SERVICE)[2].allowed);
}

static bool
end_probe(struct conf_draft *draft, char *why)
{
    const struct conf_probe *probe = draft->target;

    if (!probe->command[0])
        return conf_because(
            why, "command is empty; allowed: %s", conf_keys(CONF_PROBE)[1].allowed);
    return true;
}

bool
conf_end(struct conf_draft *draft, char *why)
{
    static bool (*const end[CONF_NSECTIONS])(struct conf_draft *, char *) = {
        end_cluster, end_node, end_service, end_probe, end_reading, conf_end_fence
    };
    const struct conf_key *keys = conf_keys(draft->section);

    for (unsigned i = 0; keys[i].name; i++)
        if (keys[i].required && !was_seen(draft, keys[i].name))
            return conf_because(why, "%s is missing in this %s section; allowed: %s",
                keys[i].name, conf_section_name(draft->section), keys[i].allowed);
    return end[draft->section](draft, why);
}

static bool
has_name(const struct conf_names *names, const char *name)
{
    for (unsigned i = 0; i < names->n; i++)
        if (!strcmp(names->v[i], name))
            return true;
    return false;
}

static bool
check_partners(const struct conf *conf, const struct conf_service *s, const char *key,
    const struct conf_names *names, char *why)
{
    for (unsigned i = 0; i < names->n; i++)
        if (!strcmp(names->v[i], s->name) || !conf_service(conf, names->v[i]))
            return conf_because(why,
                "service %s: %s \"%s\": %s; allowed: the name of another one", s->name,
                key, names->v[i],
                conf_service(conf, names->v[i]) ? "that is itself"
                                                : "there is no such service section");
    return true;
}

/* What no placement could ever satisfy is refused here, not tried for ever. */
static bool
check_placement(const struct conf *conf, const struct conf_service *s, char *why)
{
    for (unsigned i = 0; conf->nnodes && i < s->never.n; i++)
        if (!conf_node(conf, s->never.v[i]))
            return conf_because(why,
                "service %s: never \"%s\": there is no such node section; allowed: the "
                "name of one",
                s->name, s->never.v[i]);
    if (conf->nnodes && s->never.n >= conf->nnodes)
        return conf_because(why,
            "service %s: never names all nodes; allowed: at most %u, so that it can "
            "run",
            s->name, conf->nnodes - 1);
    if (s->preferred[0] && has_name(&s->never, s->preferred))
        return conf_because(why,
            "service %s: node %s is both preferred and never; allowed: one of them",
            s->name, s->preferred);
    for (unsigned i = 0; i < s->apart.n; i++)
        if (has_name(&s->together, s->apart.v[i]))
            return conf_because(why,
                "service %s: %s is in together and in apart; allowed: in one of them",
                s->name, s->apart.v[i]);
    if (s->failback == CONF_FAILBACK_AUTO && !s->preferred[0])
        return conf_because(why,
            "service %s: failback \"auto\" without preferred; allowed: name the node "
            "to fall back to",
            s->name);
    return check_partners(conf, s, "together", &s->together, why) &&
           check_partners(conf, s, "apart", &s->apart, why);
}

static bool
is_fenced(const struct conf *conf, const char *node)
{
    for (unsigned i = 0; i < conf->nfences; i++)
        if (strcmp(conf->fences[i].node, node) == 0)
            return true;
    return false;
}

bool
conf_device_decides(const struct conf *conf)
{
    return conf->device_ms && conf->nnodes == 2 &&
           !(is_fenced(conf, conf->nodes[0].name) &&
               is_fenced(conf, conf->nodes[1].name));
}

/* Files that all nodes write to are later than the last checkpoint of the memory, and
 * only fencing ends a node's writing for certain. */
static bool
check_state(const struct conf *conf, const struct conf_service *s, char *why)
{
    if (s->storage == CONF_STORAGE_REPLICATED && s->nstate > 0 &&
        s->policy == CONF_COLD)
        return conf_because(why,
            "service %s: state with policy \"cold\", which takes no checkpoints; "
            "allowed: another policy, or storage = \"shared\"",
            s->name);
    if (s->storage == CONF_STORAGE_REPLICATED)
        return true;
    if (s->nstate == 0)
        return conf_because(why,
            "service %s: storage \"shared\" without state; allowed: name its folders",
            s->name);
    if (s->policy != CONF_COLD)
        return conf_because(why,
            "service %s: storage \"shared\" with policy \"%s\": after a takeover its "
            "files would be later than its memory; allowed: policy \"cold\", or "
            "storage "
            "\"replicated\"",
            s->name, conf_policy_name(s->policy));
    for (unsigned i = 0; i < conf->nnodes; i++)
        if (!is_fenced(conf, conf->nodes[i].name))
            return conf_because(why,
                "service %s: storage \"shared\", and node %s cannot be fenced: two "
                "nodes "
                "might write to it; allowed: a fence section for each node",
                s->name, conf->nodes[i].name);
    return true;
}

bool
conf_whole(const struct conf *conf, char *why)
{
    for (unsigned i = 0; i < conf->nservices; i++) {
        const struct conf_service *s = &conf->services[i];

        if (conf->nnodes && s->preferred[0] && !conf_node(conf, s->preferred))
            return conf_because(why,
                "service %s: preferred \"%s\": there is no such node "
                "section; allowed: the name of one",
                s->name, s->preferred);
        if (!check_placement(conf, s, why) || !check_state(conf, s, why))
            return false;
        for (unsigned k = 0; k < s->naddresses; k++) {
            const struct conf_node *node = conf_node_with_address(
                conf, s->addresses[k].bytes);

            if (node)
                return conf_because(why,
                    "service %s: address %s is that of node %s; "
                    "allowed: one of its own",
                    s->name, s->addresses[k].text, node->name);
        }
    }
    for (unsigned i = 0; i < conf->nprobes; i++)
        if (!conf_service(conf, conf->probes[i].service))
            return conf_because(why,
                "probe %s: service \"%s\": there is no such service section; "
                "allowed: the name of one",
                conf->probes[i].name, conf->probes[i].service);
    for (unsigned i = 0; conf->multicast[0] && i < conf->nnodes; i++)
        if (!strchr(conf->multicast, ':') != !strchr(conf->nodes[i].address, ':'))
            return conf_because(why,
                "multicast %s is not of the family of node %s's address %s; allowed: a "
                "group of that family",
                conf->multicast, conf->nodes[i].name, conf->nodes[i].address);
    if (conf->nnodes && !conf->cluster[0])
        return conf_because(why, "there are node sections, but no cluster section; "
                                 "allowed: cluster \"NAME\" { }");
    return conf_whole_fences(conf, why);
}
