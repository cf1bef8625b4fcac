// SPDX-License-Identifier: GPL-2.0-only
/* ICMP errors from IPv6 to IPv4, with the packet that they quote (RFC 7915 s5.2, s5.3). */
#include <linux/errno.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <net/checksum.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ipv6.h>

#include "core/errors.h"
#include "core/extension.h"
#include "core/icmp_map.h"
#include "core/quote.h"
#include "core/xlat.h"

static bool mm_read_quoted6(const struct mm_error *error, struct ipv6hdr *ip6h,
			    struct mm_quoted *quoted)
{
	unsigned int at = sizeof(*ip6h);
	int headers;
	u8 next;

	if (error->quote_len < at)
		return false;
	memcpy(ip6h, error->quote, sizeof(*ip6h));
	if (ip6h->version != 6)
		return false;
	*quoted = (struct mm_quoted){
		.tos = ntohl(*(const __be32 *)ip6h) >> 20,
		.ttl = ip6h->hop_limit,
	};
	next = ip6h->nexthdr;
	for (headers = 0; headers < MM_MOST_HEADERS; headers++) {
		const u8 *head = error->quote + at;

		if (quoted->offset)
			break;
		if (next != NEXTHDR_HOP && next != NEXTHDR_DEST && next != NEXTHDR_ROUTING &&
		    next != NEXTHDR_FRAGMENT && (next != NEXTHDR_AUTH || !quoted->fragment))
			break;
		/* s5.1.1: behind a Fragment Header none of these is allowed. */
		if (quoted->fragment)
			return false;
		if (at + 8 > error->quote_len)
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
	if (headers == MM_MOST_HEADERS)
		return false;
	quoted->header = at;
	quoted->protocol = next;
	quoted->length = (int)ntohs(ip6h->payload_len) - (int)(at - sizeof(*ip6h));
	return quoted->length >= 0 && at <= error->quote_len &&
	       mm_quoted_ports(error, MM_IPV6, quoted);
}

static void mm_write_quoted4(struct mm_writer *w, const struct mm_quoted *quoted,
			     const __be32 *addr)
{
	int length = min_t(int, 65535, quoted->length + (int)sizeof(struct iphdr));
	struct iphdr iph = {
		.version = 4,
		.ihl = 5,
		.tos = quoted->tos,
		.tot_len = htons(length),
		.id = htons(quoted->id),
		.ttl = quoted->ttl,
		.protocol = quoted->protocol == IPPROTO_ICMPV6 ? IPPROTO_ICMP : quoted->protocol,
		.saddr = addr[0],
		.daddr = addr[1],
	};

	/* A whole packet of ours that is larger than this had DF, else it would have been cut. */
	if (quoted->fragment)
		iph.frag_off = htons(quoted->offset | (quoted->more ? IP_MF : 0));
	else if (length > MM_DF_LIMIT)
		iph.frag_off = htons(IP_DF);
	iph.check = ip_fast_csum(&iph, 5);
	memcpy(w->out + w->len, &iph, sizeof(iph));
	w->len += sizeof(iph);
}

static void mm_finish4(struct mm_writer *w, const struct ipv6hdr *outer, __be32 source,
		       __be32 destination, const struct mm_icmp_map *map)
{
	struct iphdr *iph = (struct iphdr *)w->out;
	struct icmphdr *icmp = (struct icmphdr *)(iph + 1);

	memset(iph, 0, sizeof(*iph));
	iph->version = 4;
	iph->ihl = 5;
	iph->tos = ntohl(*(const __be32 *)outer) >> 20;
	iph->tot_len = htons(w->len);
	iph->ttl = outer->hop_limit;
	iph->protocol = IPPROTO_ICMP;
	iph->saddr = source;
	iph->daddr = destination;
	iph->check = ip_fast_csum(iph, 5);
	icmp->type = map->type;
	icmp->code = map->code;
	icmp->checksum = 0;
	icmp->un.gateway = htonl(map->rest);
	icmp->checksum = csum_fold(csum_partial(icmp, w->len - sizeof(*iph), 0));
}

/*
 * An error that came in, from anybody, about a packet of ours: the quoted source is our MAP address
 * with a port of our set (RFC 7597 s8.1). An error about ordinary IPv6 is ordinary itself. The new
 * packet's identification is 0: it will not be cut.
 */
struct mm_verdict mm_error6(const struct mm_env *env, const u8 *in, unsigned int len, u8 *out,
			    unsigned int *out_len)
{
	const struct ipv6hdr *outer = (const struct ipv6hdr *)in;
	struct mm_packet packet = { .head = in, .head_len = len, .len = len };
	struct mm_writer w = { .out = out, .limit = MM_ERROR4_MAX };
	const struct mm_rules *rules = env->rules;
	const struct mm_port any = { .any = true };
	const struct mm_edge *edge;
	struct in6_addr inner6[2];
	struct mm_quoted quoted;
	struct mm_icmp_map map;
	struct mm_error error;
	struct ipv6hdr quoted6;
	__be32 inner[2], source;
	unsigned int at;
	int domain, found;
	u8 next;

	if (!mm_passes(mm_skip_extensions(&packet, &next, &at)))
		return mm_drop(MM_DROP_HEADER);
	if (next == NEXTHDR_FRAGMENT)
		at += sizeof(struct frag_hdr);
	if (!mm_read_error(in, len, at, MM_IPV6, &error))
		return mm_drop(MM_DROP_HEADER);
	if (csum_ipv6_magic(&outer->saddr, &outer->daddr, len - at, IPPROTO_ICMPV6,
			    csum_partial(in + at, len - at, 0)))
		return mm_drop(MM_DROP_HEADER);
	if (!mm_read_quoted6(&error, &quoted6, &quoted) ||
	    mm_local_to_v4(rules, &quoted6.saddr, &inner[0], &edge, &domain))
		return mm_drop(MM_DROP_ICMP_INNER);
	found = mm_remote_to_v4(rules, &quoted6.daddr, quoted.dst, domain, &inner[1]);
	if (found == -ENOENT)
		return mm_outcome(MM_ORDINARY);
	if (found || !mm_takes(rules, edge, &quoted6.saddr, quoted.src))
		return mm_drop(MM_DROP_ICMP_INNER);
	if (!mm_icmp_map_6to4(error.type, error.code, ntohl(error.rest), &map))
		return mm_drop(MM_DROP_ICMP_TYPE);
	if (mm_remote_to_v4(rules, &outer->saddr, any, domain, &source))
		source = htonl(MM_DUMMY4);
	if (error.type == ICMPV6_PKT_TOOBIG)
		map.rest = mm_mtu_6to4(ntohl(error.rest), env->mtu6(env, &quoted6.daddr),
				       env->mtu4);
	inner6[0] = quoted6.saddr;
	inner6[1] = quoted6.daddr;
	w.start = sizeof(struct iphdr) + MM_ICMP_LEN;
	w.len = w.start;
	mm_write_quoted4(&w, &quoted, inner);
	mm_copy_quoted(&w, &error, &quoted, inner, inner6, MM_IPV4);
	if (map.extensions)
		map.rest = mm_append_extension(&w, &error, MM_IPV4) << 16;
	mm_finish4(&w, outer, source, inner[0], &map);
	*out_len = w.len;
	return mm_pass();
}
