/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * questions.h - what the poller asks a node for, and what it makes of the answers: one
 * question about the drivers, one a service, one for some probes, one for the files of
 * a service whose builds differ.  As many as fit go in one message: it costs the
 * poller, snmpd and the agent more than the objects in it. */
#ifndef BSC_AGENT_QUESTIONS_H
#define BSC_AGENT_QUESTIONS_H

#include "agent/core/snapshot.h"
#include "agent/manager.h"
#include "lib/conf.h"
#include "lib/core/mono.h"
#include "lib/jv.h"

#define QUESTIONS_MAX 32    /* in one message */
#define QUESTION_DRIVERS 12 /* that a node has */
#define QUESTION_PROBES 16  /* in one question */
#define QUESTION_FILES 24   /* likewise */

struct target {
    const struct conf *conf;      /* borrowed */
    const struct conf_node *node; /* borrowed */
    struct manager_session *session;
    unsigned waiting; /* requests of this round */
    bool whole;       /* this round reads everything, not only the head of a message */
    bool head_first;  /* the next one need not, unless the digest is another one */
    unsigned heads;   /* that came in this round */
    char now[SNAP_WORD];  /* digest of this round; "": unknown, or of two moments */
    char seen[SNAP_WORD]; /* that of the last round with an answer */
    char why[MANAGER_TEXT], reason[MANAGER_TEXT];
    int64_t health;
    int64_t load_permille;        /* -1: not known */
    struct jv *readings, *probes; /* owned: read so far in this round */
    struct jv *services, *files;  /* owned: likewise */
    struct jv *line;              /* owned: what was read and printed last, or NULL */
    char digest[CONF_MAX_SERVICES][SNAP_WORD]; /* of builds, as last read */
    bool active[CONF_MAX_SERVICES];            /* the service was here, as last read */
    /* drivers, then probes: not ok as last read; only then there is a text to ask for
     */
    bool texts[QUESTION_DRIVERS + CONF_MAX_PROBES];
    unsigned ill_read;    /* the part of it below that was read when .whole was */
    unsigned ill;         /* how bad the readings were, summed up, the last time */
    unsigned again;       /* rounds out of turn that are left, to be sure of it */
    struct mono again_at; /* the next of them */
};

enum about { A_SERVICE, DRIVERS, PROBES, FILES };

struct question {
    enum about about;
    const struct conf_service *service; /* A_SERVICE, FILES */
    bool active;       /* A_SERVICE: also what only an active engine has */
    unsigned first, n; /* PROBES: of the configuration */
};

struct request { /* one message of a round */
    struct target *target;
    struct question questions[QUESTIONS_MAX];
    unsigned nquestions;
};

/* question_add - @q to @r.  False: the answer would be too much for one datagram.
 * Whatever it is, it is taken if it is the first. */
bool question_add(struct request *r, struct question q);

/* question_oids - what @r asks for, MANAGER_MAX_OBJECTS places; their number. */
unsigned question_oids(const struct request *r, struct manager_oid *oids);

/* question_take - the @n values that came, into the target's lines.
 *
 * @again  out: questions that must be asked again in this round: something is no longer
 *         ok, and why was not asked for
 *
 * False: they are not what was asked for; nothing is taken. */
bool question_take(const struct request *r, const struct manager_value *v, unsigned n,
    struct request *again);

#endif
