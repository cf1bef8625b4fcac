// SPDX-License-Identifier: GPL-2.0-only
/*
 * ICMP errors, with the packet they quote (RFC 7915 s4.2, s4.3, s5.2, s5.3). An error is a packet
 * of its own: it is built anew, because nearly all of it changes and none of it is bulk. Knows no
 * socket buffer.
 */
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
	const u8 *quote;
	unsigned int quote_len;
	const u8 *extension;
	unsigned int extension_len;
};

/* The quoted packet, as far as it is there. @header: octets before its transport header. */
struct mm_quoted {
	struct mm_port src;
	struct mm_port dst;
	unsigned int header;
	int length;
	u8 protocol;
	u8 tos;
	u8 ttl;
	u32 id;
	u16 offset;
	bool fragment;
	bool more;
};

/* What is written: octets up to @limit, and where the quoted packet begins. */
struct mm_writer {
	u8 *out;
	unsigned int len;
	unsigned int start;
	unsigned int limit;
};

/* @at: where the ICMP header is. @length_octet, @unit: RFC 4884's length and what it counts in. */
static bool mm_read_error(const u8 *in, unsigned int len, unsigned int at, int length_octet,
			  int unit, struct mm_error *error)
{
	const u8 *head = in + at;
	unsigned int length;

	if (at + MM_ICMP_LEN > len)
		return false;
	error->type = head[0];
	error->code = head[1];
	memcpy(&error->rest, head + 4, 4);
	error->quote = head + MM_ICMP_LEN;
	error->quote_len = len - at - MM_ICMP_LEN;
	error->extension_len = 0;
	length = head[length_octet] * unit;
	/* RFC 4884 s4: of ICMPv6 these have one; in others the octet is of an MTU or a pointer. */
	if (unit == 8 && error->type != ICMPV6_DEST_UNREACH && error->type != ICMPV6_TIME_EXCEED)
		length = 0;
	if (length >= MM_QUOTE_MIN && length < error->quote_len) {
		error->extension = error->quote + length;
		error->extension_len = error->quote_len - length;
		error->quote_len = length;
	}
	return true;
}

/* Ports, or the id of an echo; other ICMP is not something that errors are sent for. */
static bool mm_quoted_ports(const struct mm_error *error, bool v6, struct mm_quoted *quoted)
{
	const u8 *at = error->quote + quoted->header;
	unsigned int left = error->quote_len - quoted->header;
	bool icmp = quoted->protocol == (v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);

	/* s1.2: ICMP in fragments is not translated, so nothing of it was ours; nor the other's. */
	if (icmp && (quoted->offset || quoted->more))
		return false;
	if (quoted->protocol == (v6 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		return false;
	/* A later fragment has no ports: it is ours where none are asked for. */
	if (quoted->offset)
		return true;
	if (quoted->protocol == IPPROTO_TCP || quoted->protocol == IPPROTO_UDP) {
		if (left < 4)
			return false;
		quoted->src = (struct mm_port){ at[0] << 8 | at[1], true };
		quoted->dst = (struct mm_port){ at[2] << 8 | at[3], true };
	} else if (icmp) {
		if (left < MM_ICMP_LEN)
			return false;
		if (v6 ? at[0] != ICMPV6_ECHO_REQUEST && at[0] != ICMPV6_ECHO_REPLY :
			 at[0] != ICMP_ECHO && at[0] != ICMP_ECHOREPLY)
			return false;
		quoted->src = (struct mm_port){ at[4] << 8 | at[5], true };
		quoted->dst = quoted->src;
	}
	return true;
}

/* The sum of ICMPv6's pseudo-header (RFC 4443 s2.3) between two addresses that lie in a row. */
static __wsum mm_pseudo6(const struct in6_addr *address, unsigned int length)
{
	return csum_unfold(~csum_ipv6_magic(&address[0], &address[1], length, IPPROTO_ICMPV6, 0));
}

/* Type and code are one word; the pseudo-header is IPv6's alone. */
static void mm_quoted_echo(u8 *to, const struct mm_quoted *quoted, const struct in6_addr *addr6,
			   bool to_v6)
{
	__sum16 check;
	__wsum sum;

	memcpy(&check, to + 2, sizeof(check));
	sum = ~csum_unfold(check);
	sum = csum_sub(sum, csum_partial(to, 2, 0));
	if (to_v6)
		to[0] = to[0] == ICMP_ECHO ? ICMPV6_ECHO_REQUEST : ICMPV6_ECHO_REPLY;
	else
		to[0] = to[0] == ICMPV6_ECHO_REQUEST ? ICMP_ECHO : ICMP_ECHOREPLY;
	sum = csum_add(sum, csum_partial(to, 2, 0));
	if (to_v6)
		sum = csum_add(sum, mm_pseudo6(addr6, quoted->length));
	else
		sum = csum_sub(sum, mm_pseudo6(addr6, quoted->length));
	check = csum_fold(sum);
	memcpy(to + 2, &check, sizeof(check));
}

/*
 * Copies the quoted transport header and what follows, and makes its checksum fit the other
 * addresses.
 */
static void mm_copy_quoted(struct mm_writer *w, const struct mm_error *error,
			   const struct mm_quoted *quoted, const __be32 *addr4,
			   const struct in6_addr *addr6, bool to_v6)
{
	unsigned int length = min(error->quote_len - quoted->header, w->limit - w->len);
	unsigned int offset = mm_check_offset(quoted->protocol);
	u8 *to = w->out + w->len;
	__sum16 check;

	memcpy(to, error->quote + quoted->header, length);
	w->len += length;
	if (quoted->protocol == (to_v6 ? IPPROTO_ICMP : IPPROTO_ICMPV6)) {
		mm_quoted_echo(to, quoted, addr6, to_v6);
		return;
	}
	if (!offset || quoted->offset || offset + sizeof(check) > length)
		return;
	memcpy(&check, to + offset, sizeof(check));
	/* A UDP checksum that was not computed stays so: the quote is for recognition. */
	if (quoted->protocol == IPPROTO_UDP && !check)
		return;
	if (to_v6)
		check = mm_replace_pseudo(check, addr4, 8, addr6, 32);
	else
		check = mm_replace_pseudo(check, addr6, 32, addr4, 8);
	check = mm_nonzero(quoted->protocol, check);
	memcpy(to + offset, &check, sizeof(check));
}

/*
 * RFC 4884 s4, RFC 7915 s4.2: the extensions follow the quoted packet, which is cut or padded to
 * whole units of 8 octets (4 in IPv4). The length in units, or 0 when there are none, or no room
 * for them.
 */
static u32 mm_append_extension(struct mm_writer *w, const struct mm_error *error, unsigned int unit)
{
	unsigned int room = w->limit - w->start;
	unsigned int length = w->len - w->start;
	unsigned int padded = max_t(unsigned int, round_up(length, unit), MM_QUOTE_MIN);

	if (!error->extension_len || error->extension_len + MM_QUOTE_MIN > room)
		return 0;
	if (padded + error->extension_len > room)
		padded = round_down(room - error->extension_len, unit);
	if (padded > length)
		memset(w->out + w->len, 0, padded - length);
	w->len = w->start + padded;
	memcpy(w->out + w->len, error->extension, error->extension_len);
	w->len += error->extension_len;
	return padded / unit;
}

static bool mm_read_quoted4(const struct mm_error *error, struct mm_quoted *quoted)
{
	struct iphdr iph;

	if (error->quote_len < sizeof(iph))
		return false;
	memcpy(&iph, error->quote, sizeof(iph));
	if (iph.version != 4 || iph.ihl < 5)
		return false;
	*quoted = (struct mm_quoted){
		.header = iph.ihl * 4,
		.length = (int)ntohs(iph.tot_len) - iph.ihl * 4,
		.protocol = iph.protocol,
		.tos = iph.tos,
		.ttl = iph.ttl,
		.id = ntohs(iph.id),
		.offset = ntohs(iph.frag_off) & IP_OFFSET,
		.more = iph.frag_off & htons(IP_MF),
	};
	quoted->fragment = quoted->offset || quoted->more;
	return quoted->length >= 0 && quoted->header <= error->quote_len &&
	       mm_quoted_ports(error, false, quoted);
}

static void mm_write_quoted6(struct mm_writer *w, const struct mm_quoted *quoted,
			     const struct in6_addr *addr)
{
	u8 next = quoted->protocol == IPPROTO_ICMP ? IPPROTO_ICMPV6 : quoted->protocol;
	struct ipv6hdr ip6h = {};
	struct frag_hdr fh = {};

	*(__be32 *)&ip6h = htonl(6U << 28 | (u32)quoted->tos << 20);
	ip6h.payload_len = htons(min_t(int, 65535, quoted->length + (quoted->fragment ? 8 : 0)));
	ip6h.nexthdr = quoted->fragment ? NEXTHDR_FRAGMENT : next;
	ip6h.hop_limit = quoted->ttl;
	ip6h.saddr = addr[0];
	ip6h.daddr = addr[1];
	memcpy(w->out + w->len, &ip6h, sizeof(ip6h));
	w->len += sizeof(ip6h);
	if (!quoted->fragment)
		return;
	fh.nexthdr = next;
	fh.frag_off = htons(quoted->offset << 3 | quoted->more);
	fh.identification = htonl(quoted->id);
	memcpy(w->out + w->len, &fh, sizeof(fh));
	w->len += sizeof(fh);
}

static void mm_finish6(struct mm_writer *w, const struct iphdr *outer, const struct in6_addr *addr,
		       const struct mm_icmp_map *map)
{
	unsigned int length = w->len - sizeof(struct ipv6hdr);
	struct ipv6hdr *ip6h = (struct ipv6hdr *)w->out;
	struct icmp6hdr *icmp = (struct icmp6hdr *)(ip6h + 1);

	*(__be32 *)ip6h = htonl(6U << 28 | (u32)outer->tos << 20);
	ip6h->payload_len = htons(length);
	ip6h->nexthdr = IPPROTO_ICMPV6;
	ip6h->hop_limit = outer->ttl;
	ip6h->saddr = addr[0];
	ip6h->daddr = addr[1];
	icmp->icmp6_type = map->type;
	icmp->icmp6_code = map->code;
	icmp->icmp6_cksum = 0;
	icmp->icmp6_dataun.un_data32[0] = htonl(map->rest);
	icmp->icmp6_cksum = csum_ipv6_magic(&addr[0], &addr[1], length, IPPROTO_ICMPV6,
					    csum_partial(icmp, length, 0));
}

/*
 * An error that leaves us, about a packet that came in: its inner source is the remote end, its
 * inner destination is ours. MM_XLAT_OK, or why it is dropped.
 */
int mm_error4(const struct mm_env *env, const u8 *in, unsigned int len, u8 *out,
	      unsigned int *out_len)
{
	const struct iphdr *outer = (const struct iphdr *)in;
	struct mm_writer w = { .out = out, .limit = MM_ERROR6_MAX };
	const struct mm_rules *rules = env->rules;
	struct in6_addr addr[2], inner[2];
	unsigned int at = outer->ihl * 4;
	const struct mm_edge *edge;
	struct mm_quoted quoted;
	struct mm_icmp_map map;
	struct mm_error error;
	__be32 inner4[2];
	int domain;

	if (!mm_read_error(in, len, at, 5, 4, &error))
		return MM_DROP_HEADER;
	/* The checksum is made anew: a damaged error must not become a good one. */
	if (csum_fold(csum_partial(in + at, len - at, 0)))
		return MM_DROP_HEADER;
	if (!mm_icmp_map_4to6(error.type, error.code, ntohl(error.rest) >> 24, &map))
		return MM_DROP_ICMP_TYPE;
	if (!mm_read_quoted4(&error, &quoted))
		return MM_DROP_ICMP_INNER;
	memcpy(inner4, error.quote + offsetof(struct iphdr, saddr), sizeof(inner4));
	if (mm_local_to_v6(rules, inner4[1], quoted.dst, &inner[1], &edge, &domain) ||
	    mm_remote_to_v6(rules, inner4[0], quoted.src, domain, &inner[0]) ||
	    mm_local_to_v6(rules, outer->saddr, quoted.dst, &addr[0], &edge, &domain) ||
	    mm_remote_to_v6(rules, outer->daddr, quoted.src, domain, &addr[1]))
		return MM_DROP_ICMP_INNER;
	if (map.type == ICMPV6_PKT_TOOBIG)
		map.rest = mm_mtu_4to6(ntohl(error.rest) & 0xffff, quoted.header + quoted.length,
				       env->mtu6(env, &addr[1]), env->mtu4);
	w.start = sizeof(struct ipv6hdr) + MM_ICMP_LEN;
	w.len = w.start;
	mm_write_quoted6(&w, &quoted, inner);
	mm_copy_quoted(&w, &error, &quoted, inner4, inner, true);
	if (map.extensions)
		map.rest = mm_append_extension(&w, &error, 8) << 24;
	mm_finish6(&w, outer, addr, &map);
	*out_len = w.len;
	return MM_XLAT_OK;
}

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
		/* s5.1.1: none of these behind a Fragment Header, but what is no header there. */
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
	       mm_quoted_ports(error, true, quoted);
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

	/* Whole packets of ours that are larger than this had DF, or they had been cut. */
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
 * An error that came in, from whomever, about a packet of ours: its inner source is our MAP address
 * with a port of our set (RFC 7597 s8.1). MM_XLAT_OK, MM_XLAT_PASS where it is about ordinary IPv6,
 * or why it is dropped. The identification is 0: it is not cut.
 */
int mm_error6(const struct mm_env *env, const u8 *in, unsigned int len, u8 *out,
	      unsigned int *out_len)
{
	const struct ipv6hdr *outer = (const struct ipv6hdr *)in;
	struct mm_packet packet = { .head = in, .head_len = len, .len = len };
	struct mm_writer w = { .out = out, .limit = MM_ERROR4_MAX };
	const struct mm_rules *rules = env->rules;
	const struct mm_port any = { .any = true };
	const struct mm_edge *edge;
	struct in6_addr inner6[2];
	struct mm_answer unused;
	struct mm_quoted quoted;
	struct mm_icmp_map map;
	struct mm_error error;
	struct ipv6hdr quoted6;
	__be32 inner[2], source;
	unsigned int at;
	int domain, found;
	u8 next;

	if (mm_skip_extensions(&packet, &next, &at, &unused))
		return MM_DROP_HEADER;
	if (next == NEXTHDR_FRAGMENT)
		at += sizeof(struct frag_hdr);
	if (!mm_read_error(in, len, at, 4, 8, &error))
		return MM_DROP_HEADER;
	if (csum_ipv6_magic(&outer->saddr, &outer->daddr, len - at, IPPROTO_ICMPV6,
			    csum_partial(in + at, len - at, 0)))
		return MM_DROP_HEADER;
	if (!mm_read_quoted6(&error, &quoted6, &quoted) ||
	    mm_local_to_v4(rules, &quoted6.saddr, &inner[0], &edge, &domain))
		return MM_DROP_ICMP_INNER;
	found = mm_remote_to_v4(rules, &quoted6.daddr, quoted.dst, domain, &inner[1]);
	if (found == -ENOENT)
		return MM_XLAT_PASS;
	if (found || !mm_takes(rules, edge, &quoted6.saddr, quoted.src))
		return MM_DROP_ICMP_INNER;
	if (!mm_icmp_map_6to4(error.type, error.code, ntohl(error.rest), &map))
		return MM_DROP_ICMP_TYPE;
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
	mm_copy_quoted(&w, &error, &quoted, inner, inner6, false);
	if (map.extensions)
		map.rest = mm_append_extension(&w, &error, 4) << 16;
	mm_finish4(&w, outer, source, inner[0], &map);
	*out_len = w.len;
	return MM_XLAT_OK;
}
