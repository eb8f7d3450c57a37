/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/cli/lab_programs.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* In the order of their start, as a real host's service manager would do it. */
const struct lab_program lab_programs[] = {
    { "corosync", NULL, "/usr/sbin/corosync", NULL, { "-f" }, true },
    { "snmpd", NULL, "/usr/sbin/snmpd", NULL, { "-f", "-LOw", "-I", "-smux" }, true },
    { "sockmigd", "sockmig/sockmigd", BSC_SBINDIR "/sockmigd", NULL, { NULL }, true },
    { "basculed", "supervisor/basculed", BSC_SBINDIR "/basculed", "bascule",
        { "--poller", LAB_BIN "/bascule-poller" }, true },
    { "bascule-agent", "agent/bascule-agent", BSC_SBINDIR "/bascule-agent", "bascule",
        { NULL }, true },
    { "bascule-poller", "agent/bascule-poller",
        BSC_LIBEXECDIR "/bascule/bascule-poller", NULL, { NULL }, false },
    { "sockmig", "sockmig/sockmig", BSC_SBINDIR "/sockmig", NULL, { NULL }, false },
    { "bascule", "supervisor/cli/bascule", BSC_BINDIR "/bascule", NULL, { NULL },
        false },
    { "bascule-demo-client", "supervisor/cli/bascule-demo-client",
        BSC_LIBEXECDIR "/bascule/bascule-demo-client", NULL, { NULL }, false },
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
