/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * suite.h - the last line of a check program: run its cases and tell how it went. */
#ifndef BSC_TESTS_SUITE_H
#define BSC_TESTS_SUITE_H

#include <check.h>
#include <stdarg.h>
#include <stdlib.h>

#define ADD_ROWS(tc, test, rows)                                                       \
    tcase_add_loop_test(tc, test, 0, sizeof(rows) / sizeof(rows)[0])

/* suite_run - the cases, the last argument being NULL, under the name @name: the result
 * of main(). */
static inline int
suite_run(const char *name, TCase *tc, ...)
{
    Suite *suite = suite_create(name);
    SRunner *runner = srunner_create(suite);
    va_list more;
    int failed;

    va_start(more, tc);
    for (; tc; tc = va_arg(more, TCase *))
        suite_add_tcase(suite, tc);
    va_end(more);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
