// SPDX-License-Identifier: GPL-2.0-only
/*
 * IPv4 out of IPv6 (RFC 2473 s3.3), with the receive checks of RFC 7597 s8.1, and the ECN field by
 * RFC 6040. Knows no socket buffer.
 */
#include <linux/errno.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <net/ip.h>
#include <net/ipv6.h>

#include "core/tunnel.h"

/* The ECN field (RFC 3168 s5). */
enum mm_ecn {
	MM_ECN_NONE,
	MM_ECN_ECT1,
	MM_ECN_ECT0,
	MM_ECN_CE,
};

/*
 * RFC 6040 s4.2, figure 4: what the inner field becomes. False: the packet is dropped, because the
 * mark of congestion cannot be handed on to a transport that does not know it.
 */
static bool mm_ecn(u8 outer, u8 inner, struct mm_decap *d)
{
	d->ecn = inner;
	if (inner == MM_ECN_NONE)
		return outer != MM_ECN_CE;
	if (outer == MM_ECN_CE || (outer == MM_ECN_ECT1 && inner == MM_ECN_ECT0))
		d->ecn = outer;
	d->mark = d->ecn != inner;
	return true;
}

/* Why a port that is not ours, or is none, is refused. */
static int mm_not_for_us(const struct mm_inner *inner)
{
	if (inner->error)
		return MM_DROP_ICMP_INNER;
	if (inner->dport.known)
		return MM_DROP_PORT_IN;
	return inner->protocol == IPPROTO_ICMP ? MM_DROP_ICMP_TYPE : MM_DROP_PROTOCOL;
}

/*
 * Whether an IPv6 packet may carry IPv4, and where that begins. MM_XLAT_PASS: it is ordinary IPv6;
 * MM_XLAT_ERROR: it is an error, which may be about a packet of ours.
 */
static int mm_find_inner(const struct mm_packet *packet, unsigned int *at)
{
	const struct frag_hdr *fh;
	struct mm_answer unused;
	int error;
	u8 next;

	error = mm_skip_extensions(packet, &next, at, &unused);
	if (error)
		return error == MM_XLAT_MORE ? error : MM_XLAT_PASS;
	/* The stack puts datagrams together before us: what has this still is whole. */
	if (next == NEXTHDR_FRAGMENT) {
		if (*at + sizeof(*fh) > packet->len)
			return MM_XLAT_PASS;
		if (*at + sizeof(*fh) > packet->head_len)
			return MM_XLAT_MORE;
		fh = (const struct frag_hdr *)(packet->head + *at);
		if (fh->frag_off & htons(IP6_OFFSET | IP6_MF))
			return MM_XLAT_PASS;
		next = fh->nexthdr;
		*at += sizeof(*fh);
	}
	if (next == IPPROTO_IPIP)
		return MM_XLAT_OK;
	if (next != IPPROTO_ICMPV6 || *at + sizeof(struct icmp6hdr) > packet->len)
		return MM_XLAT_PASS;
	if (*at >= packet->head_len)
		return MM_XLAT_MORE;
	return mm_is_icmp_error6(packet->head[*at]) ? MM_XLAT_ERROR : MM_XLAT_PASS;
}

/*
 * A packet that comes in. Gives MM_XLAT_OK, MM_XLAT_ERROR (mm_tunnel_error reads on), MM_XLAT_PASS,
 * MM_XLAT_MORE, or why it is dropped.
 */
int mm_decap6(const struct mm_rules *rules, const struct mm_packet *packet, struct mm_decap *d)
{
	const struct ipv6hdr *ip6h = (const struct ipv6hdr *)packet->head;
	const struct mm_pair *local;
	struct mm_inner inner;
	struct mm_port port;
	int error, domain;

	d->mark = false;
	d->answer.due = false;
	if (packet->len < sizeof(*ip6h))
		return MM_XLAT_PASS;
	if (packet->head_len < sizeof(*ip6h))
		return MM_XLAT_MORE;
	if (ip6h->version != 6)
		return MM_XLAT_PASS;
	local = mm_local_end(rules, &ip6h->daddr, &domain);
	if (!local)
		return MM_XLAT_PASS;
	error = mm_find_inner(packet, &d->strip);
	if (error)
		return error;
	error = mm_read_inner(packet, d->strip, false, &inner);
	if (error)
		return error;
	/* s8.1: a source that a rule covers must be what the rule makes of its address and port. */
	port = inner.sport;
	port.any = inner.later;
	error = mm_check_remote_end(rules, &ip6h->saddr, inner.saddr, port, domain);
	if (error == -ENOENT)
		return MM_DROP_SOURCE6;
	if (error) {
		d->answer = (struct mm_answer){ true, ICMPV6_DEST_UNREACH, ICMPV6_POLICY_FAIL, 0 };
		return MM_DROP_SPOOFED6;
	}
	port = inner.dport;
	port.any = inner.later;
	error = mm_check_local_end(local, &ip6h->daddr, inner.daddr, port);
	if (error)
		return error == -EPERM ? mm_not_for_us(&inner) : MM_DROP_NOT_OURS4;
	if (!mm_ecn(ntohl(*(const __be32 *)ip6h) >> 20 & 3, inner.tos & 3, d))
		return MM_DROP_ECN;
	d->fragment = inner.fragment;
	return MM_XLAT_OK;
}

/*
 * An IPv4 packet that came in pieces, each of which mm_decap6 has let in, and is whole now: RFC
 * 7597 s8.3.2. MM_XLAT_OK, MM_XLAT_MORE, or why it is dropped.
 */
int mm_decap_whole(const struct mm_rules *rules, const struct mm_packet *packet)
{
	const struct mm_edge *edge;
	struct mm_inner inner;
	struct in6_addr unused;
	int error, domain;

	error = mm_read_inner(packet, 0, false, &inner);
	if (error)
		return error;
	error = mm_local_to_v6(rules, inner.daddr, inner.dport, &unused, &edge, &domain);
	if (error)
		return error == -EPERM ? mm_not_for_us(&inner) : MM_DROP_NOT_OURS4;
	return MM_XLAT_OK;
}
