// SPDX-License-Identifier: GPL-2.0-only
/*
 * IPv4 into IPv6 (RFC 2473 s3.1): whose MAP address a packet leaves from, and which tunnel end it
 * goes to (RFC 7597 s5.4, s8.1; RFC 7596 s5).
 */
#include <linux/errno.h>
#include <linux/icmp.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/kernel.h>
#include <net/ipv6.h>

#include "core/inner.h"
#include "core/tunnel.h"

/* RFC 2473 s4.1.1: the option's type, and that of PadN, which fills the header up. */
#define MM_OPTION_LIMIT 4
#define MM_OPTION_PADN 1

/* How many octets encapsulation adds. */
unsigned int mm_encap_size(const struct mm_rules *rules)
{
	return sizeof(struct ipv6hdr) + (rules->tunnel.limited ? MM_LIMIT_HEADER : 0);
}

/* RFC 6040 s4.1, normal mode: the ECN field is copied, whatever the rest of the class is. */
static u8 mm_traffic_class(const struct mm_tunnel_keys *keys, u8 tos)
{
	if (!keys->fixed_class)
		return tos;
	return (keys->traffic_class & 0xfc) | (tos & 3);
}

/* Writes the new header around its addresses, which are there already. */
static void mm_encap_header(const struct mm_rules *rules, const struct mm_inner *inner,
			    unsigned int length, struct mm_encap *e)
{
	const struct mm_tunnel_keys *keys = &rules->tunnel;
	struct ipv6hdr *ip6h = (struct ipv6hdr *)e->header;
	u8 *option = e->header + sizeof(*ip6h);

	e->size = mm_encap_size(rules);
	e->df = inner->df;
	*(__be32 *)ip6h = htonl(6U << 28 | (u32)mm_traffic_class(keys, inner->tos) << 20);
	ip6h->payload_len = htons(min_t(unsigned int, length + e->size - sizeof(*ip6h), 65535));
	ip6h->nexthdr = IPPROTO_IPIP;
	ip6h->hop_limit = keys->hop_limit ?: inner->ttl;
	if (!keys->limited)
		return;
	ip6h->nexthdr = NEXTHDR_DEST;
	option[0] = IPPROTO_IPIP;
	option[1] = 0;
	option[2] = MM_OPTION_LIMIT;
	option[3] = 1;
	option[4] = keys->encap_limit;
	option[5] = MM_OPTION_PADN;
	option[6] = 1;
	option[7] = 0;
}

/* Why our own address may not send this. */
static enum mm_counter mm_not_ours(const struct mm_inner *inner)
{
	if (inner->later)
		return MM_DROP_FRAGMENT;
	if (inner->error)
		return MM_DROP_ICMP_INNER;
	if (inner->sport.known)
		return MM_DROP_PORT_OUT;
	return inner->protocol == IPPROTO_ICMP ? MM_DROP_ICMP_TYPE : MM_DROP_PROTOCOL;
}

/* A packet that goes out. If it passes, @e says how. */
struct mm_verdict mm_encap4(const struct mm_rules *rules, const struct mm_packet *packet,
			    struct mm_encap *e)
{
	struct ipv6hdr *ip6h = (struct ipv6hdr *)e->header;
	struct mm_verdict verdict;
	struct mm_inner inner;
	int error, domain;

	verdict = mm_read_inner(packet, 0, false, &inner);
	if (!mm_passes(verdict))
		return verdict;
	error = mm_local_to_v6(rules, inner.saddr, inner.sport, &ip6h->saddr, &e->edge, &domain);
	if (error)
		return mm_drop(error == -EPERM ? mm_not_ours(&inner) : MM_DROP_SOURCE4);
	/* RFC 7597 s5.3: a packet that no FMR covers, by its port or without one, is the BR's. */
	if (mm_remote_to_v6(rules, inner.daddr, inner.dport, domain, &ip6h->daddr))
		return mm_drop(MM_DROP_DEST4);
	mm_encap_header(rules, &inner, packet->len, e);
	return mm_pass();
}
