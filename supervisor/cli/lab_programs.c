/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/cli/lab_programs.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* In the order of their start, as a real host's service manager would do it. */
const struct lab_program lab_programs[] = {
    { "corosync", NULL, "/usr/sbin/corosync", NULL, { "-f" }, LAB_RUNS_ON_NODES },
    { "corosync-qnetd", NULL, "/usr/bin/corosync-qnetd", NULL,
        { "-f", "-s", "off", "-p", "5403", "-S",
            "heartbeat_interval_min=500,lock_file=" LAB_DEVICE
            "/pid,local_socket_file=" LAB_DEVICE "/sock,nss_db_dir=" LAB_DEVICE },
        LAB_RUNS_AS_DEVICE },
    { "corosync-qdevice", NULL, "/usr/sbin/corosync-qdevice", NULL,
        { "-f", "-S", "net_heartbeat_interval_min=500" }, LAB_RUNS_WITH_DEVICE },
    { "snmpd", NULL, "/usr/sbin/snmpd", NULL, { "-f", "-LOw", "-I", "-smux" },
        LAB_RUNS_ON_NODES },
    { "sockmigd", "sockmig/sockmigd", BSC_SBINDIR "/sockmigd", NULL, { NULL },
        LAB_RUNS_ON_NODES },
    { "basculed", "supervisor/basculed", BSC_SBINDIR "/basculed", "bascule",
        { "--poller", LAB_BIN "/bascule-poller" }, LAB_RUNS_ON_NODES },
    { "bascule-agent", "agent/bascule-agent", BSC_SBINDIR "/bascule-agent", "bascule",
        { NULL }, LAB_RUNS_ON_NODES },
    { "bascule-poller", "agent/bascule-poller",
        BSC_LIBEXECDIR "/bascule/bascule-poller", NULL, { NULL }, LAB_RUNS_NOWHERE },
    { "sockmig", "sockmig/sockmig", BSC_SBINDIR "/sockmig", NULL, { NULL },
        LAB_RUNS_NOWHERE },
    { "bascule", "supervisor/cli/bascule", BSC_BINDIR "/bascule", NULL, { NULL },
        LAB_RUNS_NOWHERE },
    { "bascule-demo-client", "supervisor/cli/bascule-demo-client",
        BSC_LIBEXECDIR "/bascule/bascule-demo-client", NULL, { NULL },
        LAB_RUNS_NOWHERE },
    { "bascule-console", "gui/bascule-console", BSC_BINDIR "/bascule-console", NULL,
        { NULL }, LAB_RUNS_NOWHERE },
};
const unsigned lab_nprograms = sizeof lab_programs / sizeof lab_programs[0];

static bool
is_program(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

bool
lab_program_find(const struct lab *lab, const struct lab_program *program, char *out)
{
    if (lab->bin[0] && program->build) {
        snprintf(out, LAB_PROGRAM_LEN, "%s/%s", lab->bin, program->build);
        if (is_program(out))
            return true;
    }
    if (lab->bin[0]) {
        snprintf(out, LAB_PROGRAM_LEN, "%s/%s", lab->bin, program->name);
        if (is_program(out))
            return true;
    }
    snprintf(out, LAB_PROGRAM_LEN, "%s", program->installed);
    return is_program(out);
}

bool
lab_program_runs(
    const struct lab *lab, const struct lab_program *program, enum lab_kind kind)
{
    switch (program->runs) {
    case LAB_RUNS_ON_NODES:
        return kind == LAB_NODE;
    case LAB_RUNS_WITH_DEVICE:
        return kind == LAB_NODE && lab->device;
    case LAB_RUNS_AS_DEVICE:
        return kind == LAB_CLIENT && lab->device;
    case LAB_RUNS_NOWHERE:
        break;
    }
    return false;
}

void
lab_bin_guess(char *out, size_t size)
{
    static const char inside[] = "/supervisor/cli/";
    char exe[256], *at;
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);

    exe[n > 0 ? n : 0] = '\0';
    at = strstr(exe, inside);
    if (at)
        *at = '\0';
    snprintf(out, size, "%s", at ? exe : "");
}
