// SPDX-License-Identifier: GPL-2.0-only
/* IPv4 to IPv6 (RFC 7915 s4). Knows no socket buffer. */
#include <linux/dccp.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/checksum.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ipv6.h>

#include "core/xlat.h"

/* Where a transport header has its checksum over a pseudo-header; 0: it has none. */
unsigned int mm_check_offset(u8 protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return offsetof(struct tcphdr, check);
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
		return offsetof(struct udphdr, check);
	case IPPROTO_DCCP:
		return offsetof(struct dccp_hdr, dccph_checksum);
	default:
		return 0;
	}
}

/* Octets of a transport header that have to be there. */
static unsigned int mm_least(u8 protocol, bool v6)
{
	if (protocol == (v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		return sizeof(struct icmphdr);
	if (protocol == IPPROTO_TCP)
		return sizeof(struct tcphdr);
	return mm_check_offset(protocol) ? sizeof(struct udphdr) : 0;
}

/*
 * The ports of both ends; of ICMP the id, which is both. MM_DROP_HEADER: the header is cut short;
 * MM_XLAT_MORE: it is not to be seen.
 */
int mm_read_ports(const struct mm_packet *packet, unsigned int at, u8 protocol, bool v6,
		  struct mm_port *src, struct mm_port *dst)
{
	unsigned int least = mm_least(protocol, v6);
	const __be16 *word = (const __be16 *)(packet->head + at);

	*src = (struct mm_port){};
	*dst = (struct mm_port){};
	if (at + least > packet->len)
		return MM_DROP_HEADER;
	if (at + least > packet->head_len)
		return MM_XLAT_MORE;
	if (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP) {
		*src = (struct mm_port){ ntohs(word[0]), true };
		*dst = (struct mm_port){ ntohs(word[1]), true };
	} else if (protocol == (v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP)) {
		*src = (struct mm_port){ ntohs(word[2]), true };
		*dst = *src;
	}
	return 0;
}

/* RFC 7915 s4.1: options are skipped, but an unexpired source route is answered with 3/5. */
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

/* RFC 768, RFC 3828 s3.1: a checksum that comes to 0 is sent as all ones; 0 says there is none. */
__sum16 mm_nonzero(u8 protocol, __sum16 check)
{
	if ((protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE) && !check)
		return CSUM_MANGLED_0;
	return check;
}

/* A UDP checksum that was not computed, of a whole packet: UDP says itself where it ends. */
static int mm_zero_checksum(const struct mm_packet *packet, struct mm_xlat *x)
{
	const struct udphdr *udp = (const struct udphdr *)(packet->head + x->strip);

	x->sum = ntohs(udp->len);
	if (x->sum < sizeof(*udp) || x->sum > x->payload)
		return MM_DROP_HEADER;
	return 0;
}

/* The same transport header over another pseudo-header. */
static int mm_transport4(const struct mm_packet *packet, const struct iphdr *iph, bool fragment,
			 struct mm_xlat *x)
{
	const struct ipv6hdr *ip6h = (const struct ipv6hdr *)x->header;
	unsigned int offset = mm_check_offset(iph->protocol);
	__sum16 check;

	if (!offset)
		return 0;
	x->check_at = x->strip + offset;
	if (packet->partial) {
		x->check = ~csum_fold(csum_add(mm_sum(&ip6h->saddr, 32),
					       (__force __wsum)htonl(x->payload +
								     iph->protocol)));
		return 0;
	}
	memcpy(&check, packet->head + x->check_at, sizeof(check));
	/* s4.5: a first fragment does not have what is needed. */
	if (iph->protocol == IPPROTO_UDP && !check)
		return fragment ? MM_DROP_FRAGMENT : mm_zero_checksum(packet, x);
	x->check = mm_nonzero(iph->protocol,
			      mm_replace_pseudo(check, &iph->saddr, 8, &ip6h->saddr, 32));
	return 0;
}

/*
 * s4.2: echoes and errors are translated; all else, and IGMP, is of one hop or of no use over
 * there. It is looked at before the address: of another type the id is none. ICMPv6 is none of
 * IPv4's: copied, it would be one that nobody has checked.
 */
static int mm_icmp4(const struct mm_packet *packet, u8 protocol, unsigned int at)
{
	u8 type;

	if (protocol == IPPROTO_IGMP || protocol == IPPROTO_ICMPV6)
		return MM_DROP_ICMP_TYPE;
	if (protocol != IPPROTO_ICMP)
		return 0;
	type = packet->head[at];
	if (mm_is_icmp_error4(type))
		return MM_XLAT_ERROR;
	return type == ICMP_ECHO || type == ICMP_ECHOREPLY ? 0 : MM_DROP_ICMP_TYPE;
}

/* Echo: another type, and a checksum that covers a pseudo-header now (RFC 4443 s2.3). */
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

/* The new header, but for its addresses, which are there already. */
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

/* A packet that goes out. Gives MM_XLAT_OK, MM_XLAT_ERROR, MM_XLAT_MORE, or why it is dropped. */
int mm_xlat4(const struct mm_rules *rules, const struct mm_packet *packet, struct mm_xlat *x)
{
	const struct iphdr *iph = (const struct iphdr *)packet->head;
	struct ipv6hdr *ip6h = (struct ipv6hdr *)x->header;
	struct mm_port src = {}, dst = {};
	bool fragment, later;
	int error, domain;

	x->sum = 0;
	x->retype = false;
	x->check_at = 0;
	x->id_due = false;
	x->answer.due = false;
	if (packet->len < sizeof(*iph))
		return MM_DROP_HEADER;
	if (packet->head_len < sizeof(*iph))
		return MM_XLAT_MORE;
	if (iph->version != 4 || iph->ihl < 5 || packet->len < iph->ihl * 4U)
		return MM_DROP_HEADER;
	x->strip = iph->ihl * 4;
	if (packet->head_len < x->strip)
		return MM_XLAT_MORE;
	x->payload = packet->len - x->strip;
	if (iph->ihl > 5 && mm_source_routed(iph)) {
		x->answer = (struct mm_answer){ true, ICMP_DEST_UNREACH, ICMP_SR_FAILED, 0 };
		return MM_DROP_SOURCE_ROUTE;
	}
	fragment = iph->frag_off & htons(IP_MF | IP_OFFSET);
	later = iph->frag_off & htons(IP_OFFSET);
	/* s1.2: ICMP's checksum covers all fragments, so one of them cannot be translated. */
	if (fragment && iph->protocol == IPPROTO_ICMP)
		return MM_DROP_FRAGMENT;
	if (!later) {
		error = mm_read_ports(packet, x->strip, iph->protocol, false, &src, &dst);
		/* A first fragment whose header goes on in the next has no checksum to mend. */
		if (error)
			return fragment && error > 0 ? MM_DROP_FRAGMENT : error;
	}
	error = mm_icmp4(packet, iph->protocol, x->strip);
	if (error)
		return error;
	error = mm_local_to_v6(rules, iph->saddr, src, &ip6h->saddr, &x->edge, &domain);
	if (error == -EPERM)
		return later ? MM_DROP_FRAGMENT : src.known ? MM_DROP_PORT_OUT : MM_DROP_PROTOCOL;
	if (error)
		return MM_DROP_SOURCE4;
	if (mm_remote_to_v6(rules, iph->daddr, dst, domain, &ip6h->daddr))
		return MM_DROP_DEST4;
	if (iph->protocol == IPPROTO_ICMP)
		mm_echo4(packet, x);
	else if (!later)
		error = mm_transport4(packet, iph, fragment, x);
	mm_header6(iph, x);
	return error;
}
