/* SPDX-License-Identifier: GPL-2.0-only */
/* Which port a new flow leaves from. */
#ifndef MAPMINT_FLOW_H
#define MAPMINT_FLOW_H

#include <linux/types.h>
#include <net/netfilter/nf_nat.h>

#include "core/endpoint.h"
#include "nat/nat.h"

/* Whose flows mm_clock() asks connection tracking about. */
struct mm_alive_context {
	struct net *net;
	struct mm_pool *pool;
	u8 protocol;
};

struct mm_clock mm_clock(struct mm_alive_context *context);
unsigned int mm_nat_bind(struct nf_conn *ct, __be32 v4, u16 port, enum nf_nat_manip_type type);
unsigned int mm_nat_source(struct mm_nat *nat, struct mm_pool *pool, struct nf_conn *ct);

#endif
