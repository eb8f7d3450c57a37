/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * refusal.h - what cannot be protected, named (promise P8). */
#ifndef BSC_REFUSAL_H
#define BSC_REFUSAL_H

#define REFUSALS_MAX 16

struct refusal {
    int pid;        /* in the cell; 0: not about one process */
    int fd;         /* -1: not about a descriptor */
    char what[160]; /* "io_uring instance", "unix socket to /run/x" */
    char cure[160]; /* what the operator can do about it */
};

struct refusals {
    struct refusal v[REFUSALS_MAX];
    unsigned n; /* found in all; those beyond REFUSALS_MAX are counted only */
    void (*each)(void *arg, const struct refusal *one); /* told of all; NULL: nobody */
    void *arg;
};

/* refuse - add one; both texts are formats' results, cut at their size. */
void refuse(struct refusals *r, int pid, int fd, const char *cure, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* refusals_join - add those of @one to @all. */
void refusals_join(struct refusals *all, const struct refusals *one);

#endif
