/* SPDX-License-Identifier: GPL-2.0-only */
/* Control lines, of which all hold or none. */
#ifndef MAPMINT_TRANSACTION_H
#define MAPMINT_TRANSACTION_H

#include <linux/types.h>
#include <net/net_namespace.h>

int mm_transaction(struct net *net, const char *text, size_t size);

#endif
