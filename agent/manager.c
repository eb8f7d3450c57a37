/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/manager.h"

#include "lib/log.h"
#include "lib/loop.h"

#include "lib/netsnmp.h" /* last: see there */

static const oid root[] = { 1, 3, 6, 1, 4, 1, BSC_ENTERPRISE };
#define NROOT OID_LENGTH(root)

#define MAX_REQUESTS 1280 /* 16 nodes, 64 services, and what is asked besides */
#define ATTEMPTS 2
#define GRACE_MS 100 /* after the library's own time-out */

/* usmHMAC192SHA256AuthProtocol (RFC 7860), usmAesCfb128Protocol (RFC 3826) */
static oid auth_protocol[] = { 1, 3, 6, 1, 6, 3, 10, 1, 1, 5 };
static oid priv_protocol[] = { 1, 3, 6, 1, 6, 3, 10, 1, 2, 4 };

/* SNMP engine identifier (RFC 3411): enterprise, format 5 = octets, ours */
static const u_char engine_head[] = { 0x80 | (BSC_ENTERPRISE >> 24 & 0x7f),
    BSC_ENTERPRISE >> 16 & 0xff, BSC_ENTERPRISE >> 8 & 0xff, BSC_ENTERPRISE & 0xff, 5 };

static const char no_answer[] = "no answer: the host or its snmpd is down";

struct manager_session {
    netsnmp_session *session; /* owned by the library until manager_close() */
    u_char engine[64];
    size_t engine_size;
};

/* The library calls back for one request more than once: for a report, then for what
 * became of it, or not at all.  So it is given a number, not a pointer, and what it
 * says of a request that is over counts for nothing.  The number gives the place in
 * the table; since all wait equally long, they time out in the order of numbers. */
struct request {
    uintptr_t number; /* 0: free */
    void (*reply)(const char *, const struct manager_value *, unsigned, void *);
    void *arg;
    const char *why; /* static; of the report that came, or NULL */
    struct mono deadline;
};

/* net-snmp is one per process, and so is this. */
static struct {
    char user[64];
    u_char key[USM_LENGTH_KU_HASHBLOCK]; /* Ku: not yet localized to an engine */
    size_t key_size;
    unsigned timeout_ms;
    struct request requests[MAX_REQUESTS];
    uintptr_t last, over; /* the last number given; all up to .over are over */
} manager = { .timeout_ms = 500 };

bool
manager_init(const char *user, const char *phrase)
{
    setenv("MIBS", "", 1);
    netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_READ_CONFIGS, 1);
    netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_PERSIST_STATE, 1);
    snmp_disable_log();
    init_snmp("bascule-poller");
    snprintf(manager.user, sizeof manager.user, "%s", user);
    manager.key_size = sizeof manager.key;
    /* a million octets are hashed: once, not for each node */
    return strlen(phrase) >= 8 &&
           generate_Ku(auth_protocol, OID_LENGTH(auth_protocol), (const u_char *)phrase,
               strlen(phrase), manager.key, &manager.key_size) == SNMPERR_SUCCESS;
}

void
manager_fini(void)
{
    snmp_shutdown("bascule-poller");
}

void
manager_timeout(unsigned ms)
{
    manager.timeout_ms = ms;
}

struct manager_session *
manager_open(const char *peer, const char *node)
{
    struct manager_session *m = calloc(1, sizeof *m);
    netsnmp_session s;

    if (!m)
        log_fatal("SNMP session: out of memory");
    memcpy(m->engine, engine_head, sizeof engine_head);
    m->engine_size = sizeof engine_head +
                     (size_t)snprintf((char *)m->engine + sizeof engine_head,
                         sizeof m->engine - sizeof engine_head, "bascule-%s", node);
    snmp_sess_init(&s);
    s.peername = (char *)(uintptr_t)peer;
    s.version = SNMP_VERSION_3;
    s.retries = ATTEMPTS - 1;
    s.timeout = (long)manager.timeout_ms * 1000;
    s.securityName = manager.user;
    s.securityNameLen = strlen(manager.user);
    s.securityLevel = SNMP_SEC_LEVEL_AUTHPRIV;
    s.securityAuthProto = auth_protocol;
    s.securityAuthProtoLen = OID_LENGTH(auth_protocol);
    s.securityPrivProto = priv_protocol;
    s.securityPrivProtoLen = OID_LENGTH(priv_protocol);
    memcpy(s.securityAuthKey, manager.key, manager.key_size);
    s.securityAuthKeyLen = manager.key_size;
    memcpy(s.securityPrivKey, manager.key, manager.key_size);
    s.securityPrivKeyLen = manager.key_size;
    s.securityEngineID = s.contextEngineID = m->engine;
    s.securityEngineIDLen = s.contextEngineIDLen = m->engine_size;
    m->session = snmp_open(&s);
    if (!m->session) {
        free(m);
        return NULL;
    }
    return m;
}

void
manager_close(struct manager_session *session)
{
    if (!session)
        return;
    snmp_close(session->session);
    free(session);
}

/* report_text - what a report of the other engine means (usmStats, RFC 3414). */
static const char *
report_text(const netsnmp_pdu *pdu)
{
    static const oid stats[] = { 1, 3, 6, 1, 6, 3, 15, 1, 1 };
    static const char *const text[] = { "", "snmpd refuses authPriv for the user",
        "clocks of the SNMP engines differ", "snmpd does not know the SNMPv3 user",
        "snmpd has another engine identifier than exactEngineID should give",
        "wrong pass phrase of the SNMPv3 user",
        "wrong pass phrase of the SNMPv3 user (decryption)" };
    const netsnmp_variable_list *v = pdu->variables;
    size_t n = OID_LENGTH(stats);

    if (v && v->name_length > n && snmp_oidtree_compare(v->name, n, stats, n) == 0 &&
        v->name[n] < sizeof text / sizeof text[0])
        return text[v->name[n]];
    return "snmpd sent a report instead of an answer";
}

static void
value_of(const netsnmp_variable_list *v, struct manager_value *out)
{
    size_t n;

    out->number = 0; /* of .text nothing but what is used: most are numbers */
    out->text[0] = '\0';
    switch (v->type) {
    case SNMP_NOSUCHOBJECT:
        out->type = MANAGER_NO_OBJECT;
        break;
    case SNMP_NOSUCHINSTANCE:
        out->type = MANAGER_NO_INSTANCE;
        break;
    case ASN_OCTET_STR:
        n = v->val_len < MANAGER_TEXT ? v->val_len : MANAGER_TEXT - 1;
        out->type = MANAGER_BYTES;
        memcpy(out->text, v->val.string, n);
        out->text[n] = '\0';
        break;
    case ASN_INTEGER:
    case ASN_GAUGE:
    case ASN_COUNTER:
    case ASN_TIMETICKS:
        out->type = MANAGER_NUMBER;
        out->number = v->type == ASN_INTEGER ? *v->val.integer
                                             : (int64_t)(*v->val.integer & UINT32_MAX);
        break;
    case ASN_COUNTER64:
        out->type = MANAGER_NUMBER;
        out->number = (int64_t)((uint64_t)v->val.counter64->high << 32 |
                                (v->val.counter64->low & UINT32_MAX));
        break;
    default:
        out->type = MANAGER_NO_INSTANCE;
        break;
    }
}

static struct request *
find(uintptr_t number)
{
    struct request *r = &manager.requests[number % MAX_REQUESTS];

    return r->number == number ? r : NULL;
}

static void
finish(
    struct request *r, const char *why, const struct manager_value *values, unsigned n)
{
    struct request done = *r;

    r->number = 0; /* free before the owner hears of it: he may ask again at once */
    done.reply(why, values, n, done.arg);
}

static const char *
error_text(const netsnmp_pdu *pdu)
{
    if (pdu->errstat == SNMP_ERR_GENERR)
        return "snmpd answers, but its bascule-agent does not";
    return snmp_errstring((int)pdu->errstat);
}

static void
take_answer(struct request *r, const netsnmp_pdu *pdu)
{
    struct manager_value values[MANAGER_MAX_OBJECTS];
    unsigned n = 0;

    if (pdu->errstat != SNMP_ERR_NOERROR) {
        finish(r, error_text(pdu), NULL, 0);
        return;
    }
    for (const netsnmp_variable_list *v = pdu->variables; v && n < MANAGER_MAX_OBJECTS;
         v = v->next_variable)
        value_of(v, &values[n++]);
    finish(r, NULL, values, n);
}

static int
on_reply(int operation, netsnmp_session *session, int id, netsnmp_pdu *pdu, void *arg)
{
    struct request *r = find((uintptr_t)arg);

    (void)session;
    (void)id;
    if (!r || operation == NETSNMP_CALLBACK_OP_RESEND ||
        operation == NETSNMP_CALLBACK_OP_CONNECT)
        return 1;
    if (operation == NETSNMP_CALLBACK_OP_TIMED_OUT)
        finish(r, r->why ? r->why : no_answer, NULL, 0);
    else if (operation == NETSNMP_CALLBACK_OP_SEC_ERROR && pdu)
        finish(r, report_text(pdu), NULL, 0);
    else if (operation != NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE)
        finish(r, r->why ? r->why : "the request could not be sent", NULL, 0);
    else if (pdu->command == SNMP_MSG_REPORT)
        r->why = report_text(pdu); /* clocks: it goes out again; else it will end */
    else
        take_answer(r, pdu);
    return 1;
}

bool
manager_get(struct manager_session *session, const struct manager_oid *oids, unsigned n,
    void (*reply)(const char *why, const struct manager_value *values, unsigned nvalues,
        void *arg),
    void *arg)
{
    struct request *r = &manager.requests[(manager.last + 1) % MAX_REQUESTS];
    netsnmp_pdu *pdu;
    oid name[MAX_OID_LEN];

    if (r->number)
        return false;
    pdu = snmp_pdu_create(SNMP_MSG_GET);
    if (!pdu)
        log_fatal("SNMP request: out of memory");
    memcpy(name, root, sizeof root);
    for (unsigned i = 0; i < n; i++) {
        for (unsigned k = 0; k < oids[i].n; k++)
            name[NROOT + k] = oids[i].part[k];
        snmp_add_null_var(pdu, name, NROOT + oids[i].n);
    }
    /* the number is not in the table yet: what is called back meanwhile is ignored */
    if (!snmp_async_send(session->session, pdu, on_reply, (void *)++manager.last)) {
        snmp_free_pdu(pdu);
        return false;
    }
    *r = (struct request){ .number = manager.last,
        .reply = reply,
        .arg = arg,
        .deadline = mono_add_ms(
            mono_clock(), (int64_t)manager.timeout_ms * ATTEMPTS + GRACE_MS) };
    return true;
}

unsigned
manager_poll(struct pollfd *fds, int *timeout_ms)
{
    netsnmp_large_fd_set set;
    struct timeval tv = { .tv_sec = *timeout_ms / 1000,
        .tv_usec = *timeout_ms % 1000 * 1000 };
    int nfds = 0, block = 0;
    unsigned n = 0;

    netsnmp_large_fd_set_init(&set, FD_SETSIZE);
    NETSNMP_LARGE_FD_ZERO(&set);
    snmp_select_info2(&nfds, &set, &tv, &block);
    for (int fd = 0; fd < nfds && n < MANAGER_MAX_FDS; fd++)
        if (NETSNMP_LARGE_FD_ISSET(fd, &set))
            fds[n++] = (struct pollfd){ .fd = fd, .events = POLLIN };
    netsnmp_large_fd_set_cleanup(&set);
    *timeout_ms = (int)(tv.tv_sec * 1000 + (tv.tv_usec + 999) / 1000);
    if (manager.last != manager.over && *timeout_ms > GRACE_MS)
        *timeout_ms = GRACE_MS; /* so often the deadlines are looked at */
    return n;
}

static void
give_up(struct mono now)
{
    while (manager.over < manager.last) {
        struct request *r = find(manager.over + 1);

        if (r && !mono_before(r->deadline, now))
            return;
        if (r)
            finish(r, r->why ? r->why : no_answer, NULL, 0);
        manager.over++;
    }
}

void
manager_turn(const struct pollfd *fds, unsigned n)
{
    struct mono now = mono_clock();
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
    give_up(now);
}
