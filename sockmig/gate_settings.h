/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * gate_settings.h - what an administrator has set of the network of a host, for the
 * services in its cells: a new namespace has the kernel's defaults.
 *
 * Source: Documentation/networking/ip-sysctl.rst. */
#ifndef BSC_GATE_SETTINGS_H
#define BSC_GATE_SETTINGS_H

#define GATE_SETTINGS 22

struct gate_settings {
    char values[GATE_SETTINGS][256]; /* "": there is no such setting */
};

/* gate_settings_read - those of the calling thread's namespace.  gate_settings_write -
 * it gets them.  What cannot be read or set is told in the log, with its name. */
void gate_settings_read(struct gate_settings *s);
void gate_settings_write(const struct gate_settings *s);

#endif
