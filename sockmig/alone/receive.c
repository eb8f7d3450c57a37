/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * receive.c - sockmig receive: waits for processes that sockmig move brings here. */
#include "sockmig/alone/alone.h"
#include "sockmig/alone/arrive.h"
#include "sockmig/alone/hostroute.h"
#include "sockmig/alone/reach.h"
#include "sockmig/alone/unfinished.h"

#include "lib/fd.h"
#include "lib/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKERS 16u

struct worker {
    pid_t pid;                /* 0: none */
    int fd;                   /* owned: its connection, to speak for it */
    struct arrive_page *page; /* owned mapping */
};

struct receiver {
    struct sockaddr_storage at;
    socklen_t at_size;
    struct seal_secret secret;
    struct arrive_conf conf;
    struct worker workers[WORKERS];
    bool once, has_received;
    int listener; /* owned */
};

static bool
take_address(struct receiver *r, const char *text, unsigned port)
{
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&r->at;
    struct sockaddr_in *four = (struct sockaddr_in *)&r->at;

    memset(&r->at, 0, sizeof r->at);
    if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons((uint16_t)port);
        r->at_size = sizeof *four;
        return true;
    }
    six->sin6_family = AF_INET6;
    six->sin6_port = htons((uint16_t)port);
    r->at_size = sizeof *six;
    return inet_pton(AF_INET6, text, &six->sin6_addr) == 1;
}

static int
listen_at(struct receiver *r)
{
    int one = 1;

    r->listener = socket(r->at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (r->listener < 0 && errno == EAFNOSUPPORT) { /* no IPv6 at all */
        take_address(r, "0.0.0.0", ntohs(((struct sockaddr_in6 *)&r->at)->sin6_port));
        r->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    }
    if (r->listener < 0)
        return -errno;
    setsockopt(r->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(r->listener, (struct sockaddr *)&r->at, r->at_size) < 0 ||
        listen(r->listener, 16) < 0)
        return -errno;
    return 0;
}

static void
be_usual(void)
{
    sigset_t none;

    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGCHLD, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void
serve(struct receiver *r, int fd)
{
    struct worker *w = NULL;
    void *page;

    for (unsigned i = 0; i < WORKERS && !w; i++)
        if (r->workers[i].pid == 0)
            w = &r->workers[i];
    page = w ? mmap(NULL, sizeof *w->page, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0)
             : MAP_FAILED;
    if (page == MAP_FAILED) {
        fd_close(fd);
        return;
    }
    *w = (struct worker){ .pid = fork(), .fd = fd, .page = page };
    if (w->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        be_usual();
        fd_close(r->listener);
        _exit(arrive(fd, &r->conf, page) ? 0 : 1);
    }
    if (w->pid < 0) {
        munmap(page, sizeof *w->page);
        fd_close(fd);
        w->pid = 0;
    }
}

static void
reap(struct receiver *r)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (unsigned i = 0; i < WORKERS; i++) {
            struct worker *w = &r->workers[i];
            bool runs;

            if (w->pid != pid)
                continue;
            arrive_clear(w->fd, w->page);
            runs = w->page->runs;
            fd_close(w->fd);
            munmap(w->page, sizeof *w->page);
            w->pid = 0;
            r->has_received |= runs;
        }
}

static volatile sig_atomic_t ending;

static void
on_signal(int signo)
{
    if (signo != SIGCHLD)
        ending = 1;
}

static int
serve_all(struct receiver *r)
{
    struct sigaction sa = { .sa_handler = on_signal };
    sigset_t blocked, before;

    sigemptyset(&blocked);
    sigaddset(&blocked, SIGCHLD);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGINT);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    sigaction(SIGCHLD, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGINT, &sa, NULL);
    signal(SIGPIPE, SIG_IGN);
    while (!ending && !(r->once && r->has_received)) {
        struct pollfd p = { .fd = r->listener, .events = POLLIN };
        int fd;

        if (ppoll(&p, 1, NULL, &before) > 0) {
            fd = accept4(r->listener, NULL, NULL, SOCK_CLOEXEC);
            if (fd >= 0)
                serve(r, fd);
        }
        reap(r);
    }
    return ALONE_DONE;
}

static bool
options(struct receiver *r, int argc, char **argv, const char **secret)
{
    static const struct option known[] = { { "listen", required_argument, NULL, 'l' },
        { "port", required_argument, NULL, 'p' },
        { "device", required_argument, NULL, 'd' },
        { "secret", required_argument, NULL, 's' }, { "once", no_argument, NULL, 'o' },
        { "route", no_argument, NULL, 'r' }, { "table", required_argument, NULL, 't' },
        { NULL, 0, NULL, 0 } };
    const char *address = "::";
    unsigned port = REACH_PORT;
    bool right = true;
    int c;

    while (right && (c = getopt_long(argc, argv, "", known, NULL)) >= 0) {
        if (c == 'l')
            address = optarg;
        else if (c == 'p')
            right = alone_number(optarg, 1, 65535, &port);
        else if (c == 'd')
            r->conf.device = optarg;
        else if (c == 's')
            *secret = optarg;
        else if (c == 'o')
            r->once = true;
        else if (c == 'r')
            r->conf.route = true;
        else
            right = c == 't' && hostroute_table_of(optarg, &r->conf.table);
    }
    right = right && alone_given(argc, argv, optind, "");
    if (right && r->conf.table && !r->conf.route) {
        alone_error("--table is for the host routes of --route");
        return false;
    }
    if (right && !take_address(r, address, port)) {
        alone_error(
            "%s: not an address to listen at: write 192.0.2.1 or 2001:db8::1", address);
        return false;
    }
    return right;
}

int
alone_receive(int argc, char **argv)
{
    struct receiver *r = calloc(1, sizeof *r);
    const char *secret = ALONE_SECRET;
    char error[SEAL_ERROR_LEN];
    int ret = ALONE_FAILED, e;

    if (!r)
        return ret;
    r->listener = -1;
    r->conf.secret = &r->secret;
    if (!options(r, argc, argv, &secret)) {
        ret = alone_usage("receive");
    } else if (!seal_secret_read(secret, &r->secret, error)) {
        alone_error("%s", error);
    } else if (r->conf.device && if_nametoindex(r->conf.device) == 0) {
        alone_error("%s: no such network device", r->conf.device);
    } else if ((e = listen_at(r)) < 0) {
        alone_error("cannot listen: %s", strerror(-e));
    } else {
        unfinished_clear_all();
        ret = serve_all(r);
    }
    fd_close(r->listener);
    free(r);
    return ret;
}
