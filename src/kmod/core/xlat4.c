// SPDX-License-Identifier: GPL-2.0-only
/* IPv4 to IPv6 (RFC 7915 s4). */
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <net/checksum.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ipv6.h>

#include "core/icmp_map.h"
#include "core/transport.h"
#include "core/xlat.h"

/* RFC 7915 s4.1: options are skipped. A source route that goes on is answered with 3/5. */
static bool mm_source_routed(const struct iphdr *iph)
{
	const u8 *option = (const u8 *)(iph + 1);
	int left = iph->ihl * 4 - sizeof(*iph);

	while (left > 0 && *option != IPOPT_END) {
		if (*option == IPOPT_NOOP) {
			option++;
			left--;
			continue;
		}
		if (left < 2 || option[1] < 2 || option[1] > left)
			return false;
		if ((*option == IPOPT_LSRR || *option == IPOPT_SSRR) && option[1] >= 3 &&
		    option[2] <= option[1])
			return true;
		left -= option[1];
		option += option[1];
	}
	return false;
}

/* The UDP checksum of a whole packet was not computed. UDP tells itself how long it is. */
static struct mm_verdict mm_zero_checksum(const struct mm_packet *packet, struct mm_xlat *x)
{
	const struct udphdr *udp = (const struct udphdr *)(packet->head + x->strip);

	x->sum = ntohs(udp->len);
	if (x->sum < sizeof(*udp) || x->sum > x->payload)
		return mm_drop(MM_DROP_HEADER);
	return mm_pass();
}

/* The same transport header over another pseudo-header. */
static struct mm_verdict mm_transport4(const struct mm_packet *packet, const struct iphdr *iph,
				       bool fragment, struct mm_xlat *x)
{
	const struct ipv6hdr *ip6h = (const struct ipv6hdr *)x->header;
	unsigned int offset = mm_check_offset(iph->protocol);
	__sum16 check;

	if (!offset)
		return mm_pass();
	x->check_at = x->strip + offset;
	if (packet->partial) {
		x->check = ~csum_fold(csum_add(mm_sum(&ip6h->saddr, 32),
					       (__force __wsum)htonl(x->payload +
								     iph->protocol)));
		return mm_pass();
	}
	memcpy(&check, packet->head + x->check_at, sizeof(check));
	/* s4.5: a first fragment does not have all octets that the checksum covers. */
	if (iph->protocol == IPPROTO_UDP && !check)
		return fragment ? mm_drop(MM_DROP_FRAGMENT) : mm_zero_checksum(packet, x);
	x->check = mm_nonzero(iph->protocol,
			      mm_replace_pseudo(check, &iph->saddr, 8, &ip6h->saddr, 32));
	return mm_pass();
}

/*
 * s4.2: echoes and errors are translated. IGMP and all other ICMP is for one hop, or of no use in
 * IPv6. This comes before the look at addresses, because other types have no id to choose a rule
 * by. ICMPv6 does not belong into IPv4: its checksum has not been verified by anybody.
 */
static struct mm_verdict mm_icmp4(const struct mm_packet *packet, u8 protocol, unsigned int at)
{
	u8 type;

	if (protocol == IPPROTO_IGMP || protocol == IPPROTO_ICMPV6)
		return mm_drop(MM_DROP_ICMP_TYPE);
	if (protocol != IPPROTO_ICMP)
		return mm_pass();
	type = packet->head[at];
	if (mm_is_icmp_error4(type))
		return mm_outcome(MM_ICMP_ERROR);
	if (type != ICMP_ECHO && type != ICMP_ECHOREPLY)
		return mm_drop(MM_DROP_ICMP_TYPE);
	return mm_pass();
}

/* An echo gets another type, and a checksum that covers a pseudo-header (RFC 4443 s2.3). */
static void mm_echo4(const struct mm_packet *packet, struct mm_xlat *x)
{
	const struct icmphdr *icmp = (const struct icmphdr *)(packet->head + x->strip);
	const struct ipv6hdr *ip6h = (const struct ipv6hdr *)x->header;
	__wsum sum = ~csum_unfold(icmp->checksum);

	x->retype = true;
	x->type = icmp->type == ICMP_ECHO ? ICMPV6_ECHO_REQUEST : ICMPV6_ECHO_REPLY;
	sum = csum_sub(sum, (__force __wsum)htons(icmp->type << 8));
	sum = csum_add(sum, (__force __wsum)htons(x->type << 8));
	x->check_at = x->strip + offsetof(struct icmphdr, checksum);
	x->check = csum_ipv6_magic(&ip6h->saddr, &ip6h->daddr, x->payload, IPPROTO_ICMPV6, sum);
}

/* Writes the new header around its addresses, which are there already. */
static void mm_header6(const struct iphdr *iph, struct mm_xlat *x)
{
	struct ipv6hdr *ip6h = (struct ipv6hdr *)x->header;
	struct frag_hdr *fh = (struct frag_hdr *)(ip6h + 1);
	u16 offset = ntohs(iph->frag_off) & IP_OFFSET;
	bool more = iph->frag_off & htons(IP_MF);
	u8 next = iph->protocol == IPPROTO_ICMP ? IPPROTO_ICMPV6 : iph->protocol;

	x->size = sizeof(*ip6h);
	/* s4: the traffic class is the TOS, the flow label is 0. */
	*(__be32 *)ip6h = htonl(6U << 28 | (u32)iph->tos << 20);
	ip6h->nexthdr = next;
	ip6h->hop_limit = iph->ttl;
	x->df = iph->frag_off & htons(IP_DF);
	/* A whole packet gets no Fragment Header (RFC 8021). */
	if (offset || more) {
		x->size += sizeof(*fh);
		ip6h->nexthdr = NEXTHDR_FRAGMENT;
		fh->nexthdr = next;
		fh->reserved = 0;
		fh->frag_off = htons(offset << 3 | more);
		/* s4: the low 16 bits are the IPv4 identification. */
		fh->identification = htonl(ntohs(iph->id));
	}
	ip6h->payload_len = htons(min_t(unsigned int, x->payload + x->size - sizeof(*ip6h),
					65535));
}

/* The IPv6 addresses of a packet; without a port where @later says that it is not the first. */
static struct mm_verdict mm_addresses4(const struct mm_rules *rules, const struct iphdr *iph,
				       const struct mm_ports *ports, bool later, struct mm_xlat *x)
{
	struct ipv6hdr *ip6h = (struct ipv6hdr *)x->header;
	int error, domain;

	error = mm_local_to_v6(rules, iph->saddr, ports->src, &ip6h->saddr, &x->edge, &domain);
	if (error == -EPERM && later)
		return mm_drop(MM_DROP_FRAGMENT);
	if (error == -EPERM)
		return mm_drop(ports->src.known ? MM_DROP_PORT_OUT : MM_DROP_PROTOCOL);
	if (error)
		return mm_drop(MM_DROP_SOURCE4);
	if (mm_remote_to_v6(rules, iph->daddr, ports->dst, domain, &ip6h->daddr))
		return mm_drop(MM_DROP_DEST4);
	return mm_pass();
}

/* A packet that goes out. If it passes, @x says how. */
struct mm_verdict mm_xlat4(const struct mm_rules *rules, const struct mm_packet *packet,
			   struct mm_xlat *x)
{
	const struct iphdr *iph = (const struct iphdr *)packet->head;
	struct mm_ports ports = {};
	struct mm_verdict verdict;
	bool fragment, later;

	x->sum = 0;
	x->retype = false;
	x->check_at = 0;
	x->id_due = false;
	if (packet->len < sizeof(*iph))
		return mm_drop(MM_DROP_HEADER);
	if (packet->head_len < sizeof(*iph))
		return mm_outcome(MM_SHOW_MORE);
	if (iph->version != 4 || iph->ihl < 5 || packet->len < iph->ihl * 4U)
		return mm_drop(MM_DROP_HEADER);
	x->strip = iph->ihl * 4;
	if (packet->head_len < x->strip)
		return mm_outcome(MM_SHOW_MORE);
	x->payload = packet->len - x->strip;
	if (iph->ihl > 5 && mm_source_routed(iph))
		return mm_refuse(MM_DROP_SOURCE_ROUTE, ICMP_DEST_UNREACH, ICMP_SR_FAILED, 0);
	fragment = iph->frag_off & htons(IP_MF | IP_OFFSET);
	later = iph->frag_off & htons(IP_OFFSET);
	/* s1.2: ICMP's checksum covers all fragments, so one of them cannot be translated. */
	if (fragment && iph->protocol == IPPROTO_ICMP)
		return mm_drop(MM_DROP_FRAGMENT);
	if (!later) {
		verdict = mm_read_ports(packet, x->strip, iph->protocol, MM_IPV4, &ports);
		/* A first fragment may lack the checksum, which the next one has then. */
		if (fragment && verdict.outcome == MM_DROP)
			return mm_drop(MM_DROP_FRAGMENT);
		if (!mm_passes(verdict))
			return verdict;
	}
	verdict = mm_icmp4(packet, iph->protocol, x->strip);
	if (!mm_passes(verdict))
		return verdict;
	verdict = mm_addresses4(rules, iph, &ports, later, x);
	if (!mm_passes(verdict))
		return verdict;
	if (iph->protocol == IPPROTO_ICMP)
		mm_echo4(packet, x);
	else if (!later)
		verdict = mm_transport4(packet, iph, fragment, x);
	mm_header6(iph, x);
	return verdict;
}
