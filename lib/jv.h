/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * jv.h - JSON values (json-c behind it, see jv.c).
 *
 * Ownership: jv_parse/jv_object/jv_array give a new value to the caller, who
 * ends it with jv_free() or moves it into a parent with jv_set()/jv_push()
 * or into ctl_send().  What jv_get()/jv_at() return is borrowed from the
 * parent.  Getters take a NULL value and a wrong type: they return the default. */
#ifndef BSC_JV_H
#define BSC_JV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct jv;

struct jv *jv_object(void);
struct jv *jv_array(void);

/* jv_parse - @size bytes of text.  NULL if malformed, deeper than 16 or followed by
 * more text. */
struct jv *jv_parse(const char *text, size_t size);
void jv_free(struct jv *j);             /* NULL is legal */
struct jv *jv_copy(const struct jv *j); /* deep */

/* jv_text - new NUL-terminated text, to be freed with free(); one line unless
 * @pretty. */
char *jv_text(const struct jv *j, bool pretty);

void jv_set(struct jv *object, const char *key, struct jv *taken);
void jv_set_str(struct jv *object, const char *key, const char *value); /* NULL: null */
void jv_set_int(struct jv *object, const char *key, int64_t value);
void jv_set_double(struct jv *object, const char *key, double value);
void jv_set_bool(struct jv *object, const char *key, bool value);
void jv_push(struct jv *array, struct jv *taken);
void jv_push_str(struct jv *array, const char *value);
void jv_push_int(struct jv *array, int64_t value);

const struct jv *jv_get(const struct jv *object, const char *key); /* or NULL */
bool jv_has(const struct jv *object, const char *key);
const char *jv_str(const struct jv *object, const char *key, const char *otherwise);
int64_t jv_int(const struct jv *object, const char *key, int64_t otherwise);
double jv_double(const struct jv *object, const char *key, double otherwise);
bool jv_bool(const struct jv *object, const char *key, bool otherwise);
size_t jv_len(const struct jv *array); /* 0 if it is none */
const struct jv *jv_at(const struct jv *array, size_t i);
const char *jv_at_str(const struct jv *array, size_t i); /* NULL if not a string */
int64_t jv_at_int(const struct jv *array, size_t i);

#endif
