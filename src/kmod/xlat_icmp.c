// SPDX-License-Identifier: GPL-2.0-only
/*
 * ICMP errors, with the packet they quote (RFC 7915 s4.2, s4.3, s5.2, s5.3). An error is a packet
 * of its own: it is built anew, because nearly all of it changes and none of it is bulk.
 */
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

/* RFC 1812 s4.3.2.3 and RFC 4443 s2.4 (c): how long an error may be. */
#define MM_ERROR4_MAX 576
#define MM_ERROR6_MAX IPV6_MIN_MTU
/* RFC 4884 s5.1: a quoted packet with extensions behind it is padded to this at least. */
#define MM_QUOTE_MIN 128
#define MM_ICMP_LEN 8

/* RFC 7600 s4.7: the source of an error whose sender has no IPv4 address. */
#define MM_DUMMY4 0xc0000008

/* An error as it came: its header, the quoted packet, and what RFC 4884 put behind that. */
struct mm_error {
	u8 type;
	u8 code;
	__be32 rest;
	int quote;
	int quote_len;
	int extension;
	int extension_len;
};

/* The quoted packet's transport header, as far as it is there. */
struct mm_quoted {
	struct mm_port src;
	struct mm_port dst;
	int header;
	int length;
	u8 protocol;
	u8 tos;
	u8 ttl;
	u32 id;
	u16 offset;
	bool fragment;
	bool more;
};

/* @unit: octets that the length field of RFC 4884 counts in; 0 where the type has none. */
static bool mm_read_error(const struct sk_buff *skb, int at, int length_octet, int unit,
			  struct mm_error *error)
{
	u8 head[MM_ICMP_LEN];
	int length;

	if (skb_copy_bits(skb, at, head, sizeof(head)))
		return false;
	error->type = head[0];
	error->code = head[1];
	memcpy(&error->rest, head + 4, 4);
	error->quote = at + MM_ICMP_LEN;
	error->quote_len = skb->len - error->quote;
	error->extension_len = 0;
	length = unit ? head[length_octet] * unit : 0;
	if (length >= MM_QUOTE_MIN && length < error->quote_len) {
		error->extension = error->quote + length;
		error->extension_len = error->quote_len - length;
		error->quote_len = length;
	}
	return true;
}

/* Ports, or the id of an echo; other ICMP is not something that errors are sent for. */
static bool mm_quoted_ports(const struct sk_buff *skb, int at, bool v6, struct mm_quoted *quoted)
{
	__be16 word[4];
	u8 type;

	if (quoted->protocol == IPPROTO_TCP || quoted->protocol == IPPROTO_UDP) {
		if (skb_copy_bits(skb, at, word, 4))
			return false;
		quoted->src = (struct mm_port){ ntohs(word[0]), true };
		quoted->dst = (struct mm_port){ ntohs(word[1]), true };
	} else if (quoted->protocol == (v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP)) {
		if (skb_copy_bits(skb, at, word, 8))
			return false;
		type = ntohs(word[0]) >> 8;
		if (v6 ? type != ICMPV6_ECHO_REQUEST && type != ICMPV6_ECHO_REPLY :
			 type != ICMP_ECHO && type != ICMP_ECHOREPLY)
			return false;
		quoted->src = (struct mm_port){ ntohs(word[2]), true };
		quoted->dst = quoted->src;
	}
	return true;
}

/* The sum of ICMPv6's pseudo-header (RFC 4443 s2.3) between two addresses that lie in a row. */
static __wsum mm_pseudo6(const void *addresses, unsigned int length)
{
	const struct in6_addr *address = addresses;

	return csum_unfold(~csum_ipv6_magic(&address[0], &address[1], length, IPPROTO_ICMPV6, 0));
}

/*
 * Copies the quoted transport header and what follows, and makes its checksum fit the other
 * addresses.
 */
static int mm_copy_quoted(const struct sk_buff *skb, const struct mm_error *error,
			  const struct mm_quoted *quoted, u8 *to, int room, const void *from,
			  int from_len, const void *other, int other_len)
{
	int length = min(error->quote_len - quoted->header, room);
	__sum16 *check;
	__wsum sum;

	if (length < 0 || skb_copy_bits(skb, error->quote + quoted->header, to, length))
		return -1;
	if (quoted->offset)
		return length;
	switch (quoted->protocol) {
	case IPPROTO_TCP:
		if (length < (int)offsetofend(struct tcphdr, check))
			break;
		check = (__sum16 *)(to + offsetof(struct tcphdr, check));
		*check = mm_replace_pseudo(*check, from, from_len, other, other_len);
		break;
	case IPPROTO_UDP:
		check = (__sum16 *)(to + offsetof(struct udphdr, check));
		if (length >= (int)sizeof(struct udphdr) && *check)
			*check = mm_replace_pseudo(*check, from, from_len, other, other_len);
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if (length < MM_ICMP_LEN)
			return -1;
		/* Type and code are one word; the pseudo-header is IPv6's alone. */
		check = (__sum16 *)(to + 2);
		sum = ~csum_unfold(*check);
		sum = csum_sub(sum, csum_partial(to, 2, 0));
		if (quoted->protocol == IPPROTO_ICMP)
			to[0] = to[0] == ICMP_ECHO ? ICMPV6_ECHO_REQUEST : ICMPV6_ECHO_REPLY;
		else
			to[0] = to[0] == ICMPV6_ECHO_REQUEST ? ICMP_ECHO : ICMP_ECHOREPLY;
		sum = csum_add(sum, csum_partial(to, 2, 0));
		if (quoted->protocol == IPPROTO_ICMP)
			sum = csum_add(sum, mm_pseudo6(other, quoted->length));
		else
			sum = csum_sub(sum, mm_pseudo6(from, quoted->length));
		*check = csum_fold(sum);
		break;
	}
	return length;
}

/*
 * RFC 4884 s4, RFC 7915 s4.2: the extensions follow the quoted packet, which is cut or padded to
 * whole units of 8 octets (4 in IPv4). The length in units, or 0 when there are none, or no room
 * for them.
 */
static int mm_append_extension(const struct sk_buff *skb, const struct mm_error *error,
			       struct sk_buff *out, int start, int limit, int unit)
{
	int length = out->len - start;
	int padded = max(round_up(length, unit), MM_QUOTE_MIN);

	if (start + padded + error->extension_len > limit)
		padded = round_down(limit - start - error->extension_len, unit);
	if (!error->extension_len || padded < MM_QUOTE_MIN)
		return 0;
	if (padded < length)
		__skb_trim(out, start + padded);
	else
		memset(skb_put(out, padded - length), 0, padded - length);
	if (skb_copy_bits(skb, error->extension, skb_put(out, error->extension_len),
			  error->extension_len))
		return -1;
	return padded / unit;
}

static struct sk_buff *mm_refuse(struct mm_dev *mm, enum mm_counter why, struct sk_buff *out)
{
	mm_count(mm, why);
	kfree_skb(out);
	return NULL;
}

static bool mm_read_quoted4(const struct sk_buff *skb, const struct mm_error *error,
			    struct iphdr *iph, struct mm_quoted *quoted)
{
	if (skb_copy_bits(skb, error->quote, iph, sizeof(*iph)) || iph->version != 4 ||
	    iph->ihl < 5)
		return false;
	*quoted = (struct mm_quoted){
		.header = iph->ihl * 4,
		.length = (int)ntohs(iph->tot_len) - iph->ihl * 4,
		.protocol = iph->protocol,
		.tos = iph->tos,
		.ttl = iph->ttl,
		.id = ntohs(iph->id),
		.offset = ntohs(iph->frag_off) & IP_OFFSET,
		.more = iph->frag_off & htons(IP_MF),
	};
	quoted->fragment = quoted->offset || quoted->more;
	return quoted->length >= 0 && !quoted->offset && quoted->header <= error->quote_len &&
	       mm_quoted_ports(skb, error->quote + quoted->header, false, quoted);
}

/*
 * An error that leaves us, about a packet that came in: its inner source is the remote end, its
 * inner destination is ours. A new packet, or NULL when it was dropped and counted.
 */
struct sk_buff *mm_icmp_error_4to6(struct mm_dev *mm, const struct mm_rules *rules,
				   struct sk_buff *skb)
{
	const struct iphdr *outer = ip_hdr(skb);
	struct in6_addr addr[2], inner[2];
	struct mm_quoted quoted;
	struct mm_icmp_map map;
	struct mm_error error;
	struct icmp6hdr *icmp;
	struct ipv6hdr *ip6h;
	struct iphdr quoted4;
	struct sk_buff *out;
	__be32 quoted_addr[2];
	int at = ip_hdrlen(skb);
	int start, length, room, domain;
	u8 type;

	if (skb_copy_bits(skb, at, &type, 1) || !mm_read_error(skb, at, 5, 4, &error))
		return mm_refuse(mm, MM_DROP_HEADER, NULL);
	/* The checksum is made anew: a damaged error must not become a good one. */
	if (skb->ip_summed != CHECKSUM_PARTIAL &&
	    csum_fold(skb_checksum(skb, at, skb->len - at, 0)))
		return mm_refuse(mm, MM_DROP_HEADER, NULL);
	if (!mm_icmp_map_4to6(error.type, error.code, ntohl(error.rest) >> 24, &map))
		return mm_refuse(mm, MM_DROP_ICMP_TYPE, NULL);
	if (!mm_read_quoted4(skb, &error, &quoted4, &quoted))
		return mm_refuse(mm, MM_DROP_ICMP_INNER, NULL);
	if (mm_local_to_v6(rules, quoted4.daddr, quoted.dst, &inner[1], &domain) ||
	    mm_remote_to_v6(rules, quoted4.saddr, quoted.src, domain, &inner[0]) ||
	    mm_local_to_v6(rules, outer->saddr, quoted.dst, &addr[0], &domain) ||
	    mm_remote_to_v6(rules, outer->daddr, quoted.src, domain, &addr[1]))
		return mm_refuse(mm, MM_DROP_ICMP_INNER, NULL);
	if (map.type == ICMPV6_PKT_TOOBIG) {
		u32 mtu4 = mm->dev->mtu;

		map.rest = mm_mtu_4to6(ntohl(error.rest) & 0xffff, ntohs(quoted4.tot_len),
				       mm_limit4(mm, &addr[1]) + 20, mtu4);
	}

	out = alloc_skb(LL_MAX_HEADER + MM_ERROR6_MAX, GFP_ATOMIC);
	if (!out)
		return mm_refuse(mm, MM_DROP_MEMORY, NULL);
	skb_reserve(out, LL_MAX_HEADER);
	skb_reset_network_header(out);
	skb_put(out, sizeof(*ip6h));
	skb_set_transport_header(out, out->len);
	skb_put(out, MM_ICMP_LEN);
	start = out->len;

	ip6h = skb_put(out, sizeof(*ip6h));
	ip6_flow_hdr(ip6h, quoted.tos, 0);
	ip6h->payload_len = htons(min(65535, quoted.length + (quoted.fragment ? 8 : 0)));
	ip6h->nexthdr = quoted.protocol == IPPROTO_ICMP ? IPPROTO_ICMPV6 : quoted.protocol;
	ip6h->hop_limit = quoted.ttl;
	ip6h->saddr = inner[0];
	ip6h->daddr = inner[1];
	if (quoted.fragment) {
		struct frag_hdr *fh = skb_put(out, sizeof(*fh));

		fh->nexthdr = ip6h->nexthdr;
		fh->reserved = 0;
		fh->frag_off = htons(quoted.more);
		fh->identification = htonl(quoted.id);
		ip6h->nexthdr = NEXTHDR_FRAGMENT;
	}
	quoted_addr[0] = quoted4.saddr;
	quoted_addr[1] = quoted4.daddr;
	room = MM_ERROR6_MAX - out->len;
	length = mm_copy_quoted(skb, &error, &quoted, skb_tail_pointer(out), room, quoted_addr,
				sizeof(quoted_addr), inner, sizeof(inner));
	if (length < 0)
		return mm_refuse(mm, MM_DROP_ICMP_INNER, out);
	skb_put(out, length);
	if (map.extensions) {
		length = mm_append_extension(skb, &error, out, start, MM_ERROR6_MAX, 8);
		if (length < 0)
			return mm_refuse(mm, MM_DROP_HEADER, out);
		map.rest = (u32)length << 24;
	}

	ip6h = ipv6_hdr(out);
	ip6_flow_hdr(ip6h, outer->tos, 0);
	ip6h->payload_len = htons(out->len - sizeof(*ip6h));
	ip6h->nexthdr = IPPROTO_ICMPV6;
	ip6h->hop_limit = outer->ttl;
	ip6h->saddr = addr[0];
	ip6h->daddr = addr[1];
	icmp = (struct icmp6hdr *)skb_transport_header(out);
	icmp->icmp6_type = map.type;
	icmp->icmp6_code = map.code;
	icmp->icmp6_cksum = 0;
	icmp->icmp6_dataun.un_data32[0] = htonl(map.rest);
	length = out->len - sizeof(*ip6h);
	icmp->icmp6_cksum = csum_ipv6_magic(&addr[0], &addr[1], length, IPPROTO_ICMPV6,
					    csum_partial(icmp, length, 0));
	out->mark = skb->mark;
	out->priority = skb->priority;
	return out;
}

static bool mm_read_quoted6(const struct sk_buff *skb, const struct mm_error *error,
			    struct ipv6hdr *ip6h, struct mm_quoted *quoted)
{
	int headers, at = sizeof(*ip6h);
	u8 next, head[8];

	if (skb_copy_bits(skb, error->quote, ip6h, sizeof(*ip6h)) || ip6h->version != 6)
		return false;
	*quoted = (struct mm_quoted){ .tos = ipv6_get_dsfield(ip6h), .ttl = ip6h->hop_limit };
	next = ip6h->nexthdr;
	for (headers = 0; headers < 8; headers++) {
		if (next != NEXTHDR_HOP && next != NEXTHDR_DEST && next != NEXTHDR_ROUTING &&
		    next != NEXTHDR_FRAGMENT)
			break;
		if (at + (int)sizeof(head) > error->quote_len ||
		    skb_copy_bits(skb, error->quote + at, head, sizeof(head)))
			return false;
		if (next == NEXTHDR_FRAGMENT) {
			quoted->fragment = true;
			quoted->offset = (head[2] << 8 | head[3]) >> 3;
			quoted->more = head[3] & 1;
			quoted->id = head[6] << 8 | head[7];
			at += 8;
		} else {
			at += (head[1] + 1) * 8;
		}
		next = head[0];
	}
	quoted->header = at;
	quoted->protocol = next;
	quoted->length = (int)ntohs(ip6h->payload_len) - (at - (int)sizeof(*ip6h));
	return quoted->length >= 0 && !quoted->offset && at <= error->quote_len &&
	       mm_quoted_ports(skb, error->quote + at, true, quoted);
}

/*
 * A router's Packet Too Big is about our own path: the route learns it, and later packets are
 * answered by us.
 */
static void mm_learn_mtu(struct mm_dev *mm, struct sk_buff *skb, const struct mm_error *error)
{
	if (!pskb_may_pull(skb, error->quote + sizeof(struct ipv6hdr)))
		return;
	__skb_pull(skb, error->quote);
	ip6_update_pmtu(skb, mm->net, error->rest, 0, skb->mark, INVALID_UID);
	__skb_push(skb, error->quote);
}

/*
 * An error that came in, from whomever, about a packet of ours: its inner source is our MAP address
 * with a port of our set (RFC 7597 s8.1). A new packet, or NULL when it was dropped and counted.
 * @at: where its ICMPv6 header is.
 */
struct sk_buff *mm_icmp_error_6to4(struct mm_dev *mm, const struct mm_rules *rules,
				   struct sk_buff *skb, int at)
{
	const struct ipv6hdr *outer = ipv6_hdr(skb);
	const struct mm_port none = {};
	const struct mm_edge *edge;
	struct ipv6hdr quoted6;
	struct mm_quoted quoted;
	struct mm_icmp_map map;
	struct mm_error error;
	struct icmphdr *icmp;
	struct iphdr *iph;
	struct sk_buff *out;
	struct in6_addr inner6[2];
	__be32 inner[2], source;
	int start, length, room, domain;

	if (!mm_read_error(skb, at, 4, 8, &error))
		return mm_refuse(mm, MM_DROP_HEADER, NULL);
	if (csum_ipv6_magic(&outer->saddr, &outer->daddr, skb->len - at, IPPROTO_ICMPV6,
			    skb_checksum(skb, at, skb->len - at, 0)))
		return mm_refuse(mm, MM_DROP_HEADER, NULL);
	if (!mm_icmp_map_6to4(error.type, error.code, ntohl(error.rest), &map))
		return mm_refuse(mm, MM_DROP_ICMP_TYPE, NULL);
	if (!mm_read_quoted6(skb, &error, &quoted6, &quoted) ||
	    mm_local_to_v4(rules, &quoted6.saddr, &inner[0], &edge, &domain) ||
	    (edge && !mm_in_set(edge, quoted.src)) ||
	    mm_remote_to_v4(rules, &quoted6.daddr, quoted.dst, domain, &inner[1]))
		return mm_refuse(mm, MM_DROP_ICMP_INNER, NULL);
	if (mm_remote_to_v4(rules, &outer->saddr, none, domain, &source))
		source = htonl(MM_DUMMY4);
	if (error.type == ICMPV6_PKT_TOOBIG) {
		map.rest = mm_mtu_6to4(ntohl(error.rest), mm_limit4(mm, &quoted6.daddr) + 20,
				       mm->dev->mtu);
		mm_learn_mtu(mm, skb, &error);
		outer = ipv6_hdr(skb);
	}

	out = alloc_skb(LL_MAX_HEADER + MM_ERROR4_MAX, GFP_ATOMIC);
	if (!out)
		return mm_refuse(mm, MM_DROP_MEMORY, NULL);
	skb_reserve(out, LL_MAX_HEADER);
	skb_reset_mac_header(out);
	skb_reset_network_header(out);
	skb_put(out, sizeof(*iph));
	skb_set_transport_header(out, out->len);
	skb_put(out, MM_ICMP_LEN);
	start = out->len;

	iph = skb_put_zero(out, sizeof(*iph));
	iph->version = 4;
	iph->ihl = 5;
	iph->tos = quoted.tos;
	iph->tot_len = htons(min(65535, quoted.length + (int)sizeof(*iph)));
	iph->id = htons(quoted.id);
	/* Whole packets of ours that are larger than this had DF, or they had been cut. */
	if (quoted.more)
		iph->frag_off = htons(IP_MF);
	else if (!quoted.fragment && quoted.length + sizeof(*iph) > MM_DF_LIMIT)
		iph->frag_off = htons(IP_DF);
	iph->ttl = quoted.ttl;
	iph->protocol = quoted.protocol == IPPROTO_ICMPV6 ? IPPROTO_ICMP : quoted.protocol;
	iph->saddr = inner[0];
	iph->daddr = inner[1];
	iph->check = ip_fast_csum(iph, 5);
	inner6[0] = quoted6.saddr;
	inner6[1] = quoted6.daddr;
	room = MM_ERROR4_MAX - out->len;
	length = mm_copy_quoted(skb, &error, &quoted, skb_tail_pointer(out), room, inner6,
				sizeof(inner6), inner, sizeof(inner));
	if (length < 0)
		return mm_refuse(mm, MM_DROP_ICMP_INNER, out);
	skb_put(out, length);
	if (map.extensions) {
		length = mm_append_extension(skb, &error, out, start, MM_ERROR4_MAX, 4);
		if (length < 0)
			return mm_refuse(mm, MM_DROP_HEADER, out);
		map.rest = (u32)length << 16;
	}

	iph = ip_hdr(out);
	memset(iph, 0, sizeof(*iph));
	iph->version = 4;
	iph->ihl = 5;
	iph->tos = ipv6_get_dsfield(outer);
	iph->tot_len = htons(out->len);
	iph->ttl = outer->hop_limit;
	iph->protocol = IPPROTO_ICMP;
	iph->saddr = source;
	iph->daddr = inner[0];
	__ip_select_ident(mm->net, iph, 1);
	iph->check = ip_fast_csum(iph, 5);
	icmp = icmp_hdr(out);
	icmp->type = map.type;
	icmp->code = map.code;
	icmp->checksum = 0;
	icmp->un.gateway = htonl(map.rest);
	icmp->checksum = csum_fold(csum_partial(icmp, out->len - sizeof(*iph), 0));
	out->mark = skb->mark;
	out->priority = skb->priority;
	return out;
}
