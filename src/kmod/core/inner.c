// SPDX-License-Identifier: GPL-2.0-only
/* The IPv4 packet that a tunnel carries: its ends, and what else rules ask for. */
#include <linux/icmp.h>
#include <linux/ip.h>
#include <net/ip.h>

#include "core/tunnel.h"

/* Octets of a transport header up to the end of the ports, or of the id. */
#define MM_PORT_OCTETS 4
#define MM_ID_OCTETS 8

/* Ports, or the id of an echo. */
static int mm_inner_ports(const struct mm_packet *packet, unsigned int at, struct mm_inner *inner)
{
	const __be16 *word = (const __be16 *)(packet->head + at);
	bool icmp = inner->protocol == IPPROTO_ICMP;
	unsigned int least = icmp ? MM_ID_OCTETS : MM_PORT_OCTETS;
	u8 type;

	if (!icmp && inner->protocol != IPPROTO_TCP && inner->protocol != IPPROTO_UDP)
		return 0;
	if (at + least > packet->len)
		return MM_DROP_HEADER;
	if (at + least > packet->head_len)
		return MM_XLAT_MORE;
	if (!icmp) {
		inner->sport = (struct mm_port){ ntohs(word[0]), true };
		inner->dport = (struct mm_port){ ntohs(word[1]), true };
		return 0;
	}
	type = packet->head[at];
	inner->error = mm_is_icmp_error4(type);
	if (type == ICMP_ECHO || type == ICMP_ECHOREPLY) {
		inner->sport = (struct mm_port){ ntohs(word[2]), true };
		inner->dport = inner->sport;
	}
	return 0;
}

static int mm_inner_header(const struct mm_packet *packet, unsigned int at, bool quoted,
			   struct mm_inner *inner, unsigned int *transport)
{
	const struct iphdr *iph = (const struct iphdr *)(packet->head + at);

	*inner = (struct mm_inner){};
	if (at + sizeof(*iph) > packet->len)
		return MM_DROP_HEADER;
	if (at + sizeof(*iph) > packet->head_len)
		return MM_XLAT_MORE;
	if (iph->version != 4 || iph->ihl < 5)
		return MM_DROP_HEADER;
	inner->length = ntohs(iph->tot_len);
	/* A super-packet is longer than the field can tell. */
	if (packet->len - at > 65535)
		inner->length = packet->len - at;
	*transport = at + iph->ihl * 4;
	if (*transport > packet->len || inner->length < iph->ihl * 4U ||
	    (!quoted && inner->length > packet->len - at))
		return MM_DROP_HEADER;
	inner->saddr = iph->saddr;
	inner->daddr = iph->daddr;
	inner->tos = iph->tos;
	inner->ttl = iph->ttl;
	inner->protocol = iph->protocol;
	inner->df = iph->frag_off & htons(IP_DF);
	inner->later = iph->frag_off & htons(IP_OFFSET);
	inner->fragment = iph->frag_off & htons(IP_OFFSET | IP_MF);
	return 0;
}

/* An error is of the flow that it quotes, which went the other way. */
static int mm_inner_error(const struct mm_packet *packet, unsigned int at, struct mm_inner *inner)
{
	unsigned int transport;
	struct mm_inner quote;
	int error;

	error = mm_inner_header(packet, at, true, &quote, &transport);
	if (!error && !quote.later)
		error = mm_inner_ports(packet, transport, &quote);
	if (error == MM_XLAT_MORE)
		return error;
	/* What cannot be read names nobody. */
	if (error || quote.error)
		return 0;
	if (quote.daddr == inner->saddr)
		inner->sport = quote.dport;
	if (quote.saddr == inner->daddr)
		inner->dport = quote.sport;
	return 0;
}

/*
 * Reads the IPv4 packet at @at. @quoted: it may be cut short, because an error quotes it. 0,
 * MM_DROP_HEADER, or MM_XLAT_MORE where more of the packet has to be shown.
 */
int mm_read_inner(const struct mm_packet *packet, unsigned int at, bool quoted,
		  struct mm_inner *inner)
{
	unsigned int transport;
	int error;

	error = mm_inner_header(packet, at, quoted, inner, &transport);
	if (error || inner->later)
		return error;
	error = mm_inner_ports(packet, transport, inner);
	if (error || !inner->error || inner->fragment)
		return error;
	return mm_inner_error(packet, transport + MM_ID_OCTETS, inner);
}

/*
 * RFC 791 s3.1: of options, those with the highest bit are in all pieces of a packet, others in the
 * first alone. Puts octets without meaning in the place of these.
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
