/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Encapsulation (RFC 2473, RFC 7597, RFC 7596). Like translation it is told of a packet, answers,
 * and changes nothing.
 */
#ifndef MAPMINT_TUNNEL_H
#define MAPMINT_TUNNEL_H

#include <linux/ipv6.h>

#include "core/errors.h"
#include "core/lookup.h"
#include "core/packet.h"
#include "core/verdict.h"

/* RFC 2473 s4.1.1: a Destination Options header that holds the Tunnel Encapsulation Limit. */
#define MM_LIMIT_HEADER 8

/* @size octets of @header go before the packet, which stays as it is. */
struct mm_encap {
	u8 header[sizeof(struct ipv6hdr) + MM_LIMIT_HEADER] __aligned(8);
	unsigned int size;
	/* It may not be cut. */
	bool df;
	/* The CE that sends, for the identification of fragments (RFC 7597 s8.3.3). */
	const struct mm_edge *edge;
};

/* @strip octets go, and the ECN field of the IPv4 packet behind them becomes @ecn if @mark. */
struct mm_decap {
	unsigned int strip;
	bool mark;
	u8 ecn;
};

unsigned int mm_encap_size(const struct mm_rules *rules);
struct mm_verdict mm_encap4(const struct mm_rules *rules, const struct mm_packet *packet,
			    struct mm_encap *e);
struct mm_verdict mm_decap6(const struct mm_rules *rules, const struct mm_packet *packet,
			    struct mm_decap *d);
struct mm_verdict mm_decap_whole(const struct mm_rules *rules, const struct mm_packet *packet);

/* @in is the whole packet; @out has room for MM_ERROR4_MAX octets. */
struct mm_verdict mm_tunnel_error(const struct mm_env *env, const u8 *in, unsigned int len,
				  u8 *out, unsigned int *out_len, bool *learn);

#endif
