/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gui/finder.h"

#include <gio/gio.h>
#include <glib/gi18n.h>

#define PROBE_MS 300
#define PROBES 3

struct finder {
    bool engine;
    finder_done done;
    void *arg;
    struct found found;
    GCancellable *cancel;
    GSocketAddressEnumerator *names;
    GSocket *socket;
    GSource *source;
    guint timer;
    unsigned probes;
    uint32_t number;
    GError *bad; /* the address is none */
};

/* ---- who is there ---- */

static gboolean
answer_cb(GSocket *socket, GIOCondition condition, gpointer data)
{
    struct finder *f = data;
    guint8 in[1500];
    gssize n = g_socket_receive(socket, (gchar *)in, sizeof in, NULL, NULL);

    (void)condition;
    if (n <= 0 ||
        !probe_answer(in, (size_t)n, f->number, f->found.engine, &f->found.engine_size))
        return G_SOURCE_CONTINUE;
    f->done(ASKER_ANSWER, "", &f->found, f->arg);
    return G_SOURCE_REMOVE;
}

static gboolean
ask_cb(gpointer data)
{
    struct finder *f = data;
    guint8 out[PROBE_SIZE];
    size_t n;

    if (f->probes++ == PROBES) {
        f->timer = 0;
        f->done(ASKER_TIMEOUT, "", NULL, f->arg);
        return G_SOURCE_REMOVE;
    }
    n = probe_request(out, f->number);
    g_socket_send(f->socket, (gchar *)out, n, NULL, NULL);
    return G_SOURCE_CONTINUE;
}

static void
ask_engine(struct finder *f, GSocketAddress *address)
{
    f->number = g_random_int() >> 2 | 1;
    f->socket = g_socket_new(g_socket_address_get_family(address),
        G_SOCKET_TYPE_DATAGRAM, G_SOCKET_PROTOCOL_UDP, NULL);
    if (!f->socket || !g_socket_connect(f->socket, address, NULL, NULL)) {
        f->done(ASKER_ERROR, N_("there is no way to the address"), NULL, f->arg);
        return;
    }
    g_socket_set_blocking(f->socket, FALSE);
    f->source = g_socket_create_source(f->socket, G_IO_IN, NULL);
    g_source_set_callback(f->source, G_SOURCE_FUNC(answer_cb), f, NULL);
    g_source_attach(f->source, NULL);
    f->timer = g_timeout_add(PROBE_MS, ask_cb, f);
    ask_cb(f);
}

/* ---- where it is ---- */

static void
named_cb(GObject *object, GAsyncResult *result, gpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GSocketAddress) address = g_socket_address_enumerator_next_finish(
        G_SOCKET_ADDRESS_ENUMERATOR(object), result, &error);
    struct finder *f = data;
    g_autofree char *ip = NULL;
    GInetAddress *inet;
    bool v6;

    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return; /* @f is gone */
    if (!address || !G_IS_INET_SOCKET_ADDRESS(address)) {
        f->done(ASKER_ERROR, error ? error->message : N_("no such host"), NULL, f->arg);
        return;
    }
    inet = g_inet_socket_address_get_address(G_INET_SOCKET_ADDRESS(address));
    ip = g_inet_address_to_string(inet);
    v6 = g_inet_address_get_family(inet) == G_SOCKET_FAMILY_IPV6;
    g_snprintf(f->found.peer, sizeof f->found.peer, v6 ? "udp6:[%s]:%u" : "udp:%s:%u",
        ip, g_inet_socket_address_get_port(G_INET_SOCKET_ADDRESS(address)));
    if (f->engine)
        ask_engine(f, address);
    else
        f->done(ASKER_ANSWER, "", &f->found, f->arg);
}

static gboolean
bad_cb(gpointer data)
{
    struct finder *f = data;

    f->timer = 0;
    f->done(ASKER_ERROR, f->bad->message, NULL, f->arg);
    return G_SOURCE_REMOVE;
}

struct finder *
finder_start(const char *address, bool engine, finder_done done, void *arg)
{
    struct finder *f = g_new0(struct finder, 1);
    g_autoptr(GSocketConnectable) where = NULL;

    f->engine = engine;
    f->done = done;
    f->arg = arg;
    f->cancel = g_cancellable_new();
    where = g_network_address_parse(address, 161, &f->bad);
    if (!where) {
        f->timer = g_idle_add(bad_cb, f);
        return f;
    }
    f->names = g_socket_connectable_enumerate(where);
    g_socket_address_enumerator_next_async(f->names, f->cancel, named_cb, f);
    return f;
}

void
finder_stop(struct finder *f)
{
    g_cancellable_cancel(f->cancel);
    if (f->source) {
        g_source_destroy(f->source);
        g_source_unref(f->source);
    }
    if (f->timer)
        g_source_remove(f->timer);
    g_clear_object(&f->socket);
    g_clear_object(&f->names);
    g_clear_error(&f->bad);
    g_object_unref(f->cancel);
    g_free(f);
}
