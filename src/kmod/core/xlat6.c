// SPDX-License-Identifier: GPL-2.0-only
/*
 * IPv6 to IPv4 (RFC 7915 s5), with the receive checks of RFC 7597 s8.1 and RFC 7599 s8.2. Knows no
 * socket buffer.
 */
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <net/checksum.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ipv6.h>

#include "core/xlat.h"

/*
 * Skips hop-by-hop, routing and destination options (s5.1), and stops at a Fragment Header. @answer
 * is due where Segments Left is not 0.
 */
int mm_skip_extensions(const struct mm_packet *packet, u8 *next, unsigned int *at,
		       struct mm_answer *answer)
{
	int headers;

	*next = ((const struct ipv6hdr *)packet->head)->nexthdr;
	*at = sizeof(struct ipv6hdr);
	for (headers = 0; headers < MM_MOST_HEADERS; headers++) {
		const u8 *eh = packet->head + *at;

		if (*next != NEXTHDR_HOP && *next != NEXTHDR_DEST && *next != NEXTHDR_ROUTING)
			return 0;
		if (*at + 8 > packet->len)
			return MM_DROP_EXTENSION;
		if (*at + 8 > packet->head_len)
			return MM_XLAT_MORE;
		if (*next == NEXTHDR_ROUTING && eh[3]) {
			*answer = (struct mm_answer){ true, ICMPV6_PARAMPROB, ICMPV6_HDR_FIELD,
						      *at + 3 };
			return MM_DROP_EXTENSION;
		}
		*next = eh[0];
		*at += (eh[1] + 1) * 8;
	}
	return MM_DROP_EXTENSION;
}

static void mm_transport6(const struct mm_packet *packet, const struct iphdr *iph,
			  struct mm_xlat *x)
{
	const struct ipv6hdr *ip6h = (const struct ipv6hdr *)packet->head;
	unsigned int offset = mm_check_offset(iph->protocol);
	__sum16 check;

	if (!offset)
		return;
	x->check_at = x->strip + offset;
	if (packet->partial) {
		x->check = ~csum_tcpudp_magic(iph->saddr, iph->daddr, x->payload, iph->protocol, 0);
		return;
	}
	memcpy(&check, packet->head + x->check_at, sizeof(check));
	/* A UDP checksum of 0 is legal in IPv4, and some border relays send it (RFC 6935). */
	x->check = check;
	if (iph->protocol == IPPROTO_UDP && !check)
		return;
	x->check = mm_nonzero(iph->protocol,
			      mm_replace_pseudo(check, &ip6h->saddr, 32, &iph->saddr, 8));
}

static void mm_echo6(const struct mm_packet *packet, struct mm_xlat *x)
{
	const struct icmp6hdr *icmp = (const struct icmp6hdr *)(packet->head + x->strip);
	const struct ipv6hdr *ip6h = (const struct ipv6hdr *)packet->head;
	__wsum sum = ~csum_unfold(icmp->icmp6_cksum);

	x->retype = true;
	x->type = icmp->icmp6_type == ICMPV6_ECHO_REQUEST ? ICMP_ECHO : ICMP_ECHOREPLY;
	/* The pseudo-header goes: its sum is what the complement of the magic holds. */
	sum = csum_sub(sum, csum_unfold(~csum_ipv6_magic(&ip6h->saddr, &ip6h->daddr, x->payload,
							 IPPROTO_ICMPV6, 0)));
	sum = csum_sub(sum, (__force __wsum)htons(icmp->icmp6_type << 8));
	sum = csum_add(sum, (__force __wsum)htons(x->type << 8));
	x->check_at = x->strip + offsetof(struct icmp6hdr, icmp6_cksum);
	x->check = csum_fold(sum);
}

/* Gives an identification to a packet that may be cut. */
void mm_set_id(struct mm_xlat *x, __be16 id)
{
	struct iphdr *iph = (struct iphdr *)x->header;

	iph->id = id;
	iph->check = 0;
	iph->check = ip_fast_csum(iph, 5);
}

/* The new header, but for its addresses, which are there already. @fh: an atomic fragment's. */
static void mm_header4(const struct mm_packet *packet, u8 protocol, const struct frag_hdr *fh,
		       struct mm_xlat *x)
{
	const struct ipv6hdr *ip6h = (const struct ipv6hdr *)packet->head;
	struct iphdr *iph = (struct iphdr *)x->header;
	unsigned int length = x->payload + sizeof(*iph);

	x->size = sizeof(*iph);
	iph->version = 4;
	iph->ihl = 5;
	iph->tos = ntohl(*(const __be32 *)ip6h) >> 20;
	iph->tot_len = htons(min_t(unsigned int, length, 65535));
	iph->ttl = ip6h->hop_limit;
	iph->protocol = protocol;
	/* s5.1: what came in fragments was to be cut; the rest has DF only when it is large. */
	x->df = !fh && !packet->cut && length > MM_DF_LIMIT;
	iph->frag_off = x->df ? htons(IP_DF) : 0;
	x->id_due = !x->df && !fh;
	/* s5.1.1: of a Fragment Header the low 16 bits. */
	mm_set_id(x, fh ? htons(ntohl(fh->identification)) : 0);
}

/*
 * Why a packet is not ours to drop: it comes from nobody whom a rule knows (RFC 7599 s8.2), so it
 * is ordinary IPv6, whatever else it may be.
 */
static int mm_unless_ordinary(const struct mm_rules *rules, const struct in6_addr *source,
			      int domain, int verdict)
{
	const struct mm_port any = { .any = true };
	__be32 unused;

	if (mm_remote_to_v4(rules, source, any, domain, &unused) == -ENOENT)
		return MM_XLAT_PASS;
	return verdict;
}

static bool mm_is_echo6(u8 type)
{
	return type == ICMPV6_ECHO_REQUEST || type == ICMPV6_ECHO_REPLY;
}

/*
 * A packet that comes in. Gives MM_XLAT_OK, MM_XLAT_ERROR, MM_XLAT_PASS, MM_XLAT_MORE, or why it is
 * dropped.
 */
int mm_xlat6(const struct mm_rules *rules, const struct mm_packet *packet, struct mm_xlat *x)
{
	const struct ipv6hdr *ip6h = (const struct ipv6hdr *)packet->head;
	struct iphdr *iph = (struct iphdr *)x->header;
	const struct frag_hdr *fh = NULL;
	struct mm_port src, dst;
	int error, domain;
	u8 next;

	x->sum = 0;
	x->retype = false;
	x->check_at = 0;
	x->answer.due = false;
	if (packet->len < sizeof(*ip6h))
		return MM_XLAT_PASS;
	if (packet->head_len < sizeof(*ip6h))
		return MM_XLAT_MORE;
	if (ip6h->version != 6)
		return MM_XLAT_PASS;
	if (mm_local_to_v4(rules, &ip6h->daddr, &iph->daddr, &x->edge, &domain))
		return MM_XLAT_PASS;
	error = mm_skip_extensions(packet, &next, &x->strip, &x->answer);
	if (!error && next == NEXTHDR_FRAGMENT) {
		if (x->strip + sizeof(*fh) > packet->len)
			return mm_unless_ordinary(rules, &ip6h->saddr, domain, MM_DROP_HEADER);
		if (x->strip + sizeof(*fh) > packet->head_len)
			return MM_XLAT_MORE;
		fh = (const struct frag_hdr *)(packet->head + x->strip);
		/*
		 * The stack puts datagrams together before us: only what is whole has a Fragment
		 * Header still. Behind it s5.1.1 allows no extension header but ESP.
		 */
		if (fh->frag_off & htons(IP6_OFFSET | IP6_MF))
			error = MM_DROP_FRAGMENT;
		next = fh->nexthdr;
		x->strip += sizeof(*fh);
		if (!error && (next == NEXTHDR_HOP || next == NEXTHDR_DEST ||
			       next == NEXTHDR_ROUTING || next == NEXTHDR_FRAGMENT ||
			       next == NEXTHDR_AUTH))
			error = MM_DROP_EXTENSION;
	}
	if (!error)
		error = mm_read_ports(packet, x->strip, next, true, &src, &dst);
	if (error == MM_XLAT_MORE)
		return error;
	if (error)
		return mm_unless_ordinary(rules, &ip6h->saddr, domain, error);
	/* IPv4's own ICMP would come out as one whose checksum and quote nobody has looked at. */
	if (next == IPPROTO_ICMP)
		return mm_unless_ordinary(rules, &ip6h->saddr, domain, MM_DROP_ICMP_TYPE);
	if (next == IPPROTO_ICMPV6) {
		u8 type = packet->head[x->strip];

		/* Check 1: an error from any source, judged by its inner packet. */
		if (mm_is_icmp_error6(type))
			return MM_XLAT_ERROR;
		if (!mm_is_echo6(type))
			return mm_unless_ordinary(rules, &ip6h->saddr, domain, MM_DROP_ICMP_TYPE);
	}
	error = mm_remote_to_v4(rules, &ip6h->saddr, src, domain, &iph->saddr);
	/* Check 2: neither DMR nor FMR is no MAP traffic. */
	if (error == -ENOENT)
		return MM_XLAT_PASS;
	/* Check 3: an FMR's source whose address and port do not match. */
	if (error) {
		x->answer = (struct mm_answer){ true, ICMPV6_DEST_UNREACH, ICMPV6_POLICY_FAIL, 0 };
		return MM_DROP_SPOOFED6;
	}
	/* Check 4: a port outside our set, silently. */
	if (!mm_takes(rules, x->edge, &ip6h->daddr, dst))
		return dst.known ? MM_DROP_PORT_IN : MM_DROP_PROTOCOL;
	x->payload = packet->len - x->strip;
	mm_header4(packet, next == IPPROTO_ICMPV6 ? IPPROTO_ICMP : next, fh, x);
	if (next == IPPROTO_ICMPV6)
		mm_echo6(packet, x);
	else
		mm_transport6(packet, iph, x);
	return MM_XLAT_OK;
}
