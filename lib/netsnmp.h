/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * netsnmp.h - net-snmp's headers, which bring their own package macros and declare
 * functions without a prototype.
 *
 * Included last, and in no header. */
#ifndef BSC_NETSNMP_H
#define BSC_NETSNMP_H

#undef PACKAGE_BUGREPORT
#undef PACKAGE_NAME
#undef PACKAGE_STRING
#undef PACKAGE_TARNAME
#undef PACKAGE_URL
#undef PACKAGE_VERSION
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#include <net-snmp/net-snmp-config.h>

#include <net-snmp/net-snmp-includes.h>

#include <net-snmp/agent/net-snmp-agent-includes.h>

#include <net-snmp/agent/agent_callbacks.h>
#include <net-snmp/library/large_fd_set.h>
#pragma GCC diagnostic pop

#endif
