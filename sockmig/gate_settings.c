/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/gate_settings.h"

#include "lib/fd.h"
#include "lib/log.h"
#include "sockmig/gatens.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Each is one of a namespace.  Not among them: what a replay relies on (time stamps,
 * window scaling, selective acknowledgements, SYN cookies), what it does not know (fast
 * open), and what the cell has its own of (buffers, routes, privileged ports). */
static const char *const names[GATE_SETTINGS] = { "core/somaxconn",
    "ipv4/ip_default_ttl", "ipv4/ip_local_port_range", "ipv4/ip_local_reserved_ports",
    "ipv4/tcp_congestion_control", "ipv4/tcp_ecn", "ipv4/tcp_fin_timeout",
    "ipv4/tcp_keepalive_intvl", "ipv4/tcp_keepalive_probes", "ipv4/tcp_keepalive_time",
    "ipv4/tcp_max_syn_backlog", "ipv4/tcp_max_tw_buckets", "ipv4/tcp_mtu_probing",
    "ipv4/tcp_no_metrics_save", "ipv4/tcp_notsent_lowat", "ipv4/tcp_orphan_retries",
    "ipv4/tcp_retries1", "ipv4/tcp_retries2", "ipv4/tcp_slow_start_after_idle",
    "ipv4/tcp_syn_retries", "ipv4/tcp_synack_retries", "ipv4/tcp_tw_reuse" };

static ssize_t
read_one(const char *name, char *value, size_t size)
{
    char path[128];
    ssize_t n;

    snprintf(path, sizeof path, "/proc/sys/net/%s", name);
    n = file_read(path, value, size);
    if (n < 0)
        value[0] = '\0';
    value[strcspn(value, "\n")] = '\0';
    return n;
}

void
gate_settings_read(struct gate_settings *s)
{
    for (unsigned i = 0; i < GATE_SETTINGS; i++) {
        ssize_t n = read_one(names[i], s->values[i], sizeof s->values[i]);

        if (n < 0 && n != -ENOENT)
            log_warn("cannot read net/%s of this host (%s): services in cells have the "
                     "kernel's default; a value may have 255 characters",
                names[i], strerror((int)-n));
    }
}

void
gate_settings_write(const struct gate_settings *s)
{
    char now[sizeof s->values[0]];

    for (unsigned i = 0; i < GATE_SETTINGS; i++) {
        int ret;

        read_one(names[i], now, sizeof now);
        if (s->values[i][0] == '\0' || strcmp(s->values[i], now) == 0)
            continue;
        ret = gatens_sysctl(names[i], s->values[i]);
        if (ret < 0)
            log_warn("cannot set net/%s as this host has it (%s) for services in "
                     "cells: %s; they have %s, choose what any network namespace may "
                     "have",
                names[i], s->values[i], strerror(-ret), now);
    }
}
