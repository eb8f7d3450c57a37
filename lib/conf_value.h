/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * conf_value.h - the keys of bascule.conf: what each may hold and where it goes.
 *
 * conf.c walks the file and calls these at each value, so that a message can name the
 * line; what is checked here knows nothing of files. */
#ifndef BSC_CONF_VALUE_H
#define BSC_CONF_VALUE_H

#include "lib/conf.h"

#define CONF_WHY_LEN 320

enum conf_section {
    CONF_CLUSTER,
    CONF_NODE,
    CONF_SERVICE,
    CONF_PROBE,
    CONF_READING,
    CONF_FENCE,
    CONF_NSECTIONS
};

struct conf_draft;

struct conf_key {
    const char *name;
    const char *allowed; /* for messages: "5 to 60000 (ms)" */
    bool (*take)(struct conf_draft *draft, const char *value, char *why);
    bool list, required;
    size_t offset;     /* numbers and texts: field in the section's struct */
    unsigned min, max; /* of a number; max: size of a text */
};

struct conf_draft {
    struct conf *conf;
    enum conf_section section; /* the one that is being read */
    void *target;              /* its struct: of conf, a node or a service */
    uint64_t seen;             /* keys read in it; bit = place in conf_keys() */
};

/* conf_section_name, conf_keys - keys of @section, ended by a NULL name. */
const char *conf_section_name(enum conf_section section);
const struct conf_key *conf_keys(enum conf_section section);

/* How a key of a table says where its value goes: a text, a number within bounds. */
#define CONF_TEXT(type, field)                                                         \
    .offset = offsetof(type, field), .max = sizeof(((type *)0)->field)
#define CONF_NUMBER(type, field, lowest, highest)                                      \
    .offset = offsetof(type, field), .min = (lowest), .max = (highest)
#define CONF_PATH_ALLOWED "an absolute path of up to 255 bytes"

extern const struct conf_key conf_service_keys[]; /* of conf_service.c */

/* Of conf_fence.c: keys of sections reading and fence, their beginning and what holds
 * for all of them. */
extern const struct conf_key conf_reading_keys[], conf_fence_keys[];
bool conf_begin_reading(struct conf_draft *draft, const char *title, char *why);
bool conf_begin_fence(struct conf_draft *draft, const char *title, char *why);
bool conf_end_fence(struct conf_draft *draft, char *why);
bool conf_whole_fences(const struct conf *conf, char *why);

/* conf_begin - a section starts: give it a place, its name and its defaults.
 * False: @why (CONF_WHY_LEN bytes) says what is wrong and what is allowed. */
bool conf_begin(
    struct conf_draft *draft, enum conf_section section, const char *title, char *why);

/* conf_take - one value of @key; of a list, each.  @first: of this occurrence of the
 * key.  False: as above. */
bool conf_take(struct conf_draft *draft, const struct conf_key *key, const char *value,
    bool first, char *why);

/* conf_end - the section is complete: what is missing, what does not fit together. */
bool conf_end(struct conf_draft *draft, char *why);

/* conf_whole - what only the whole file can tell. */
bool conf_whole(const struct conf *conf, char *why);

/* conf_because - write @why; always false, so that a check can end with it. */
bool conf_because(char *why, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

bool conf_is_name(const char *s);

/* conf_take_... - a number within bounds; an absolute path; one more word of a command
 * (CONF_MAX_ARGS).  False: @why says what is wrong. */
bool conf_take_number(
    const char *value, unsigned min, unsigned max, unsigned *out, char *why);
bool conf_take_path(struct conf_draft *draft, const char *value, char *why);
bool conf_take_word(char **command, const char *value, char *why);

/* conf_unusable - why a host cannot have an address for its own that others can send
 * to; NULL: it can. */
const char *conf_unusable(int family, const uint8_t *bytes);

/* conf_parse_address - numeric IPv4 or IPv6; unused bytes are zero. */
bool conf_parse_address(const char *text, int *family, uint8_t bytes[16]);

/* conf_node_with_address - the node that has it in the cluster network, or NULL. */
const struct conf_node *conf_node_with_address(
    const struct conf *conf, const uint8_t bytes[16]);

/* conf_defaults - a cluster section that says nothing. */
void conf_defaults(struct conf *conf);

#endif
