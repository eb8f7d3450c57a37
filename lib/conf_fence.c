/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * conf_fence.c - sections reading and fence. */
#include "lib/conf_value.h"

#include <stdio.h>
#include <string.h>

static bool
take_name(struct conf_draft *draft, const char *value, char *why)
{
    (void)draft;
    return conf_is_name(value) || conf_because(why, "not the name of a node");
}

static bool
take_agent(struct conf_draft *draft, const char *value, char *why)
{
    (void)draft;
    if (*value == '/' || (!strchr(value, '/') && !strncmp(value, "fence_", 6)))
        return true;
    return conf_because(why, "not a fence agent");
}

static bool
take_option(struct conf_draft *draft, const char *value, char *why)
{
    struct conf_fence *fence = draft->target;
    const char *equals = strchr(value, '=');

    if (!equals || equals == value || strpbrk(value, "\n\r"))
        return conf_because(why, "not NAME=VALUE in one line");
    if (!strncmp(value, "action=", 7))
        return conf_because(why, "the action is not yours to choose");
    if (strlen(value) >= sizeof fence->options[0])
        return conf_because(why, "too long");
    if (fence->noptions == CONF_MAX_OPTIONS)
        return conf_because(why, "more than %d options", CONF_MAX_OPTIONS);
    strcpy(fence->options[fence->noptions++], value);
    return true;
}

static bool
take_file(struct conf_draft *draft, const char *value, char *why)
{
    (void)draft;
    return *value == '/' || conf_because(why, "not an absolute path");
}

static bool
take_word(struct conf_draft *draft, const char *value, char *why)
{
    (void)draft;
    return (*value && !strpbrk(value, "=\n\r ")) || conf_because(why, "not a word");
}

const struct conf_key conf_reading_keys[] = {
    { "weight", "0 to 1000", NULL, .required = true,
        CONF_NUMBER(struct conf_reading, weight, 0, 1000) },
    { 0 },
};

const struct conf_key conf_fence_keys[] = {
    { "node", "the name of a node section", take_name, .required = true,
        CONF_TEXT(struct conf_fence, node) },
    { "agent", "fence_NAME (in /usr/sbin) or an absolute path", take_agent,
        .required = true, CONF_TEXT(struct conf_fence, agent) },
    { "level", "1 to 9", NULL, CONF_NUMBER(struct conf_fence, level, 1, 9) },
    { "options", "{ \"NAME=VALUE\", ... }: up to 16, of up to 127 bytes", take_option,
        .list = true },
    { "secret-file", "an absolute path of up to 255 bytes", take_file,
        CONF_TEXT(struct conf_fence, secret_file) },
    { "secret-option", "the name of an option", take_word,
        CONF_TEXT(struct conf_fence, secret_option) },
    { "timeout", "1 to 600 (s)", NULL,
        CONF_NUMBER(struct conf_fence, timeout_s, 1, 600) },
    { 0 },
};

bool
conf_begin_reading(struct conf_draft *draft, const char *title, char *why)
{
    struct conf *conf = draft->conf;

    if (conf->nreadings == CONF_MAX_READINGS)
        return conf_because(why, "more than %d readings", CONF_MAX_READINGS);
    draft->target = &conf->readings[conf->nreadings++];
    snprintf(conf->readings[conf->nreadings - 1].name, CONF_NAME_LEN, "%s", title);
    return true;
}

bool
conf_begin_fence(struct conf_draft *draft, const char *title, char *why)
{
    struct conf *conf = draft->conf;
    struct conf_fence *fence = &conf->fences[conf->nfences];

    if (conf->nfences == CONF_MAX_FENCES)
        return conf_because(why, "more than %d fences", CONF_MAX_FENCES);
    conf->nfences++;
    snprintf(fence->name, sizeof fence->name, "%s", title);
    strcpy(fence->secret_option, "password");
    fence->level = 1;
    fence->timeout_s = 20;
    draft->target = fence;
    return true;
}

bool
conf_end_fence(struct conf_draft *draft, char *why)
{
    struct conf_fence *fence = draft->target;
    char path[256];

    if (fence->agent[0] == '/')
        return true;
    if (snprintf(path, sizeof path, "/usr/sbin/%s", fence->agent) >= (int)sizeof path)
        return conf_because(why, "agent: the name is too long");
    strcpy(fence->agent, path);
    return true;
}

bool
conf_whole_fences(const struct conf *conf, char *why)
{
    for (unsigned i = 0; conf->nnodes && i < conf->nfences; i++)
        if (!conf_node(conf, conf->fences[i].node))
            return conf_because(why,
                "fence %s: node \"%s\": there is no such node section; allowed: the "
                "name "
                "of one",
                conf->fences[i].name, conf->fences[i].node);
    return true;
}
