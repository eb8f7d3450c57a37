/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/conf.h"

#include "lib/conf_value.h"
#include "lib/fd.h"

#include <confuse.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_FILE_BYTES (1 << 20)
#define MAX_KEYS 48

struct reading {
    struct conf_draft draft;
    const cfg_t *section; /* borrowed; the one being read, NULL between sections */
    char *error;          /* CONF_ERROR_LEN bytes; "" while all is well */
};

/* libconfuse hands no argument to its callbacks. */
static _Thread_local struct reading *reading;

static int
complain(cfg_t *cfg, const char *why)
{
    cfg_error(cfg, "%s", why);
    return -1;
}

static void
list_keys(char *text, size_t size, const cfg_t *cfg)
{
    size_t n = 0;

    for (const cfg_opt_t *o = cfg->opts; o->name && n < size; o++)
        n += (size_t)snprintf(text + n, size - n, "%s%s", n ? ", " : "", o->name);
}

/* libconfuse's own messages do not say what is allowed. */
static void
say_allowed(char *text, size_t size, const char *what, const cfg_t *cfg)
{
    static const struct {
        const char *part, *allowed;
    } rows[] = {
        { "duplicate title", "another name for each section" },
        { "missing title", "a name in quotes before the brace" },
        { "missing equal sign", "KEY = VALUE" },
        { "unexpected",
            "KEY = VALUE, KEY = { VALUE, ... } and SECTION \"NAME\" { ... }" },
    };

    if (strstr(what, "no such option")) {
        list_keys(text, size, cfg);
        return;
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strstr(what, rows[i].part)) {
            snprintf(text, size, "%s", rows[i].allowed);
            return;
        }
}

/* Only the first is kept, what follows it is a consequence. */
static void __attribute__((format(printf, 2, 0)))
on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
    char what[CONF_WHY_LEN], allowed[300] = "";

    if (reading->error[0])
        return;
    vsnprintf(what, sizeof what, fmt, ap);
    if (!strstr(what, "; allowed: "))
        say_allowed(allowed, sizeof allowed, what, cfg);
    snprintf(reading->error, CONF_ERROR_LEN, "%s:%d: %s%s%s", reading->draft.conf->path,
        cfg->line, what, allowed[0] ? "; allowed here: " : "", allowed);
}

static enum conf_section
section_of(const char *name)
{
    int s = 0;

    while (s < CONF_NSECTIONS - 1 && strcmp(conf_section_name(s), name) != 0)
        s++;
    return (enum conf_section)s;
}

/* There is no callback at the start of a section: its first value, or its end, is it.
 */
static int
need_section(cfg_t *cfg, cfg_t *section)
{
    char why[CONF_WHY_LEN];

    if (reading->section == section)
        return 0;
    reading->section = section;
    if (!conf_begin(
            &reading->draft, section_of(cfg_name(section)), cfg_title(section), why))
        return complain(cfg, why);
    return 0;
}

static int
on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
    const struct conf_key *key;
    char why[CONF_WHY_LEN];
    bool first;

    if (need_section(cfg, cfg) < 0)
        return -1;
    key = conf_keys(reading->draft.section);
    while (strcmp(key->name, opt->name) != 0)
        key++;
    first = !key->list || cfg_opt_size(opt) == 1; /* the new value is counted */
    if (!conf_take(&reading->draft, key, value, first, why))
        return complain(cfg, why);
    *(const char **)result = value;
    return 0;
}

static int
on_section_end(cfg_t *cfg, cfg_opt_t *opt)
{
    cfg_t *section = cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);
    char why[CONF_WHY_LEN];

    if (need_section(cfg, section) < 0)
        return -1;
    if (!conf_end(&reading->draft, why))
        return complain(cfg, why);
    reading->section = NULL;
    return 0;
}

static void
fill_options(cfg_opt_t *opts, const struct conf_key *keys)
{
    static const cfg_opt_t end = CFG_END();

    for (; keys->name; keys++) {
        cfg_opt_t one = CFG_STR_CB(keys->name, NULL, CFGF_NODEFAULT, on_value);
        cfg_opt_t list = CFG_STR_LIST_CB(keys->name, NULL, CFGF_NODEFAULT, on_value);

        *opts++ = keys->list ? list : one;
    }
    *opts = end;
}

static cfg_t *
new_parser(void)
{
    static const cfg_opt_t end = CFG_END();
    cfg_opt_t keys[CONF_NSECTIONS][MAX_KEYS], top[CONF_NSECTIONS + 1];
    cfg_t *cfg;

    for (int s = 0; s < CONF_NSECTIONS; s++) {
        cfg_opt_t sec = CFG_SEC(conf_section_name(s), keys[s],
            CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);

        fill_options(keys[s], conf_keys(s));
        top[s] = sec;
    }
    top[CONF_NSECTIONS] = end;
    cfg = cfg_init(top, CFGF_NONE);
    if (!cfg)
        return NULL;
    cfg_set_error_function(cfg, on_error);
    for (int s = 0; s < CONF_NSECTIONS; s++)
        cfg_set_validate_func(cfg, conf_section_name(s), on_section_end);
    return cfg;
}

/* A directory or a disk image by mistake must not be parsed for minutes. */
static bool
read_file(const char *path, char *text, char *error)
{
    ssize_t n = file_read(path, text, MAX_FILE_BYTES);

    if (n == -EFBIG || (n >= 0 && strlen(text) != (size_t)n))
        snprintf(error, CONF_ERROR_LEN,
            "%s: not a configuration file; allowed: text of up to 1 MiB", path);
    else if (n < 0)
        snprintf(error, CONF_ERROR_LEN,
            "%s: %s; allowed: a readable file, see bascule.conf(5)", path,
            strerror((int)-n));
    return error[0] == '\0';
}

/* Over to the end of the comment at @s, blanking it; lines stay lines. */
static char *
blank_comment(char *s)
{
    bool block = s[0] == '/' && s[1] == '*';

    for (; *s && (block || *s != '\n'); s++) {
        if (block && s[0] == '*' && s[1] == '/') {
            s[0] = s[1] = ' ';
            return s + 2;
        }
        if (*s != '\n')
            *s = ' ';
    }
    return s;
}

/* libconfuse 3.3 counts a line with a comment three times: comments never reach it.
 * It takes the end of the file for the end of every section, too: the braces (or
 * quotes) left open are the result. */
static int
blank_comments(char *s)
{
    char quote = '\0', before = ' ';
    int depth = 0;

    while (*s) {
        if (quote && *s == '\\' && s[1]) {
            s++;
        } else if (quote) {
            quote = *s == quote ? '\0' : quote;
        } else if (*s == '"' || *s == '\'') {
            quote = *s;
        } else if (*s == '#' || (*s == '/' && (s[1] == '/' || s[1] == '*') &&
                                    strchr(" \t\n{}=,", before))) {
            s = blank_comment(s);
            before = ' ';
            continue;
        } else {
            depth += (*s == '{') - (*s == '}');
        }
        before = *s++;
    }
    return quote ? 1 : depth;
}

static int
count_lines(const char *text)
{
    int n = 0;

    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static bool
parse(struct conf *conf, char *text, char *error)
{
    struct reading r = { .draft = { .conf = conf }, .error = error };
    char why[CONF_WHY_LEN];
    cfg_t *cfg;
    int ret, open_braces;

    open_braces = blank_comments(text);
    if (open_braces > 0) { /* what the parser says then is a consequence */
        snprintf(error, CONF_ERROR_LEN,
            "%s:%d: the file ends within a section; allowed: a closing brace or quote",
            conf->path, count_lines(text));
        return false;
    }
    reading = &r;
    cfg = new_parser();
    ret = cfg ? cfg_parse_buf(cfg, text) : CFG_PARSE_ERROR;
    cfg_free(cfg);
    reading = NULL;
    if (ret != CFG_SUCCESS && !error[0])
        snprintf(error, CONF_ERROR_LEN, "%s: cannot be read", conf->path);
    else if (!error[0] && !conf_whole(conf, why))
        snprintf(error, CONF_ERROR_LEN, "%s: %s", conf->path, why);
    return error[0] == '\0';
}

bool
conf_load(const char *path, struct conf **out, char *error)
{
    struct conf *conf = calloc(1, sizeof *conf);
    char *text = malloc(MAX_FILE_BYTES);
    bool ok = false;

    error[0] = '\0';
    if (strlen(path) >= sizeof conf->path)
        snprintf(error, CONF_ERROR_LEN, "%.80s...: the path is too long", path);
    else if (!conf || !text)
        snprintf(error, CONF_ERROR_LEN, "%s: no memory", path);
    if (error[0] || !read_file(path, text, error))
        goto out;
    strcpy(conf->path, path);
    conf_defaults(conf);
    ok = parse(conf, text, error);
    if (ok) {
        *out = conf;
        conf = NULL;
    }
out:
    free(text);
    conf_free(conf);
    return ok;
}

void
conf_free(struct conf *conf)
{
    if (!conf)
        return;
    for (unsigned i = 0; i < conf->nservices; i++)
        for (char **arg = conf->services[i].command; *arg; arg++)
            free(*arg);
    for (unsigned i = 0; i < conf->nprobes; i++)
        for (char **arg = conf->probes[i].command; *arg; arg++)
            free(*arg);
    free(conf);
}

const struct conf_service *
conf_service(const struct conf *conf, const char *name)
{
    for (unsigned i = 0; i < conf->nservices; i++)
        if (!strcmp(conf->services[i].name, name))
            return &conf->services[i];
    return NULL;
}

const struct conf_probe *
conf_probe(const struct conf *conf, const char *name)
{
    for (unsigned i = 0; i < conf->nprobes; i++)
        if (!strcmp(conf->probes[i].name, name))
            return &conf->probes[i];
    return NULL;
}

const struct conf_node *
conf_node(const struct conf *conf, const char *name)
{
    for (unsigned i = 0; i < conf->nnodes; i++)
        if (!strcmp(conf->nodes[i].name, name))
            return &conf->nodes[i];
    return NULL;
}

const struct conf_node *
conf_node_by_id(const struct conf *conf, unsigned id)
{
    for (unsigned i = 0; i < conf->nnodes; i++)
        if (conf->nodes[i].id == id)
            return &conf->nodes[i];
    return NULL;
}

const struct conf_node *
conf_self(const struct conf *conf)
{
    char name[65];

    if (gethostname(name, sizeof name) < 0)
        return NULL;
    name[sizeof name - 1] = '\0';
    name[strcspn(name, ".")] = '\0';
    return conf_node(conf, name);
}
