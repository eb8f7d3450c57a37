/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/ctl.h"
#include "lib/fd.h"
#include "supervisor/cli/cli.h"
#include "supervisor/cli/lab.h"
#include "supervisor/cli/lab_programs.h"
#include "supervisor/cli/lab_wait.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Refused before anything is made: what would fail later, and with worse words. */
static int
check_machine(const struct lab *lab)
{
    static const struct {
        const char *path, *package;
    } needed[] = {
        { "/usr/sbin/corosync", "corosync" },
        { "/usr/sbin/snmpd", "snmpd" },
        { "/usr/sbin/ebtables", "iptables" },
        { "/usr/sbin/ip", "iproute2" },
    };
    char path[LAB_PROGRAM_LEN];

    if (geteuid() != 0) {
        cli_error("a lab makes namespaces: run it as root");
        return CLI_FAILED;
    }
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
        if (access(needed[i].path, X_OK) < 0) {
            cli_error(
                "%s is missing: apt-get install %s", needed[i].path, needed[i].package);
            return CLI_FAILED;
        }
    for (unsigned i = 0; i < lab_nprograms; i++)
        if (lab_programs[i].runs == LAB_RUNS_ON_NODES &&
            !lab_program_find(lab, &lab_programs[i], path)) {
            cli_error("%s is missing (looked for %s): build it, or name the directory "
                      "of the programs with --bindir",
                lab_programs[i].name, path);
            return CLI_FAILED;
        }
    return CLI_OK;
}

/* Its configuration asks for one. */
static int
check_device(const struct lab *lab)
{
    char path[LAB_PROGRAM_LEN];

    for (unsigned i = 0; i < lab_nprograms && lab->device; i++)
        if (lab_programs[i].runs >= LAB_RUNS_WITH_DEVICE &&
            !lab_program_find(lab, &lab_programs[i], path)) {
            cli_error("%s is missing, which quorum-device needs: apt-get install %s",
                path, lab_programs[i].name);
            return -ENOENT;
        }
    return 0;
}

/* A lab whose making was cut short has hosts on record and no mark of being complete:
 * those go.  One that runs stays. */
static int
clear_leftovers(const struct lab *lab)
{
    struct lab old;
    char mark[256];
    int code;

    if (access(lab->dir, F_OK) < 0)
        return CLI_OK;
    if (lab_load(&old, lab->name) == 0 &&
        access(lab_path(mark, lab, "complete", ""), F_OK) == 0)
        for (unsigned i = 0; i < old.nhosts; i++)
            if (lab_host_alive(&old.hosts[i])) {
                cli_error("lab %s is up already: bascule lab down --name %s, or use "
                          "another --name",
                    lab->name, lab->name);
                return CLI_FAILED;
            }
    code = lab_down_cmd(lab->name);
    return code;
}

static int
make(struct lab *lab, const char *conf)
{
    char mark[256];
    int ret;

    ret = lab_files_make(lab, conf);
    if (ret == 0)
        ret = check_device(lab);
    for (unsigned i = 0; i < lab->nhosts && ret == 0; i++)
        ret = lab_host_start(lab, &lab->hosts[i]);
    if (ret == 0)
        ret = lab_save(lab);
    if (ret == 0)
        ret = file_write(lab_path(mark, lab, "complete", ""), "");
    return ret;
}

int
lab_up_cmd(struct lab *lab, const char *conf, const char *bin, int timeout_s)
{
    int lock = -1, code;

    if (bin)
        snprintf(lab->bin, sizeof lab->bin, "%s", bin);
    else
        lab_bin_guess(lab->bin, sizeof lab->bin);
    code = check_machine(lab);
    if (code == CLI_OK)
        code = clear_leftovers(lab);
    if (code != CLI_OK)
        return code;
    mkdir(LAB_ROOT, 0755);
    if (mkdir(lab->dir, 0755) < 0 && errno != EEXIST) {
        cli_error("%s: %s", lab->dir, strerror(errno));
        return CLI_FAILED;
    }
    lock = lab_lock(lab);
    code = make(lab, conf) == 0 ? CLI_OK : CLI_FAILED;
    fd_close(lock);
    if (code != CLI_OK) {
        lab_down_cmd(lab->name);
        return code;
    }
    return lab_wait_protected(lab, timeout_s);
}

int
lab_down_cmd(const char *name)
{
    struct lab lab;
    int lock, ret;

    if (!lab_init(&lab, name, CONF_MAX_NODES)) {
        cli_error("\"%s\" is not the name of a lab", name);
        return CLI_USAGE;
    }
    lock = lab_lock(&lab);
    /* Without a record there are no processes, but there may be files. */
    lab_load(&lab, name);
    /* nodes first: a switch that goes while a node lives looks like a cut to it */
    for (unsigned i = lab.nhosts; i-- > 0;)
        lab_host_kill(&lab, &lab.hosts[i]);
    ret = lab_files_remove(&lab);
    fd_close(lock);
    if (ret < 0) {
        cli_error("lab %s: %s cannot be removed: %s", name, lab.dir, strerror(-ret));
        return CLI_FAILED;
    }
    return CLI_OK;
}
