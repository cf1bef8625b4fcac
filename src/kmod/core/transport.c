// SPDX-License-Identifier: GPL-2.0-only
/* Transport headers: ports, and the checksum that covers the addresses. */
#include <linux/dccp.h>
#include <linux/icmp.h>
#include <linux/in.h>
#include <linux/kernel.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/checksum.h>

#include "core/transport.h"

/* Where a transport header has a checksum over a pseudo-header; 0: it has none. */
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

static bool mm_is_icmp(u8 protocol, enum mm_family family)
{
	return protocol == (family == MM_IPV6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
}

/* The octets of a transport header that must be there. */
static unsigned int mm_least(u8 protocol, enum mm_family family)
{
	if (mm_is_icmp(protocol, family))
		return sizeof(struct icmphdr);
	if (protocol == IPPROTO_TCP)
		return sizeof(struct tcphdr);
	return mm_check_offset(protocol) ? sizeof(struct udphdr) : 0;
}

/* Dropped: the header is cut short. Of other protocols no port is known. */
struct mm_verdict mm_read_ports(const struct mm_packet *packet, unsigned int at, u8 protocol,
				enum mm_family family, struct mm_ports *ports)
{
	unsigned int least = mm_least(protocol, family);
	const __be16 *word = (const __be16 *)(packet->head + at);

	*ports = (struct mm_ports){};
	if (at + least > packet->len)
		return mm_drop(MM_DROP_HEADER);
	if (at + least > packet->head_len)
		return mm_outcome(MM_SHOW_MORE);
	if (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP) {
		ports->src = (struct mm_port){ ntohs(word[0]), true };
		ports->dst = (struct mm_port){ ntohs(word[1]), true };
	} else if (mm_is_icmp(protocol, family)) {
		ports->src = (struct mm_port){ ntohs(word[2]), true };
		ports->dst = ports->src;
	}
	return mm_pass();
}

/* RFC 768, RFC 3828 s3.1: a checksum of 0 would say that there is none, so all ones are sent. */
__sum16 mm_nonzero(u8 protocol, __sum16 check)
{
	if ((protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE) && !check)
		return CSUM_MANGLED_0;
	return check;
}
