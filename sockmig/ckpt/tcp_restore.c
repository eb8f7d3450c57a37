/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * tcp_restore.c - one TCP connection from its image.
 *
 * Each line of the two tables is a step, after those of tcp_prepare.c, that the kernel
 * wants in this place (doc/design/sockets.md says why).  An image is const: nothing
 * here corrects it, what a step must see differently it computes. */
#include "sockmig/ckpt/tcp.h"

#include "lib/fd.h"
#include "sockmig/ckpt/repair.h"
#include "sockmig/core/segment.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

/* Option kinds of RFC 9293 and RFC 7323, as TCP_REPAIR_OPTIONS wants them. */
enum { KIND_MSS = 2, KIND_WINDOW_SCALE = 3, KIND_SACK = 4, KIND_TIMESTAMPS = 8 };

#define TIMESTAMP_MARGIN_MS 200 /* for the error of the age */
#define CHUNK 131072u
#define OVERHEAD 16384 /* of the pieces that a queue comes in, at most */
#define SMALLEST_CHUNK 2048u

static uint32_t
in_flight(const struct image_tcp *im)
{
    return im->outq - im->unsent;
}

/* The kernel doubles what it is given. */
int
repair_send_buffer(const struct repair *r)
{
    return repair_set(r->sock, SOL_SOCKET, SO_SNDBUFFORCE, r->im->sndbuf / 2);
}

int
repair_receive_buffer(const struct repair *r)
{
    return repair_set(r->sock, SOL_SOCKET, SO_RCVBUFFORCE, r->im->rcvbuf / 2);
}

/* Those that it was prepared with may have grown. */
static int
buffers_since(const struct repair *r)
{
    if (r->im->sndbuf != r->prepared->sndbuf && repair_send_buffer(r) < 0)
        return -1;
    return r->im->rcvbuf == r->prepared->rcvbuf ? 0 : repair_receive_buffer(r);
}

/* Without a round trip time a socket's first timer is 3 s, and what is lost of what it
 * sends comes again after 1 s.  With a shorter one than this it would send again what
 * is restored while the others are: it is below the kernel's shortest timer. */
#define ROUND_TRIP_LEAST_MS 50u
#define ROUND_TRIP_MOST_MS 1000u /* a timer of 3 s, as without */

static bool
knows_round_trip(const struct repair *r)
{
    return r->tun >= 0 && r->im->rtt_ms > 0 && r->im->options & TCPI_OPT_TIMESTAMPS;
}

/* Where its queues begin. */
static uint32_t
receive_base(const struct image_tcp *im)
{
    return im->rcv_nxt - im->inq - repair_fin_received(im->state);
}

static uint32_t
send_base(const struct image_tcp *im)
{
    return im->write_seq - im->outq - repair_fin_sent(im->state);
}

/* The receive queue is the one selected. */
static int
sequences(const struct repair *r)
{
    uint32_t receive = receive_base(r->im);
    uint32_t send = send_base(r->im) - knows_round_trip(r);

    if (repair_set(r->sock, SOL_TCP, TCP_QUEUE_SEQ, (int)receive) < 0 ||
        repair_set(r->sock, SOL_TCP, TCP_REPAIR_QUEUE, TCP_SEND_QUEUE) < 0)
        return -1;
    return repair_set(r->sock, SOL_TCP, TCP_QUEUE_SEQ, (int)send);
}

static int
connect_remote(const struct repair *r)
{
    return connect(r->sock, (const struct sockaddr *)r->im->remote, r->im->address_len);
}

static int
unmark(const struct repair *r)
{
    repair_set(r->sock, SOL_SOCKET, SO_MARK, 0);
    return 0;
}

static int
negotiated(const struct repair *r)
{
    const struct image_tcp *im = r->im;
    struct tcp_repair_opt o[4];
    unsigned n = 0;

    o[n++] = (struct tcp_repair_opt){ KIND_MSS, im->mss };
    if (im->options & TCPI_OPT_WSCALE)
        o[n++] = (struct tcp_repair_opt){ KIND_WINDOW_SCALE,
            im->snd_wscale | im->rcv_wscale << 16 };
    if (im->options & TCPI_OPT_SACK)
        o[n++] = (struct tcp_repair_opt){ KIND_SACK, 0 };
    if (im->options & TCPI_OPT_TIMESTAMPS)
        o[n++] = (struct tcp_repair_opt){ KIND_TIMESTAMPS, 0 };
    return setsockopt(
        r->sock, SOL_TCP, TCP_REPAIR_OPTIONS, o, (socklen_t)(n * sizeof o[0]));
}

/* Bit 0 tells the unit: set, the clock runs in microseconds.  So an odd number of
 * milliseconds is one more. */
static int
timestamp(const struct repair *r)
{
    uint32_t ms = r->age_ms + TIMESTAMP_MARGIN_MS, unit = r->im->timestamp & 1;

    if (!(r->im->options & TCPI_OPT_TIMESTAMPS))
        return 0;
    ms += ms & 1;
    return repair_set(r->sock, SOL_TCP, TCP_TIMESTAMP,
        (int)(((r->im->timestamp & ~1u) + (unit ? ms * 1000 : ms)) | unit));
}

/* Queues cost more memory here, where they come in other pieces than at first. */
static bool
is_tight(uint32_t queued, int32_t size)
{
    return queued > 0 && (int64_t)2 * queued + OVERHEAD > size;
}

/* Never shrinks what the image says. */
static int
room_for_queues(const struct repair *r)
{
    const struct image_tcp *im = r->im;

    if (is_tight(im->outq, im->sndbuf) &&
        repair_set(r->sock, SOL_SOCKET, SO_SNDBUFFORCE, (int)(im->outq + CHUNK)) < 0)
        return -1;
    if (is_tight(im->inq, im->rcvbuf))
        return repair_set(r->sock, SOL_SOCKET, SO_RCVBUFFORCE, (int)(im->inq + CHUNK));
    return 0;
}

static int
fill(int sock, const uint8_t *bytes, uint32_t size)
{
    uint32_t done = 0, chunk = CHUNK;

    while (done < size) {
        uint32_t n = size - done < chunk ? size - done : chunk;
        ssize_t sent = send(sock, bytes + done, n, MSG_DONTWAIT);

        if (sent > 0)
            done += (uint32_t)sent;
        else if ((errno == ENOMEM || errno == EAGAIN) && chunk > SMALLEST_CHUNK)
            chunk /= 2;
        else
            return -1;
    }
    return 0;
}

static int
put_in(const struct repair *r, struct segment s)
{
    uint8_t packet[SEGMENT_HEADERS];
    size_t n;

    s.from = r->im->remote;
    s.to = r->im->local;
    n = segment_build(&s, packet);
    if (r->tun < 0 || n == 0) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return write(r->tun, packet, n) == (ssize_t)n ? 0 : -1;
}

/* The last byte that was acknowledged is there once more, whatever it was: its
 * acknowledgement tells the time. */
static int
byte_before(const struct repair *r)
{
    static const uint8_t byte;

    return knows_round_trip(r) ? fill(r->sock, &byte, 1) : 0;
}

/* What was queued in repair mode has no time of its own: the kernel takes it from the
 * echo.  A timestamp of 0 is none that the peer's next one could be older than; a
 * window of 0 is what the socket has before windows().  Where a host's packet filter
 * drops it nothing is lost: the peer has the byte, and acknowledges it again. */
static int
round_trip(const struct repair *r)
{
    const struct image_tcp *im = r->im;
    uint32_t ms = im->rtt_ms < ROUND_TRIP_LEAST_MS ? ROUND_TRIP_LEAST_MS : im->rtt_ms;
    int now;

    if (!knows_round_trip(r))
        return 0;
    if (ms > ROUND_TRIP_MOST_MS)
        ms = ROUND_TRIP_MOST_MS;
    now = repair_get(r->sock, SOL_TCP, TCP_TIMESTAMP);
    put_in(r, (struct segment){ .seq = receive_base(im),
                  .ack = send_base(im),
                  .flags = SEGMENT_ACK,
                  .timestamps = true,
                  .echo = (uint32_t)now - (now & 1 ? ms * 1000 : ms) });
    return 0;
}

static int
receive_queue(const struct repair *r)
{
    if (r->im->inq == 0)
        return 0;
    if (repair_set(r->sock, SOL_TCP, TCP_REPAIR_QUEUE, TCP_RECV_QUEUE) < 0 ||
        fill(r->sock, r->inq, r->im->inq) < 0)
        return -1;
    return repair_set(r->sock, SOL_TCP, TCP_REPAIR_QUEUE, TCP_SEND_QUEUE);
}

/* As sent: an ACK beyond what the kernel believes it sent would be refused.  The queue
 * is selected since the sequence numbers. */
static int
sent_queue(const struct repair *r)
{
    return fill(r->sock, r->outq, in_flight(r->im));
}

/* A FIN that was received is not there yet, it comes with release: the window begins
 * one byte earlier.  Our FIN that was acknowledged must be sent again to be so: that
 * needs a window of 1. */
static int
window(const struct repair *r)
{
    const struct image_tcp *im = r->im;
    struct tcp_repair_window w = { .snd_wl1 = im->snd_wl1,
        .snd_wnd = im->snd_wnd,
        .max_window = im->max_window,
        .rcv_wnd = im->rcv_wnd,
        .rcv_wup = im->rcv_wup };

    if (!im->has_window)
        return 0;
    if (repair_fin_received(im->state)) {
        w.rcv_wup--;
        w.rcv_wnd++;
    }
    if (im->state == STATE_FIN_WAIT2 && w.snd_wnd == 0)
        w.snd_wnd = 1;
    if (w.max_window < w.snd_wnd)
        w.max_window = w.snd_wnd;
    return setsockopt(r->sock, SOL_TCP, TCP_REPAIR_WINDOW, &w, sizeof w);
}

/* Those that bind() or connect() look at, or change. */
static int
options(const struct repair *r)
{
    const struct image_tcp *im = r->im;
    struct linger linger = { .l_onoff = im->linger_on, .l_linger = im->linger_sec };
    int failed = 0;

    if (im->quickack >= 0 && !(r->fresh && im->quickack == r->fresh->quickack))
        failed |= repair_set(r->sock, SOL_TCP, TCP_QUICKACK, im->quickack);
    if (im->rcv_lowat > 1)
        failed |= repair_set(r->sock, SOL_SOCKET, SO_RCVLOWAT, im->rcv_lowat);
    if (im->reuse_port > 0)
        failed |= repair_set(r->sock, SOL_SOCKET, SO_REUSEPORT, 1);
    if (im->linger_on)
        failed |= setsockopt(r->sock, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    if (im->tos > 0)
        failed |= repair_speaks_v6(im)
                      ? repair_set(r->sock, IPPROTO_IPV6, IPV6_TCLASS, im->tos)
                      : repair_set(r->sock, IPPROTO_IP, IP_TOS, im->tos);
    return failed ? -1 : 0;
}

static int
leave(const struct repair *r)
{
    return repair_set(r->sock, SOL_TCP, TCP_REPAIR, TCP_REPAIR_OFF_NO_WP);
}

static int
reuse(const struct repair *r)
{
    return r->im->reuse_addr > 0 ? repair_set(r->sock, SOL_SOCKET, SO_REUSEADDR, 1) : 0;
}

/* Not before: its timer would run while the connection is made ahead of a takeover. */
static int
keepalive(const struct repair *r)
{
    return r->im->keepalive > 0 ? repair_set(r->sock, SOL_SOCKET, SO_KEEPALIVE, 1) : 0;
}

static int
unsent_queue(const struct repair *r)
{
    const uint8_t *bytes = r->outq + in_flight(r->im);

    for (uint32_t done = 0; done < r->im->unsent;) {
        ssize_t n = send(
            r->sock, bytes + done, r->im->unsent - done, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n <= 0)
            return -1;
        done += (uint32_t)n;
    }
    return 0;
}

/* The sizes as they were, and whether the kernel may still tune them. */
static int
buffers_again(const struct repair *r)
{
    const struct image_tcp *im = r->im;

    if ((is_tight(im->outq, im->sndbuf) && repair_send_buffer(r) < 0) ||
        (is_tight(im->inq, im->rcvbuf) && repair_receive_buffer(r) < 0))
        return -1;
    return r->im->buf_lock < 0
               ? 0
               : repair_set(r->sock, SOL_SOCKET, SO_BUF_LOCK, r->im->buf_lock);
}

/* A segment as the peer might have sent it.  Without timestamps: a wrong one would
 * poison ts_recent, and PAWS then eats the peer's real segments.  With the window that
 * the image has, or the peer's window would shrink. */
static int
inject(const struct repair *r, uint8_t flags, uint32_t seq, uint32_t ack)
{
    uint32_t window = r->im->snd_wnd >> r->im->snd_wscale;

    return put_in(r, (struct segment){ .seq = seq,
                         .ack = ack,
                         .flags = flags,
                         .window = (uint16_t)(window > 65535 ? 65535 : window) });
}

static int
our_fin_first(const struct repair *r)
{
    uint32_t state = r->im->state;

    if (state != STATE_FIN_WAIT1 && state != STATE_FIN_WAIT2 && state != STATE_CLOSING)
        return 0;
    return shutdown(r->sock, SHUT_WR);
}

static int
ack_of_our_fin(const struct repair *r)
{
    if (r->im->state != STATE_FIN_WAIT2)
        return 0;
    return inject(r, SEGMENT_ACK, r->im->rcv_nxt, r->im->write_seq);
}

static int
fin_of_the_peer(const struct repair *r)
{
    if (!repair_fin_received(r->im->state))
        return 0;
    return inject(
        r, SEGMENT_FIN | SEGMENT_ACK, r->im->rcv_nxt - 1, repair_snd_una(r->im));
}

static int
our_fin_last(const struct repair *r)
{
    return r->im->state == STATE_LAST_ACK ? shutdown(r->sock, SHUT_WR) : 0;
}

/* Without its segments the socket is in another state than the process believes. */
static int
state_reached(const struct repair *r)
{
    struct tcp_info info;
    socklen_t n = sizeof info;

    if (r->im->state == STATE_ESTABLISHED)
        return 0;
    if (getsockopt(r->sock, SOL_TCP, TCP_INFO, &info, &n) < 0)
        return -1;
    errno = EPROTO;
    return info.tcpi_state == r->im->state ? 0 : -1;
}

const struct repair_step repair_restore_steps[] = {
    { "buffer sizes", buffers_since },
    { "sequence numbers", sequences },
    { "connect", connect_remote },
    { "mark", unmark },
    { "negotiated options", negotiated },
    { "timestamp", timestamp },
    { "byte before", byte_before },
    { "round trip time", round_trip },
    { "room for the queues", room_for_queues },
    { "receive queue", receive_queue },
    { "data in flight", sent_queue },
    { "windows", window },
    { "options", options },
    { NULL, NULL },
};

const struct repair_step repair_release_steps[] = {
    { "leave repair mode", leave },
    { "reuse of the address", reuse },
    { "keepalive", keepalive },
    { "unsent data", unsent_queue },
    { "final buffer sizes", buffers_again },
    { "our FIN", our_fin_first },
    { "acknowledgement of our FIN", ack_of_our_fin },
    { "FIN of the peer", fin_of_the_peer },
    { "our FIN, second", our_fin_last },
    { "state", state_reached },
    { NULL, NULL },
};

int
repair_run(const struct repair_step *step, const struct repair *r, const char **failed)
{
    for (; step->name; step++)
        if (step->run(r) < 0) {
            *failed = step->name;
            return -errno;
        }
    return 0;
}

int
tcp_establish(int sock, const struct image_tcp *prepared, const struct image_tcp *entry,
    const struct tcp_parts *parts, const char **step)
{
    struct repair r = { .sock = sock,
        .prepared = prepared,
        .im = entry,
        .fresh = parts->fresh,
        .inq = parts->inq,
        .outq = parts->outq,
        .age_ms = parts->age_ms,
        .tun = parts->tun };

    return repair_run(repair_restore_steps, &r, step);
}

int
tcp_restore(const struct image_tcp *entry, const struct tcp_parts *parts, int nonblock,
    const char **step)
{
    int sock = tcp_prepare(entry, parts->fresh, nonblock, step), ret;

    if (sock < 0)
        return sock;
    ret = tcp_establish(sock, entry, entry, parts, step);
    if (ret < 0) { /* in repair mode nothing of it gets out */
        fd_close(sock);
        return ret;
    }
    return sock;
}

int
tcp_set_age(int sock, const struct image_tcp *entry, uint32_t age_ms)
{
    const struct repair r = { .sock = sock, .im = entry, .age_ms = age_ms };

    return timestamp(&r) < 0 ? -errno : 0;
}

int
tcp_release(int sock, const struct image_tcp *entry, const uint8_t *outq, int tun,
    const char **step)
{
    struct repair r = { .sock = sock, .im = entry, .outq = outq, .tun = tun };

    return repair_run(repair_release_steps, &r, step);
}
