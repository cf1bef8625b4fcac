/* SPDX-License-Identifier: GPL-2.0-only */
/* What the core is shown of a packet. */
#ifndef MAPMINT_PACKET_H
#define MAPMINT_PACKET_H

#include <linux/types.h>

/* A packet in several pieces is shown up to here. */
#define MM_HEAD 128

struct mm_packet {
	/* From the IP header on, aligned as one. Of @len octets, @head_len can be read. */
	const u8 *head;
	unsigned int head_len;
	unsigned int len;
	/* The transport checksum is still to be completed (CHECKSUM_PARTIAL). */
	bool partial;
	/* It arrived in fragments, which were put together. */
	bool cut;
};

#endif
