/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * asker.h - sessions to SNMP agents on the GLib main loop; nothing here blocks.
 *
 * Object identifiers are relative to enterprise.1.  One request per session at a
 * time. */
#ifndef BSC_GUI_ASKER_H
#define BSC_GUI_ASKER_H

#include "gui/core/plan.h"

#include <glib.h>

struct asker_user {
    int version;                         /* 2 (v2c) or 3 (authPriv) */
    char *community;                     /* v2c */
    char *name;                          /* v3 */
    char *auth, *priv;                   /* v3: pass phrases, at least 8 octets */
    char *auth_protocol, *priv_protocol; /* SHA-256, SHA-512, SHA; AES */
};

struct asker;

enum asker_result { ASKER_ANSWER, ASKER_TIMEOUT, ASKER_REFUSED, ASKER_ERROR };

/* Called once for each request.  @objects are borrowed for the call; @why is for the
 * operator, and untranslated if it came from the agent. */
typedef void (*asker_reply)(struct asker *session, enum asker_result result,
    const char *why, const struct plan_answer *objects, unsigned n, void *arg);

/* asker_begin - once; hashes nothing yet. */
void asker_begin(void);

/* asker_open - a session to @address (host, host:port, [v6]:port).
 *
 * @user  borrowed; must outlive the session
 *
 * Never fails at once: what is wrong is the result of the first request. */
struct asker *asker_open(const char *address, const struct asker_user *user);
void asker_close(struct asker *session);

void asker_ask(struct asker *session, const struct plan_request *request,
    asker_reply reply, void *arg);

/* asker_set - one SET of all @objects. */
void asker_set(struct asker *session, const struct plan_answer *objects, unsigned n,
    asker_reply reply, void *arg);

#endif
