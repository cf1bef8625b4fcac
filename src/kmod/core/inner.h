/* SPDX-License-Identifier: GPL-2.0-only */
/* The IPv4 packet that a tunnel carries: its ends, and what else rules ask for. */
#ifndef MAPMINT_INNER_H
#define MAPMINT_INNER_H

#include <linux/types.h>

#include "core/packet.h"
#include "core/portset.h"
#include "core/verdict.h"

struct mm_inner {
	__be32 saddr;
	__be32 daddr;
	/*
	 * The ports of both ends; of an echo, its id. Of an ICMP error, the ports of the packet
	 * that it quotes, if the quoted addresses are the error's own.
	 */
	struct mm_port sport;
	struct mm_port dport;
	unsigned int length;
	u8 tos;
	u8 ttl;
	u8 protocol;
	/* It is an ICMP error. */
	bool error;
	bool df;
	/* It is one of several pieces; @later: it is not the first. */
	bool fragment;
	bool later;
};

struct mm_verdict mm_read_inner(const struct mm_packet *packet, unsigned int at, bool quoted,
				struct mm_inner *inner);
void mm_blank_options(u8 *option, unsigned int left);

#endif
