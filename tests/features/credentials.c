/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * credentials.c - users, groups, capabilities. */
#include "tests/features/features.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/securebits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *
set_up_user(void)
{
    WANT(setresgid(1001, 1002, 1003) == 0 && setresuid(2001, 2002, 2003) == 0);
    return NULL;
}

static const char *
check_user(void)
{
    uid_t r, e, s;

    WANT(getresuid(&r, &e, &s) == 0 && r == 2001 && e == 2002 && s == 2003);
    WANT(getresgid(&r, &e, &s) == 0 && r == 1001 && e == 1002 && s == 1003);
    WANT(setfsuid((uid_t)-1) == 2002 && setfsgid((gid_t)-1) == 1002);
    return NULL;
}

static const char *
set_up_fsuid(void)
{
    setfsuid(4004);
    setfsgid(4005);
    return NULL;
}

static const char *
check_fsuid(void)
{
    WANT(setfsuid((uid_t)-1) == 4004 && setfsgid((gid_t)-1) == 4005);
    return NULL;
}

static const char *
set_up_groups(void)
{
    static const gid_t groups[] = { 5, 70000, 123456 };

    WANT(setgroups(3, groups) == 0);
    return NULL;
}

static const char *
check_groups(void)
{
    gid_t g[8];

    WANT(getgroups(8, g) == 3 && g[0] == 5 && g[1] == 70000 && g[2] == 123456);
    return NULL;
}

static const char *
set_up_many_groups(void)
{
    gid_t groups[40];

    for (gid_t i = 0; i < 40; i++)
        groups[i] = 1000 + i;
    WANT(setgroups(40, groups) == 0);
    return NULL;
}

static const char *
capabilities(bool set, uint32_t *effective, uint32_t *permitted, uint32_t *inheritable)
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct d[2] = { { 0 } };

    if (set) {
        d[0].effective = *effective;
        d[0].permitted = *permitted;
        d[0].inheritable = *inheritable;
        WANT(syscall(SYS_capset, &head, d) == 0);
        return NULL;
    }
    WANT(syscall(SYS_capget, &head, d) == 0);
    *effective = d[0].effective;
    *permitted = d[0].permitted;
    *inheritable = d[0].inheritable;
    WANT(d[1].permitted == 0);
    return NULL;
}

#define EFFECTIVE (1u << CAP_NET_BIND_SERVICE)
#define PERMITTED (EFFECTIVE | 1u << CAP_KILL | 1u << CAP_CHOWN)
#define INHERITABLE (1u << CAP_CHOWN)

static const char *
set_up_caps(void)
{
    uint32_t e = EFFECTIVE, p = PERMITTED, i = INHERITABLE;

    WANT(prctl(PR_CAPBSET_DROP, CAP_SYS_BOOT, 0, 0, 0) == 0);
    WANT(!capabilities(true, &e, &p, &i));
    WANT(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0) == 0);
    return NULL;
}

static const char *
check_caps(void)
{
    uint32_t e, p, i;

    WANT(!capabilities(false, &e, &p, &i));
    WANT(e == EFFECTIVE && p == PERMITTED && i == INHERITABLE);
    WANT(prctl(PR_CAPBSET_READ, CAP_SYS_BOOT, 0, 0, 0) == 0);
    WANT(prctl(PR_CAPBSET_READ, CAP_SYS_TIME, 0, 0, 0) == 1);
    WANT(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0) == 1);
    WANT(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0) == 0);
    return NULL;
}

static const char *
set_up_securebits(void)
{
    WANT(prctl(PR_SET_SECUREBITS, 0x3 | 0xc, 0, 0, 0) == 0);
    return NULL;
}

static const char *
check_securebits(void)
{
    WANT(prctl(PR_GET_SECUREBITS, 0, 0, 0, 0) == 0xf);
    return NULL;
}

static const char *
set_up_no_new_privs(void)
{
    WANT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    return NULL;
}

static const char *
check_no_new_privs(void)
{
    WANT(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    return NULL;
}

static const struct feature rows[] = {
    { "real, effective and saved users and groups", NULL, FEATURE_ALONE, set_up_user,
        check_user, NULL },
    { "file system user and group", NULL, FEATURE_ALONE, set_up_fsuid, check_fsuid,
        NULL },
    { "supplementary groups", NULL, FEATURE_ALONE, set_up_groups, check_groups, NULL },
    { "more than 32 supplementary groups", "supplementary groups", FEATURE_ALONE,
        set_up_many_groups, NULL, NULL },
    { "capabilities: all five sets", NULL, FEATURE_ALONE, set_up_caps, check_caps,
        NULL },
    { "securebits", NULL, FEATURE_ALONE, set_up_securebits, check_securebits, NULL },
    { "no_new_privs", NULL, FEATURE_ALONE, set_up_no_new_privs, check_no_new_privs,
        NULL },
};

AREA(area_credentials, "Credentials", rows);
