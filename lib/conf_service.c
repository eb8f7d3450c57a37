/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * conf_service.c - the keys of section service, and what each may hold. */
#include "lib/conf_value.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

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
    if (!conf_take_number(slash + 1, 1, a.family == AF_INET ? 32 : 128, &a.prefix, why))
        return conf_because(why, "not a prefix length");
    bad = conf_unusable(a.family, a.bytes);
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
take_argument(struct conf_draft *draft, const char *value, char *why)
{
    struct conf_service *service = draft->target;

    return conf_take_word(service->command, value, why);
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

/* One inside another would be kept twice. */
static bool
within(const char *folder, const char *path)
{
    size_t n = strlen(folder);

    return strncmp(folder, path, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

static bool
take_state(struct conf_draft *draft, const char *value, char *why)
{
    struct conf_service *service = draft->target;
    size_t n = strlen(value);

    if (service->nstate == CONF_MAX_STATE)
        return conf_because(why, "more than %d folders", CONF_MAX_STATE);
    if (value[0] != '/' || n >= sizeof service->state[0] || strstr(value, "/../") ||
        strstr(value, "/./") || strstr(value, "//") || value[n - 1] == '/' ||
        (n > 2 && strcmp(value + n - 2, "/.") == 0) ||
        (n > 3 && strcmp(value + n - 3, "/..") == 0))
        return conf_because(why, "not the plain absolute path of a folder");
    for (unsigned s = 0; s < draft->conf->nservices; s++)
        for (unsigned i = 0; i < draft->conf->services[s].nstate; i++) {
            const char *other = draft->conf->services[s].state[i];

            if (within(other, value) || within(value, other))
                return conf_because(why, "it and %s of service %s lie in one another",
                    other, draft->conf->services[s].name);
        }
    strcpy(service->state[service->nstate++], value);
    return true;
}

static bool
take_storage(struct conf_draft *draft, const char *value, char *why)
{
    struct conf_service *service = draft->target;

    service->storage = !strcmp(value, "shared") ? CONF_STORAGE_SHARED
                                                : CONF_STORAGE_REPLICATED;
    return !strcmp(value, "shared") || !strcmp(value, "replicated") ||
           conf_because(why, "not a kind of storage");
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

    if (!conf_take_number(value, 1, 4096, &mib, why))
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

static bool
take_name(struct conf_names *names, const char *value, const char *what, char *why)
{
    if (!conf_is_name(value))
        return conf_because(why, "not the name of a %s", what);
    for (unsigned i = 0; i < names->n; i++)
        if (!strcmp(names->v[i], value))
            return conf_because(why, "named twice");
    if (names->n == CONF_MAX_NAMES)
        return conf_because(why, "more than %d names", CONF_MAX_NAMES);
    strcpy(names->v[names->n++], value);
    return true;
}

static bool
take_never(struct conf_draft *draft, const char *value, char *why)
{
    struct conf_service *service = draft->target;

    return take_name(&service->never, value, "node", why);
}

static bool
take_together(struct conf_draft *draft, const char *value, char *why)
{
    struct conf_service *service = draft->target;

    return take_name(&service->together, value, "service", why);
}

static bool
take_apart(struct conf_draft *draft, const char *value, char *why)
{
    struct conf_service *service = draft->target;

    return take_name(&service->apart, value, "service", why);
}

static bool
take_failback(struct conf_draft *draft, const char *value, char *why)
{
    struct conf_service *service = draft->target;

    service->failback = !strcmp(value, "auto") ? CONF_FAILBACK_AUTO
                                               : CONF_FAILBACK_NONE;
    return !strcmp(value, "auto") || !strcmp(value, "none") ||
           conf_because(why, "not a way to fall back");
}

static bool
take_children(struct conf_draft *draft, const char *value, char *why)
{
    struct conf_service *service = draft->target;

    service->children = !strcmp(value, "kept")   ? CONF_CHILDREN_KEPT
                        : !strcmp(value, "lost") ? CONF_CHILDREN_LOST
                                                 : CONF_CHILDREN_AUTO;
    return service->children != CONF_CHILDREN_AUTO || !strcmp(value, "auto") ||
           conf_because(why, "not what may become of child processes");
}

static bool
take_placement(struct conf_draft *draft, const char *value, char *why)
{
    struct conf_service *service = draft->target;

    service->placement = !strcmp(value, "balance") ? CONF_PLACEMENT_BALANCE
                                                   : CONF_PLACEMENT_FIXED;
    return !strcmp(value, "balance") || !strcmp(value, "fixed") ||
           conf_because(why, "not a placement");
}

const struct conf_key conf_service_keys[] = {
    { "addresses", "{ \"ADDRESS/PREFIX\", ... }: 1 to 8 unicast addresses",
        take_address, .list = true, .required = true },
    { "device", "the name of a bridge of the node, up to 15 bytes", take_device,
        CONF_TEXT(struct conf_service, device), .required = true },
    { "gateway", "the numeric address of a router in the service's network",
        take_gateway, CONF_TEXT(struct conf_service, gateway) },
    { "command", "{ \"PROGRAM\", \"ARGUMENT\", ... }: 1 to 64 words", take_argument,
        .list = true, .required = true },
    { "user", "an existing user other than root", take_user,
        CONF_TEXT(struct conf_service, user), .required = true },
    { "directory", CONF_PATH_ALLOWED, conf_take_path,
        CONF_TEXT(struct conf_service, directory) },
    { "log", CONF_PATH_ALLOWED, conf_take_path, CONF_TEXT(struct conf_service, log) },
    { "state", "{ \"/FOLDER\", ... }: up to 8 absolute paths, none inside another",
        take_state, .list = true },
    { "storage", "\"replicated\" or \"shared\"", take_storage, .list = false },
    { "children", "\"auto\", \"kept\" or \"lost\"", take_children, .list = false },
    { "policy", "\"commit\", \"replay\", \"warm\" or \"cold\"", take_policy,
        .list = false },
    { "checkpoint-interval", "5 to 60000 (ms)", NULL,
        CONF_NUMBER(struct conf_service, interval_ms, 5, 60000) },
    { "checkpoint-spacing", "1 (ms) to the checkpoint-interval", NULL,
        CONF_NUMBER(struct conf_service, spacing_ms, 1, 60000) },
    { "when-alone", "\"serve\" or \"stop\"", take_when_alone, .list = false },
    { "max-pause", "1 to 10000 (ms)", NULL,
        CONF_NUMBER(struct conf_service, max_pause_ms, 1, 10000) },
    { "packet-log", "1 to 4096 (MiB), a power of two", take_log_size, .list = false },
    { "preferred", "the name of a node section", take_preferred,
        CONF_TEXT(struct conf_service, preferred) },
    { "never", "{ \"NODE\", ... }: up to 16 names of node sections", take_never,
        .list = true },
    { "together", "{ \"SERVICE\", ... }: up to 16 names of other service sections",
        take_together, .list = true },
    { "apart", "{ \"SERVICE\", ... }: up to 16 names of other service sections",
        take_apart, .list = true },
    { "failback", "\"none\" or \"auto\"", take_failback, .list = false },
    { "failback-delay", "0 to 86400 (s)", NULL,
        CONF_NUMBER(struct conf_service, failback_delay_s, 0, 86400) },
    { "placement", "\"fixed\" or \"balance\"", take_placement, .list = false },
    { "load", "0 to 1000 (permille of a node; 0: as measured)", NULL,
        CONF_NUMBER(struct conf_service, load, 0, 1000) },
    { "fail-limit", "0 to 200 (0: none)", NULL,
        CONF_NUMBER(struct conf_service, fail_limit, 0, 200) },
    { "hold-off", "1 to 86400 (s)", NULL,
        CONF_NUMBER(struct conf_service, hold_off_s, 1, 86400) },
    { 0 },
};
