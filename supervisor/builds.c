/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/builds.h"

#include <stdio.h>
#include <string.h>

/* builds_of - of service number @index in a line of the poller; NULL: not known. */
static const struct jv *
builds_of(const struct conf *conf, unsigned index, const struct jv *line)
{
    const struct jv *services = jv_get(line, "services");
    const char *name = conf->services[index].name;

    if (!jv_bool(line, "answers", false))
        return NULL;
    for (size_t i = 0; i < jv_len(services); i++)
        if (!strcmp(jv_str(jv_at(services, i), "name", ""), name))
            return jv_get(jv_at(services, i), "builds");
    return NULL;
}

/* identity - enough of it to find it again. */
static const char *
identity(const struct jv *file, char out[17])
{
    const char *id = jv_str(file, "identity", "");

    snprintf(out, 17, "%s", *id ? id : "none");
    return out;
}

/* say_file - the first file that is another one; false: none of those listed is. */
static bool
say_file(const struct jv *here, const struct jv *there, const char *node,
    const char *active, char *text)
{
    size_t n = jv_len(here) > jv_len(there) ? jv_len(here) : jv_len(there);

    for (size_t i = 0; i < n; i++) {
        const struct jv *x = jv_at(here, i), *y = jv_at(there, i);
        const char *p = jv_str(x, "file", "nothing"), *q = jv_str(y, "file", "nothing");
        char a[17], b[17];

        if (strcmp(p, q) != 0)
            snprintf(
                text, BUILDS_TEXT, "%s has %s where %s has %s", node, q, active, p);
        else if (strcmp(identity(x, a), identity(y, b)) != 0)
            snprintf(text, BUILDS_TEXT, "%s on %s is build %s, on %s build %s", p, node,
                b, active, a);
        else
            continue;
        return true;
    }
    return false;
}

static enum builds_news
differ(const struct conf *conf, unsigned active, unsigned id, const struct jv *here,
    const struct jv *there, char *text)
{
    const char *node = conf_node_by_id(conf, id)->name;
    const char *runs = conf_node_by_id(conf, active)->name;
    size_t n;

    if (!say_file(jv_get(here, "files"), jv_get(there, "files"), node, runs, text))
        snprintf(text, BUILDS_TEXT, "libraries on %s are other builds than on %s", node,
            runs);
    n = strlen(text);
    snprintf(text + n, BUILDS_TEXT - n,
        ", where it runs: no clone of it lives on %s; install the same packages on "
        "both",
        node);
    return BUILDS_DIFFER;
}

enum builds_news
builds_compare(struct builds *b, const struct conf *conf, unsigned index,
    unsigned active, unsigned id, const struct jv *here, const struct jv *there,
    char *text)
{
    const struct jv *x = builds_of(conf, index, here);
    const struct jv *y = builds_of(conf, index, there);
    const char *p = jv_str(x, "digest", ""), *q = jv_str(y, "digest", "");
    uint64_t bit = node_bit(id);

    if (b->like[index] != active) { /* it was compared with another node */
        b->like[index] = active;
        b->differ[index] = 0;
    }
    if (id == active || !*p || !*q)
        return BUILDS_NOTHING;
    if (strcmp(p, q) == 0) {
        if (!(b->differ[index] & bit))
            return BUILDS_NOTHING;
        b->differ[index] &= ~bit;
        snprintf(text, BUILDS_TEXT, "%s has the same builds as %s again",
            conf_node_by_id(conf, id)->name, conf_node_by_id(conf, active)->name);
        return BUILDS_SAME;
    }
    /* the poller reads which files they are when it has seen that they differ */
    if (b->differ[index] & bit || !jv_has(x, "files") || !jv_has(y, "files"))
        return BUILDS_NOTHING;
    b->differ[index] |= bit;
    return differ(conf, active, id, x, y, text);
}
