// SPDX-License-Identifier: GPL-2.0-only
/* IPv6 to IPv4 (RFC 7915 s5), with the receive checks of RFC 7597 s8.1 and RFC 7599 s8.2. */
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/ip.h>
#include <net/dsfield.h>
#include <net/ip6_checksum.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>

#include "mapmint.h"

struct mm_in {
	__be32 addr4[2];
	struct in6_addr addr[2];
	unsigned int header;
	unsigned int payload;
	u8 protocol;
	bool cut;
};

/* Hands an IPv4 packet to the stack as received on the device; takes it over. */
void mm_input4(struct mm_dev *mm, struct sk_buff *skb)
{
	skb_dst_drop(skb);
	nf_reset_ct(skb);
	skb_scrub_packet(skb, false);
	skb->protocol = htons(ETH_P_IP);
	skb->dev = mm->dev;
	skb->pkt_type = PACKET_HOST;
	memset(IPCB(skb), 0, sizeof(*IPCB(skb)));
	mm_count(mm, MM_6TO4);
	dev_sw_netstats_rx_add(mm->dev, skb->len);
	netif_rx(skb);
}

/*
 * Skips hop-by-hop, routing and destination options (s5.1); -1 when that cannot be done. @pointer
 * is where a Segments Left lies that is not 0.
 */
static int mm_skip_extensions(struct sk_buff *skb, u8 *next, bool *fragment, u32 *pointer)
{
	int at = sizeof(struct ipv6hdr);
	int headers;

	*next = ipv6_hdr(skb)->nexthdr;
	*fragment = false;
	*pointer = 0;
	for (headers = 0; headers < 8; headers++) {
		const struct ipv6_opt_hdr *eh;
		struct ipv6_opt_hdr buffer;

		if (*next == NEXTHDR_FRAGMENT) {
			*fragment = true;
			return at;
		}
		if (*next != NEXTHDR_HOP && *next != NEXTHDR_DEST && *next != NEXTHDR_ROUTING)
			return at;
		eh = skb_header_pointer(skb, at, sizeof(buffer), &buffer);
		if (!eh)
			return -1;
		if (*next == NEXTHDR_ROUTING) {
			const struct ipv6_rt_hdr *rt;
			struct ipv6_rt_hdr rt_buffer;

			rt = skb_header_pointer(skb, at, sizeof(rt_buffer), &rt_buffer);
			if (!rt)
				return -1;
			if (rt->segments_left) {
				*pointer = at + offsetof(struct ipv6_rt_hdr, segments_left);
				return -1;
			}
		}
		*next = eh->nexthdr;
		at += ipv6_optlen(eh);
	}
	return -1;
}

static int mm_transport6(struct sk_buff *skb, const struct mm_in *in)
{
	bool udp = in->protocol == IPPROTO_UDP;
	unsigned int at = udp ? offsetof(struct udphdr, check) : offsetof(struct tcphdr, check);
	__sum16 *check;

	if (in->protocol != IPPROTO_TCP && !udp)
		return 0;
	if (skb_ensure_writable(skb, in->header + at + 2))
		return MM_DROP_MEMORY;
	check = (__sum16 *)(skb->data + in->header + at);
	if (skb->ip_summed == CHECKSUM_PARTIAL) {
		*check = ~csum_tcpudp_magic(in->addr4[0], in->addr4[1], in->payload, in->protocol,
					    0);
		return 0;
	}
	/* A UDP checksum of 0 is legal in IPv4, and some border relays send it (RFC 6935). */
	if (udp && !*check)
		return 0;
	*check = mm_replace_pseudo(*check, in->addr, sizeof(in->addr), in->addr4,
				   sizeof(in->addr4));
	if (udp && !*check)
		*check = CSUM_MANGLED_0;
	return 0;
}

static int mm_echo6(struct sk_buff *skb, const struct mm_in *in)
{
	struct icmp6hdr *icmp;
	__wsum sum;

	if (skb_ensure_writable(skb, in->header + sizeof(*icmp)))
		return MM_DROP_MEMORY;
	icmp = (struct icmp6hdr *)(skb->data + in->header);
	sum = ~csum_unfold(icmp->icmp6_cksum);
	/* The pseudo-header goes: its sum is what the complement of the magic holds. */
	sum = csum_sub(sum, csum_unfold(~csum_ipv6_magic(&in->addr[0], &in->addr[1], in->payload,
							 IPPROTO_ICMPV6, 0)));
	sum = csum_sub(sum, (__force __wsum)htons(icmp->icmp6_type << 8 | icmp->icmp6_code));
	icmp->icmp6_type = icmp->icmp6_type == ICMPV6_ECHO_REQUEST ? ICMP_ECHO : ICMP_ECHOREPLY;
	sum = csum_add(sum, (__force __wsum)htons(icmp->icmp6_type << 8 | icmp->icmp6_code));
	icmp->icmp6_cksum = csum_fold(sum);
	if (skb->ip_summed == CHECKSUM_PARTIAL)
		skb->ip_summed = CHECKSUM_NONE;
	return 0;
}

static void mm_header4(struct mm_dev *mm, struct sk_buff *skb, const struct mm_in *in)
{
	const struct ipv6hdr *ip6h = ipv6_hdr(skb);
	u8 tos = ipv6_get_dsfield(ip6h);
	u8 ttl = ip6h->hop_limit;
	struct iphdr *iph;
	bool df;

	__skb_pull(skb, in->header);
	skb_reset_transport_header(skb);
	__skb_push(skb, sizeof(*iph));
	skb_reset_network_header(skb);
	skb_reset_mac_header(skb);
	skb->mac_len = 0;
	/* s5.1: what came in fragments was to be cut; the rest has DF only when it is large. */
	df = !in->cut && skb->len > MM_DF_LIMIT;
	iph = ip_hdr(skb);
	iph->version = 4;
	iph->ihl = 5;
	iph->tos = tos;
	iph->tot_len = htons(min_t(unsigned int, skb->len, 65535));
	iph->frag_off = df ? htons(IP_DF) : 0;
	iph->ttl = ttl;
	iph->protocol = in->protocol;
	iph->saddr = in->addr4[0];
	iph->daddr = in->addr4[1];
	iph->id = 0;
	if (!df)
		__ip_select_ident(mm->net, iph, max_t(int, 1, skb_shinfo(skb)->gso_segs));
	iph->check = 0;
	iph->check = ip_fast_csum(iph, 5);
	if (skb_is_gso(skb) && skb_shinfo(skb)->gso_type & SKB_GSO_TCPV6) {
		skb_shinfo(skb)->gso_type &= ~(SKB_GSO_TCPV6 | SKB_GSO_TCP_FIXEDID);
		skb_shinfo(skb)->gso_type |= SKB_GSO_TCPV4;
	}
	if (skb->ip_summed == CHECKSUM_COMPLETE)
		skb->ip_summed = CHECKSUM_NONE;
}

static bool mm_ports6(struct sk_buff *skb, unsigned int at, u8 next, struct mm_port *src,
		      struct mm_port *dst)
{
	const __be16 *word;
	__be16 buffer[4];

	*src = (struct mm_port){};
	*dst = (struct mm_port){};
	if (next == IPPROTO_TCP || next == IPPROTO_UDP) {
		word = skb_header_pointer(skb, at, 4, buffer);
		if (!word)
			return false;
		*src = (struct mm_port){ ntohs(word[0]), true };
		*dst = (struct mm_port){ ntohs(word[1]), true };
	} else if (next == IPPROTO_ICMPV6) {
		word = skb_header_pointer(skb, at, 8, buffer);
		if (!word)
			return false;
		*src = (struct mm_port){ ntohs(word[2]), true };
		*dst = *src;
	}
	return true;
}

static bool mm_drop6(struct mm_dev *mm, struct sk_buff *skb, enum mm_counter why)
{
	mm_count(mm, why);
	DEV_STATS_INC(mm->dev, rx_dropped);
	kfree_skb(skb);
	return true;
}

/* True when the packet was ours: translated or dropped, and taken over. False: ordinary IPv6. */
bool mm_receive(struct mm_dev *mm, struct sk_buff *skb)
{
	const struct mm_rules *rules;
	const struct mm_edge *edge;
	struct mm_port src, dst;
	struct mm_in in = {};
	bool fragment;
	u32 pointer;
	u8 next;
	int error, at, domain;

	rules = rcu_dereference(mm->rules);
	if (!rules || !pskb_may_pull(skb, sizeof(struct ipv6hdr)))
		return false;
	if (mm_local_to_v4(rules, &ipv6_hdr(skb)->daddr, &in.addr4[1], &edge, &domain))
		return false;
	at = mm_skip_extensions(skb, &next, &fragment, &pointer);
	if (at < 0) {
		if (pointer)
			icmpv6_send(skb, ICMPV6_PARAMPROB, ICMPV6_HDR_FIELD, pointer);
		return mm_drop6(mm, skb, MM_DROP_EXTENSION);
	}
	if (fragment)
		return mm_drop6(mm, skb, MM_DROP_FRAGMENT);
	if (next == IPPROTO_ICMPV6) {
		const u8 *type;
		u8 buffer;

		type = skb_header_pointer(skb, at, 1, &buffer);
		if (!type)
			return mm_drop6(mm, skb, MM_DROP_HEADER);
		/* Check 1: an error from any source, judged by its inner packet. */
		if (mm_is_icmp_error6(*type)) {
			struct sk_buff *reply = mm_icmp_error_6to4(mm, rules, skb, at);

			consume_skb(skb);
			if (reply)
				mm_input4(mm, reply);
			return true;
		}
		if (*type != ICMPV6_ECHO_REQUEST && *type != ICMPV6_ECHO_REPLY)
			return mm_drop6(mm, skb, MM_DROP_ICMP_TYPE);
	}
	if (!mm_ports6(skb, at, next, &src, &dst))
		return mm_drop6(mm, skb, MM_DROP_HEADER);
	error = mm_remote_to_v4(rules, &ipv6_hdr(skb)->saddr, src, domain, &in.addr4[0]);
	/* Check 2: neither DMR nor FMR is no MAP traffic. */
	if (error == -ENOENT)
		return false;
	/* Check 3: an FMR's source whose address and port do not match. */
	if (error) {
		icmpv6_send(skb, ICMPV6_DEST_UNREACH, ICMPV6_POLICY_FAIL, 0);
		return mm_drop6(mm, skb, MM_DROP_SPOOFED6);
	}
	/* Check 4: a port outside our set, silently. */
	if (edge && !mm_in_set(edge, dst))
		return mm_drop6(mm, skb, dst.known ? MM_DROP_PORT_IN : MM_DROP_PROTOCOL);
	if (skb_unclone(skb, GFP_ATOMIC) || !pskb_may_pull(skb, at))
		return mm_drop6(mm, skb, MM_DROP_MEMORY);
	in.header = at;
	in.payload = skb->len - at;
	in.protocol = next == IPPROTO_ICMPV6 ? IPPROTO_ICMP : next;
	in.addr[0] = ipv6_hdr(skb)->saddr;
	in.addr[1] = ipv6_hdr(skb)->daddr;
	in.cut = IP6CB(skb)->frag_max_size || skb_has_frag_list(skb);
	error = next == IPPROTO_ICMPV6 ? mm_echo6(skb, &in) : mm_transport6(skb, &in);
	if (error)
		return mm_drop6(mm, skb, error);
	mm_header4(mm, skb, &in);
	mm_input4(mm, skb);
	return true;
}
