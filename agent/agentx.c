/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/agentx.h"

#include "lib/log.h"
#include "lib/loop.h"

#include <sched.h>

#include "lib/netsnmp.h" /* last: see there */

#define ROUNDS 64 /* of the library in a turn */

/* after an answer, since in a walk the next request is about to come */
#define SPIN_US 100
#define LINGER_MS 1

/* Kinds of messages (RFC 2741, 6.1); the library has no installed header for them. */
enum { AGENTX_GET = 5, AGENTX_GET_NEXT = 6, AGENTX_RESPONSE = 18 };

/* keep-alive, and how long after its loss a session is tried again */
#define PING_S 1

static const oid root[] = { 1, 3, 6, 1, 4, 1, BSC_ENTERPRISE };
#define NROOT OID_LENGTH(root)

/* net-snmp is one per process, and so is this. */
static struct {
    const struct agentx_owner *owner; /* borrowed */
    const struct snapshot *snap;      /* borrowed */
    struct desk_request request;      /* of the SET that is being decided */
    bool taken;                       /* .request was done, but not committed */
    bool connected;
    netsnmp_callback library; /* what takes the messages that answer() leaves */
} agent;

static oid *
absolute(const uint32_t *relative, uint32_t n, oid *out)
{
    memcpy(out, root, sizeof root);
    for (uint32_t i = 0; i < n; i++)
        out[NROOT + i] = relative[i];
    return out;
}

/* relative - the part of @name below the root; 0 if it is before it, -1 if behind. */
static int
relative(const oid *name, size_t n, uint32_t *out)
{
    size_t i;

    if (snmp_oidtree_compare(name, n, root, NROOT) != 0)
        return snmp_oid_compare(name, n, root, NROOT) < 0 ? 0 : -1;
    for (i = 0; NROOT + i < n && i < MAX_OID_LEN; i++)
        out[i] = name[NROOT + i] > UINT32_MAX ? UINT32_MAX : (uint32_t)name[NROOT + i];
    return (int)i;
}

/* stamp - when something happened, as the agent's sysUpTime was then; 0: before. */
static uint32_t
stamp(int64_t us)
{
    int64_t ago = (agent.owner->clock().us - us) / 10000;
    int64_t uptime = (int64_t)netsnmp_get_agent_uptime();

    return ago < uptime ? (uint32_t)(uptime - ago) : 0;
}

static void
set_number(netsnmp_variable_list *var, const struct mib_value *v)
{
    uint64_t n = (uint64_t)v->number;
    struct counter64 c = { .high = n >> 32, .low = n & UINT32_MAX };

    switch (v->type) {
    case MIB_COUNTER64:
        snmp_set_var_typed_value(var, ASN_COUNTER64, &c, sizeof c);
        break;
    case MIB_COUNTER32:
        snmp_set_var_typed_integer(var, ASN_COUNTER, (long)n);
        break;
    case MIB_UNSIGNED:
        snmp_set_var_typed_integer(var, ASN_GAUGE, (long)n);
        break;
    case MIB_STAMP:
        snmp_set_var_typed_integer(var, ASN_TIMETICKS, (long)stamp(v->number));
        break;
    default:
        snmp_set_var_typed_integer(var, ASN_INTEGER, (long)v->number);
        break;
    }
}

static void
set_value(netsnmp_variable_list *var, const struct mib_value *v)
{
    if (v->type == MIB_TEXT)
        snmp_set_var_typed_value(var, ASN_OCTET_STR, v->text, v->size);
    else if (v->type == MIB_DATE)
        snmp_set_var_typed_value(var, ASN_OCTET_STR, v->date, v->size);
    else
        set_number(var, v);
}

static void
get(netsnmp_variable_list *var)
{
    uint32_t at[MAX_OID_LEN];
    int n = relative(var->name, var->name_length, at);
    struct mib_value v;
    enum mib_found found = MIB_NO_OBJECT;

    if (n > 0)
        found = mib_get(snapshot_tables, SNAP_NTABLES, agent.snap, at, (uint32_t)n, &v);
    if (found == MIB_FOUND)
        set_value(var, &v);
    else
        snmp_set_var_typed_value(var,
            found == MIB_NO_OBJECT ? SNMP_NOSUCHOBJECT : SNMP_NOSUCHINSTANCE, NULL, 0);
}

/* is_before - @name is within the range of @var, whose value is the end of it: the
 * null identifier is none. */
static bool
is_before(const oid *name, size_t n, const netsnmp_variable_list *var)
{
    const oid *end = var->val.objid;
    size_t nend = var->val_len / sizeof *end;

    if (nend == 0 || (nend == 2 && end[0] == 0 && end[1] == 0))
        return true;
    return snmp_oid_compare(name, n, end, nend) < 0;
}

static void
get_next(netsnmp_variable_list *var)
{
    uint32_t at[MAX_OID_LEN], next[MIB_OID_MAX], nnext;
    int n = relative(var->name, var->name_length, at);
    struct mib_value v;
    oid name[MAX_OID_LEN];
    bool found = false;

    if (n > 0 && var->type == ASN_PRIV_INCL_RANGE &&
        mib_get(snapshot_tables, SNAP_NTABLES, agent.snap, at, (uint32_t)n, &v) ==
            MIB_FOUND) {
        set_value(var, &v); /* itself was asked for too, and is there */
        return;
    }
    if (n >= 0)
        found = mib_next(snapshot_tables, SNAP_NTABLES, agent.snap, at, (uint32_t)n,
            next, &nnext, &v);
    if (!found || !is_before(absolute(next, nnext, name), NROOT + nnext, var)) {
        snmp_set_var_typed_value(var, SNMP_ENDOFMIBVIEW, NULL, 0);
        return;
    }
    snmp_set_var_objid(var, name, NROOT + nnext);
    set_value(var, &v);
}

/* answer - @pdu, which asks for objects; its bindings go into the response. */
static void
answer(netsnmp_session *session, netsnmp_pdu *pdu)
{
    netsnmp_pdu *response = snmp_pdu_create(AGENTX_RESPONSE);

    if (!response)
        log_fatal("AgentX: out of memory");
    for (netsnmp_variable_list *v = pdu->variables; v; v = v->next_variable)
        if (pdu->command == AGENTX_GET)
            get(v);
        else
            get_next(v);
    response->version = session->version;
    response->flags = pdu->flags; /* the order of octets */
    response->sessid = pdu->sessid;
    response->transid = pdu->transid;
    response->reqid = pdu->reqid;
    response->errstat = SNMP_ERR_NOERROR;
    response->errindex = 0;
    response->variables = pdu->variables;
    pdu->variables = NULL;
    if (!snmp_send(session, response))
        snmp_free_pdu(response);
}

/* on_message - a message of snmpd.  What reads is answered here: the library would copy
 * it three times and write it to itself through two pipes. */
static int
on_message(int operation, netsnmp_session *session, int id, netsnmp_pdu *pdu, void *arg)
{
    bool reads = operation == NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE &&
                 (pdu->command == AGENTX_GET || pdu->command == AGENTX_GET_NEXT);

    if (!reads)
        return agent.library(operation, session, id, pdu, arg);
    /* it lives: no ping is needed yet; the library keeps the alarm's number there */
    if (session->securityModel != SNMP_DEFAULT_SECMODEL)
        snmp_alarm_reset((unsigned)session->securityModel);
    answer(session, pdu);
    return 1;
}

static int
set_error_code(enum set_error error)
{
    static const int errors[] = { [SET_OK] = SNMP_ERR_NOERROR,
        [SET_NO_CREATION] = SNMP_ERR_NOCREATION,
        [SET_NOT_WRITABLE] = SNMP_ERR_NOTWRITABLE,
        [SET_WRONG_TYPE] = SNMP_ERR_WRONGTYPE,
        [SET_WRONG_LENGTH] = SNMP_ERR_WRONGLENGTH,
        [SET_WRONG_VALUE] = SNMP_ERR_WRONGVALUE,
        [SET_INCONSISTENT_VALUE] = SNMP_ERR_INCONSISTENTVALUE,
        [SET_INCONSISTENT_NAME] = SNMP_ERR_INCONSISTENTNAME,
        [SET_UNAVAILABLE] = SNMP_ERR_RESOURCEUNAVAILABLE };

    return errors[error];
}

static void
set_syntax(netsnmp_agent_request_info *info, netsnmp_request_info *req)
{
    memset(&agent.request, 0, sizeof agent.request);
    agent.taken = false;
    for (uint32_t i = 0; req; req = req->next, i++) {
        netsnmp_variable_list *var = req->requestvb;
        uint32_t at[MAX_OID_LEN];
        int n = relative(var->name, var->name_length, at);
        struct desk_binding b = { .oid = at, .noid = n > 0 ? (uint32_t)n : 0 };
        enum set_error error;

        b.is_text = var->type == ASN_OCTET_STR;
        b.is_number = var->type == ASN_INTEGER;
        b.number = b.is_number ? *var->val.integer : 0;
        b.text = (const char *)var->val.string;
        b.size = (uint32_t)var->val_len;
        error = desk_syntax(agent.snap, &b, i, &agent.request);
        if (error != SET_OK) {
            netsnmp_set_request_error(info, req, set_error_code(error));
            agent.owner->refused(&agent.request, error, i, agent.owner->arg);
            return;
        }
    }
}

static void
set_check(netsnmp_agent_request_info *info, netsnmp_request_info *req)
{
    uint32_t at = 0;
    enum set_error error = agent.owner->check(&agent.request, &at, agent.owner->arg);

    if (error != SET_OK)
        agent.owner->refused(&agent.request, error, at, agent.owner->arg);
    for (; at > 0 && req->next; at--)
        req = req->next;
    if (error != SET_OK)
        netsnmp_set_request_error(info, req, set_error_code(error));
}

static int
handle(netsnmp_mib_handler *handler, netsnmp_handler_registration *registration,
    netsnmp_agent_request_info *info, netsnmp_request_info *requests)
{
    const struct agentx_owner *o = agent.owner;

    (void)handler;
    (void)registration;
    switch (info->mode) {
    case MODE_SET_RESERVE1:
        set_syntax(info, requests);
        break;
    case MODE_SET_RESERVE2:
        set_check(info, requests);
        break;
    case MODE_SET_ACTION:
        o->take(&agent.request, o->arg);
        agent.taken = true;
        break;
    case MODE_SET_UNDO: /* may come more than once */
        if (agent.taken)
            o->undo(o->arg);
        agent.taken = false;
        break;
    case MODE_SET_COMMIT:
        if (agent.taken)
            o->commit(o->arg);
        agent.taken = false;
        break;
    default:
        break;
    }
    return SNMP_ERR_NOERROR;
}

static int
on_session(int major, int minor, void *server, void *client)
{
    netsnmp_session *session = server;

    (void)major;
    (void)client;
    agent.connected = minor == SNMPD_CALLBACK_INDEX_START;
    if (agent.connected) {
        agent.library = session->callback;
        session->callback = on_message;
    }
    log_info("snmpd: %s",
        agent.connected ? "connected, objects registered" : "connection lost");
    return 0;
}

static int
on_log(int major, int minor, void *server, void *client)
{
    const struct snmp_log_message *m = server;
    int n = (int)strcspn(m->msg, "\n");

    (void)major;
    (void)minor;
    (void)client;
    if (m->priority <= LOG_ERR)
        log_warn("net-snmp: %.*s", n, m->msg);
    else
        log_debug("net-snmp: %.*s", n, m->msg);
    return 0;
}

void
agentx_init(const char *socket, const struct agentx_owner *owner)
{
    netsnmp_handler_registration *reg;

    agent.owner = owner;
    setenv("MIBS", "", 1); /* numbers only: no MIB files are needed to run */
    snmp_enable_calllog();
    snmp_register_callback(SNMP_CALLBACK_LIBRARY, SNMP_CALLBACK_LOGGING, on_log, NULL);
    netsnmp_ds_set_boolean(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_ROLE, 1);
    if (socket)
        netsnmp_ds_set_string(
            NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_X_SOCKET, socket);
    netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_READ_CONFIGS, 1);
    netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_PERSIST_STATE, 1);
    snmp_register_callback(
        SNMP_CALLBACK_APPLICATION, SNMPD_CALLBACK_INDEX_START, on_session, NULL);
    snmp_register_callback(
        SNMP_CALLBACK_APPLICATION, SNMPD_CALLBACK_INDEX_STOP, on_session, NULL);
    init_agent("bascule-agent");
    /* init_agent() resets them, init_snmp() uses them: here and nowhere else */
    netsnmp_ds_set_int(
        NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_AGENTX_PING_INTERVAL, PING_S);
    netsnmp_ds_set_int(
        NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_AGENTX_TIMEOUT, 1000000);
    netsnmp_ds_set_int(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_AGENTX_RETRIES, 0);
    reg = netsnmp_create_handler_registration(
        "bascule", handle, root, NROOT, HANDLER_CAN_RWRITE);
    if (!reg || netsnmp_register_handler(reg) != MIB_REGISTERED_OK)
        log_fatal("net-snmp: the objects cannot be registered");
    init_snmp("bascule-agent");
}

void
agentx_fini(void)
{
    snmp_shutdown("bascule-agent");
    shutdown_agent();
}

void
agentx_show(const struct snapshot *snap)
{
    agent.snap = snap;
}

bool
agentx_connected(void)
{
    return agent.connected;
}

unsigned
agentx_poll(struct pollfd *fds, int *timeout_ms)
{
    netsnmp_large_fd_set set;
    struct timeval tv = { .tv_sec = *timeout_ms / 1000,
        .tv_usec = *timeout_ms % 1000 * 1000 };
    int nfds = 0, block = 0;
    unsigned n = 0;

    netsnmp_large_fd_set_init(&set, FD_SETSIZE);
    NETSNMP_LARGE_FD_ZERO(&set);
    snmp_select_info2(&nfds, &set, &tv, &block);
    for (int fd = 0; fd < nfds && n < AGENTX_MAX_FDS; fd++)
        if (NETSNMP_LARGE_FD_ISSET(fd, &set))
            fds[n++] = (struct pollfd){ .fd = fd, .events = POLLIN };
    netsnmp_large_fd_set_cleanup(&set);
    *timeout_ms = (int)(tv.tv_sec * 1000 + (tv.tv_usec + 999) / 1000);
    return n;
}

/* serve - one round of the library.  Was there anything to read? */
static bool
serve(const struct pollfd *fds, unsigned n)
{
    netsnmp_large_fd_set set;
    unsigned ready = 0;

    netsnmp_large_fd_set_init(&set, FD_SETSIZE);
    NETSNMP_LARGE_FD_ZERO(&set);
    for (unsigned i = 0; i < n; i++)
        if (fds[i].revents) {
            NETSNMP_LARGE_FD_SET(fds[i].fd, &set);
            ready++;
        }
    if (ready)
        snmp_read2(&set);
    else
        snmp_timeout();
    netsnmp_large_fd_set_cleanup(&set);
    run_alarms();
    netsnmp_check_outstanding_agent_requests();
    return ready > 0;
}

/* await - the next request of a walk.  It comes some 50 us after the answer to the last
 * one: to fall asleep and be woken again would take as long. */
static bool
await(struct pollfd *fds, unsigned n)
{
    int64_t end = mono_clock().us + SPIN_US;

    do {
        if (poll(fds, n, 0) > 0)
            return true;
        sched_yield(); /* who asks may be waiting for this processor */
    } while (mono_clock().us < end);
    return poll(fds, n, LINGER_MS) > 0;
}

/* A request comes for each row of a walk, and a SET goes through two pipes within the
 * library: the rest of the program need not take part in each of these rounds. */
void
agentx_turn(const struct pollfd *fds, unsigned n)
{
    struct pollfd more[AGENTX_MAX_FDS];
    bool was_connected = agent.connected;
    int no_time = 0;

    if (!serve(fds, n))
        return;
    n = agentx_poll(more, &no_time);
    for (unsigned round = 0; round < ROUNDS; round++) {
        /* of another session the descriptors are others */
        if (agent.connected != was_connected || !await(more, n))
            return;
        serve(more, n);
    }
}

static void
add(netsnmp_variable_list **list, const struct notice_object *o)
{
    oid name[MAX_OID_LEN];
    long number = (long)o->number;

    absolute(o->oid, o->noid, name);
    if (o->type == MIB_TEXT)
        snmp_varlist_add_variable(
            list, name, NROOT + o->noid, ASN_OCTET_STR, o->text, strlen(o->text));
    else
        snmp_varlist_add_variable(list, name, NROOT + o->noid,
            o->type == MIB_INTEGER ? ASN_INTEGER : ASN_UNSIGNED, &number,
            sizeof number);
}

void
agentx_notify(const struct notice *notice)
{
    static const oid trap_oid[] = { 1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0 };
    struct notice_object objects[NOTICE_OBJECTS];
    uint32_t kind[4];
    unsigned n = notice_objects(notice, agent.snap->node.v[0].name, kind, objects);
    netsnmp_variable_list *list = NULL;
    oid name[MAX_OID_LEN];

    absolute(kind, 4, name);
    snmp_varlist_add_variable(&list, trap_oid, OID_LENGTH(trap_oid), ASN_OBJECT_ID,
        name, (NROOT + 4) * sizeof *name);
    for (unsigned i = 0; i < n; i++)
        add(&list, &objects[i]);
    send_v2trap(list);
    snmp_free_varbind(list);
}
