/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/core/verdict.h"

#define WARNING_PERCENT 40 /* three warnings weigh more than one critical reading */

unsigned
verdict_score(enum reading_state state, unsigned weight)
{
    if (state == READING_CRITICAL)
        return weight;
    return state == READING_WARNING ? weight * WARNING_PERCENT / 100 : 0;
}

static enum health
says(const struct verdict_conf *conf, unsigned score, unsigned less)
{
    if (score + less >= conf->failed)
        return HEALTH_FAILED;
    return score + less >= conf->degraded ? HEALTH_DEGRADED : HEALTH_OK;
}

static enum health
leaning(const struct verdict *v, const struct verdict_conf *conf, unsigned score)
{
    enum health plain = says(conf, score, 0), strict = says(conf, score, conf->margin);

    if (v->health == HEALTH_UNKNOWN || plain >= v->health)
        return plain;
    return strict < v->health ? strict : v->health;
}

void
verdict_take(
    struct verdict *v, const struct verdict_conf *conf, bool known, unsigned score)
{
    enum health to = known ? leaning(v, conf, score) : HEALTH_UNKNOWN;
    unsigned need = to == HEALTH_UNKNOWN || to > v->health ? conf->fall : conf->rise;

    v->score = known ? score : 0;
    v->streak = to == v->leaning && v->begun ? v->streak + 1 : 1;
    v->leaning = to;
    if (v->health == HEALTH_UNKNOWN && to == HEALTH_OK) /* nothing to be wary of */
        need = 1;
    v->begun = true;
    if (v->streak >= need)
        v->health = to;
}
