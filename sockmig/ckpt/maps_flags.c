/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * maps_flags.c - what only /proc/PID/smaps tells of mappings (proc_pid_smaps(5)). */
#include "sockmig/ckpt/maps_private.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static uint32_t
parse_flags(const char *at)
{
    static const struct {
        char name[3];
        uint32_t flag;
    } rows[] = { { "gd", IMAGE_VMA_GROWSDOWN }, { "nh", IMAGE_VMA_NOHUGE },
        { "hg", IMAGE_VMA_HUGE }, { "dd", IMAGE_VMA_DONTDUMP },
        { "dc", IMAGE_VMA_DONTFORK }, { "wf", IMAGE_VMA_WIPEONFORK },
        { "lo", IMAGE_VMA_LOCKED }, { "nr", IMAGE_VMA_NORESERVE },
        { "mg", IMAGE_VMA_MERGEABLE }, { "sr", IMAGE_VMA_SEQUENTIAL },
        { "rr", IMAGE_VMA_RANDOM }, { "lf", IMAGE_VMA_ON_FAULT },
        { "sl", IMAGE_VMA_SEALED } };
    uint32_t flags = 0;

    for (at += strspn(at, " "); *at && *at != '\n'; at += strspn(at, " ")) {
        size_t n = strcspn(at, " \n");

        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
            if (n == 2 && !memcmp(at, rows[i].name, 2))
                flags |= rows[i].flag;
        at += n;
    }
    return flags;
}

#define KEY "ProtectionKey:" /* comes before the flags, if the processor has keys */

/* Memory that only runs is guarded by a key of the kernel's own, which it gives to the
 * clone's, too.  Asked of what smaps says of both: the mapping may be another soon. */
static uint32_t
guarded_by(const char *key, uint32_t perms)
{
    return strtoul(key, NULL, 10) && (perms & 7) != PROT_EXEC ? MAPS_GUARDED : 0;
}

int
maps_read_flags(struct maps *m)
{
    int ret = proctext_read(&m->text, "/proc/%d/smaps", (int)m->pid);
    const char *line = m->text.data, *path;
    struct image_vma v = { 0 };
    uint32_t perms = 0, guarded = 0;
    size_t len;

    if (ret < 0)
        return ret;
    m->nflags = 0;
    m->nknown = 0; /* to be completed with the new flags */
    while (*line && m->nflags < IMAGE_MAX_VMAS) {
        const char *next = strchr(line, '\n');

        if (!next)
            break;
        if (!strncmp(line, KEY, sizeof KEY - 1))
            guarded = guarded_by(line + sizeof KEY - 1, perms);
        else if (!strncmp(line, "VmFlags:", 8) && v.start == m->skip && m->skip)
            m->skip_flags = parse_flags(line + 8);
        else if (!strncmp(line, "VmFlags:", 8))
            m->flags[m->nflags++] = (struct maps_flags){ v.start, v.end,
                parse_flags(line + 8) | guarded };
        else if ((*line >= '0' && *line <= '9') || (*line >= 'a' && *line <= 'f'))
            maps_parse_line(&line, &v, &perms, &path, &len);
        line = next + 1;
    }
    return 0;
}
