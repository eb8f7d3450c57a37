/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * setup.h - what the cores are told of the configuration. */
#ifndef BSC_SETUP_H
#define BSC_SETUP_H

#include "lib/conf.h"
#include "supervisor/core/member.h"

/* setup_placement - constraints of @cs, by numbers and indexes of @conf. */
struct placement setup_placement(
    const struct conf *conf, const struct conf_service *cs);

struct plan_conf setup_plan(const struct conf *conf);
uint64_t setup_fenced(const struct conf *conf); /* nodes that can be fenced */
bool setup_automatic(const struct conf *conf);  /* takes over without an operator */
uint64_t setup_nodes(const struct conf *conf);  /* all of them */

#endif
