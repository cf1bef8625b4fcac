/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The encapsulation core (RFC 2473, RFC 7597, RFC 7596): what it is told of a packet, and what it
 * answers. Like the translation core it knows no socket buffer and changes nothing.
 */
#ifndef MAPMINT_TUNNEL_H
#define MAPMINT_TUNNEL_H

#include "core/xlat.h"

/* RFC 2473 s4.1.1: a Destination Options header that holds the Tunnel Encapsulation Limit. */
#define MM_LIMIT_HEADER 8

/* An IPv4 packet, as far as rules ask for it. */
struct mm_inner {
	__be32 saddr;
	__be32 daddr;
	/*
	 * Of both ends; of ICMP the id. Of an ICMP error those of the packet that it quotes, if the
	 * quoted addresses are the error's own.
	 */
	struct mm_port sport;
	struct mm_port dport;
	unsigned int length;
	u8 tos;
	u8 ttl;
	u8 protocol;
	/* An ICMP error. */
	bool error;
	bool df;
	/* One of several pieces; @later: not the first. */
	bool fragment;
	bool later;
};

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
	/* Its port is checked once all pieces are together (mm_decap_whole). */
	bool fragment;
	struct mm_answer answer;
};

/* inner.c */
int mm_read_inner(const struct mm_packet *packet, unsigned int at, bool quoted,
		  struct mm_inner *inner);
void mm_blank_options(u8 *option, unsigned int left);

/* encap.c */
unsigned int mm_encap_size(const struct mm_rules *rules);
int mm_encap4(const struct mm_rules *rules, const struct mm_packet *packet, struct mm_encap *e);

/* decap.c */
int mm_decap6(const struct mm_rules *rules, const struct mm_packet *packet, struct mm_decap *d);
int mm_decap_whole(const struct mm_rules *rules, const struct mm_packet *packet);

/* tunnel_error.c: @in is the whole packet; @out has room for MM_ERROR4_MAX octets. */
int mm_tunnel_error(const struct mm_env *env, const u8 *in, unsigned int len, u8 *out,
		    unsigned int *out_len, bool *learn);

#endif
