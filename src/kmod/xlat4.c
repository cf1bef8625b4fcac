// SPDX-License-Identifier: GPL-2.0-only
/* IPv4 to IPv6 (RFC 7915 s4). */
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/icmp.h>
#include <net/ip.h>
#include <net/dsfield.h>
#include <net/ip6_checksum.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>

#include "mapmint.h"

/* Octets that IPv6 adds to a packet without options, and with a Fragment Header. */
#define MM_GROWTH (sizeof(struct ipv6hdr) - sizeof(struct iphdr))

static struct dst_entry *mm_route6(struct mm_dev *mm, const struct in6_addr *src,
				   const struct in6_addr *dst, u32 mark, u8 tclass)
{
	struct flowi6 fl6 = {
		.daddr = *dst,
		.saddr = *src,
		.flowi6_mark = mark,
		.flowlabel = ip6_make_flowinfo(tclass, 0),
	};

	return ip6_route_output(mm->net, NULL, &fl6);
}

/* The largest IPv4 packet that fits the IPv6 path to @dst; 1480 until there is a route. */
unsigned int mm_limit4(struct mm_dev *mm, const struct in6_addr *dst)
{
	unsigned int limit = ETH_DATA_LEN - MM_GROWTH;
	struct dst_entry *route;

	route = mm_route6(mm, &in6addr_any, dst, 0, 0);
	if (!route->error)
		limit = dst_mtu(route) - MM_GROWTH;
	dst_release(route);
	return min(limit, READ_ONCE(mm->dev->mtu));
}

/* Routes and sends an IPv6 packet of ours; takes it over. */
int mm_output6(struct mm_dev *mm, struct sk_buff *skb)
{
	const struct ipv6hdr *ip6h = ipv6_hdr(skb);
	struct dst_entry *dst;

	dst = mm_route6(mm, &ip6h->saddr, &ip6h->daddr, skb->mark, ipv6_get_dsfield(ip6h));
	if (dst->error) {
		dst_release(dst);
		mm_count(mm, MM_DROP_NO_ROUTE);
		kfree_skb(skb);
		return -ENETUNREACH;
	}
	if (mm_is_device(dst->dev)) {
		/* A route back into us would never end. */
		dst_release(dst);
		mm_count(mm, MM_DROP_LOOP);
		kfree_skb(skb);
		return -ELOOP;
	}
	skb_dst_drop(skb);
	skb_dst_set(skb, dst);
	memset(IP6CB(skb), 0, sizeof(*IP6CB(skb)));
	/* The IPv4 flow was tracked; its IPv6 form is another packet. */
	nf_reset_ct(skb);
	skb->protocol = htons(ETH_P_IPV6);
	skb->dev = dst->dev;
	mm_count(mm, MM_4TO6);
	return ip6_local_out(mm->net, NULL, skb);
}

/* A checksum whose pseudo-header changes from one pair of addresses to another (RFC 1624). */
__sum16 mm_replace_pseudo(__sum16 check, const void *from, int from_len, const void *to,
			  int to_len)
{
	__wsum sum = ~csum_unfold(check);

	sum = csum_sub(sum, csum_partial(from, from_len, 0));
	sum = csum_add(sum, csum_partial(to, to_len, 0));
	return csum_fold(sum);
}

struct mm_out {
	struct in6_addr addr[2];
	__be32 addr4[2];
	unsigned int header;
	unsigned int payload;
	u16 offset;
	bool fragment;
	bool more;
	u8 protocol;
	u8 tos;
	u8 ttl;
	__be16 id;
};

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

/* The ports or the id of both ends; false when the header is cut short. */
static bool mm_ports4(struct sk_buff *skb, const struct mm_out *out, struct mm_port *src,
		      struct mm_port *dst)
{
	const __be16 *word;
	__be16 buffer[4];

	*src = (struct mm_port){};
	*dst = (struct mm_port){};
	if (out->offset)
		return true;
	switch (out->protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
		word = skb_header_pointer(skb, out->header, 4, buffer);
		if (!word)
			return false;
		*src = (struct mm_port){ ntohs(word[0]), true };
		*dst = (struct mm_port){ ntohs(word[1]), true };
		return true;
	case IPPROTO_ICMP:
		word = skb_header_pointer(skb, out->header, 8, buffer);
		if (!word)
			return false;
		*src = (struct mm_port){ ntohs(word[2]), true };
		*dst = *src;
		return true;
	default:
		return true;
	}
}

/* TCP and UDP: the same header, another pseudo-header. */
static int mm_transport4(struct sk_buff *skb, const struct mm_out *out)
{
	bool udp = out->protocol == IPPROTO_UDP;
	unsigned int at = udp ? offsetof(struct udphdr, check) : offsetof(struct tcphdr, check);
	__sum16 *check;

	if (out->offset || (out->protocol != IPPROTO_TCP && !udp))
		return 0;
	if (skb_ensure_writable(skb, out->header + at + 2))
		return MM_DROP_MEMORY;
	check = (__sum16 *)(skb->data + out->header + at);
	if (skb->ip_summed == CHECKSUM_PARTIAL) {
		*check = ~csum_ipv6_magic(&out->addr[0], &out->addr[1], out->payload,
					  out->protocol, 0);
		return 0;
	}
	if (udp && !*check) {
		/*
		 * s4.5: computed for a whole packet; a first fragment does not have what is needed.
		 */
		if (out->fragment)
			return MM_DROP_FRAGMENT;
		*check = csum_ipv6_magic(&out->addr[0], &out->addr[1], out->payload, IPPROTO_UDP,
					 skb_checksum(skb, out->header, out->payload, 0));
	} else {
		*check = mm_replace_pseudo(*check, out->addr4, sizeof(out->addr4), out->addr,
					   sizeof(out->addr));
	}
	if (udp && !*check)
		*check = CSUM_MANGLED_0;
	return 0;
}

/* Echo: another type, and a checksum that covers a pseudo-header now (RFC 4443 s2.3). */
static int mm_echo4(struct sk_buff *skb, const struct mm_out *out)
{
	struct icmphdr *icmp;
	__wsum sum;

	/* RFC 7915 s1.2: the checksum covers all fragments, so one of them cannot be translated. */
	if (out->fragment)
		return MM_DROP_FRAGMENT;
	if (skb_ensure_writable(skb, out->header + sizeof(*icmp)))
		return MM_DROP_MEMORY;
	icmp = (struct icmphdr *)(skb->data + out->header);
	sum = ~csum_unfold(icmp->checksum);
	sum = csum_sub(sum, (__force __wsum)htons(icmp->type << 8 | icmp->code));
	icmp->type = icmp->type == ICMP_ECHO ? ICMPV6_ECHO_REQUEST : ICMPV6_ECHO_REPLY;
	sum = csum_add(sum, (__force __wsum)htons(icmp->type << 8 | icmp->code));
	icmp->checksum = csum_ipv6_magic(&out->addr[0], &out->addr[1], out->payload,
					 IPPROTO_ICMPV6, sum);
	if (skb->ip_summed == CHECKSUM_PARTIAL)
		skb->ip_summed = CHECKSUM_NONE;
	return 0;
}

/* Puts the IPv6 header, and a Fragment Header where one is due, in the place of the IPv4 header. */
static int mm_header6(struct sk_buff *skb, const struct mm_out *out)
{
	unsigned int size = sizeof(struct ipv6hdr) + (out->fragment ? sizeof(struct frag_hdr) : 0);
	u8 next = out->protocol == IPPROTO_ICMP ? IPPROTO_ICMPV6 : out->protocol;
	struct frag_hdr *fh;
	struct ipv6hdr *ip6h;

	if (skb_cow_head(skb, size - out->header + LL_MAX_HEADER))
		return MM_DROP_MEMORY;
	__skb_pull(skb, out->header);
	skb_reset_transport_header(skb);
	__skb_push(skb, size);
	skb_reset_network_header(skb);
	skb_reset_mac_header(skb);
	skb->mac_len = 0;
	ip6h = ipv6_hdr(skb);
	ip6_flow_hdr(ip6h, out->tos, 0);
	ip6h->payload_len = htons(min_t(unsigned int, skb->len - sizeof(*ip6h), 65535));
	ip6h->nexthdr = out->fragment ? NEXTHDR_FRAGMENT : next;
	ip6h->hop_limit = out->ttl;
	ip6h->saddr = out->addr[0];
	ip6h->daddr = out->addr[1];
	if (out->fragment) {
		fh = (struct frag_hdr *)(ip6h + 1);
		fh->nexthdr = next;
		fh->reserved = 0;
		fh->frag_off = htons(out->offset << 3 | out->more);
		/* s4: the low 16 bits are the IPv4 identification. */
		fh->identification = htonl(ntohs(out->id));
	}
	if (skb_is_gso(skb)) {
		struct skb_shared_info *info = skb_shinfo(skb);

		if (info->gso_type & SKB_GSO_TCPV4) {
			info->gso_type &= ~(SKB_GSO_TCPV4 | SKB_GSO_TCP_FIXEDID);
			info->gso_type |= SKB_GSO_TCPV6;
		}
	}
	if (skb->ip_summed == CHECKSUM_COMPLETE)
		skb->ip_summed = CHECKSUM_NONE;
	return 0;
}

/* The whole translation of one packet in place. A counter's number, or 0. */
static int mm_translate4(struct mm_dev *mm, const struct mm_rules *rules, struct sk_buff *skb)
{
	struct mm_port src, dst;
	struct mm_out out = {};
	struct iphdr *iph;
	int error, domain;

	if (!pskb_may_pull(skb, sizeof(*iph)))
		return MM_DROP_HEADER;
	iph = ip_hdr(skb);
	if (iph->version != 4 || iph->ihl < 5 || !pskb_may_pull(skb, iph->ihl * 4))
		return MM_DROP_HEADER;
	iph = ip_hdr(skb);
	out.header = iph->ihl * 4;
	if (skb->len < out.header)
		return MM_DROP_HEADER;
	out.payload = skb->len - out.header;
	out.protocol = iph->protocol;
	out.tos = iph->tos;
	out.ttl = iph->ttl;
	out.id = iph->id;
	out.offset = ntohs(iph->frag_off) & IP_OFFSET;
	out.more = iph->frag_off & htons(IP_MF);
	out.fragment = out.offset || out.more;
	out.addr4[0] = iph->saddr;
	out.addr4[1] = iph->daddr;
	if (mm_source_routed(iph)) {
		icmp_send(skb, ICMP_DEST_UNREACH, ICMP_SR_FAILED, 0);
		return MM_DROP_SOURCE_ROUTE;
	}
	if (!mm_ports4(skb, &out, &src, &dst))
		return MM_DROP_HEADER;
	error = mm_local_to_v6(rules, iph->saddr, src, &out.addr[0], &domain);
	if (error && out.offset)
		return MM_DROP_FRAGMENT;
	if (error)
		return error == -EPERM ? MM_DROP_PORT_OUT : MM_DROP_SOURCE4;
	if (mm_remote_to_v6(rules, iph->daddr, dst, domain, &out.addr[1]))
		return MM_DROP_DEST4;
	if (out.protocol == IPPROTO_ICMP) {
		const struct icmphdr *icmp = (struct icmphdr *)(skb->data + out.header);

		if (!pskb_may_pull(skb, out.header + sizeof(*icmp)))
			return MM_DROP_HEADER;
		icmp = (struct icmphdr *)(skb->data + out.header);
		if (icmp->type != ICMP_ECHO && icmp->type != ICMP_ECHOREPLY)
			return MM_DROP_ICMP_TYPE;
		error = mm_echo4(skb, &out);
	} else {
		error = mm_transport4(skb, &out);
	}
	return error ?: mm_header6(skb, &out);
}

/* Translates and sends; takes the packet over. */
static int mm_send(struct mm_dev *mm, struct sk_buff *skb)
{
	const struct mm_rules *rules;
	unsigned int length = skb->len;
	struct sk_buff *error;
	int verdict;

	rcu_read_lock();
	rules = rcu_dereference(mm->rules);
	verdict = MM_DROP_SOURCE4;
	if (!rules)
		goto drop;
	if (pskb_may_pull(skb, sizeof(struct iphdr)) && ip_hdr(skb)->protocol == IPPROTO_ICMP &&
	    ip_hdr(skb)->ihl >= 5 && pskb_may_pull(skb, ip_hdrlen(skb) + sizeof(struct icmphdr)) &&
	    !(ip_hdr(skb)->frag_off & htons(IP_OFFSET)) &&
	    mm_is_icmp_error4(*(skb->data + ip_hdrlen(skb)))) {
		error = mm_icmp_error_4to6(mm, rules, skb);
		consume_skb(skb);
		rcu_read_unlock();
		return error ? mm_output6(mm, error) : -EINVAL;
	}
	verdict = mm_translate4(mm, rules, skb);
	if (verdict)
		goto drop;
	rcu_read_unlock();
	dev_sw_netstats_tx_add(mm->dev, 1, length);
	return mm_output6(mm, skb);

drop:
	rcu_read_unlock();
	mm_count(mm, verdict);
	DEV_STATS_INC(mm->dev, tx_dropped);
	kfree_skb(skb);
	return -EINVAL;
}

/*
 * A packet that is larger than the path and may be cut: translated whole, so that it is cut as
 * IPv6.
 */
int mm_send_whole(struct mm_dev *mm, struct sk_buff *skb)
{
	skb->ignore_df = 1;
	skb->dev = mm->dev;
	return mm_send(mm, skb);
}

netdev_tx_t mm_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct mm_dev *mm = netdev_priv(dev);

	/* IPv6 routed here is for the hook; anything else has no translation. */
	if (skb->protocol != htons(ETH_P_IP)) {
		if (skb->protocol == htons(ETH_P_IPV6) && mm_receive(mm, skb))
			return NETDEV_TX_OK;
		mm_count(mm, MM_DROP_PROTOCOL);
		kfree_skb(skb);
		return NETDEV_TX_OK;
	}
	mm_send(mm, skb);
	return NETDEV_TX_OK;
}
