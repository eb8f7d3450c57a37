/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * snmp_walk.c - reads a table with all columns side by side, or one object again and
 * again, and says how long it takes.
 *
 *   snmp_walk walk PEER USER PHRASE REPETITIONS COLUMN...
 *   snmp_walk get PEER USER PHRASE SECONDS OBJECT
 *
 * By SNMPv3 authPriv (SHA-256, AES); with PHRASE "-" by SNMPv2c, USER is the community.
 * The walk ends with status 1 if an identifier does not grow or a request fails. */
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/netsnmp.h" /* last: see there */

#define MAX_COLUMNS 16
#define MAX_SAMPLES 200000
#define HEAP_KEPT (64 << 20) /* bytes */

struct column {
    oid at[MAX_OID_LEN], root[MAX_OID_LEN];
    size_t nat, nroot;
    unsigned rows;
    bool done;
};

static int64_t
now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void *
open_session(char *peer, char *user, char *phrase)
{
    netsnmp_session s;

    snmp_sess_init(&s);
    s.peername = peer;
    s.timeout = 5000000;
    s.retries = 0;
    if (strcmp(phrase, "-") == 0) {
        s.version = SNMP_VERSION_2c;
        s.community = (u_char *)user;
        s.community_len = strlen(user);
        return snmp_sess_open(&s);
    }
    s.version = SNMP_VERSION_3;
    s.securityName = user;
    s.securityNameLen = strlen(user);
    s.securityLevel = SNMP_SEC_LEVEL_AUTHPRIV;
    s.securityAuthProto = (oid *)(uintptr_t)usmHMAC192SHA256AuthProtocol;
    s.securityAuthProtoLen = USM_AUTH_PROTO_SHA_LEN;
    s.securityAuthKeyLen = sizeof s.securityAuthKey;
    s.securityPrivProto = (oid *)(uintptr_t)usmAESPrivProtocol;
    s.securityPrivProtoLen = USM_PRIV_PROTO_AES_LEN;
    s.securityPrivKeyLen = USM_PRIV_KU_LEN;
    generate_Ku(s.securityAuthProto, (u_int)s.securityAuthProtoLen, (u_char *)phrase,
        strlen(phrase), s.securityAuthKey, &s.securityAuthKeyLen);
    generate_Ku(s.securityAuthProto, (u_int)s.securityAuthProtoLen, (u_char *)phrase,
        strlen(phrase), s.securityPrivKey, &s.securityPrivKeyLen);
    return snmp_sess_open(&s);
}

static int
ask(void *session, netsnmp_pdu *pdu, netsnmp_pdu **answer)
{
    int64_t begin = now_us();
    int ret = snmp_sess_synch_response(session, pdu, answer);

    if (ret == STAT_SUCCESS && (*answer)->errstat == SNMP_ERR_NOERROR)
        return 0;
    fprintf(stderr, "request after %lld ms: %s\n", (long long)(now_us() - begin) / 1000,
        ret == STAT_SUCCESS ? snmp_errstring((int)(*answer)->errstat) : "no answer");
    return -1;
}

/* take - one object into its column.  False: it does not grow. */
static bool
take(struct column *c, const netsnmp_variable_list *v)
{
    if (c->done)
        return true;
    if (v->type == SNMP_ENDOFMIBVIEW ||
        snmp_oidtree_compare(v->name, v->name_length, c->root, c->nroot) != 0) {
        c->done = true;
        return true;
    }
    if (snmp_oid_compare(v->name, v->name_length, c->at, c->nat) <= 0)
        return false;
    memcpy(c->at, v->name, v->name_length * sizeof *c->at);
    c->nat = v->name_length;
    c->rows++;
    return true;
}

/* step - one request about the columns that have more.  False: it failed. */
static bool
step(void *session, struct column *columns, unsigned n, int repetitions)
{
    netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_GETBULK), *answer = NULL;
    struct column *asked[MAX_COLUMNS];
    unsigned nasked = 0, i = 0;
    bool good;

    pdu->non_repeaters = 0;
    pdu->max_repetitions = repetitions;
    for (unsigned c = 0; c < n; c++)
        if (!columns[c].done) {
            snmp_add_null_var(pdu, columns[c].at, columns[c].nat);
            asked[nasked++] = &columns[c];
        }
    good = ask(session, pdu, &answer) == 0 && answer->variables;
    for (netsnmp_variable_list *v = good ? answer->variables : NULL; v && good;
         v = v->next_variable)
        good = take(asked[i++ % nasked], v);
    if (answer && !good && answer->errstat == SNMP_ERR_NOERROR)
        fprintf(stderr, "an identifier does not grow\n");
    snmp_free_pdu(answer);
    return good;
}

static int
walk(void *session, int repetitions, char **names, int n)
{
    static struct column columns[MAX_COLUMNS];
    int64_t begin = now_us(), us;
    unsigned sum = 0;
    bool more = true;

    for (int c = 0; c < n; c++) {
        columns[c].nat = MAX_OID_LEN;
        if (!snmp_parse_oid(names[c], columns[c].at, &columns[c].nat))
            return 2;
        memcpy(columns[c].root, columns[c].at, sizeof columns[c].at);
        columns[c].nroot = columns[c].nat;
    }
    while (more) {
        if (!step(session, columns, (unsigned)n, repetitions))
            return 1;
        more = false;
        for (int c = 0; c < n; c++)
            more |= !columns[c].done;
    }
    us = now_us() - begin;
    for (int c = 0; c < n; c++)
        sum += columns[c].rows;
    printf("%u rows x %d columns in %.2f s: %.0f varbinds/s\n", columns[0].rows, n,
        (double)us / 1e6, sum / ((double)us / 1e6));
    return 0;
}

static int
by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

static int
get(void *session, int seconds, const char *name)
{
    static int64_t took[MAX_SAMPLES];
    int64_t end = now_us() + (int64_t)seconds * 1000000;
    oid at[MAX_OID_LEN];
    size_t nat = MAX_OID_LEN;
    unsigned n = 0;

    if (!snmp_parse_oid(name, at, &nat))
        return 2;
    while (now_us() < end && n < MAX_SAMPLES) {
        netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_GET), *answer = NULL;
        int64_t begin = now_us();
        struct timespec pause = { 0, 5000000 };
        bool good;

        snmp_add_null_var(pdu, at, nat);
        good = ask(session, pdu, &answer) == 0;
        took[n++] = now_us() - begin;
        snmp_free_pdu(answer);
        if (!good)
            return 1;
        nanosleep(&pause, NULL); /* a manager, not a flood */
    }
    qsort(took, n, sizeof *took, by_size);
    printf("%u GETs: p50 %.2f ms, p99 %.2f ms, max %.2f ms\n", n,
        (double)took[n / 2] / 1e3, (double)took[n * 99 / 100] / 1e3,
        (double)took[n - 1] / 1e3);
    return 0;
}

int
main(int argc, char **argv)
{
    void *session;

    if (argc < 7 || argc > 6 + MAX_COLUMNS) {
        fprintf(stderr, "usage: snmp_walk walk|get PEER USER PHRASE N OID...\n");
        return 2;
    }
    /* an answer of 160 objects takes 200 KiB of heap: given back to the kernel each
     * time, its page faults would be half of what is measured */
    mallopt(M_TRIM_THRESHOLD, HEAP_KEPT);
    mallopt(M_TOP_PAD, HEAP_KEPT);
    setenv("MIBS", "", 1);
    netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_READ_CONFIGS, 1);
    netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_PERSIST_STATE, 1);
    init_snmp("snmp_walk");
    session = open_session(argv[2], argv[3], argv[4]);
    if (!session) {
        snmp_perror(argv[2]);
        return 2;
    }
    return strcmp(argv[1], "walk") == 0
               ? walk(session, atoi(argv[5]), argv + 6, argc - 6)
               : get(session, atoi(argv[5]), argv[6]);
}
