/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_conf.c - a row per claim: a file, and what must be said about it. */
#include "lib/conf.h"
#include "lib/fd.h"
#include "tests/suite.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define S_HEAD                                                                         \
    "service \"a\" {\n  addresses = { \"10.0.0.9/24\" }\n  device = \"br0\"\n"
#define S_TAIL "  command = { \"x\" }\n  user = \"nobody\"\n}\n"
#define GOOD S_HEAD S_TAIL
#define C_HEAD "cluster \"c\" {\n"
#define NODES                                                                          \
    "node \"n1\" { id = 1 address = \"10.0.2.1\" }\n"                                  \
    "node \"n2\" { id = 2 address = \"10.0.2.2\" }\n"

/* The file's name is "F" in what is expected. */
#define P_HEAD                                                                         \
    "probe \"p\" {\n  service = \"a\"\n  command = { \"/bin/true\", \"x\" }\n"

static const struct {
    const char *claim, *text, *error; /* error NULL: it is accepted */
} rows[] = {
    { "the smallest service", GOOD, NULL },
    { "an empty file", "", NULL },
    { "state folders", S_HEAD "  state = { \"/var/lib/a\", \"/srv/a\" }\n" S_TAIL,
        NULL },
    { "a state folder that is not absolute", S_HEAD "  state = { \"a\" }\n" S_TAIL,
        "F:4: state \"a\": not the plain absolute path of a folder" },
    { "a state folder by way of another", S_HEAD "  state = { \"/a/../b\" }\n" S_TAIL,
        "not the plain absolute path" },
    { "a state folder in another",
        S_HEAD "  state = { \"/srv/a\", \"/srv/a/b\" }\n" S_TAIL,
        "it and /srv/a of service a lie in one another" },
    { "state folders whose names begin alike",
        S_HEAD "  state = { \"/srv/a\", \"/srv/ab\" }\n" S_TAIL, NULL },
    { "state of a service that takes no checkpoints",
        S_HEAD "  state = { \"/srv/a\" }\n  policy = \"cold\"\n" S_TAIL,
        "which takes no checkpoints; allowed: another policy" },
    { "shared storage of a service with a clone",
        S_HEAD "  state = { \"/srv/a\" }\n  storage = \"shared\"\n" S_TAIL,
        "its files would be later than its memory; allowed: policy \"cold\"" },
    { "shared storage that nobody is kept from",
        C_HEAD "}\n" NODES S_HEAD "  state = { \"/srv/a\" }\n  storage = \"shared\"\n"
               "  policy = \"cold\"\n" S_TAIL,
        "node n1 cannot be fenced: two nodes might write to it" },
    { "another kind of storage", S_HEAD "  storage = \"nfs\"\n" S_TAIL,
        "F:4: storage \"nfs\": not a kind of storage; allowed: \"replicated\"" },
    { "children that are something else", S_HEAD "  children = \"mine\"\n" S_TAIL,
        "F:4: children \"mine\": not what may become of child processes; allowed: "
        "\"auto\"" },
    { "children that are kept", S_HEAD "  children = \"kept\"\n" S_TAIL, NULL },
    { "comments of all kinds", "# a\n// b\n/* c\n */\n" GOOD "# end", NULL },
    { "a hash in quotes is no comment",
        S_HEAD "  command = { \"x\", \"#1\" }\n  user = nobody\n}\n", NULL },
    { "a whole cluster", C_HEAD "}\n" NODES GOOD, NULL },

    { "an unknown section", "clutser \"c\" { }\n", "F:1: no such option 'clutser'" },
    { "what is allowed at the top", "x = 1\n", "allowed here: cluster, node, service" },
    { "an unknown key, its line", S_HEAD "  usr = \"nobody\"\n}\n",
        "F:4: no such option 'usr'" },
    { "the keys of the section are named", S_HEAD "  usr = \"nobody\"\n}\n",
        "checkpoint-interval" },
    { "lines after comments count once", "# one\n# two\n" S_HEAD "  usr = 1\n}\n",
        "F:6: " },
    { "a section without a name", "service {\n}\n", "F:1: missing title" },
    { "a bad name", "service \"A\" {\n  device = \"x\"\n}\n",
        "F:2: service \"A\": not a name" },
    { "a name that begins with a digit", "node \"1\" { id = 1 }\n", "not a name" },
    { "a name of 32 characters",
        "node \"a1234567890123456789012345678901\" { id = 1 }\n",
        "not a name; allowed: 1 to 31" },
    { "two services of one name", GOOD GOOD, "duplicate" },
    { "two cluster sections", C_HEAD "}\ncluster \"d\" {\n}\n",
        "a second cluster section" },
    { "the end within a section", S_HEAD, "F:3: the file ends within a section" },
    { "a quote that is not closed", S_HEAD "  user = \"nobody\n", "F:" },
    { "a brace too many", GOOD "}\n", "F:7: unexpected closing brace" },
    { "no equal sign", S_HEAD "  user \"nobody\"\n}\n", "F:4: missing equal sign" },

    { "no addresses", "service \"a\" {\n  device = \"b\"\n}\n",
        "addresses is missing in this service section" },
    { "no device", "service \"a\" {\n  addresses = { \"10.0.0.9/24\" }\n" S_TAIL,
        "device is missing" },
    { "no command", S_HEAD "  user = \"nobody\"\n}\n", "command is missing" },
    { "no user", S_HEAD "  command = { \"x\" }\n}\n", "user is missing" },
    { "an empty command", S_HEAD "  command = { \"\" }\n}\n", "F:4: command \"\"" },
    { "an empty list of words", S_HEAD "  command = { }\n  user = \"nobody\"\n}\n",
        "command is missing" },
    { "a key given twice", S_HEAD "  device = \"x\"\n" S_TAIL,
        "device is given twice" },
    { "a list given twice", S_HEAD "  command = { \"y\" }\n" S_TAIL,
        "F:5: command is given twice" },

    { "a probe", GOOD P_HEAD "}\n", NULL },
    { "a whole probe",
        GOOD P_HEAD "  place = \"cell\"\n  period = 500\n  timeout = 100\n"
                    "  attempts = 1\n}\n",
        NULL },
    { "a probe of no service", P_HEAD "}\n",
        "probe p: service \"a\": there is no such service section" },
    { "two probes of one name", GOOD P_HEAD "}\n" P_HEAD "}\n", "duplicate title" },
    { "a probe without a path",
        GOOD "probe \"p\" {\n  service = \"a\"\n  command = { \"x\" }\n}\n",
        "command \"x\": not an absolute path" },
    { "a probe anywhere", GOOD P_HEAD "  place = \"moon\"\n}\n", "not a place" },
    { "a probe all the time", GOOD P_HEAD "  period = 499\n}\n", "out of range" },
    { "a probe without a command", GOOD "probe \"p\" {\n  service = \"a\"\n}\n",
        "command is missing in this probe section" },
    { "a probe that never gives in", GOOD P_HEAD "  attempts = 11\n}\n",
        "out of range" },

    { "root", S_HEAD "  command = { \"x\" }\n  user = \"root\"\n}\n",
        "F:5: user \"root\": a service does not run as root" },
    { "a user that does not exist",
        S_HEAD "  command = { \"x\" }\n  user = \"no-such-user\"\n}\n",
        "there is no such user on this host" },
    { "policy commit", S_HEAD "  policy = \"commit\"\n" S_TAIL, NULL },
    { "policy replay", S_HEAD "  policy = \"replay\"\n" S_TAIL, NULL },
    { "policy warm", S_HEAD "  policy = \"warm\"\n" S_TAIL, NULL },
    { "policy cold", S_HEAD "  policy = \"cold\"\n" S_TAIL, NULL },
    { "no policy at all", S_HEAD "  policy = \"best\"\n" S_TAIL,
        "not a policy; allowed: \"commit\", \"replay\", \"warm\" or \"cold\"" },
    { "alone: stop", S_HEAD "  when-alone = \"stop\"\n" S_TAIL, NULL },
    { "alone: no rule", S_HEAD "  when-alone = \"hope\"\n" S_TAIL,
        "allowed: \"serve\" or \"stop\"" },

    { "an address without its network",
        "service \"a\" {\n addresses = { \"10.0.0.9\" }\n}\n",
        "F:2: addresses \"10.0.0.9\": the prefix length of its network is missing" },
    { "not an address", "service \"a\" {\n addresses = { \"10.0.0/24\" }\n}\n",
        "not an address" },
    { "a prefix of 33", "service \"a\" {\n addresses = { \"10.0.0.1/33\" }\n}\n",
        "not a prefix length" },
    { "a prefix with a tail", "service \"a\" {\n addresses = { \"10.0.0.1/24x\" }\n}\n",
        "not a prefix length" },
    { "a multicast address", "service \"a\" {\n addresses = { \"224.0.0.1/24\" }\n}\n",
        "multicast" },
    { "loopback", "service \"a\" {\n addresses = { \"::1/64\" }\n}\n", "loopback" },
    { "link-local", "service \"a\" {\n addresses = { \"fe80::1/64\" }\n}\n",
        "link-local" },
    { "IPv6",
        "service \"a\" {\n addresses = { \"fd00::9/64\", \"10.0.0.9/24\" }\n"
        " device = \"b\"\n" S_TAIL,
        NULL },
    { "one address twice in a service",
        "service \"a\" {\n addresses = { \"fd00::9/64\", \"fd00:0::9/64\" }\n}\n",
        "service a has it already" },
    { "one address in two services",
        GOOD "service \"b\" {\n addresses = { \"10.0.0.9/24\" }\n}\n",
        "F:8: addresses \"10.0.0.9/24\": service a has it already" },
    { "an address of a node",
        C_HEAD "}\nnode \"n1\" { id = 1 address = \"10.0.0.9\" }\n" GOOD,
        "address 10.0.0.9 is that of node n1" },
    { "a gateway in the network", S_HEAD "  gateway = \"10.0.0.1\"\n" S_TAIL, NULL },
    { "a gateway elsewhere", S_HEAD "  gateway = \"10.0.1.1\"\n" S_TAIL,
        "gateway 10.0.1.1 is in no network of the service's addresses" },
    { "a long device name", "service \"a\" {\n device = \"a123456789012345\"\n}\n",
        "not an interface name" },
    { "a relative directory", S_HEAD "  directory = \"x\"\n" S_TAIL,
        "not an absolute path" },

    { "an interval", S_HEAD "  checkpoint-interval = 100\n" S_TAIL, NULL },
    { "an interval too short", S_HEAD "  checkpoint-interval = 4\n" S_TAIL,
        "F:4: checkpoint-interval \"4\": out of range; allowed: 5 to 60000 (ms)" },
    { "an interval in words", S_HEAD "  checkpoint-interval = often\n" S_TAIL,
        "not a number; allowed: 5 to 60000 (ms)" },
    { "a negative number", S_HEAD "  checkpoint-interval = -5\n" S_TAIL,
        "not a number" },
    { "a number beyond all", S_HEAD "  max-pause = 99999999999999999999\n" S_TAIL,
        "out of range" },
    { "a spacing above the interval", S_HEAD "  checkpoint-spacing = 21\n" S_TAIL,
        "checkpoint-spacing 21 is longer than checkpoint-interval 20" },

    { "a lease", C_HEAD "  lease = 50\n}\n", NULL },
    { "a lease too short", C_HEAD "  lease = 49\n}\n", "F:2: lease \"49\"" },
    { "processors that sleep for ever", C_HEAD "  cpu-latency = 10001\n}\n",
        "out of range; allowed: 0 to 10000 (us)" },
    { "a heartbeat too slow", C_HEAD "  lease = 100\n  heartbeat = 34\n}\n",
        "heartbeat 34 is too slow for a lease of 100; allowed: 5 to 33" },
    { "a port too low", C_HEAD "  port = 80\n}\n", "allowed: 1024 to 65400" },
    { "two nodes of one id",
        C_HEAD "}\n" NODES "node \"n3\" { id = 2 address = \"10.0.2.3\" }\n",
        "F:5: id \"2\": node n2 has it already" },
    { "two nodes of one address",
        C_HEAD "}\n" NODES "node \"n3\" { id = 3 address = \"10.0.2.2\" }\n",
        "node n2 has it already" },
    { "two nodes of one name",
        C_HEAD "}\n" NODES "node \"n2\" { id = 3 address = \"10.0.2.3\" }\n",
        "duplicate" },
    { "a node without an id", "node \"n1\" { address = \"10.0.2.1\" }\n",
        "id is missing in this node section" },
    { "nodes without a cluster", NODES, "no cluster section" },
    { "a host name as address", "node \"n1\" { id = 1 address = \"n1.example\" }\n",
        "not a numeric address" },
    { "an snmp address",
        "cluster \"c\" { }\nnode \"n1\" { id = 1 address = \"10.0.2.1\"\n"
        "snmp = \"tcp:10.0.2.1:1161\" }\n",
        NULL },
    { "an snmp address without a transport",
        "node \"n1\" { id = 1 address = \"10.0.2.1\"\nsnmp = \"10.0.2.1\" }\n",
        "not a transport address" },
    { "a group of an organization's own",
        C_HEAD "  multicast = \"239.7.8.10\"\n}\n" NODES, NULL },
    { "no group", C_HEAD "  multicast = \"\"\n}\n" NODES, NULL },
    { "a unicast address as a group", C_HEAD "  multicast = \"10.0.2.9\"\n}\n" NODES,
        "not a multicast address" },
    { "a group of another family", C_HEAD "  multicast = \"ff15::7810\"\n}\n" NODES,
        "not of the family of node n1's address" },
    { "a standby limit too short", C_HEAD "  standby-limit = 5\n}\n" NODES,
        "allowed: 20 to 10000" },
    { "a packet log of no power of two", S_HEAD "  packet-log = 48\n" S_TAIL,
        "not a power of two" },
    { "a packet log", S_HEAD "  packet-log = 16\n" S_TAIL, NULL },
    { "preferred, a node", C_HEAD "}\n" NODES S_HEAD "  preferred = \"n2\"\n" S_TAIL,
        NULL },
    { "preferred, nobody", C_HEAD "}\n" NODES S_HEAD "  preferred = \"n3\"\n" S_TAIL,
        "preferred \"n3\": there is no such node section" },
    { "where it must not run",
        C_HEAD "}\n" NODES S_HEAD "  never = { \"n2\" }\n" S_TAIL, NULL },
    { "never, nobody", C_HEAD "}\n" NODES S_HEAD "  never = { \"n3\" }\n" S_TAIL,
        "never \"n3\": there is no such node section" },
    { "never anywhere",
        C_HEAD "}\n" NODES S_HEAD "  never = { \"n1\", \"n2\" }\n" S_TAIL,
        "never names all nodes" },
    { "preferred and never",
        C_HEAD "}\n" NODES S_HEAD "  preferred = \"n1\"\n  never = { \"n1\" }\n" S_TAIL,
        "both preferred and never" },
    { "apart from itself", S_HEAD "  apart = { \"a\" }\n" S_TAIL, "that is itself" },
    { "together with nothing", S_HEAD "  together = { \"b\" }\n" S_TAIL,
        "there is no such service section" },
    { "failback without a preferred node", S_HEAD "  failback = \"auto\"\n" S_TAIL,
        "without preferred" },
    { "failback by guess", S_HEAD "  failback = \"soon\"\n" S_TAIL,
        "not a way to fall back; allowed: \"none\" or \"auto\"" },
    { "balance", S_HEAD "  placement = \"balance\"\n  load = 300\n" S_TAIL, NULL },
    { "a load beyond a node", S_HEAD "  load = 1001\n" S_TAIL, "out of range" },
    { "thresholds in the wrong order", C_HEAD "  health-degraded = 100\n}\n" NODES GOOD,
        "health-failed 100 is not above health-degraded 100" },
    { "a reading", "reading \"disk\" { weight = 50 }\n" GOOD, NULL },
    { "a reading without a weight", "reading \"disk\" { }\n" GOOD,
        "weight is missing in this reading section" },
    { "a fence",
        C_HEAD "}\n" NODES
               "fence \"f\" { node = \"n1\" agent = \"fence_ipmilan\" level = 2\n"
               "options = { \"ip=10.0.0.1\", \"lanplus=1\" }\n"
               "secret-file = \"/etc/bascule/ipmi\" timeout = 30 }\n" GOOD,
        NULL },
    { "a fence of nobody",
        C_HEAD "}\n" NODES "fence \"f\" { node = \"n3\" agent = \"fence_x\" }\n" GOOD,
        "fence f: node \"n3\": there is no such node section" },
    { "a fence's own action",
        "fence \"f\" { node = \"n1\" agent = \"fence_x\" options = { \"action=on\" } "
        "}\n" GOOD,
        "the action is not yours to choose" },
    { "an option in two lines",
        "fence \"f\" { node = \"n1\" agent = \"fence_x\" options = { \"a=b\\nc=d\" } "
        "}\n" GOOD,
        "not NAME=VALUE in one line" },
    { "a shell as agent", "fence \"f\" { node = \"n1\" agent = \"sh\" }\n" GOOD,
        "not a fence agent" },
};

static char path[64];

static void
make_path(void)
{
    snprintf(path, sizeof path, "check_conf.%d.conf", (int)getpid());
}

static void
remove_path(void)
{
    unlink(path);
}

START_TEST(says)
{
    char error[CONF_ERROR_LEN] = "", want[300];
    struct conf *conf = NULL;
    const char *name;
    bool ok;

    ck_assert_int_eq(file_write(path, rows[_i].text), 0);
    ok = conf_load(path, &conf, error);
    if (!rows[_i].error) {
        ck_assert_msg(ok, "%s: refused: %s", rows[_i].claim, error);
        conf_free(conf);
        return;
    }
    ck_assert_msg(!ok, "%s: accepted", rows[_i].claim);
    name = !strncmp(rows[_i].error, "F:", 2) ? path : "";
    snprintf(want, sizeof want, "%s%s", name, rows[_i].error + (*name ? 1 : 0));
    ck_assert_msg(strstr(error, want) != NULL, "%s: \"%s\" is not in \"%s\"",
        rows[_i].claim, want, error);
    ck_assert_msg(strstr(error, "allowed") != NULL,
        "%s: does not say what is allowed: %s", rows[_i].claim, error);
}
END_TEST

START_TEST(defaults)
{
    struct conf *conf = NULL;
    char error[CONF_ERROR_LEN];
    const struct conf_service *s;

    file_write(path, C_HEAD "  lease = 300\n}\n" NODES GOOD);
    ck_assert_msg(conf_load(path, &conf, error), "%s", error);
    s = conf_service(conf, "a");
    ck_assert_ptr_nonnull(s);
    ck_assert_uint_eq(conf->heartbeat_ms, 60); /* a fifth of the lease */
    ck_assert_uint_eq(conf->port, 7810);
    ck_assert_uint_eq(conf->behind_ms, 50);
    ck_assert_uint_eq(conf->cpu_latency_us, 0);
    ck_assert_str_eq(conf->multicast, "");
    ck_assert_uint_eq(s->log_mib, 64);
    ck_assert_str_eq(conf_node(conf, "n2")->snmp, "udp:10.0.2.2:161");
    ck_assert_ptr_eq(conf_node_by_id(conf, 2), conf_node(conf, "n2"));
    ck_assert_ptr_null(conf_node_by_id(conf, 3));
    ck_assert_uint_eq(s->interval_ms, 20);
    ck_assert_uint_eq(s->spacing_ms, 2);
    ck_assert_uint_eq(s->max_pause_ms, 50);
    ck_assert_str_eq(s->directory, "/");
    ck_assert_str_eq(s->log, "/var/log/bascule/a.log");
    ck_assert_str_eq(s->command[0], "x");
    ck_assert_ptr_null(s->command[1]);
    ck_assert_uint_ne(s->uid, 0);
    ck_assert_uint_ge(s->ngroups, 1);
    ck_assert_int_eq(s->addresses[0].family, AF_INET);
    ck_assert_uint_eq(s->addresses[0].prefix, 24);
    ck_assert_str_eq(s->addresses[0].text, "10.0.0.9");
    conf_free(conf);
}
END_TEST

START_TEST(no_file)
{
    struct conf *conf = NULL;
    char error[CONF_ERROR_LEN];

    ck_assert(!conf_load("/no/such/file", &conf, error));
    ck_assert_ptr_nonnull(strstr(error, "/no/such/file: No such file"));
    ck_assert(!conf_load("/", &conf, error));
    ck_assert_ptr_nonnull(strstr(error, "allowed: a readable file"));
}
END_TEST

/* Damage to a good file is either still a good file or an error with a text: never a
 * crash, never silence. */
START_TEST(damaged)
{
    static const char good[] = C_HEAD "  lease = 300\n}\n" NODES GOOD;
    static const char parts[] = "{}\"'=,#/* \n\\$+-9a\x01\xff";
    unsigned seed = (unsigned)_i * 2654435761u + 1;
    char text[sizeof good], error[CONF_ERROR_LEN];
    struct conf *conf = NULL;

    memcpy(text, good, sizeof good);
    for (unsigned k = 0; k < 1 + (unsigned)_i % 4; k++) {
        seed = seed * 1103515245u + 12345u;
        text[seed / 65536 % (sizeof good - 1)] = parts[seed % (sizeof parts - 1)];
    }
    if ((unsigned)_i % 5 == 0)
        text[seed / 65536 % (sizeof good - 1)] = '\0';
    file_write(path, text);
    error[0] = '\0';
    if (conf_load(path, &conf, error))
        conf_free(conf);
    else
        ck_assert_msg(error[0], "refused without a word:\n%s", text);
}
END_TEST

int
main(void)
{
    TCase *tc = tcase_create("conf"), *fuzz = tcase_create("damaged");

    tcase_add_checked_fixture(tc, make_path, remove_path);
    ADD_ROWS(tc, says, rows);
    tcase_add_test(tc, defaults);
    tcase_add_test(tc, no_file);
    tcase_add_unchecked_fixture(fuzz, make_path, remove_path);
    tcase_add_checked_fixture(fuzz, make_path, remove_path);
    tcase_add_loop_test(fuzz, damaged, 0, 400);
    return suite_run("conf", tc, fuzz, NULL);
}
