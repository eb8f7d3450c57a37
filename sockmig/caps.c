/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/caps.h"

#include <cap-ng.h>
#include <errno.h>
#include <stddef.h>

/* Each with what needs it. */
static const unsigned needed[] = {
    CAP_SYS_ADMIN,            /* namespaces, mounts, BPF on older kernels */
    CAP_NET_ADMIN,            /* links, routes, rules, TCP_REPAIR, queues, TUN */
    CAP_NET_RAW,              /* announcements, data sent in flight again */
    CAP_NET_BIND_SERVICE,     /* listeners below 1024 of a clone */
    CAP_BPF,                  /* the fence */
    CAP_PERFMON,              /* the fence's verifier pass */
    CAP_SYS_PTRACE,           /* tracing, memory of the service */
    CAP_CHECKPOINT_RESTORE,   /* pids and threads of a clone */
    CAP_SETUID,               /* the service's user */
    CAP_SETGID, CAP_SETPCAP,  /* drop the service's capabilities */
    CAP_KILL,                 /* end a cell */
    CAP_SYS_NICE,             /* real-time threads */
    CAP_IPC_LOCK,             /* locked buffers */
    CAP_IPC_OWNER,            /* shared memory of the service's user */
    CAP_SYS_RESOURCE,         /* limits of a clone */
    CAP_DAC_OVERRIDE,         /* files of the service's user */
    CAP_DAC_READ_SEARCH,      /* paths of files that it watches */
    CAP_LEASE,                /* whether its shared memory is in use here */
    CAP_CHOWN,                /* log files, sockets */
    CAP_FOWNER, CAP_SYS_TIME, /* offsets of a time namespace */
};

int
caps_keep_needed(void)
{
    capng_get_caps_process();
    for (unsigned c = 0; c <= CAP_LAST_CAP; c++) {
        int keep = 0;

        for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
            keep |= needed[i] == c;
        if (!keep)
            capng_update(CAPNG_DROP,
                CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_INHERITABLE |
                    CAPNG_BOUNDING_SET,
                c);
    }
    return capng_apply(CAPNG_SELECT_BOTH) < 0 ? -EPERM : 0;
}
