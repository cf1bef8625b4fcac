// SPDX-License-Identifier: GPL-2.0-only
/* IPv6 to IPv4 (RFC 7915 s5), with the checks on receiving of RFC 7597 s8.1 and RFC 7599 s8.2. */
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <net/checksum.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ipv6.h>

#include "core/extension.h"
#include "core/icmp_map.h"
#include "core/transport.h"
#include "core/xlat.h"

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
	/* IPv4 has no pseudo-header here, so its sum is subtracted: csum_ipv6_magic complements. */
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

/* Writes the new header around its addresses. @fh: the Fragment Header, or NULL. */
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
	/* s5.1: what came in fragments may be cut again. All else has DF only where it is large. */
	x->df = !fh && !packet->cut && length > MM_DF_LIMIT;
	iph->frag_off = x->df ? htons(IP_DF) : 0;
	x->id_due = !x->df && !fh;
	/* s5.1.1: the low 16 bits of a Fragment Header's identification. */
	mm_set_id(x, fh ? htons(ntohl(fh->identification)) : 0);
}

/*
 * What becomes of a packet to our address that cannot be translated. If no rule knows its source
 * (RFC 7599 s8.2) it is ordinary IPv6, which is not ours to drop.
 */
static struct mm_verdict mm_unless_ordinary(const struct mm_rules *rules,
					    const struct in6_addr *source, int domain,
					    struct mm_verdict verdict)
{
	const struct mm_port any = { .any = true };
	__be32 unused;

	if (mm_remote_to_v4(rules, source, any, domain, &unused) == -ENOENT)
		return mm_outcome(MM_ORDINARY);
	return verdict;
}

/*
 * A Fragment Header at *@at, where *@next is read and both go on behind it. The stack puts
 * datagrams together before us, so that only a whole packet has a Fragment Header still (RFC 8021).
 */
static struct mm_verdict mm_read_fragment(const struct mm_packet *packet, u8 *next,
					  unsigned int *at, const struct frag_hdr **fh)
{
	if (*at + sizeof(**fh) > packet->len)
		return mm_drop(MM_DROP_HEADER);
	if (*at + sizeof(**fh) > packet->head_len)
		return mm_outcome(MM_SHOW_MORE);
	*fh = (const struct frag_hdr *)(packet->head + *at);
	*next = (*fh)->nexthdr;
	*at += sizeof(**fh);
	if ((*fh)->frag_off & htons(IP6_OFFSET | IP6_MF))
		return mm_drop(MM_DROP_FRAGMENT);
	/* s5.1.1: behind it no extension header is allowed but ESP. */
	switch (*next) {
	case NEXTHDR_HOP:
	case NEXTHDR_DEST:
	case NEXTHDR_ROUTING:
	case NEXTHDR_FRAGMENT:
	case NEXTHDR_AUTH:
		return mm_drop(MM_DROP_EXTENSION);
	default:
		return mm_pass();
	}
}

/* Of ICMPv6, echoes and errors are translated. */
static struct mm_verdict mm_icmp6(const struct mm_packet *packet, u8 next, unsigned int at)
{
	u8 type;

	/* IPv4's ICMP does not belong into IPv6: nobody has verified its checksum and its quote. */
	if (next == IPPROTO_ICMP)
		return mm_drop(MM_DROP_ICMP_TYPE);
	if (next != IPPROTO_ICMPV6)
		return mm_pass();
	type = packet->head[at];
	/* Check 1: an error comes from anybody, and is judged by the packet that it quotes. */
	if (mm_is_icmp_error6(type))
		return mm_outcome(MM_ICMP_ERROR);
	if (type != ICMPV6_ECHO_REQUEST && type != ICMPV6_ECHO_REPLY)
		return mm_drop(MM_DROP_ICMP_TYPE);
	return mm_pass();
}

/* A packet that comes in. If it passes, @x says how. */
struct mm_verdict mm_xlat6(const struct mm_rules *rules, const struct mm_packet *packet,
			   struct mm_xlat *x)
{
	const struct ipv6hdr *ip6h = (const struct ipv6hdr *)packet->head;
	struct iphdr *iph = (struct iphdr *)x->header;
	const struct frag_hdr *fh = NULL;
	struct mm_verdict verdict;
	struct mm_ports ports;
	int error, domain;
	u8 next;

	x->sum = 0;
	x->retype = false;
	x->check_at = 0;
	if (packet->len < sizeof(*ip6h))
		return mm_outcome(MM_ORDINARY);
	if (packet->head_len < sizeof(*ip6h))
		return mm_outcome(MM_SHOW_MORE);
	if (ip6h->version != 6)
		return mm_outcome(MM_ORDINARY);
	if (mm_local_to_v4(rules, &ip6h->daddr, &iph->daddr, &x->edge, &domain))
		return mm_outcome(MM_ORDINARY);
	verdict = mm_skip_extensions(packet, &next, &x->strip);
	if (mm_passes(verdict) && next == NEXTHDR_FRAGMENT)
		verdict = mm_read_fragment(packet, &next, &x->strip, &fh);
	if (mm_passes(verdict))
		verdict = mm_read_ports(packet, x->strip, next, MM_IPV6, &ports);
	if (mm_passes(verdict))
		verdict = mm_icmp6(packet, next, x->strip);
	if (verdict.outcome == MM_DROP)
		return mm_unless_ordinary(rules, &ip6h->saddr, domain, verdict);
	if (!mm_passes(verdict))
		return verdict;
	error = mm_remote_to_v4(rules, &ip6h->saddr, ports.src, domain, &iph->saddr);
	/* Check 2: the source is neither of the DMR nor of an FMR. */
	if (error == -ENOENT)
		return mm_outcome(MM_ORDINARY);
	/* Check 3: the source is of an FMR, and does not fit its address and port. */
	if (error)
		return mm_refuse(MM_DROP_SPOOFED6, ICMPV6_DEST_UNREACH, ICMPV6_POLICY_FAIL, 0);
	/* Check 4: a port outside our set is dropped without an answer. */
	if (!mm_takes(rules, x->edge, &ip6h->daddr, ports.dst))
		return mm_drop(ports.dst.known ? MM_DROP_PORT_IN : MM_DROP_PROTOCOL);
	x->payload = packet->len - x->strip;
	mm_header4(packet, next == IPPROTO_ICMPV6 ? IPPROTO_ICMP : next, fh, x);
	if (next == IPPROTO_ICMPV6)
		mm_echo6(packet, x);
	else
		mm_transport6(packet, iph, x);
	return mm_pass();
}
