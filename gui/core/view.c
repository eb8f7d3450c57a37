/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gui/core/view.h"

#include "gui/core/clean.h"

#include <string.h>

static void
name_of(char *out, size_t size, const struct table *t, uint32_t row, int column)
{
    const char *text = table_text(t, row, column);

    clean_text(out, size, text, strlen(text));
}

static int64_t
number(const struct table *t, uint32_t row, int column)
{
    return table_number(t, row, column, NOT_KNOWN);
}

/* The table of a node that knows it; NULL if nobody asks it or it has no such row. */
static const struct table *
row_of(const struct model *m, int slot, unsigned which, const char *name, uint32_t *row)
{
    const struct table *t = slot < 0 ? NULL : &m->agents[slot].tables[which];
    int at = t && t->def && t->known ? table_find(t, name, NULL) : -1;

    *row = (uint32_t)at;
    return at < 0 ? NULL : t;
}

enum view_class
view_severity(int64_t severity)
{
    return severity == SEVERITY_ERROR     ? CLASS_BAD
           : severity == SEVERITY_WARNING ? CLASS_WARN
           : severity == SEVERITY_INFO    ? CLASS_GOOD
                                          : CLASS_UNKNOWN;
}

enum view_class
view_health(int64_t health)
{
    return health == HEALTH_OK         ? CLASS_GOOD
           : health == HEALTH_DEGRADED ? CLASS_WARN
           : health == HEALTH_FAILED   ? CLASS_BAD
                                       : CLASS_UNKNOWN;
}

int
view_find_node(const struct view *v, const char *name)
{
    for (unsigned i = 0; name[0] && i < v->nnodes; i++)
        if (!strcmp(v->nodes[i].name, name))
            return (int)i;
    return -1;
}

int
view_find_service(const struct view *v, const char *name)
{
    for (unsigned i = 0; name[0] && i < v->nservices; i++)
        if (!strcmp(v->services[i].name, name))
            return (int)i;
    return -1;
}

/* ---- nodes ---- */

static void
node_itself(struct view_node *n, const struct model *m)
{
    const struct table *t, *devices;

    n->processors = n->memory_total = n->memory_free = NOT_KNOWN;
    n->disk_total = n->disk_free = NOT_KNOWN;
    if (n->agent < 0)
        return;
    t = &m->agents[n->agent].tables[ON_NODE];
    devices = &m->agents[n->agent].tables[ON_INTERFACES];
    name_of(n->version, sizeof n->version, t, 0, NODE_VERSION);
    n->processors = number(t, 0, NODE_PROCESSORS);
    n->memory_total = number(t, 0, NODE_MEMORY_TOTAL);
    n->memory_free = number(t, 0, NODE_MEMORY_AVAILABLE);
    n->disk_total = number(t, 0, NODE_DISK_TOTAL);
    n->disk_free = number(t, 0, NODE_DISK_FREE);
    for (uint32_t i = 0; devices->def && i < devices->side[0].rows; i++)
        if (number(devices, i, INTERFACE_STATE) > 1 && !n->cut) {
            n->cut = true;
            name_of(n->down, sizeof n->down, devices, i, -1);
        }
}

static enum view_class
node_class(const struct view_node *n)
{
    if (n->state == NODE_OFFLINE)
        return CLASS_BAD;
    if (n->state != NODE_ONLINE)
        return CLASS_UNKNOWN;
    if (n->health == HEALTH_FAILED)
        return CLASS_BAD;
    if (n->health == HEALTH_DEGRADED || n->answers == MIB_FALSE || n->cut)
        return CLASS_WARN;
    if (n->maintenance == MIB_TRUE || n->drain > DRAIN_NO)
        return CLASS_BUSY;
    return n->health == HEALTH_OK ? CLASS_GOOD : CLASS_UNKNOWN;
}

static void
make_nodes(struct view *v, const struct model *m)
{
    const struct table *t = &m->cluster[OF_NODES];

    for (uint32_t i = 0; i < t->side[0].rows && v->nnodes < VIEW_NODES; i++) {
        struct view_node *n = &v->nodes[v->nnodes++];

        memset(n, 0, sizeof *n);
        n->id = number(t, i, -1);
        name_of(n->name, sizeof n->name, t, i, NODES_NAME);
        name_of(n->reason, sizeof n->reason, t, i, NODES_REASON);
        n->state = number(t, i, NODES_STATE);
        n->health = number(t, i, NODES_HEALTH);
        n->answers = number(t, i, NODES_ANSWERS);
        n->maintenance = number(t, i, NODES_MAINTENANCE);
        n->frozen = number(t, i, NODES_FROZEN);
        n->drain = number(t, i, NODES_DRAIN);
        n->load = number(t, i, NODES_LOAD);
        n->score = number(t, i, NODES_SCORE);
        n->agent = model_agent_of(m, n->name);
        n->asked = n->agent >= 0 && n->agent == m->primary;
        node_itself(n, m);
        n->class = node_class(n);
        v->online += n->state == NODE_ONLINE;
        v->offline += n->state == NODE_OFFLINE;
    }
}

/* ---- services ---- */

static enum view_class
service_class(int64_t state)
{
    static const enum view_class class[] = { [SERVICE_PROTECTED] = CLASS_GOOD,
        [SERVICE_UNPROTECTED] = CLASS_WARN,
        [SERVICE_TAKING_OVER] = CLASS_BUSY,
        [SERVICE_STOPPED] = CLASS_BAD,
        [SERVICE_FAILED] = CLASS_BAD };

    return state > 0 && state <= SERVICE_FAILED ? class[state] : CLASS_UNKNOWN;
}

/* What only the engine of the active node can tell. */
static void
service_engine(struct view_service *s, const struct model *m, int slot)
{
    const struct table *t;
    uint32_t row;

    t = row_of(m, slot, ON_CHECKPOINTS, s->name, &row);
    s->checkpoint = t ? number(t, row, CHECKPOINT_COUNT) : NOT_KNOWN;
    s->checkpoint_age = t ? number(t, row, CHECKPOINT_AGE) : NOT_KNOWN;
    s->checkpoint_size = t ? number(t, row, CHECKPOINT_SIZE) : NOT_KNOWN;
    s->checkpoint_pages = t ? number(t, row, CHECKPOINT_PAGES) : NOT_KNOWN;
    s->max_pause = t ? number(t, row, CHECKPOINT_MAX_PAUSE) : NOT_KNOWN;
    t = row_of(m, slot, ON_GATES, s->name, &row);
    s->held = t ? number(t, row, GATE_HELD) : NOT_KNOWN;
    s->released = t ? number(t, row, GATE_RELEASED) : NOT_KNOWN;
    s->lease = t ? number(t, row, LEASE_REMAINING) : NOT_KNOWN;
}

static void
service_row(struct view_service *s, const struct table *t, uint32_t i)
{
    name_of(s->name, sizeof s->name, t, i, -1);
    name_of(s->active, sizeof s->active, t, i, SERVICE_ACTIVE);
    name_of(s->preferred, sizeof s->preferred, t, i, SERVICE_PREFERRED);
    name_of(s->reason, sizeof s->reason, t, i, SERVICE_REASON);
    name_of(s->addresses, sizeof s->addresses, t, i, SERVICE_ADDRESSES);
    name_of(s->step, sizeof s->step, t, i, SERVICE_STEP);
    name_of(s->error, sizeof s->error, t, i, SERVICE_ERROR);
    name_of(s->next, sizeof s->next, t, i, SERVICE_NEXT);
    name_of(s->next_why, sizeof s->next_why, t, i, SERVICE_NEXT_WHY);
    s->state = number(t, i, SERVICE_STATE);
    s->policy = number(t, i, SERVICE_POLICY);
    s->epoch = number(t, i, SERVICE_EPOCH);
    s->connections = number(t, i, SERVICE_CONNECTIONS);
    s->blackout = number(t, i, SERVICE_BLACKOUT);
    s->pause = number(t, i, SERVICE_PAUSE);
    s->order = number(t, i, SERVICE_ORDER);
    s->maintenance = number(t, i, SERVICE_MAINTENANCE);
    s->frozen = number(t, i, SERVICE_FROZEN);
    s->interval = number(t, i, SERVICE_INTERVAL);
    s->health = number(t, i, SERVICE_HEALTH);
    s->load = number(t, i, SERVICE_LOAD);
}

static void
make_services(struct view *v, const struct model *m)
{
    const struct table *t = &m->cluster[OF_SERVICES];

    for (uint32_t i = 0; i < t->side[0].rows && v->nservices < VIEW_SERVICES; i++) {
        struct view_service *s = &v->services[v->nservices++];

        memset(s, 0, sizeof *s);
        service_row(s, t, i);
        s->node = view_find_node(v, s->active);
        service_engine(s, m, s->node < 0 ? -1 : v->nodes[s->node].agent);
        s->class = service_class(s->state);
        if (s->class == CLASS_GOOD && s->order > 0)
            s->class = CLASS_BUSY;
        if (s->node >= 0)
            v->nodes[s->node].active++;
    }
}

/* ---- standbys ---- */

static enum view_class
standby_class(const struct view_standby *s)
{
    switch (s->state) {
    case STANDBY_READY:
        return s->in_set == MIB_FALSE ? CLASS_WARN : CLASS_GOOD;
    case STANDBY_SEEDING:
    case STANDBY_CONNECTING:
        return CLASS_BUSY;
    case STANDBY_BEHIND:
        return CLASS_WARN;
    case STANDBY_DOWN:
        return CLASS_BAD;
    default:
        return CLASS_UNKNOWN;
    }
}

static void
make_standbys(struct view *v, const struct model *m)
{
    const struct table *t = &m->cluster[OF_STANDBYS], *clones;

    for (uint32_t i = 0; i < t->side[0].rows && v->nstandbys < VIEW_STANDBYS; i++) {
        struct view_standby *s = &v->standbys[v->nstandbys++];
        uint32_t row;

        memset(s, 0, sizeof *s);
        name_of(s->service, sizeof s->service, t, i, -1);
        name_of(s->name, sizeof s->name, t, i, -2);
        s->service_at = view_find_service(v, s->service);
        s->node = view_find_node(v, s->name);
        s->state = number(t, i, STANDBY_STATE);
        s->in_set = number(t, i, STANDBY_IN_SET);
        s->lag = number(t, i, STANDBY_LAG);
        if (s->lag < 0)
            s->lag = NOT_KNOWN;
        clones = row_of(
            m, s->node < 0 ? -1 : v->nodes[s->node].agent, ON_CLONES, s->service, &row);
        s->clone_age = clones ? number(clones, row, CLONE_AGE) : NOT_KNOWN;
        s->clone_checkpoint = clones ? number(clones, row, CLONE_CHECKPOINT)
                                     : NOT_KNOWN;
        s->clone_size = clones ? number(clones, row, CLONE_SIZE) : NOT_KNOWN;
        s->class = standby_class(s);
        if (s->node >= 0 && s->state != STANDBY_DOWN)
            v->nodes[s->node].clones++;
    }
}

/* ---- what decides who goes on ---- */

struct judged {
    const char *word;
    enum view_class class;
};

static enum view_class
class_of(const struct judged *rows, size_t n, const char *word)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(rows[i].word, word))
            return rows[i].class;
    return CLASS_UNKNOWN;
}

static void
make_fencing(struct view *v, const struct table *t)
{
    static const struct judged fencing[] = { { "none", CLASS_GOOD },
        { "ready", CLASS_GOOD }, { "refused", CLASS_WARN } };
    static const struct judged device[] = { { "together", CLASS_GOOD },
        { "split", CLASS_BUSY }, { "won", CLASS_WARN }, { "lost", CLASS_BAD },
        { "apart", CLASS_BAD } };

    name_of(v->fencing, sizeof v->fencing, t, 0, CLUSTER_FENCING);
    name_of(v->fencing_why, sizeof v->fencing_why, t, 0, CLUSTER_AUTOMATIC_REASON);
    name_of(v->device, sizeof v->device, t, 0, CLUSTER_DEVICE);
    v->fencing_class = class_of(fencing, sizeof fencing / sizeof *fencing, v->fencing);
    v->device_class = class_of(device, sizeof device / sizeof *device, v->device);
    v->device_votes = number(t, 0, CLUSTER_DEVICE_VOTES);
    v->has_device = v->device[0] && strcmp(v->device, "none") != 0;
}

/* ---- the whole ---- */

static unsigned
services_in(const struct view *v, int64_t state)
{
    unsigned n = 0;

    for (unsigned i = 0; i < v->nservices; i++)
        n += v->services[i].state == state;
    return n;
}

static void
judge(struct view *v, enum view_overall overall, enum view_class class, unsigned a,
    unsigned b)
{
    v->overall = overall;
    v->class = class;
    v->a = a;
    v->b = b;
}

/* The first that is so is what the operator has to know first. */
static void
judge_services(struct view *v)
{
    static const struct {
        int64_t state;
        enum view_overall overall;
        enum view_class class;
    } rows[] = { { SERVICE_FAILED, OVERALL_FAILED, CLASS_BAD },
        { SERVICE_TAKING_OVER, OVERALL_TAKING_OVER, CLASS_BUSY },
        { SERVICE_STOPPED, OVERALL_STOPPED, CLASS_BAD },
        { SERVICE_UNPROTECTED, OVERALL_UNPROTECTED, CLASS_WARN } };
    unsigned unwell = 0;

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        unsigned n = services_in(v, rows[i].state);

        if (n > 0) {
            judge(v, rows[i].overall, rows[i].class, n, v->nservices);
            return;
        }
    }
    for (unsigned i = 0; i < v->nnodes; i++)
        unwell += v->nodes[i].class == CLASS_BAD || v->nodes[i].class == CLASS_WARN;
    if (v->nservices == 0)
        judge(v, OVERALL_NO_SERVICES, CLASS_UNKNOWN, 0, 0);
    else if (services_in(v, SERVICE_PROTECTED) < v->nservices)
        judge(v, OVERALL_UNPROTECTED, CLASS_WARN,
            v->nservices - services_in(v, SERVICE_PROTECTED), v->nservices);
    else if (unwell > 0)
        judge(v, OVERALL_NODES, CLASS_WARN, unwell, v->nnodes);
    else
        judge(v, OVERALL_PROTECTED, CLASS_GOOD, v->nservices, v->nservices);
}

static void
judge_all(struct view *v, const struct model *m)
{
    const struct table *t = &m->cluster[OF_CLUSTER];
    bool trying = false;

    for (int i = 0; i < MODEL_AGENTS; i++)
        trying |= m->agents[i].state == AGENT_CONNECTING;
    if (v->agents == 0)
        judge(v, OVERALL_NOT_CONNECTED, CLASS_UNKNOWN, 0, 0);
    else if (!t->known && trying)
        judge(v, OVERALL_CONNECTING, CLASS_UNKNOWN, 0, 0);
    else if (m->primary < 0 || !t->known)
        judge(v, OVERALL_LOST, CLASS_BAD, 0, 0);
    else if (number(t, 0, CLUSTER_STATE) != ANSWERING)
        judge(v, OVERALL_NO_SUPERVISOR, CLASS_BAD, 0, 0);
    else if (v->quorate == MIB_FALSE)
        judge(v, OVERALL_NO_QUORUM, CLASS_BAD, 0, 0);
    else
        judge_services(v);
}

void
view_make(struct view *v, const struct model *m)
{
    const struct table *t = &m->cluster[OF_CLUSTER];

    v->nnodes = v->nservices = v->nstandbys = v->online = v->offline = 0;
    v->agents = v->agents_live = 0;
    v->asked[0] = v->asked_name[0] = v->why[0] = '\0';
    name_of(v->cluster, sizeof v->cluster, t, 0, CLUSTER_NAME);
    make_fencing(v, t);
    name_of(v->plan, sizeof v->plan, t, 0, CLUSTER_PLAN);
    v->quorate = number(t, 0, CLUSTER_QUORATE);
    v->maintenance = number(t, 0, CLUSTER_MAINTENANCE);
    v->frozen = number(t, 0, CLUSTER_FROZEN);
    v->automatic = number(t, 0, CLUSTER_AUTOMATIC);
    for (int i = 0; i < MODEL_AGENTS; i++) {
        const struct agent *a = &m->agents[i];

        v->agents += a->state != AGENT_NONE;
        v->agents_live += a->state == AGENT_LIVE;
        if (a->why[0] && !v->why[0])
            memcpy(v->why, a->why, sizeof v->why);
    }
    v->connected = m->primary >= 0;
    if (v->connected) {
        memcpy(v->asked, m->agents[m->primary].address, sizeof v->asked);
        name_of(v->asked_name, sizeof v->asked_name,
            &m->agents[m->primary].tables[ON_NODE], 0, NODE_NAME);
    }
    make_nodes(v, m);
    make_services(v, m);
    make_standbys(v, m);
    judge_all(v, m);
}
