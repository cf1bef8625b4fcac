/* SPDX-License-Identifier: GPL-2.0-only */
/* Where packets are taken from the stack. */
#ifndef MAPMINT_HOOK_H
#define MAPMINT_HOOK_H

#include <net/net_namespace.h>

int mm_hooks_register(struct net *net);
void mm_hooks_unregister(struct net *net);

#endif
