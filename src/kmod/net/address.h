/* SPDX-License-Identifier: GPL-2.0-only */
/* Gives an interface an IPv4 address. */
#ifndef MAPMINT_ADDRESS_H
#define MAPMINT_ADDRESS_H

#include <linux/types.h>
#include <net/net_namespace.h>

int mm_add_address(struct net *net, int ifindex, __be32 address, u8 length);

#endif
