/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/jv.h"

#include "lib/log.h"

#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH 16

/* struct jv is json-c's json_object under another name; only here is that known. */
static struct json_object *
obj(const struct jv *j)
{
    return (struct json_object *)(uintptr_t)j;
}

static struct jv *
made(struct json_object *o)
{
    if (!o)
        log_fatal("json: out of memory");
    return (struct jv *)o;
}

struct jv *
jv_object(void)
{
    return made(json_object_new_object());
}

struct jv *
jv_array(void)
{
    return made(json_object_new_array());
}

struct jv *
jv_parse(const char *text, size_t size)
{
    struct json_tokener *tok;
    struct json_object *o;

    if (size > INT_MAX)
        return NULL;
    tok = json_tokener_new_ex(MAX_DEPTH);
    if (!tok)
        log_fatal("json: out of memory");
    json_tokener_set_flags(tok, JSON_TOKENER_STRICT);
    o = json_tokener_parse_ex(tok, text, (int)size);
    if (json_tokener_get_error(tok) != json_tokener_success ||
        strspn(text + json_tokener_get_parse_end(tok), " \t\r\n") <
            size - json_tokener_get_parse_end(tok)) {
        json_object_put(o);
        o = NULL;
    }
    json_tokener_free(tok);
    return (struct jv *)o;
}

void
jv_free(struct jv *j)
{
    json_object_put(obj(j));
}

struct jv *
jv_copy(const struct jv *j)
{
    struct json_object *o = NULL;

    if (json_object_deep_copy(obj(j), &o, NULL) < 0)
        log_fatal("json: out of memory");
    return made(o);
}

char *
jv_text(const struct jv *j, bool pretty)
{
    int flags = JSON_C_TO_STRING_NOSLASHESCAPE |
                (pretty ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED : 0);
    char *text = strdup(json_object_to_json_string_ext(obj(j), flags));

    if (!text)
        log_fatal("json: out of memory");
    return text;
}

void
jv_set(struct jv *object, const char *key, struct jv *taken)
{
    if (json_object_object_add(obj(object), key, obj(taken)) < 0)
        log_fatal("json: out of memory");
}

void
jv_set_str(struct jv *object, const char *key, const char *value)
{
    jv_set(object, key, (struct jv *)(value ? json_object_new_string(value) : NULL));
}

void
jv_set_int(struct jv *object, const char *key, int64_t value)
{
    jv_set(object, key, made(json_object_new_int64(value)));
}

void
jv_set_double(struct jv *object, const char *key, double value)
{
    char text[32];

    /* json-c would print 17 digits: 0.1 as 0.10000000000000001 */
    snprintf(text, sizeof text, "%.12g", value);
    jv_set(object, key, made(json_object_new_double_s(value, text)));
}

void
jv_set_bool(struct jv *object, const char *key, bool value)
{
    jv_set(object, key, made(json_object_new_boolean(value)));
}

void
jv_push(struct jv *array, struct jv *taken)
{
    if (json_object_array_add(obj(array), obj(taken)) < 0)
        log_fatal("json: out of memory");
}

void
jv_push_str(struct jv *array, const char *value)
{
    jv_push(array, made(json_object_new_string(value)));
}

void
jv_push_int(struct jv *array, int64_t value)
{
    jv_push(array, made(json_object_new_int64(value)));
}

const struct jv *
jv_get(const struct jv *object, const char *key)
{
    struct json_object *v = NULL;

    if (!json_object_is_type(obj(object), json_type_object))
        return NULL;
    json_object_object_get_ex(obj(object), key, &v);
    return (const struct jv *)v;
}

bool
jv_has(const struct jv *object, const char *key)
{
    return json_object_is_type(obj(object), json_type_object) &&
           json_object_object_get_ex(obj(object), key, NULL);
}

const char *
jv_str(const struct jv *object, const char *key, const char *otherwise)
{
    const struct jv *v = jv_get(object, key);

    return json_object_is_type(obj(v), json_type_string)
               ? json_object_get_string(obj(v))
               : otherwise;
}

int64_t
jv_int(const struct jv *object, const char *key, int64_t otherwise)
{
    const struct jv *v = jv_get(object, key);

    return json_object_is_type(obj(v), json_type_int) ? json_object_get_int64(obj(v))
                                                      : otherwise;
}

double
jv_double(const struct jv *object, const char *key, double otherwise)
{
    const struct jv *v = jv_get(object, key);

    return json_object_is_type(obj(v), json_type_double) ||
                   json_object_is_type(obj(v), json_type_int)
               ? json_object_get_double(obj(v))
               : otherwise;
}

bool
jv_bool(const struct jv *object, const char *key, bool otherwise)
{
    const struct jv *v = jv_get(object, key);

    return json_object_is_type(obj(v), json_type_boolean)
               ? json_object_get_boolean(obj(v))
               : otherwise;
}

size_t
jv_len(const struct jv *array)
{
    return json_object_is_type(obj(array), json_type_array)
               ? json_object_array_length(obj(array))
               : 0;
}

const struct jv *
jv_at(const struct jv *array, size_t i)
{
    return i < jv_len(array)
               ? (const struct jv *)json_object_array_get_idx(obj(array), i)
               : NULL;
}

const char *
jv_at_str(const struct jv *array, size_t i)
{
    const struct jv *v = jv_at(array, i);

    return json_object_is_type(obj(v), json_type_string)
               ? json_object_get_string(obj(v))
               : NULL;
}

int64_t
jv_at_int(const struct jv *array, size_t i)
{
    const struct jv *v = jv_at(array, i);

    return json_object_is_type(obj(v), json_type_int) ? json_object_get_int64(obj(v))
                                                      : 0;
}
