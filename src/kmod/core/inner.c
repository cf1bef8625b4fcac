// SPDX-License-Identifier: GPL-2.0-only
/* The IPv4 packet that a tunnel carries: its ends, and what else rules ask for. */
#include <linux/icmp.h>
#include <linux/ip.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <net/ip.h>

#include "core/icmp_map.h"
#include "core/inner.h"

/* The octets of a transport header up to the end of the ports, or of the id. */
#define MM_PORT_OCTETS 4
#define MM_ID_OCTETS 8

/* Reads the ports, or the id of an echo. */
static struct mm_verdict mm_inner_ports(const struct mm_packet *packet, unsigned int at,
					struct mm_inner *inner)
{
	const __be16 *word = (const __be16 *)(packet->head + at);
	bool icmp = inner->protocol == IPPROTO_ICMP;
	unsigned int least = icmp ? MM_ID_OCTETS : MM_PORT_OCTETS;
	u8 type;

	if (!icmp && inner->protocol != IPPROTO_TCP && inner->protocol != IPPROTO_UDP)
		return mm_pass();
	if (at + least > packet->len)
		return mm_drop(MM_DROP_HEADER);
	if (at + least > packet->head_len)
		return mm_outcome(MM_SHOW_MORE);
	if (!icmp) {
		inner->sport = (struct mm_port){ ntohs(word[0]), true };
		inner->dport = (struct mm_port){ ntohs(word[1]), true };
		return mm_pass();
	}
	type = packet->head[at];
	inner->error = mm_is_icmp_error4(type);
	if (type == ICMP_ECHO || type == ICMP_ECHOREPLY) {
		inner->sport = (struct mm_port){ ntohs(word[2]), true };
		inner->dport = inner->sport;
	}
	return mm_pass();
}

static struct mm_verdict mm_inner_header(const struct mm_packet *packet, unsigned int at,
					 bool quoted, struct mm_inner *inner,
					 unsigned int *transport)
{
	const struct iphdr *iph = (const struct iphdr *)(packet->head + at);

	*inner = (struct mm_inner){};
	if (at + sizeof(*iph) > packet->len)
		return mm_drop(MM_DROP_HEADER);
	if (at + sizeof(*iph) > packet->head_len)
		return mm_outcome(MM_SHOW_MORE);
	if (iph->version != 4 || iph->ihl < 5)
		return mm_drop(MM_DROP_HEADER);
	inner->length = ntohs(iph->tot_len);
	/* A super-packet is longer than the field can tell. */
	if (packet->len - at > 65535)
		inner->length = packet->len - at;
	*transport = at + iph->ihl * 4;
	if (*transport > packet->len || inner->length < iph->ihl * 4U ||
	    (!quoted && inner->length > packet->len - at))
		return mm_drop(MM_DROP_HEADER);
	inner->saddr = iph->saddr;
	inner->daddr = iph->daddr;
	inner->tos = iph->tos;
	inner->ttl = iph->ttl;
	inner->protocol = iph->protocol;
	inner->df = iph->frag_off & htons(IP_DF);
	inner->later = iph->frag_off & htons(IP_OFFSET);
	inner->fragment = iph->frag_off & htons(IP_OFFSET | IP_MF);
	return mm_pass();
}

/* An error belongs to the flow that it quotes, which went the other way. */
static struct mm_verdict mm_inner_error(const struct mm_packet *packet, unsigned int at,
					struct mm_inner *inner)
{
	struct mm_verdict verdict;
	unsigned int transport;
	struct mm_inner quote;

	verdict = mm_inner_header(packet, at, true, &quote, &transport);
	if (mm_passes(verdict) && !quote.later)
		verdict = mm_inner_ports(packet, transport, &quote);
	if (verdict.outcome == MM_SHOW_MORE)
		return verdict;
	/* A quote that cannot be read names nobody. */
	if (!mm_passes(verdict) || quote.error)
		return mm_pass();
	if (quote.daddr == inner->saddr)
		inner->sport = quote.dport;
	if (quote.saddr == inner->daddr)
		inner->dport = quote.sport;
	return mm_pass();
}

/* Reads the IPv4 packet at @at. @quoted: it may be cut short, because an error quotes it. */
struct mm_verdict mm_read_inner(const struct mm_packet *packet, unsigned int at, bool quoted,
				struct mm_inner *inner)
{
	struct mm_verdict verdict;
	unsigned int transport;

	verdict = mm_inner_header(packet, at, quoted, inner, &transport);
	if (!mm_passes(verdict) || inner->later)
		return verdict;
	verdict = mm_inner_ports(packet, transport, inner);
	if (!mm_passes(verdict) || !inner->error || inner->fragment)
		return verdict;
	return mm_inner_error(packet, transport + MM_ID_OCTETS, inner);
}

/*
 * RFC 791 s3.1: options with the highest bit are in all pieces of a packet, other options only in
 * the first. Overwrites these others with options that mean nothing.
 */
void mm_blank_options(u8 *option, unsigned int left)
{
	unsigned int length;

	for (; left && *option != IPOPT_END; option += length, left -= length) {
		length = 1;
		if (*option == IPOPT_NOOP)
			continue;
		if (left < 2 || option[1] < 2 || option[1] > left)
			return;
		length = option[1];
		if (!(*option & IPOPT_COPY))
			memset(option, IPOPT_NOOP, length);
	}
}
