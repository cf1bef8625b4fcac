/* SPDX-License-Identifier: GPL-2.0-only */
/* The files of a network namespace under /proc/net. */
#ifndef MAPMINT_CONTROL_H
#define MAPMINT_CONTROL_H

#include <net/net_namespace.h>

int mm_control_init(struct net *net);
void mm_control_exit(struct net *net);

#endif
