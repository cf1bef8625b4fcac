/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Translation (RFC 7915). The core is told of a packet, and answers what becomes of its headers. It
 * changes nothing and sends nothing, so that user space, KUnit and fuzzers share it.
 */
#ifndef MAPMINT_XLAT_H
#define MAPMINT_XLAT_H

#include <linux/ipv6.h>
#include <net/checksum.h>

#include "core/lookup.h"
#include "core/packet.h"
#include "core/verdict.h"

/*
 * RFC 7915 s5.1: a packet of at most this many octets that came without a Fragment Header goes
 * without DF, so that it may be cut.
 */
#define MM_DF_LIMIT 1260

/* @strip octets in front give way to @size octets of @header; the transport header changes. */
struct mm_xlat {
	u8 header[sizeof(struct ipv6hdr) + 8] __aligned(8);
	unsigned int strip;
	unsigned int size;
	/* The octets behind what is stripped. */
	unsigned int payload;
	/* Where the new checksum goes, from the start of the old packet; 0: there is none. */
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
	/* The CE that sends, for the identification of fragments (RFC 7599 s10.3). */
	const struct mm_edge *edge;
};

struct mm_verdict mm_xlat4(const struct mm_rules *rules, const struct mm_packet *packet,
			   struct mm_xlat *x);
struct mm_verdict mm_xlat6(const struct mm_rules *rules, const struct mm_packet *packet,
			   struct mm_xlat *x);
void mm_set_id(struct mm_xlat *x, __be16 id);

#endif
