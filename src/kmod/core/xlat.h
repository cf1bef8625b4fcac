/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The translation core (RFC 7915): what it is told of a packet, and what it answers. It knows no
 * socket buffer, changes nothing and sends nothing, so that user space, KUnit and fuzzers share it.
 */
#ifndef MAPMINT_XLAT_H
#define MAPMINT_XLAT_H

#include <net/checksum.h>

#include "mapmint.h"

/* More extension headers than this are no packet that anybody sends. */
#define MM_MOST_HEADERS 8

/* Octets of a packet that lies in pieces that the core is shown, if the packet has as many. */
#define MM_HEAD 128

/*
 * RFC 7915 s5.1: packets up to here that came without a Fragment Header go without DF, so that they
 * may be cut.
 */
#define MM_DF_LIMIT 1260

/* RFC 1812 s4.3.2.3 and RFC 4443 s2.4 (c): how long an error of ours may be. */
#define MM_ERROR4_MAX 576
#define MM_ERROR6_MAX 1280

struct mm_packet {
	/* From the IP header on, aligned as one: @head_len octets can be read of @len. */
	const u8 *head;
	unsigned int head_len;
	unsigned int len;
	/* The transport checksum is still to be completed (CHECKSUM_PARTIAL). */
	bool partial;
	/* It arrived in fragments, and has been put together. */
	bool cut;
};

/* What the core says beside a counter that a packet is dropped for. */
enum {
	MM_XLAT_OK = 0,
	/* An ICMP error: mm_error4 or mm_error6 makes another packet of it. */
	MM_XLAT_ERROR = -1,
	/* No MAP traffic. */
	MM_XLAT_PASS = -2,
	/* The headers go on behind what was shown. */
	MM_XLAT_MORE = -3,
};

/* An ICMP error that the sender of a dropped packet is due. @rest: second word, in host order. */
struct mm_answer {
	bool due;
	u8 type;
	u8 code;
	u32 rest;
};

/* @strip octets in front give way to @size octets of @header; the transport header changes. */
struct mm_xlat {
	u8 header[sizeof(struct ipv6hdr) + 8] __aligned(8);
	unsigned int strip;
	unsigned int size;
	/* Octets behind what is stripped. */
	unsigned int payload;
	/* Where the new checksum goes, from the start of the old packet; 0: it has none. */
	unsigned int check_at;
	__sum16 check;
	/* A UDP checksum of 0: the octets over which it is to be computed (RFC 7915 s4.5). */
	unsigned int sum;
	/* A new ICMP type, for the first octet of the payload. */
	bool retype;
	u8 type;
	/* It may not be cut. */
	bool df;
	/* IPv4 without DF: an identification is to be given (mm_set_id). */
	bool id_due;
	/* The CE that sends, for the ids of fragments (RFC 7599 s10.3). */
	const struct mm_edge *edge;
	struct mm_answer answer;
};

/* What errors need to know of the paths. */
struct mm_env {
	const struct mm_rules *rules;
	/* The device's MTU. */
	u32 mtu4;
	/* The largest IPv6 packet on the path to an address. */
	u32 (*mtu6)(const struct mm_env *env, const struct in6_addr *dst);
	void *context;
};

/* xlat4.c, xlat6.c */
int mm_xlat4(const struct mm_rules *rules, const struct mm_packet *packet, struct mm_xlat *x);
int mm_xlat6(const struct mm_rules *rules, const struct mm_packet *packet, struct mm_xlat *x);
void mm_set_id(struct mm_xlat *x, __be16 id);
int mm_skip_extensions(const struct mm_packet *packet, u8 *next, unsigned int *at,
		       struct mm_answer *answer);
int mm_read_ports(const struct mm_packet *packet, unsigned int at, u8 protocol, bool v6,
		  struct mm_port *src, struct mm_port *dst);
unsigned int mm_check_offset(u8 protocol);
__sum16 mm_nonzero(u8 protocol, __sum16 check);

/* The sum of the addresses of a pseudo-header. The compiler knows @octets: no call, no loop. */
static __always_inline __wsum mm_sum(const void *addresses, int octets)
{
	const u32 *word = addresses;
	u64 sum = 0;
	int i;

	for (i = 0; i < octets / 4; i++)
		sum += word[i];
	sum = (sum & 0xffffffff) + (sum >> 32);
	return (__force __wsum)((u32)sum + (u32)(sum >> 32));
}

/* A checksum whose pseudo-header changes from one pair of addresses to another (RFC 1624). */
static __always_inline __sum16 mm_replace_pseudo(__sum16 check, const void *from, int from_len,
						 const void *to, int to_len)
{
	__wsum sum = ~csum_unfold(check);

	sum = csum_sub(sum, mm_sum(from, from_len));
	return csum_fold(csum_add(sum, mm_sum(to, to_len)));
}

/* xlat_icmp.c: @in is the whole packet; @out has room for MM_ERROR6_MAX or MM_ERROR4_MAX octets. */
int mm_error4(const struct mm_env *env, const u8 *in, unsigned int len, u8 *out,
	      unsigned int *out_len);
int mm_error6(const struct mm_env *env, const u8 *in, unsigned int len, u8 *out,
	      unsigned int *out_len);

#endif
