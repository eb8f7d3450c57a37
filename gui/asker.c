/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gui/asker.h"

#include "gui/core/probe.h"

#include <gio/gio.h>
#include <glib/gi18n.h>
#include <string.h>

/* net-snmp's headers bring their own package macros. */
#undef PACKAGE_BUGREPORT
#undef PACKAGE_NAME
#undef PACKAGE_STRING
#undef PACKAGE_TARNAME
#undef PACKAGE_URL
#undef PACKAGE_VERSION
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#include <net-snmp/net-snmp-config.h>

#include <net-snmp/net-snmp-includes.h>

#include <net-snmp/library/large_fd_set.h>
#pragma GCC diagnostic pop

#define TIMEOUT_US                                                                     \
    700000 /* twice: an agent that is gone is known to be after 1.4 s                  \
            */
#define RETRIES 1
#define PROBE_MS 300
#define PROBES 3

static const oid root[] = { 1, 3, 6, 1, 4, 1, BSC_ENTERPRISE, 1 };
#define NROOT OID_LENGTH(root)

/* HMAC-SHA-1, RFC 7860; AES: RFC 3826 */
static oid auth_sha1[] = { 1, 3, 6, 1, 6, 3, 10, 1, 1, 3 };
static oid auth_sha256[] = { 1, 3, 6, 1, 6, 3, 10, 1, 1, 5 };
static oid auth_sha512[] = { 1, 3, 6, 1, 6, 3, 10, 1, 1, 7 };
static oid priv_aes[] = { 1, 3, 6, 1, 6, 3, 10, 1, 2, 4 };

enum stage { FINDING, PROBING, OPEN, BROKEN };

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
    char why[160]; /* BROKEN */
    GCancellable *cancel;
    GSocketAddressEnumerator *names;
    GSocket *probe;
    GSource *probe_source, *source;
    guint probe_timer;
    unsigned probes;
    guint32 number;
    char peer[96];
    u_char engine[PROBE_ENGINE];
    size_t engine_size;
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

static void try_names(struct asker *s);

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
    s->inside--;
    if (s->closed && !s->inside)
        asker_close(s);
}

static void
value_of(const netsnmp_variable_list *v, struct plan_answer *out)
{
    out->oid.n = 0;
    out->value = (struct table_value){ 0 };
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
        out->value.kind = 'n';
        out->value.number = (int64_t)(*v->val.integer & UINT32_MAX);
        break;
    case ASN_COUNTER64: {
        uint64_t n = (uint64_t)v->val.counter64->high << 32 |
                     (v->val.counter64->low & UINT32_MAX);

        out->value.kind = 'n';
        out->value.number = n > INT64_MAX ? INT64_MAX : (int64_t)n;
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
    static const char *const text[] = { "",
        N_("the agent refuses authPriv for the user"),
        N_("the clocks of the SNMP engines differ"),
        N_("the agent does not know the user"),
        N_("the agent has another engine identifier now"),
        N_("wrong authentication pass phrase"), N_("wrong privacy pass phrase") };
    const netsnmp_variable_list *v = pdu ? pdu->variables : NULL;
    size_t n = OID_LENGTH(stats);

    if (v && v->name_length > n && snmp_oidtree_compare(v->name, n, stats, n) == 0 &&
        v->name[n] < G_N_ELEMENTS(text))
        return text[v->name[n]];
    return N_("the agent sent a report instead of an answer");
}

static void
take_pdu(struct request *r, const netsnmp_pdu *pdu)
{
    static const int rights[] = { SNMP_ERR_NOACCESS, SNMP_ERR_AUTHORIZATIONERROR,
        SNMP_ERR_NOTWRITABLE, SNMP_ERR_READONLY };
    struct plan_answer objects[256];
    unsigned n = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(rights); i++)
        if (pdu->errstat == rights[i]) {
            answer(r, ASKER_REFUSED, snmp_errstring((int)pdu->errstat), NULL, 0);
            return;
        }
    if (pdu->errstat != SNMP_ERR_NOERROR) {
        answer(r, ASKER_ERROR, snmp_errstring((int)pdu->errstat), NULL, 0);
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
        s->stage = FINDING;
        try_names(s);
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

bool
asker_busy(const struct asker *s)
{
    return s->requests->len > 0;
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
check_cb(GSource *base)
{
    struct session_source *x = (struct session_source *)base;

    return g_source_query_unix_fd(base, x->tag) != 0 || wait_ms(x->session) == 0;
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
    s->inside--;
    if (s->closed && !s->inside)
        asker_close(s);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = {
    .prepare = prepare_cb, .check = check_cb, .dispatch = dispatch_cb
};

/* ---- opening ---- */

/* The keys of a pass phrase take a million octets of hashing: once for each user. */
static size_t
key_of(const char *phrase, oid *protocol, u_char *out)
{
    static GHashTable *known;
    char *id = g_strdup_printf("%lu %s", (unsigned long)protocol[9], phrase);
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
        g_hash_table_insert(known, id, g_bytes_new(out, n));
        return n;
    }
    g_free(id);
    memcpy(out, g_bytes_get_data(key, &n), g_bytes_get_size(key));
    return n;
}

static oid *
auth_protocol(const struct asker_user *user)
{
    if (user->auth_protocol && !g_ascii_strcasecmp(user->auth_protocol, "SHA"))
        return auth_sha1;
    if (user->auth_protocol && !g_ascii_strcasecmp(user->auth_protocol, "SHA-512"))
        return auth_sha512;
    return auth_sha256;
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
    n->securityEngineID = n->contextEngineID = s->engine;
    n->securityEngineIDLen = n->contextEngineIDLen = s->engine_size;
}

static void
open_library(struct asker *s)
{
    struct session_source *x;
    netsnmp_session n;

    snmp_sess_init(&n);
    n.peername = s->peer;
    n.retries = RETRIES;
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

static void
end_probe(struct asker *s)
{
    if (s->probe_source) {
        g_source_destroy(s->probe_source);
        g_source_unref(s->probe_source);
        s->probe_source = NULL;
    }
    if (s->probe_timer)
        g_source_remove(s->probe_timer);
    s->probe_timer = 0;
    g_clear_object(&s->probe);
}

static gboolean
probe_cb(GSocket *socket, GIOCondition condition, gpointer data)
{
    struct asker *s = data;
    guint8 in[1500];
    gssize n = g_socket_receive(socket, (gchar *)in, sizeof in, NULL, NULL);

    (void)condition;
    if (n <= 0 || !probe_answer(in, (size_t)n, s->number, s->engine, &s->engine_size))
        return G_SOURCE_CONTINUE;
    end_probe(s);
    open_library(s);
    return G_SOURCE_REMOVE;
}

static gboolean
probe_again_cb(gpointer data)
{
    struct asker *s = data;
    guint8 out[PROBE_SIZE];
    size_t n;

    if (s->probes++ == PROBES) {
        s->probe_timer = 0;
        end_probe(s);
        fail_all(s, ASKER_TIMEOUT, "");
        return G_SOURCE_REMOVE;
    }
    n = probe_request(out, s->number);
    g_socket_send(s->probe, (gchar *)out, n, NULL, NULL);
    return G_SOURCE_CONTINUE;
}

static void
begin_probe(struct asker *s, GSocketAddress *address)
{
    s->stage = PROBING;
    s->number = g_random_int() >> 2 | 1;
    s->probes = 0;
    s->probe = g_socket_new(g_socket_address_get_family(address),
        G_SOCKET_TYPE_DATAGRAM, G_SOCKET_PROTOCOL_UDP, NULL);
    if (!s->probe || !g_socket_connect(s->probe, address, NULL, NULL)) {
        g_clear_object(&s->probe);
        fail_all(s, ASKER_ERROR, N_("there is no way to the address"));
        return;
    }
    g_socket_set_blocking(s->probe, FALSE);
    s->probe_source = g_socket_create_source(s->probe, G_IO_IN, NULL);
    g_source_set_callback(s->probe_source, G_SOURCE_FUNC(probe_cb), s, NULL);
    g_source_attach(s->probe_source, NULL);
    s->probe_timer = g_timeout_add(PROBE_MS, probe_again_cb, s);
    probe_again_cb(s);
}

static void
named_cb(GObject *object, GAsyncResult *result, gpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GSocketAddress) address = g_socket_address_enumerator_next_finish(
        G_SOCKET_ADDRESS_ENUMERATOR(object), result, &error);
    struct asker *s = data;
    g_autofree char *ip = NULL;
    GInetAddress *inet;
    bool v6;

    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return; /* @s is gone */
    if (!address || !G_IS_INET_SOCKET_ADDRESS(address)) {
        fail_all(s, ASKER_ERROR, error ? error->message : N_("no such host"));
        return;
    }
    inet = g_inet_socket_address_get_address(G_INET_SOCKET_ADDRESS(address));
    ip = g_inet_address_to_string(inet);
    v6 = g_inet_address_get_family(inet) == G_SOCKET_FAMILY_IPV6;
    g_snprintf(s->peer, sizeof s->peer, v6 ? "udp6:[%s]:%u" : "udp:%s:%u", ip,
        g_inet_socket_address_get_port(G_INET_SOCKET_ADDRESS(address)));
    if (s->user->version == 3)
        begin_probe(s, address);
    else
        open_library(s);
}

static void
try_names(struct asker *s)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GSocketConnectable)
        where = g_network_address_parse(s->address, 161, &error);

    g_clear_object(&s->names);
    if (!where) {
        fail_all(s, ASKER_ERROR, error->message);
        return;
    }
    s->names = g_socket_connectable_enumerate(where);
    g_socket_address_enumerator_next_async(s->names, s->cancel, named_cb, s);
}

void
asker_begin(void)
{
    g_setenv("MIBS", "", TRUE);
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
    s->cancel = g_cancellable_new();
    s->requests = g_ptr_array_new();
    try_names(s);
    return s;
}

void
asker_close(struct asker *s)
{
    if (!s->closed) {
        s->closed = true;
        g_cancellable_cancel(s->cancel);
        end_probe(s);
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
    g_clear_object(&s->names);
    g_object_unref(s->cancel);
    g_ptr_array_unref(s->requests);
    g_free(s->address);
    g_free(s);
}
