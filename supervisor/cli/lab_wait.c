/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/cli/lab_wait.h"

#include "lib/ctl.h"
#include "lib/loop.h"
#include "supervisor/cli/cli.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ASK_MS 1000
#define AGAIN_US 100000

static struct jv *
ask_node(const struct lab_host *host)
{
    struct jv *request = jv_object(), *reply = NULL, *status = NULL;
    char path[128];

    /* Its /run is another mount: the way there leads through its pid 1. */
    snprintf(
        path, sizeof path, "/proc/%d/root/run/bascule/basculed.sock", (int)host->pid);
    jv_set_str(request, "op", "status");
    if (ctl_call(path, request, ASK_MS, &reply) == 0 && jv_bool(reply, "ok", false) &&
        jv_has(reply, "status"))
        status = jv_copy(jv_get(reply, "status"));
    jv_free(reply);
    return status;
}

struct jv *
lab_cluster_status(const struct lab *lab)
{
    struct jv *best = NULL;

    for (unsigned i = 0; i < lab->nhosts; i++) {
        const struct lab_host *host = &lab->hosts[i];
        struct jv *status;

        if (host->kind != LAB_NODE || host->state != LAB_RUNNING ||
            !lab_host_alive(host))
            continue;
        status = ask_node(host);
        if (status && jv_bool(status, "quorate", false)) {
            jv_free(best);
            return status;
        }
        if (best)
            jv_free(status);
        else
            best = status;
    }
    return best;
}

bool
lab_missing(const struct lab *lab, const struct jv *status, char *out, size_t size)
{
    const struct jv *services = jv_get(status, "services");
    (void)lab;

    if (!status) {
        snprintf(out, size, "no basculed answers yet");
        return true;
    }
    if (!jv_bool(status, "quorate", false)) {
        snprintf(out, size, "%s has no quorum", jv_str(status, "node", "the cluster"));
        return true;
    }
    if (jv_len(services) == 0) {
        snprintf(out, size, "the supervisor knows no service yet");
        return true;
    }
    for (size_t i = 0; i < jv_len(services); i++) {
        const struct jv *s = jv_at(services, i);
        const char *state = jv_str(s, "state", "unknown");
        const char *reason = jv_str(s, "reason", "");

        if (strcmp(state, "protected") != 0) {
            snprintf(out, size, "service %s is %s%s%s", jv_str(s, "name", "?"), state,
                *reason ? ": " : "", reason);
            return true;
        }
    }
    return false;
}

int
lab_wait_protected(const struct lab *lab, int timeout_s)
{
    struct mono start = mono_clock(), end = mono_add_ms(start, timeout_s * 1000LL);
    char missing[400] = "", said[400] = "";

    for (;;) {
        struct jv *status = lab_cluster_status(lab);
        bool more = lab_missing(lab, status, missing, sizeof missing);
        double s = (double)mono_us_between(start, mono_clock()) / 1e6;

        jv_free(status);
        if (!more) {
            printf("lab %s: %.1f s: every service is protected\n", lab->name, s);
            return CLI_OK;
        }
        if (strcmp(missing, said) != 0)
            printf("lab %s: %.1f s: waiting: %s\n", lab->name, s, missing);
        fflush(stdout);
        strcpy(said, missing);
        if (!mono_before(mono_clock(), end))
            break;
        usleep(AGAIN_US);
    }
    cli_error(
        "lab %s: not protected after %d s: %s; the lab is left up: see `bascule lab "
        "status`, and /var/log/bascule on its nodes",
        lab->name, timeout_s, missing);
    return CLI_FAILED;
}
