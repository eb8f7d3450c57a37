/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * gate_check.h - does this host have what a gate needs?  (bascule check) */
#ifndef BSC_GATE_CHECK_H
#define BSC_GATE_CHECK_H

enum gate_found { GATE_WORKS, GATE_LIMITED, GATE_MISSING };

/* gate_check - try everything a gate is made of, in throw-away namespaces.
 *
 * @report  called once for each thing: @what is its name; @text is what was tried, or
 *          what is missing and what to do, or (LIMITED) what goes without it; both
 *          borrowed for the call
 *
 * Leaves nothing behind and disturbs nothing that runs. */
void gate_check(void (*report)(enum gate_found found, const char *what,
                    const char *text, void *arg),
    void *arg);

#endif
