/* SPDX-License-Identifier: GPL-2.0-only */
/* Transport headers: ports, and the checksum that covers the addresses. */
#ifndef MAPMINT_TRANSPORT_H
#define MAPMINT_TRANSPORT_H

#include <net/checksum.h>

#include "core/direction.h"
#include "core/packet.h"
#include "core/portset.h"
#include "core/verdict.h"

/* The ports of both ends. Of an echo, both are its id. */
struct mm_ports {
	struct mm_port src;
	struct mm_port dst;
};

struct mm_verdict mm_read_ports(const struct mm_packet *packet, unsigned int at, u8 protocol,
				enum mm_family family, struct mm_ports *ports);
unsigned int mm_check_offset(u8 protocol);
__sum16 mm_nonzero(u8 protocol, __sum16 check);

/* The sum of the addresses of a pseudo-header. The compiler knows @octets: no call, no loop. */
static __always_inline __wsum mm_sum(const void *addresses, int octets)
{
	const u32 *word = addresses;
	u64 sum = 0;
	int i;

	for (i = 0; i < octets / 4; i++)
		sum += word[i];
	sum = (sum & 0xffffffff) + (sum >> 32);
	return (__force __wsum)((u32)sum + (u32)(sum >> 32));
}

/* A checksum whose pseudo-header changes from one pair of addresses to another (RFC 1624). */
static __always_inline __sum16 mm_replace_pseudo(__sum16 check, const void *from, int from_len,
						 const void *to, int to_len)
{
	__wsum sum = ~csum_unfold(check);

	sum = csum_sub(sum, mm_sum(from, from_len));
	return csum_fold(csum_add(sum, mm_sum(to, to_len)));
}

#endif
