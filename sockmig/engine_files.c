/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * engine_files.c - the state folders of the engine's service, by the configuration. */
#include "sockmig/engine.h"

#include "lib/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* By any thread. */
static void
on_trouble(void *arg, const char *text)
{
    struct engine *e = arg;

    queue_put(e->notes, (struct note){ .what = MAIN_FILES, .p = strdup(text) });
}

/* The service's own, on whatever node; what it is in has to be there. */
static void
make_folder(const struct conf_service *s, const char *path)
{
    if (mkdir(path, 0750) == 0 && chown(path, s->uid, s->gid) < 0)
        log_warn("service %s: state folder %s: %s", s->name, path, strerror(errno));
}

void
engine_files_open(struct engine *e)
{
    struct filestore_conf conf = {
        .service = e->service->name, .trouble = on_trouble, .arg = e
    };
    struct seal_key key;

    if (e->service->nstate == 0 || e->service->storage == CONF_STORAGE_SHARED)
        return;
    for (unsigned i = 0; i < e->service->nstate; i++) {
        e->state_paths[i] = e->service->state[i];
        make_folder(e->service, e->service->state[i]);
    }
    e->folders.roots = e->state_paths;
    e->folders.nroots = e->service->nstate;
    seal_derive(&e->secret, "files", 0, 0, e->service->name, 0, 0, &key);
    memcpy(&e->folders.seed, &key, sizeof e->folders.seed);
    conf.folders = e->folders;
    filestore_new(&conf, &e->files);
}

/* On the standby: why the files are not kept here.  It is tried again, not at once. */
void
engine_files_trouble(struct engine *e, const char *text)
{
    if (!text)
        return;
    e->no_follow_before = mono_add_ms(mono_clock(), 5000);
    if (strcmp(text, e->files_said) != 0 ||
        mono_before(e->files_say_again, mono_clock())) {
        engine_journal(e, "error", "files", "%s", text);
        engine_error(e, "%s", text);
        e->files_say_again = mono_add_ms(mono_clock(), 60000);
    }
    snprintf(e->files_said, sizeof e->files_said, "%s", text);
}
