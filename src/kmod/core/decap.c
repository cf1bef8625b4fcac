// SPDX-License-Identifier: GPL-2.0-only
/*
 * IPv4 out of IPv6 (RFC 2473 s3.3), with the checks on receiving of RFC 7597 s8.1, and the ECN
 * field by RFC 6040.
 */
#include <linux/errno.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <net/ip.h>
#include <net/ipv6.h>

#include "core/extension.h"
#include "core/icmp_map.h"
#include "core/inner.h"
#include "core/tunnel.h"

/* The ECN field (RFC 3168 s5). */
enum mm_ecn {
	MM_ECN_NONE,
	MM_ECN_ECT1,
	MM_ECN_ECT0,
	MM_ECN_CE,
};

/*
 * RFC 6040 s4.2, figure 4: what the inner field becomes. False: the packet is dropped, because its
 * transport does not know the mark of congestion.
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

/* Why a packet to our address is dropped: its port is not in our set, or it has none. */
static enum mm_counter mm_not_for_us(const struct mm_inner *inner)
{
	if (inner->error)
		return MM_DROP_ICMP_INNER;
	if (inner->dport.known)
		return MM_DROP_PORT_IN;
	return inner->protocol == IPPROTO_ICMP ? MM_DROP_ICMP_TYPE : MM_DROP_PROTOCOL;
}

/* Whether an IPv6 packet may carry IPv4, and where that begins. */
static struct mm_verdict mm_find_inner(const struct mm_packet *packet, unsigned int *at)
{
	const struct frag_hdr *fh;
	struct mm_verdict verdict;
	u8 next;

	verdict = mm_skip_extensions(packet, &next, at);
	if (verdict.outcome == MM_DROP)
		return mm_outcome(MM_ORDINARY);
	if (!mm_passes(verdict))
		return verdict;
	/* The stack puts datagrams together before us, so the packet should be whole. */
	if (next == NEXTHDR_FRAGMENT) {
		if (*at + sizeof(*fh) > packet->len)
			return mm_outcome(MM_ORDINARY);
		if (*at + sizeof(*fh) > packet->head_len)
			return mm_outcome(MM_SHOW_MORE);
		fh = (const struct frag_hdr *)(packet->head + *at);
		if (fh->frag_off & htons(IP6_OFFSET | IP6_MF))
			return mm_outcome(MM_ORDINARY);
		next = fh->nexthdr;
		*at += sizeof(*fh);
	}
	if (next == IPPROTO_IPIP)
		return mm_pass();
	if (next != IPPROTO_ICMPV6 || *at + sizeof(struct icmp6hdr) > packet->len)
		return mm_outcome(MM_ORDINARY);
	if (*at >= packet->head_len)
		return mm_outcome(MM_SHOW_MORE);
	/* An error may be about a packet of ours. */
	return mm_outcome(mm_is_icmp_error6(packet->head[*at]) ? MM_ICMP_ERROR : MM_ORDINARY);
}

/* A packet that comes in. If it passes, @d says how. mm_tunnel_error reads errors. */
struct mm_verdict mm_decap6(const struct mm_rules *rules, const struct mm_packet *packet,
			    struct mm_decap *d)
{
	const struct ipv6hdr *ip6h = (const struct ipv6hdr *)packet->head;
	const struct mm_pair *local;
	struct mm_verdict verdict;
	struct mm_inner inner;
	struct mm_port port;
	int error, domain;

	d->mark = false;
	if (packet->len < sizeof(*ip6h))
		return mm_outcome(MM_ORDINARY);
	if (packet->head_len < sizeof(*ip6h))
		return mm_outcome(MM_SHOW_MORE);
	if (ip6h->version != 6)
		return mm_outcome(MM_ORDINARY);
	local = mm_local_end(rules, &ip6h->daddr, &domain);
	if (!local)
		return mm_outcome(MM_ORDINARY);
	verdict = mm_find_inner(packet, &d->strip);
	if (mm_passes(verdict))
		verdict = mm_read_inner(packet, d->strip, false, &inner);
	if (!mm_passes(verdict))
		return verdict;
	/* s8.1: a source in a rule must be what the rule makes of its address and port. */
	port = inner.sport;
	port.any = inner.later;
	error = mm_check_remote_end(rules, &ip6h->saddr, inner.saddr, port, domain);
	if (error == -ENOENT)
		return mm_drop(MM_DROP_SOURCE6);
	if (error)
		return mm_refuse(MM_DROP_SPOOFED6, ICMPV6_DEST_UNREACH, ICMPV6_POLICY_FAIL, 0);
	/* A piece without a port is let in: mm_decap_whole judges the whole. */
	port = inner.dport;
	port.any = inner.later;
	error = mm_check_local_end(local, &ip6h->daddr, inner.daddr, port);
	if (error)
		return mm_drop(error == -EPERM ? mm_not_for_us(&inner) : MM_DROP_NOT_OURS4);
	if (!mm_ecn(ntohl(*(const __be32 *)ip6h) >> 20 & 3, inner.tos & 3, d))
		return mm_drop(MM_DROP_ECN);
	return mm_pass();
}

/*
 * RFC 7597 s8.3.2: an IPv4 packet whose pieces mm_decap6 has let in is whole now, and has a port to
 * be judged by.
 */
struct mm_verdict mm_decap_whole(const struct mm_rules *rules, const struct mm_packet *packet)
{
	const struct mm_edge *edge;
	struct mm_verdict verdict;
	struct mm_inner inner;
	struct in6_addr unused;
	int error, domain;

	verdict = mm_read_inner(packet, 0, false, &inner);
	if (!mm_passes(verdict))
		return verdict;
	error = mm_local_to_v6(rules, inner.daddr, inner.dport, &unused, &edge, &domain);
	if (error)
		return mm_drop(error == -EPERM ? mm_not_for_us(&inner) : MM_DROP_NOT_OURS4);
	return mm_pass();
}
