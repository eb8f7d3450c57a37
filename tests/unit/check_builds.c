/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_builds.c - what basculed makes of the builds that its poller reads. */
#include "supervisor/builds.h"
#include "tests/suite.h"

#include <stdio.h>
#include <string.h>

static struct conf conf;
static char text[BUILDS_TEXT];

static void
make_conf(void)
{
    memset(&conf, 0, sizeof conf);
    for (unsigned i = 0; i < 3; i++) {
        conf.nodes[i].id = i + 1;
        snprintf(conf.nodes[i].name, sizeof conf.nodes[i].name, "n%u", i + 1);
    }
    conf.nnodes = 3;
    snprintf(conf.services[0].name, sizeof conf.services[0].name, "redis");
    conf.nservices = 1;
}

/* line - of a node whose service has @digest; @file NULL: files are not read yet. */
static struct jv *
line(const char *digest, const char *file, const char *identity)
{
    char json[512], files[256] = "";
    struct jv *j;

    if (file)
        snprintf(files, sizeof files,
            ",\"files\":[{\"file\":\"/bin/same\",\"identity\":\"1\"},"
            "{\"file\":\"%s\",\"identity\":\"%s\"}]",
            file, identity);
    snprintf(json, sizeof json,
        "{\"answers\":true,\"services\":[{\"name\":\"redis\",\"builds\":{\"digest\":"
        "\"%s\"%s}}]}",
        digest, files);
    j = jv_parse(json, strlen(json));
    ck_assert(j != NULL);
    return j;
}

static enum builds_news
compare(struct builds *b, unsigned id, struct jv *here, struct jv *there)
{
    enum builds_news news;

    text[0] = '\0';
    news = builds_compare(b, &conf, 0, 1, id, here, there, text);
    jv_free(here);
    jv_free(there);
    return news;
}

START_TEST(said_once_with_the_file)
{
    struct builds b = { 0 };

    make_conf();
    ck_assert(
        compare(&b, 2, line("a", NULL, ""), line("a", NULL, "")) == BUILDS_NOTHING);
    ck_assert_msg(
        compare(&b, 2, line("a", NULL, ""), line("b", NULL, "")) == BUILDS_NOTHING,
        "said before it is known which file it is");
    ck_assert(compare(&b, 2, line("a", "/lib/libc.so.6", "11"),
                  line("b", "/lib/libc.so.6", "22")) == BUILDS_DIFFER);
    ck_assert_msg(
        strstr(text, "/lib/libc.so.6 on n2 is build 22, on n1 build 11"), "%s", text);
    ck_assert_msg(strstr(text, "install the same packages"), "%s", text);
    ck_assert_uint_eq(b.differ[0], node_bit(2));
    ck_assert_msg(compare(&b, 2, line("a", "/lib/libc.so.6", "11"),
                      line("b", "/lib/libc.so.6", "22")) == BUILDS_NOTHING,
        "said twice");
    ck_assert(compare(&b, 2, line("a", NULL, ""), line("a", NULL, "")) == BUILDS_SAME);
    ck_assert_uint_eq(b.differ[0], 0);
}
END_TEST

START_TEST(what_is_not_known_says_nothing)
{
    struct builds b = { 0 };
    const char silent[] = "{\"answers\":false}";

    make_conf();
    ck_assert(compare(&b, 2, line("a", "x", "1"), NULL) == BUILDS_NOTHING);
    ck_assert(compare(&b, 2, line("a", "x", "1"), jv_parse(silent, strlen(silent))) ==
              BUILDS_NOTHING);
    ck_assert(
        compare(&b, 2, line("", "x", "1"), line("b", "x", "2")) == BUILDS_NOTHING);
    ck_assert(
        compare(&b, 1, line("a", "x", "1"), line("b", "x", "2")) == BUILDS_NOTHING);
    ck_assert(
        compare(&b, 2, line("a", "/a", "1"), line("b", "/b", "1")) == BUILDS_DIFFER);
    ck_assert_msg(strstr(text, "n2 has /b where n1 has /a"), "%s", text);
}
END_TEST

/* It runs on n1 no longer: all is compared anew with where it runs now. */
START_TEST(another_active_node)
{
    struct builds b = { 0 };
    struct jv *x, *y;

    make_conf();
    ck_assert(
        compare(&b, 2, line("a", "x", "1"), line("b", "x", "2")) == BUILDS_DIFFER);
    x = line("b", "x", "2");
    y = line("b", "x", "2");
    ck_assert(builds_compare(&b, &conf, 0, 2, 3, x, y, text) == BUILDS_NOTHING);
    ck_assert(b.like[0] == 2 && b.differ[0] == 0);
    jv_free(x);
    jv_free(y);
}
END_TEST

int
main(void)
{
    TCase *tc = tcase_create("builds");

    tcase_add_test(tc, said_once_with_the_file);
    tcase_add_test(tc, what_is_not_known_says_nothing);
    tcase_add_test(tc, another_active_node);
    return suite_run("builds", tc, NULL);
}
