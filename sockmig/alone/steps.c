/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/alone/steps.h"

#include "lib/fault.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>

/* A route that comes back stands beside others to the same place. */
static uint16_t
flags_of(const struct rtnl_message *m, bool back)
{
    struct nlmsghdr head;

    memcpy(&head, m->bytes, sizeof head);
    if (head.nlmsg_type == RTM_NEWROUTE && back)
        return NLM_F_CREATE | NLM_F_APPEND;
    if (head.nlmsg_type == RTM_NEWROUTE || head.nlmsg_type == RTM_NEWADDR ||
        head.nlmsg_type == RTM_NEWRULE)
        return NLM_F_CREATE | NLM_F_EXCL;
    return 0;
}

void
steps_add(
    struct steps *s, const struct rtnl_message *forth, const struct rtnl_message *back)
{
    const struct rtnl_message *m[2] = { forth, back };
    struct step *step = &s->v[s->n];

    if (s->n == STEPS_MAX) {
        s->overflow = true;
        return;
    }
    memset(step, 0, sizeof *step);
    for (unsigned i = 0; i < 2; i++) {
        if (!m[i])
            continue;
        if (s->used + NLMSG_ALIGN(m[i]->size) > STEPS_BYTES) {
            s->overflow = true;
            return;
        }
        step->at[i] = (uint32_t)s->used;
        step->size[i] = (uint32_t)m[i]->size;
        step->flags[i] = flags_of(m[i], i == 1);
        memcpy(s->bytes + s->used, m[i]->bytes, m[i]->size);
        s->used += NLMSG_ALIGN(m[i]->size);
    }
    s->n++;
}

static bool
is_gone(int ret)
{
    return ret == -ENOENT || ret == -ESRCH || ret == -EADDRNOTAVAIL || ret == -ENODEV;
}

static int
say(const struct steps *s, int nl, unsigned i, unsigned way)
{
    const struct step *step = &s->v[i];

    return step->size[way] == 0 ? 0
                                : rtnl_say(nl, s->bytes + step->at[way],
                                      step->size[way], step->flags[way]);
}

int
steps_go(struct steps *s, int nl, unsigned end)
{
    int ret = s->overflow ? -E2BIG : 0;

    while (ret == 0 && s->done < end) {
        s->done++; /* whoever dies in the middle may have made it */
        ret = say(s, nl, s->done - 1, 0);
        if (s->v[s->done - 1].flags[0] == 0 && is_gone(ret))
            ret = 0; /* it went with another one */
        FAULT_POINT("rebind-step-%u", s->done);
    }
    return ret;
}

unsigned
steps_back(struct steps *s, int nl)
{
    unsigned failed = 0;

    for (unsigned i = s->done; i-- > 0;) {
        int ret = say(s, nl, i, 1);

        failed += ret < 0 && ret != -EEXIST && !is_gone(ret);
    }
    s->done = 0;
    return failed;
}
