/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/cli/demo_client_link.h"

#include "lib/fd.h"
#include "supervisor/cli/cli.h"
#include "supervisor/cli/lab.h"
#include "supervisor/cli/lab_programs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct jv *
read_report(struct demo_client *c)
{
    char line[1024];

    if (!c->from || !fgets(line, sizeof line, c->from))
        return NULL;
    return jv_parse(line, strlen(line));
}

static bool
order(struct demo_client *c, const char *text)
{
    return c->to >= 0 && fd_write_all(c->to, text, strlen(text)) == 0;
}

static bool
find_program(const char *lab_name, char *out)
{
    struct lab lab;

    if (lab_load(&lab, lab_name) < 0)
        return false;
    for (unsigned i = 0; i < lab_nprograms; i++)
        if (!strcmp(lab_programs[i].name, "bascule-demo-client"))
            return lab_program_find(&lab, &lab_programs[i], out);
    return false;
}

static void __attribute__((noreturn))
become_client(const char *const argv[], int in, int out)
{
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    execv(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

bool
demo_client_start(struct demo_client *c, const char *self, const char *lab,
    const char *address, unsigned port, unsigned connections)
{
    char program[LAB_PROGRAM_LEN], port_text[16], count_text[16];
    const char *const argv[] = { self, "lab", "exec", "--name", lab, "client", "--",
        program, address, port_text, count_text, NULL };
    int in[2] = { -1, -1 }, out[2] = { -1, -1 };
    struct jv *first = NULL;

    snprintf(port_text, sizeof port_text, "%u", port);
    snprintf(count_text, sizeof count_text, "%u", connections);
    if (!find_program(lab, program) || pipe2(in, O_CLOEXEC) < 0 ||
        pipe2(out, O_CLOEXEC) < 0)
        goto out;
    c->pid = fork();
    if (c->pid == 0)
        become_client(argv, in[0], out[1]);
    c->to = in[1];
    in[1] = -1;
    c->from = fdopen(out[0], "r");
    out[0] = -1;
    fd_close(out[1]); /* the end of its output must be seen */
    out[1] = -1;
    first = read_report(c);
out:
    fd_close(in[0]);
    fd_close(in[1]);
    fd_close(out[0]);
    fd_close(out[1]);
    if (!first)
        cli_error("the client does not come up: its message is above");
    jv_free(first);
    return first != NULL;
}

bool
demo_client_mark(struct demo_client *c, const char *name)
{
    char text[80];

    snprintf(text, sizeof text, "mark %s\n", name);
    return order(c, text);
}

struct jv *
demo_client_report(struct demo_client *c)
{
    return order(c, "report\n") ? read_report(c) : NULL;
}

struct jv *
demo_client_stop(struct demo_client *c)
{
    struct jv *last = order(c, "stop\n") ? read_report(c) : NULL;

    fd_close(c->to);
    if (c->from)
        fclose(c->from);
    if (c->pid > 0)
        waitpid(c->pid, NULL, 0);
    *c = DEMO_CLIENT_NONE;
    return last;
}
