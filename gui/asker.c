/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gui/asker.h"

#include "gui/finder.h"
#include "gui/words.h"

#include <glib/gi18n.h>
#include <string.h>

#include "lib/netsnmp.h" /* last: see there */

/* twice: an agent that is gone is known to be after 1.4 s */
#define TIMEOUT_US 700000

static const oid root[] = { 1, 3, 6, 1, 4, 1, BSC_ENTERPRISE, 1 };
#define NROOT OID_LENGTH(root)

/* HMAC-SHA-1, RFC 7860; AES: RFC 3826 */
static struct {
    const char *name;
    oid id[10];
} auth[] = { { "SHA-256", { 1, 3, 6, 1, 6, 3, 10, 1, 1, 5 } },
    { "SHA", { 1, 3, 6, 1, 6, 3, 10, 1, 1, 3 } },
    { "SHA-512", { 1, 3, 6, 1, 6, 3, 10, 1, 1, 7 } } };
static oid priv_aes[] = { 1, 3, 6, 1, 6, 3, 10, 1, 2, 4 };

enum stage { FINDING, OPEN, BROKEN };

struct request {
    struct asker *session; /* NULL: nobody waits for it any more */
    netsnmp_pdu *pdu;      /* owned until it is sent */
    asker_reply reply;
    void *arg;
    const char *why; /* of a report */
};

struct asker {
    const struct asker_user *user; /* borrowed */
    char *address;                 /* owned */
    enum stage stage;
    char why[160];         /* BROKEN */
    struct finder *finder; /* FINDING; owned */
    struct found found;    /* OPEN */
    GSource *source;
    void *handle;        /* of the library, OPEN */
    GPtrArray *requests; /* struct request: waiting or under way */
    bool closed;
    int inside; /* calls of the library on the stack: it must not be freed below them */
};

struct session_source {
    GSource base;
    struct asker *session;
    gpointer tag;
    int fd;
};

static void find(struct asker *s);

static void
leave(struct asker *s)
{
    if (--s->inside == 0 && s->closed)
        asker_close(s);
}

/* ---- requests ---- */

static void
answer(struct request *r, enum asker_result result, const char *why,
    const struct plan_answer *objects, unsigned n)
{
    struct asker *s = r->session;
    asker_reply reply = r->reply;
    void *arg = r->arg;

    if (!s)
        return;
    g_ptr_array_remove_fast(s->requests, r);
    r->session = NULL;
    if (r->pdu) {
        snmp_free_pdu(r->pdu);
        g_free(r);
    }
    reply(s, result, why, objects, n, arg);
}

static void
fail_all(struct asker *s, enum asker_result result, const char *why)
{
    s->stage = BROKEN;
    g_strlcpy(s->why, why, sizeof s->why);
    s->inside++;
    while (s->requests->len > 0 && !s->closed)
        answer(g_ptr_array_index(s->requests, 0), result, s->why, NULL, 0);
    leave(s);
}

static void
value_of(const netsnmp_variable_list *v, struct plan_answer *out)
{
    *out = (struct plan_answer){ .oid.n = 0 };
    if (v->name_length > NROOT && v->name_length - NROOT <= TABLE_OID &&
        snmp_oid_compare(v->name, NROOT, root, NROOT) == 0) {
        out->oid.n = v->name_length - NROOT;
        for (size_t i = 0; i < out->oid.n; i++)
            out->oid.part[i] = (uint32_t)v->name[NROOT + i];
    }
    switch (v->type) {
    case ASN_OCTET_STR:
        out->value = (struct table_value){ 's', 0, (const char *)v->val.string,
            v->val_len };
        break;
    case ASN_INTEGER:
        out->value = (struct table_value){ 'n', *v->val.integer, NULL, 0 };
        break;
    case ASN_GAUGE:
    case ASN_COUNTER:
    case ASN_TIMETICKS:
        out->value = (struct table_value){ 'n', *v->val.integer & UINT32_MAX, NULL, 0 };
        break;
    case ASN_COUNTER64: {
        uint64_t n = (uint64_t)v->val.counter64->high << 32 |
                     (v->val.counter64->low & UINT32_MAX);

        out->value = (struct table_value){ 'n', MIN(n, INT64_MAX), NULL, 0 };
        break;
    }
    default: /* noSuchObject, noSuchInstance, endOfMibView: not known */
        break;
    }
}

static const char *
report_text(const netsnmp_pdu *pdu)
{
    static const oid stats[] = { 1, 3, 6, 1, 6, 3, 15, 1, 1 };
    const netsnmp_variable_list *v = pdu ? pdu->variables : NULL;
    size_t n = OID_LENGTH(stats);

    if (v && v->name_length > n && snmp_oidtree_compare(v->name, n, stats, n) == 0)
        return words_report((uint32_t)v->name[n]);
    return words_report(0);
}

static void
take_pdu(struct request *r, const netsnmp_pdu *pdu)
{
    static const int rights[] = { SNMP_ERR_NOACCESS, SNMP_ERR_AUTHORIZATIONERROR,
        SNMP_ERR_NOTWRITABLE, SNMP_ERR_READONLY };
    enum asker_result failed = ASKER_ERROR;
    struct plan_answer objects[256];
    unsigned n = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(rights); i++)
        if (pdu->errstat == rights[i])
            failed = ASKER_REFUSED;
    if (pdu->errstat != SNMP_ERR_NOERROR) {
        answer(r, failed, snmp_errstring((int)pdu->errstat), NULL, 0);
        return;
    }
    for (const netsnmp_variable_list *v = pdu->variables;
         v && n < G_N_ELEMENTS(objects); v = v->next_variable)
        value_of(v, &objects[n++]);
    answer(r, ASKER_ANSWER, NULL, objects, n);
}

/* The library calls for a report too, and then again. */
static int
reply_cb(int op, netsnmp_session *library, int id, netsnmp_pdu *pdu, void *arg)
{
    struct request *r = arg;

    (void)library;
    (void)id;
    if (op == NETSNMP_CALLBACK_OP_RESEND || op == NETSNMP_CALLBACK_OP_CONNECT)
        return 1;
    if (op == NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE && pdu->command == SNMP_MSG_REPORT) {
        r->why = report_text(pdu);
        return 1;
    }
    if (!r->session) {
        /* answered or given up; the library lets go of it now */
    } else if (op == NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE) {
        take_pdu(r, pdu);
    } else if (op == NETSNMP_CALLBACK_OP_TIMED_OUT) {
        answer(
            r, r->why ? ASKER_REFUSED : ASKER_TIMEOUT, r->why ? r->why : "", NULL, 0);
    } else {
        answer(r, ASKER_REFUSED, report_text(pdu), NULL, 0);
    }
    g_free(r);
    return 1;
}

static void
send_request(struct asker *s, struct request *r)
{
    netsnmp_pdu *pdu = r->pdu;

    r->pdu = NULL; /* the library's from here */
    s->inside++;
    if (!snmp_sess_async_send(s->handle, pdu, reply_cb, r)) {
        r->pdu = pdu;
        answer(r, ASKER_ERROR, N_("the request could not be sent"), NULL, 0);
    }
    s->inside--;
}

static void
submit(struct asker *s, netsnmp_pdu *pdu, asker_reply reply, void *arg)
{
    struct request *r = g_new0(struct request, 1);

    *r = (struct request){ .session = s, .pdu = pdu, .reply = reply, .arg = arg };
    g_ptr_array_add(s->requests, r);
    if (s->stage == OPEN) {
        send_request(s, r);
    } else if (s->stage == BROKEN) { /* once more from the beginning */
        find(s);
    }
}

static size_t
whole_oid(oid *out, const struct plan_oid *in)
{
    memcpy(out, root, sizeof root);
    for (size_t i = 0; i < in->n; i++)
        out[NROOT + i] = in->part[i];
    return NROOT + in->n;
}

void
asker_ask(
    struct asker *s, const struct plan_request *request, asker_reply reply, void *arg)
{
    netsnmp_pdu *pdu = snmp_pdu_create(request->bulk ? SNMP_MSG_GETBULK : SNMP_MSG_GET);
    oid name[NROOT + TABLE_OID];

    if (request->bulk) {
        pdu->non_repeaters = 0;
        pdu->max_repetitions = request->repetitions;
    }
    for (unsigned i = 0; i < request->count; i++) {
        size_t n = whole_oid(name, &request->oid[i]);

        snmp_add_null_var(pdu, name, n > MAX_OID_LEN ? MAX_OID_LEN : n);
    }
    submit(s, pdu, reply, arg);
}

void
asker_set(struct asker *s, const struct plan_answer *objects, unsigned n,
    asker_reply reply, void *arg)
{
    netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_SET);
    oid name[NROOT + TABLE_OID];

    for (unsigned i = 0; i < n; i++) {
        size_t len = whole_oid(name, &objects[i].oid);
        long number = (long)objects[i].value.number;

        if (objects[i].value.kind == 's')
            snmp_pdu_add_variable(pdu, name, len, ASN_OCTET_STR, objects[i].value.text,
                objects[i].value.size);
        else
            snmp_pdu_add_variable(pdu, name, len, ASN_INTEGER, &number, sizeof number);
    }
    submit(s, pdu, reply, arg);
}

/* ---- the source ---- */

static gint
wait_ms(struct asker *s)
{
    struct timeval tv = { 3600, 0 };
    netsnmp_large_fd_set set;
    int n = 0, block = 1;

    netsnmp_large_fd_set_init(&set, FD_SETSIZE);
    NETSNMP_LARGE_FD_ZERO(&set);
    snmp_sess_select_info2(s->handle, &n, &set, &tv, &block);
    netsnmp_large_fd_set_cleanup(&set);
    return block ? -1 : (gint)(tv.tv_sec * 1000 + (tv.tv_usec + 999) / 1000);
}

static gboolean
prepare_cb(GSource *base, gint *timeout)
{
    *timeout = wait_ms(((struct session_source *)base)->session);
    return *timeout == 0;
}

static gboolean
dispatch_cb(GSource *base, GSourceFunc f, gpointer data)
{
    struct session_source *x = (struct session_source *)base;
    struct asker *s = x->session;
    netsnmp_large_fd_set set;

    (void)f;
    (void)data;
    s->inside++;
    if (g_source_query_unix_fd(base, x->tag)) {
        netsnmp_large_fd_set_init(&set, FD_SETSIZE);
        NETSNMP_LARGE_FD_ZERO(&set);
        NETSNMP_LARGE_FD_SET(x->fd, &set);
        snmp_sess_read2(s->handle, &set);
        netsnmp_large_fd_set_cleanup(&set);
    }
    if (!s->closed)
        snmp_sess_timeout(s->handle);
    leave(s);
    return G_SOURCE_CONTINUE;
}

/* Without .check: GLib looks at the descriptor, and .prepare at the time. */
static GSourceFuncs source_funcs = { .prepare = prepare_cb, .dispatch = dispatch_cb };

/* ---- opening ---- */

/* The keys of a pass phrase take a million octets of hashing: once for each user. */
static size_t
key_of(const char *phrase, oid *protocol, u_char *out)
{
    static GHashTable *known;
    g_autofree char *id = g_strdup_printf("%lu %s", (unsigned long)protocol[9], phrase);
    GBytes *key;
    size_t n = USM_LENGTH_KU_HASHBLOCK;

    if (!known)
        known = g_hash_table_new_full(
            g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
    key = g_hash_table_lookup(known, id);
    if (!key) {
        if (generate_Ku(protocol, 10, (const u_char *)phrase, strlen(phrase), out,
                &n) != SNMPERR_SUCCESS)
            n = 0;
        key = g_bytes_new(out, n);
        g_hash_table_insert(known, g_steal_pointer(&id), key);
    }
    memcpy(out, g_bytes_get_data(key, &n), g_bytes_get_size(key));
    return n;
}

static oid *
auth_protocol(const struct asker_user *user)
{
    for (size_t i = 0; i < G_N_ELEMENTS(auth); i++)
        if (user->auth_protocol &&
            !g_ascii_strcasecmp(user->auth_protocol, auth[i].name))
            return auth[i].id;
    return auth[0].id;
}

static void
fill_v3(netsnmp_session *n, struct asker *s)
{
    oid *protocol = auth_protocol(s->user);

    n->version = SNMP_VERSION_3;
    n->securityName = s->user->name;
    n->securityNameLen = strlen(s->user->name);
    n->securityLevel = SNMP_SEC_LEVEL_AUTHPRIV;
    n->securityAuthProto = protocol;
    n->securityAuthProtoLen = 10;
    n->securityPrivProto = priv_aes;
    n->securityPrivProtoLen = OID_LENGTH(priv_aes);
    n->securityAuthKeyLen = key_of(s->user->auth, protocol, n->securityAuthKey);
    n->securityPrivKeyLen = key_of(s->user->priv, protocol, n->securityPrivKey);
    n->securityEngineID = n->contextEngineID = s->found.engine;
    n->securityEngineIDLen = n->contextEngineIDLen = s->found.engine_size;
}

static void
open_library(struct asker *s)
{
    struct session_source *x;
    netsnmp_session n;

    snmp_sess_init(&n);
    n.peername = s->found.peer;
    n.retries = 1;
    n.timeout = TIMEOUT_US;
    n.flags |= SNMP_FLAGS_DONT_PROBE;
    if (s->user->version == 3) {
        fill_v3(&n, s);
    } else {
        n.version = SNMP_VERSION_2c;
        n.community = (u_char *)s->user->community;
        n.community_len = strlen(s->user->community);
    }
    s->handle = snmp_sess_open(&n);
    if (!s->handle) {
        fail_all(s, ASKER_ERROR, N_("the address cannot be used"));
        return;
    }
    s->stage = OPEN;
    x = (struct session_source *)g_source_new(&source_funcs, sizeof *x);
    x->session = s;
    x->fd = snmp_sess_transport(s->handle)->sock;
    x->tag = g_source_add_unix_fd(&x->base, x->fd, G_IO_IN | G_IO_ERR);
    s->source = &x->base;
    g_source_attach(s->source, NULL);
    for (guint i = s->requests->len; i > 0; i--) /* it may shrink */
        send_request(s, g_ptr_array_index(s->requests, i - 1));
}

/* It is known where the agent is, and who. */
static void
found_cb(
    enum asker_result result, const char *why, const struct found *found, void *arg)
{
    struct asker *s = arg;
    struct finder *f = g_steal_pointer(&s->finder); /* @why and @found are its */

    if (result == ASKER_ANSWER) {
        s->found = *found;
        open_library(s);
    } else {
        fail_all(s, result, why);
    }
    finder_stop(f);
}

static void
find(struct asker *s)
{
    s->stage = FINDING;
    s->finder = finder_start(s->address, s->user->version == 3, found_cb, s);
}

void
asker_begin(void)
{
    g_setenv("MIBS", "", TRUE);
    g_setenv("MIBDIRS", "", TRUE); /* it reads all that is there, if only to know */
    netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_READ_CONFIGS, 1);
    netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_PERSIST_STATE, 1);
    snmp_disable_log();
    init_snmp("bascule-console");
}

struct asker *
asker_open(const char *address, const struct asker_user *user)
{
    struct asker *s = g_new0(struct asker, 1);

    s->user = user;
    s->address = g_strdup(address);
    s->requests = g_ptr_array_new();
    find(s);
    return s;
}

void
asker_close(struct asker *s)
{
    if (!s->closed) {
        s->closed = true;
        g_clear_pointer(&s->finder, finder_stop);
        for (guint i = 0; i < s->requests->len; i++) {
            struct request *r = g_ptr_array_index(s->requests, i);

            r->session = NULL;
            if (r->pdu) { /* never sent: nobody else frees it */
                snmp_free_pdu(r->pdu);
                g_free(r);
            }
        }
        g_ptr_array_set_size(s->requests, 0);
    }
    if (s->inside) /* dispatch_cb() or fail_all() comes back to this */
        return;
    if (s->source) {
        g_source_destroy(s->source);
        g_source_unref(s->source);
    }
    if (s->handle)
        snmp_sess_close(s->handle);
    g_ptr_array_unref(s->requests);
    g_free(s->address);
    g_free(s);
}
