/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/health.h"

#include <stdio.h>
#include <string.h>

#define SMOOTHING 4 /* a load counts for so many readings */

void
health_init(struct health_fold *f)
{
    memset(f, 0, sizeof *f);
    for (unsigned i = 0; i <= PEER_MAX_NODE; i++)
        f->nodes[i] = (struct health_view){ .verdict.health = HEALTH_UNKNOWN,
            .load_permille = -1 };
    for (unsigned i = 0; i < CONF_MAX_SERVICES; i++)
        f->services[i] = f->nodes[0];
}

static struct verdict_conf
thresholds(const struct conf *conf)
{
    return (struct verdict_conf){ conf->health_degraded, conf->health_failed,
        conf->health_margin, conf->health_fall, conf->health_rise };
}

/* Also the agent's own words for its verdict. */
static enum reading_state
state_of(const char *text)
{
    if (!strcmp(text, "ok"))
        return READING_OK;
    if (!strcmp(text, "warning") || !strcmp(text, "degraded"))
        return READING_WARNING;
    if (!strcmp(text, "critical") || !strcmp(text, "failed"))
        return READING_CRITICAL;
    return READING_UNKNOWN;
}

/* Nothing here goes by the wall clock: that it is not synchronised is worth a row of
 * the MIB, and no move. */
static unsigned
weight_of(const struct conf *conf, const char *name)
{
    for (unsigned i = 0; i < conf->nreadings; i++)
        if (!strcmp(conf->readings[i].name, name))
            return conf->readings[i].weight;
    return strcmp(name, "clock") ? CONF_WEIGHT : 0;
}

static void
add_reason(struct health_view *v, const char *name, const char *text)
{
    size_t n = strlen(v->reason);

    snprintf(v->reason + n, HEALTH_TEXT - n, "%s%s%s%s", n ? "; " : "", name,
        *text ? ": " : "", text);
}

/* False: nothing in it is known. */
static bool
sum_up(struct health_view *v, const struct conf *conf, const struct jv *readings,
    unsigned *score)
{
    bool known = false;

    for (size_t i = 0; i < jv_len(readings); i++) {
        const struct jv *r = jv_at(readings, i);
        enum reading_state state = state_of(jv_str(r, "state", "unknown"));
        const char *name = jv_str(r, "name", "?");
        unsigned adds = verdict_score(state, weight_of(conf, name));

        known |= state != READING_UNKNOWN;
        *score += adds;
        if (adds)
            add_reason(v, name, jv_str(r, "text", ""));
    }
    return known;
}

static void
take_load(struct health_view *v, int64_t permille)
{
    if (permille < 0 || v->load_permille < 0)
        v->load_permille = (int)permille;
    else
        v->load_permille += ((int)permille - v->load_permille) / SMOOTHING;
}

static void
take_node(struct health_view *v, const struct conf *conf, const struct jv *reading)
{
    struct verdict_conf limits = thresholds(conf);
    bool answers = jv_bool(reading, "answers", false), known = false;
    unsigned score = 0;

    v->reason[0] = '\0';
    if (answers && jv_len(jv_get(reading, "readings")))
        known = sum_up(v, conf, jv_get(reading, "readings"), &score);
    else if (answers) { /* an agent that only says what it makes of it */
        enum reading_state state = state_of(jv_str(reading, "health", "unknown"));

        known = state != READING_UNKNOWN;
        score = verdict_score(state, CONF_WEIGHT);
    }
    if (!v->reason[0])
        snprintf(v->reason, sizeof v->reason, "%s", jv_str(reading, "reason", ""));
    verdict_take(&v->verdict, &limits, known, score);
    take_load(v, answers ? jv_int(reading, "load_permille", -1) : -1);
}

static void
take_service(
    struct health_view *v, const struct conf *conf, unsigned id, const struct jv *one)
{
    struct verdict_conf limits = thresholds(conf);
    unsigned score = 0;
    bool known;

    if (v->node != id) /* elsewhere it was something else */
        *v = (struct health_view){
            .verdict.health = HEALTH_UNKNOWN, .load_permille = -1, .node = id
        };
    v->reason[0] = '\0';
    known = sum_up(v, conf, jv_get(one, "readings"), &score);
    verdict_take(&v->verdict, &limits, known, score);
    take_load(v, jv_int(one, "cpu_permille", -1));
}

void
health_take(struct health_fold *f, const struct conf *conf, unsigned id,
    const struct jv *reading, uint64_t active)
{
    const struct jv *services = jv_get(reading, "services");

    take_node(&f->nodes[id], conf, reading);
    for (size_t i = 0; i < jv_len(services); i++) {
        const struct jv *one = jv_at(services, i);
        const struct conf_service *cs = conf_service(conf, jv_str(one, "name", ""));

        if (cs && active >> cs->index & 1)
            take_service(&f->services[cs->index], conf, id, one);
    }
}
