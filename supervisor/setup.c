/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/setup.h"

#include <string.h>

uint64_t
setup_nodes(const struct conf *conf)
{
    uint64_t all = 0;

    for (unsigned i = 0; i < conf->nnodes; i++)
        all |= node_bit(conf->nodes[i].id);
    return all;
}

static uint64_t
nodes_of(const struct conf *conf, const struct conf_names *names)
{
    uint64_t nodes = 0;

    for (unsigned i = 0; i < names->n; i++) {
        const struct conf_node *node = conf_node(conf, names->v[i]);

        nodes |= node ? node_bit(node->id) : 0;
    }
    return nodes;
}

static bool
names(const struct conf_names *list, const char *name)
{
    for (unsigned i = 0; i < list->n; i++)
        if (!strcmp(list->v[i], name))
            return true;
    return false;
}

/* Together and apart hold for both, whichever says so. */
static uint64_t
partners(const struct conf *conf, const struct conf_service *cs, bool apart)
{
    uint64_t which = 0;

    for (unsigned i = 0; i < conf->nservices; i++) {
        const struct conf_service *other = &conf->services[i];

        if (other != cs &&
            (names(apart ? &cs->apart : &cs->together, other->name) ||
                names(apart ? &other->apart : &other->together, cs->name)))
            which |= (uint64_t)1 << i;
    }
    return which;
}

struct placement
setup_placement(const struct conf *conf, const struct conf_service *cs)
{
    const struct conf_node *preferred = cs->preferred[0]
                                            ? conf_node(conf, cs->preferred)
                                            : NULL;

    return (struct placement){ .preferred = preferred ? preferred->id : 0,
        .never = nodes_of(conf, &cs->never),
        .together = partners(conf, cs, false),
        .apart = partners(conf, cs, true),
        .failback = cs->failback == CONF_FAILBACK_AUTO,
        .failback_us = cs->failback_delay_s * INT64_C(1000000),
        .balance = cs->placement == CONF_PLACEMENT_BALANCE,
        .load = cs->load,
        .fail_limit = cs->fail_limit,
        .hold_off_us = cs->hold_off_s * INT64_C(1000000) };
}

struct plan_conf
setup_plan(const struct conf *conf)
{
    return (
        struct plan_conf){ .balance_us = conf->balance_interval_s * INT64_C(1000000),
        .balance_margin = conf->balance_margin };
}

uint64_t
setup_fenced(const struct conf *conf)
{
    uint64_t nodes = 0;

    for (unsigned i = 0; i < conf->nfences; i++) {
        const struct conf_node *node = conf_node(conf, conf->fences[i].node);

        nodes |= node ? node_bit(node->id) : 0;
    }
    return nodes;
}

bool
setup_automatic(const struct conf *conf)
{
    return conf->nnodes > 2 || conf_device_decides(conf) ||
           !(setup_nodes(conf) & ~setup_fenced(conf));
}
