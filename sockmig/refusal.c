/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/refusal.h"

#include <stdarg.h>
#include <stdio.h>

void
refuse(struct refusals *r, int pid, int fd, const char *cure, const char *fmt, ...)
{
    struct refusal beyond, *one = r->n < REFUSALS_MAX ? &r->v[r->n] : &beyond;
    va_list ap;

    r->n++;
    if (one == &beyond && !r->each)
        return;
    one->pid = pid;
    one->fd = fd;
    snprintf(one->cure, sizeof one->cure, "%s", cure);
    va_start(ap, fmt);
    vsnprintf(one->what, sizeof one->what, fmt, ap);
    va_end(ap);
    if (r->each)
        r->each(r->arg, one);
}

void
refusals_join(struct refusals *all, const struct refusals *one)
{
    for (unsigned i = 0; i < one->n; i++)
        if (i < REFUSALS_MAX)
            refuse(
                all, one->v[i].pid, one->v[i].fd, one->v[i].cure, "%s", one->v[i].what);
        else
            all->n++;
}
